"""Makes each claimed spec an ordinary task whose mailbox is in Redis, and runs it as soon as there is a slot for it.

Owns what is running here. How a task came out goes to the settler; its slot is free when its function has ended, its claim
is over once its end is in Redis.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from taskpy import call, codec, errors, eventloop, flow, inside_aio, on, ops
from taskpy.answers import Started
from taskpy.inside import Inside
from taskpy.inside_flows import Run
from taskpy.interrupt import CoroutineInterrupt, ThreadInterrupt
from taskpy.line_redis import RedisLine
from taskpy.mailbox_redis import RedisMailbox
from taskpy.registry import Registered, registry
from taskpy.remote import RemoteTask
from taskpy.remote_aio import RemoteTask as AsyncRemoteTask
from taskpy.space import Space
from taskpy.spawning import RemoteSpawner
from taskpy.spec import Options, Outcome, TaskSpec, Verdict, Wish
from taskpy_worker.attempt import Attempt
from taskpy_worker.config import WorkerConfig
from taskpy_worker.enforcer import Enforcer
from taskpy_worker.guardian import Guardian
from taskpy_worker.loop_door import LoopDoor
from taskpy_worker.settler import GiveBack, Settler
from taskpy_worker.slots import Slots
from taskpy_worker.workshop import Workshop

logger = logging.getLogger("taskpy.worker")

#: So many ends beyond the slots may wait to be told before no more is claimed.
PENDING_LIMIT = 1000
#: Threads that talk to Redis for the coroutines, so that these share the connections of everybody else.
LOOP_IO_THREADS = 2


@dataclass(slots=True, eq=False)
class _Ready:
    """A claimed task whose function is ready to run: as the function sees it, and as the worker does."""

    executor: "Executor"
    id: str
    function: Callable[..., Any]
    inside: Inside | inside_aio.Task
    attempt: Attempt

    @property
    def on_loop(self) -> bool:
        """Whether it is a coroutine."""
        return isinstance(self.inside, inside_aio.Task)

    def run(self) -> None:
        """Run the plain function to its end, in this thread."""
        self.executor.run(self)


class Executor:
    """What runs in this process, and how much more may."""

    def __init__(
        self, config: WorkerConfig, space: Space, wid: str, settler: Settler, workshop: Workshop | None = None
    ) -> None:
        self._config = config
        self._space = space
        self.settler = settler
        self._lock = threading.Lock()
        self._held: dict[str, str] = {}  # id -> token of everything claimed and not settled
        self._running: dict[str, Attempt] = {}
        self._early: dict[str, tuple[int, Wish | None, int]] = {}  # news of what is held and does not run yet
        self._begun: dict[str, _Ready] = {}  # what was put into the slots, and is not settled
        self._draining = self._closed = False
        self.workshop = workshop or Workshop(config.concurrency, max_tasks=config.max_tasks)
        self.loop = self.workshop.loop
        self.slots: Slots[_Ready] = self.workshop.slots
        self.freed = self.workshop.freed
        self._loop_io = ThreadPoolExecutor(LOOP_IO_THREADS, thread_name_prefix="taskpy-loop-io")
        self.enforcer = Enforcer(space, wid, settler, later=self._loop_io.submit)
        self.guardian = Guardian(space, settler)
        self._door = LoopDoor(space, self._loop_io)
        self._entered: Callable[[Attempt], None] | None = None
        settler.on_settled(self.drop_all)

    def on_entered(self, callback: Callable[[Attempt], None]) -> None:
        """Call this with each attempt whose function is about to run."""
        self._entered = callback

    # -- what the other duties ask --------------------------------------------------------------

    @property
    def free(self) -> int:
        """How many slots there are beyond all that is claimed, and not settled or waiting for its children."""
        return max(0, self._config.concurrency - len(self._held) + self.guardian.waiting)

    @property
    def behind(self) -> bool:
        """Whether so many ends are not told yet that no more should be claimed."""
        return self.settler.pending >= self._config.concurrency + PENDING_LIMIT

    @property
    def room(self) -> int:
        """How many slots there are beyond all that wants one; below 0 where more does."""
        return self._config.concurrency - self.slots.load

    def running(self) -> list[Attempt]:
        """What runs now."""
        with self._lock:
            return list(self._running.values())

    def find(self, id: str) -> Attempt | None:
        """The attempt of this task that runs here."""
        return self._running.get(id)

    def hear(
        self, id: str, received: int, wish: Wish | None = None, *, body: bytes | None = None, orders: int = 0
    ) -> None:
        """Pass the news of a task on to its mailbox: messages and orders it ever got, the last message, a wish to stop."""
        with self._lock:
            if id in self._held and id not in self._running:  # Redis has started it, we are about to
                before, known, ordered = self._early.get(id, (0, None, 0))
                self._early[id] = max(before, received), wish or known, max(ordered, orders)
            attempt = self._running.get(id)
        if attempt is not None:
            self._tell(attempt, received, wish, body, orders)

    def answer(self, id: str, question: int) -> None:
        """Say in Redis which of its messages a task has taken; somebody wants to know."""
        attempt = self._running.get(id)
        if attempt is not None and attempt.mailbox is not None:
            keys, taken = self._space.keys, attempt.mailbox.taken.copy()
            seen = ops.seen(keys, id=id, token=attempt.token, question=question, taken=taken)
            self._loop_io.submit(self._space.broker.run, seen)

    def held(self) -> dict[str, str]:
        """The token of everything that was claimed here and is not settled."""
        with self._lock:
            return dict(self._held)

    def hold(self, ids: list[str], token: str) -> None:
        """Note what was claimed, before it is started."""
        with self._lock:
            self._held.update(dict.fromkeys(ids, token))
            self.workshop.holds(self, len(self._held), begun=len(ids))

    def enter(self, attempt: Attempt) -> None:
        """Note an attempt whose function runs in this process from now on."""
        with self._lock:
            self._running[attempt.id] = attempt
            received, wish, orders = self._early.pop(attempt.id, (0, None, 0))
        self.enforcer.begin(attempt)
        if self._entered is not None:
            self._entered(attempt)
        if attempt.mailbox is not None:
            self._tell(attempt, received, wish or attempt.mailbox.wish, None, orders)
            if self._draining:
                attempt.mailbox.drain()
            if self._closed:
                attempt.mailbox.lose()

    def drop(self, id: str, token: str) -> None:
        """Note that this claim is over: there is room for another."""
        self.drop_all([(id, token)])

    def drop_all(self, claims: Sequence[tuple[str, str]]) -> None:
        """Note that these claims, each given as id and token, are over."""
        if not claims:
            return
        over: list[_Ready] = []
        bereaved: list[str] = []
        with self._lock:
            for id, token in claims:
                if self._held.get(id) == token:
                    del self._held[id]
                    self._early.pop(id, None)
                if (running := self._running.get(id)) and running.token == token:
                    del self._running[id]
                    if running.mailbox is not None and running.mailbox.children:
                        bereaved.append(id)
                if (ready := self._begun.get(id)) and ready.attempt.token == token:
                    over.append(self._begun.pop(id))
            self.workshop.holds(self, len(self._held))
        for id, token in claims:
            self.enforcer.end(id, token)
        for ready in over:
            self.slots.leave(ready)  # only one that was abandoned has not left it by now
        for id in bereaved:
            self.guardian.bereave(id)
        self.freed.give()

    def give_up(self, ids: Iterable[str], token: str) -> None:
        """Give back those of a claim that were not begun."""
        with self._lock:
            idle = [id for id in ids if self._held.get(id) == token and id not in self._begun]
        for id in reversed(idle):
            queue = self._space.broker.run(ops.locate(self._space.keys, id=id)) or ""
            self.settler.give_back(Attempt(id, token, queue), GiveBack("drop"))

    def give_up_waiting(self) -> None:
        """Give back what waits for a slot here, of any shard: others may have one."""
        for ready in reversed(self.slots.take_back()):  # each is served next, so the first one comes last
            ready.executor.settler.give_back(ready.attempt, GiveBack("unbegun"))

    def drain(self) -> None:
        """Tell all that runs, and will run, that the worker shuts down; what has not begun goes back."""
        self._draining = True
        self.give_up_waiting()
        for mailbox in self._mailboxes():
            mailbox.drain()

    def close(self) -> None:
        """Fence what still runs here, and begin nothing more."""
        self._closed = True
        self.slots.close()
        for mailbox in self._mailboxes():
            mailbox.lose()

    def end(self) -> None:
        """Fence what still runs here, cancel the coroutines, of any shard, and end their loop: this process goes on."""
        self.close()
        self.loop.close()
        self._loop_io.shutdown(wait=False)

    def _mailboxes(self) -> list[RedisMailbox]:
        return [attempt.mailbox for attempt in self.running() if attempt.mailbox is not None]

    def _tell(self, attempt: Attempt, received: int, wish: Wish | None, body: bytes | None, orders: int) -> None:
        if attempt.mailbox is not None:
            attempt.mailbox.hear(received, wish, body, orders)
        if wish is not None:
            self.enforcer.hear(attempt, wish)

    # -- running --------------------------------------------------------------------------------

    def execute(self, claim: Iterable[Started], *, here: bool = False) -> Callable[[], None] | None:
        """Run the tasks of this claim as slots are free, or say at once why one cannot be run.

        With `here` one that comes alone, while nothing else runs, is left to this thread: returns how to run it.
        """
        ready = [one for started in claim if (one := self._made_ready(started)) is not None]
        with self._lock:
            self._begun.update((one.id, one) for one in ready)
        own = self.slots.put(ready, here=here)
        return None if own is None else partial(self.slots.run, own)

    def _made_ready(self, started: Started) -> _Ready | None:
        name = ""
        try:
            task = codec.load_spec(started.spec)
            name = task.name
            registered = _registered(task.name, started.queue)
            call.check_arguments(registered.function, task.args, task.kwargs)
        except (errors.NewerVersion, errors.UnknownTask) as error:
            self._unknown(started, name, error)
        except (errors.WireError, errors.BadArguments) as error:
            self._fail(started, name, error)
        else:
            try:
                return self._ready(started, task, registered)
            except Exception as error:  # whatever it is, the others of its claim must not suffer
                self._unknown(started, name, error)
        return None

    def _unknown(self, started: Started, name: str, error: Exception) -> None:
        # During a rolling deploy other workers may know it, or this one soon; only later it is an error.
        if started.unknowns >= self._config.unknown_limit:
            self._fail(started, name, error)
            return
        logger.warning(
            "cannot run the task, giving it back for a while: task=%s name=%s error=%s", started.id, name, error
        )
        back = GiveBack("unknown", delay=self._config.unknown_delay)
        self.settler.give_back(Attempt.unreadable(started, name), back)

    def _fail(self, started: Started, name: str, error: Exception) -> None:
        self.settler.settle(Attempt.unreadable(started, name), Outcome(Verdict.FAILED, error=error, final=True))

    def _ready(self, started: Started, task: TaskSpec, registered: Registered) -> _Ready:
        options = task.options.over(registered.options)
        self._adopt(started, task.options, options)
        is_async = call.is_async(registered.function)
        later = self._drive_on_loop if is_async else self._drive_in_thread
        mailbox = RedisMailbox(self._space.keys, started.queue, started, later=later)
        run = Run(
            id=started.id,
            args=task.args,
            kwargs=task.kwargs,
            prev=task.prev,
            attempt=started.attempt,
            token=started.token,
            handover=bool(options.handover),
            releasable=True,
            form=registered.form,
            spawner=partial(self._spawner, started, options, mailbox, is_async),
        )
        inside: Inside | inside_aio.Task
        interrupt: ThreadInterrupt | CoroutineInterrupt
        if is_async:
            interrupt = CoroutineInterrupt()
            inside = inside_aio.Task(run, mailbox, self._perform_async)
        else:
            interrupt = ThreadInterrupt()
            inside = Inside(run, mailbox, self._perform, shield=interrupt.shield)
        attempt = Attempt(
            started.id, started.token, started.queue, task.name, options, started.retries, mailbox, interrupt
        )
        return _Ready(self, started.id, registered.function, inside, attempt)

    def _spawner(self, started: Started, options: Options, mailbox: RedisMailbox, is_async: bool) -> RemoteSpawner:
        make = self._made_for_loop if is_async else self._made_for_thread
        return RemoteSpawner(started.id, started.token, options.children or "wait", mailbox, make)

    def _adopt(self, started: Started, given: Options, options: Options) -> None:
        # Only these two are needed by others than the worker that runs the task.
        restarts = options.restarts if given.restarts is None else None
        keep = options.keep if given.keep is None else None
        if restarts is not None or keep is not None:
            keys = self._space.keys
            self._space.broker.run(ops.adopt(keys, id=started.id, token=started.token, restarts=restarts, keep=keep))

    def run(self, ready: _Ready) -> None:
        """Run a plain function to its end, in this thread."""
        attempt = ready.attempt
        self.enter(attempt)
        interrupt = cast("ThreadInterrupt", attempt.interrupt)
        outcome = call.run(ready.function, ready.inside, on.around, interrupt=interrupt)
        if self.guardian.take(attempt, outcome):
            self.slots.leave(ready)  # its children may need it
            self.freed.give()
        else:
            # Where others wait for this slot, their ends and this one will be told together.
            settle = self.settler.settle if self.slots.waiting else self.settler.settle_here
            settle(attempt, outcome)
        self.enforcer.returned(attempt)

    def spawn(self, ready: _Ready) -> None:
        """Begin a coroutine, on the loop's own thread."""
        attempt = ready.attempt

        def done(task: "asyncio.Task[Outcome]") -> None:
            ready.inside.ended()
            outcome = eventloop.outcome_in(task)
            awaits = self.guardian.take(attempt, outcome)
            if not awaits:
                self.settler.settle(attempt, outcome)
            self.enforcer.returned(attempt)
            self.slots.leave(ready)
            if awaits:
                self.freed.give()

        self.enter(attempt)
        interrupt = cast("CoroutineInterrupt", attempt.interrupt)
        self.loop.begin(call.run_async(ready.function, ready.inside, on.around, interrupt=interrupt), done)

    def _made_for_thread(self, task: TaskSpec) -> tuple[Any, RedisLine]:
        return RemoteTask.spawned(self._space, task)

    def _made_for_loop(self, task: TaskSpec) -> tuple[Any, RedisLine]:
        made: AsyncRemoteTask[Any] = AsyncRemoteTask(cast("Any", self._door), self._space.shards.new_id(), task)
        return made, made.line

    def _drive_in_thread(self, steps: Callable[[], flow.Flow[None]]) -> None:
        self._loop_io.submit(lambda: flow.drive(steps(), self._perform))

    def _drive_on_loop(self, steps: Callable[[], flow.Flow[None]]) -> None:
        # Not in a thread of those that carry out what the loop asks of Redis: it may have to wait for just that.
        self.loop.begin(flow.drive_async(steps(), self._perform_async), lambda task: task.result())

    def _perform(self, step: flow.Step) -> Any:
        return self._space.broker.run(step) if isinstance(step, ops.Op) else flow.wait_here(step)

    async def _perform_async(self, step: flow.Step) -> Any:
        if not isinstance(step, ops.Op):
            return await flow.wait_here_async(step)
        answer = asyncio.get_running_loop().run_in_executor(self._loop_io, self._space.broker.run, step)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            # What is said cannot be taken back: the mailbox may not say more before Redis has answered.
            while not answer.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([answer])
            raise


def _registered(name: str, queue: str) -> Registered:
    registered = registry.get(name)
    if registered is None:
        raise errors.UnknownTask(f"no worker of queue {queue!r} knows a task named {name!r}")
    return registered
