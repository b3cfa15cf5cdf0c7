"""The line to a task on a worker: everything a handle asks goes through Redis, as ops, whoever drives them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from taskpy import codec, errors, flow, keyed, naming, numbered, ops, pages, spec, tree, unserved
from taskpy.answers import Mail as RawMail
from taskpy.answers import Receipt, Standing
from taskpy.answers import Reported as RawReported
from taskpy.counter_redis import RedisCounter
from taskpy.deadline import Deadline
from taskpy.keys import Keys
from taskpy.line import FULL, Full, Line
from taskpy.nudge import Nudge
from taskpy.question import Reply
from taskpy.senders import Senders
from taskpy.spec import Children, State, StopReason, TaskSpec, Wish
from taskpy.status import Mail, Reported, Status
from taskpy.unpacked import batch_after, lines_of, not_found, progress_of, status_of

#: How long a waiter relies on pub/sub before it looks again.
RECHECK_SECONDS = 5.0
#: How many lines of a log a reader takes at once.
BATCH = 100
#: How long a worker may take to say which messages a task has taken.
ANSWER_SECONDS = 2.0

#: Who is told of each task that this process has submitted, by its id, namespace, server and packed spec. For tests.
observers: list[Callable[[str, str, str, bytes], None]] = []


class RedisLine:
    """One task, reached through Redis. Without a spec it is somebody else's, known by its id only."""

    recheck: float | None = RECHECK_SECONDS

    def __init__(
        self, keys: Keys, id: str, senders: Senders, *, server: Callable[[], str], task: TaskSpec | None = None
    ) -> None:
        self.id = id
        self._keys = keys
        self._senders = senders
        self._server = server
        self._task = task
        self._packed = None if task is None else codec.dump_spec(task)
        self._local: State | None = None if task is None else State.NEW  # until Redis knows the task
        self._fresh = False
        self._batch = BATCH
        self._final: Status | None = None
        self._heard: Status | None = None  # how it has ended, as the message of its end said, and no more
        self._queue = None if task is None else task.queue
        self._early: list[bytes] = []  # messages from before the start
        self._starting = flow.Turn()  # held while it is being submitted: others wait for what came of it
        self._stop_reason: StopReason | None = None  # of a stop before the start
        self._parent: dict[str, Any] | None = None  # who spawns it, under which token
        self._uncertain = False  # whether a submit got no answer, so that Redis may know the task
        self._warned = False
        self.joined = False  # whether its key was another task's, so that this is the line to that one

    @property
    def keys(self) -> Keys:
        """The keys of the shard that the task is in."""
        return self._keys

    @property
    def queue(self) -> str | None:
        """The queue the task is in, where that is known without asking."""
        return self._queue

    # -- state ----------------------------------------------------------------------------------

    def look(self) -> flow.Flow[Status]:
        """Where the task stands now; a final state is remembered."""
        if self._local is not None:
            return Status(self._local, stop=self._stop_reason)
        if self._final is not None:
            return self._final
        self._fresh = False
        standing: Standing | None = yield ops.status(self._keys, id=self.id)
        if standing is None:
            if self._heard is None:
                raise self._not_found()
            self._final = self._heard  # it was not kept any longer; how it ended is known here
            return self._final
        status = status_of(standing)
        if status.state.done:
            self._final = status
        return status

    def look_closely(self) -> flow.Flow[Status]:
        """The same, with what stands elsewhere: whether it is delayed."""
        status = yield from self.look()
        if status.state is not State.QUEUED:
            return status
        due: float | None = yield pages.due_at(self._keys, id=self.id)
        return replace(status, delayed=due is not None)

    @property
    def fresh(self) -> bool:
        """Whether it was submitted here just now, and nobody has looked since."""
        return self._fresh

    def heard(self, nudge: Nudge) -> Status | None:
        """How the task has ended and what came of it, where the message of its end says so: a short value does."""
        word, _, value = nudge.said.partition(b" ")
        if not value or word not in (b"succeeded", b"failed"):  # how it was stopped is a longer story
            return None
        self._heard = status_of(Standing(State(word.decode()), value))
        return self._heard

    def watch(self) -> flow.Flow[Nudge]:
        """A nudge for every change that Redis announces."""
        self._fresh = False
        nudge: Nudge = yield flow.Watch(self._keys.task(self.id))
        return nudge

    def late(self) -> flow.Flow[None]:
        """Warn, once, when the task waits in a queue that no worker serves, or whose workers do not know its name."""
        if self._warned or (yield from self.look()).state is not State.QUEUED:
            return
        queue = yield from self._located()
        self._warned = yield from unserved.warned(self._keys, id=self.id, queue=queue, server=self._server())

    # -- life -----------------------------------------------------------------------------------

    def start(self) -> flow.Flow[None]:
        """Submit the task; raises `SubmitUncertain` when Redis does not say whether it has it: start it again."""
        yield from self._starting.take()
        try:
            if self._task is None or self._local is not State.NEW:
                raise errors.AlreadyStarted
            if self._task.options.key is not None:
                yield from self._start_keyed(self._task, self._task.options.key)
                return
            tree.check_spawned((yield self.submission()))
            self.submitted()
        except errors.Unreachable as error:
            raise errors.SubmitUncertain(
                self.id, f"task {self.id} may have been accepted, or not: {error}; start() it again, it runs once"
            ) from error
        finally:
            self._starting.give()

    def _start_keyed(self, task: TaskSpec, key: str) -> flow.Flow[None]:
        self._uncertain = True
        placed = yield from keyed.submitted(
            self._keys, id=self.id, task=task, packed=self._packed or b"", messages=self._early
        )
        self._uncertain = False
        if not placed.id:
            self.submitted()
            return
        if placed.word not in ("joined", "sent"):
            self._become(
                naming.new_id(self.keys.shard)
            )  # Redis remembers the other one as refused; this can be started
            raise keyed.refusal(placed, key)
        self._become(placed.id)
        self.joined = True
        self._task = self._packed = self._queue = self._local = None
        self._early = []

    def _become(self, id: str) -> None:
        self.id = id

    def submission(self) -> ops.Op[str]:
        """The op that submits the task."""
        if self._task is None or self._packed is None:
            raise errors.AlreadyStarted
        self._uncertain = True  # until it is answered, whatever may break it off
        options = self._task.options
        given: dict[str, Any] = {
            "id": self.id,
            "queue": self._task.queue,
            "name": self._task.name,
            "spec": self._packed,
        }
        given |= {"delay": options.delay or 0.0, "restarts": options.restarts, "keep": options.keep}
        if self._parent is None:
            return ops.submit(self._keys, **given, messages=self._early)
        return ops.spawn(self._keys, **given, **self._parent)

    def spawned_by(self, parent: str, token: str, children: Children) -> None:
        """Let it be the child of a running task, whose children fare so when it ends."""
        self._parent = {"parent": parent, "token": token, "children": children}

    @staticmethod
    def submission_of(lines: "Sequence[RedisLine]") -> ops.Op[list[str]]:
        """The op that submits tasks that differ in their specs only, and have not been sent anything yet."""
        task = lines[0]._task  # noqa: SLF001 - our own, here and below
        assert task is not None
        if task.options.key is not None:
            raise errors.BadArguments(f"many tasks cannot have one key, {task.options.key!r}; submit each by itself")
        tasks = []
        for line in lines:
            line._uncertain = True  # noqa: SLF001 - as in `submission`
            tasks.append((line.id, line._packed or b""))  # noqa: SLF001
        return ops.submit_many(
            lines[0]._keys,  # noqa: SLF001
            queue=task.queue,
            name=task.name,
            tasks=tasks,
            delay=task.options.delay or 0.0,
            restarts=task.options.restarts,
            keep=task.options.keep,
        )

    def submitted(self) -> None:
        """Note that Redis has the task, and the messages sent so far."""
        self._local = None
        self._fresh = True
        self._early = []
        for tell in observers:
            tell(self.id, self._keys.namespace, self._server(), self._packed or b"")

    def stop(self, wish: Wish) -> flow.Flow[None]:
        """Ask the task to stop; one that was never submitted never will be."""
        yield from self._starting.take()
        try:
            if self._local is None or self._uncertain:
                yield from self._stop(wish)
            else:
                self._local, self._stop_reason = State.STOPPED, self._stop_reason or wish.reason
        finally:
            self._starting.give()

    def _stop(self, wish: Wish) -> flow.Flow[None]:
        if (self._final is not None or self._heard is not None) and not wish.tree:
            return
        queue = yield from self._located()
        answer: str = yield ops.stop(
            self._keys,
            id=self.id,
            queue=queue,
            reason=wish.reason,
            by=wish.reason.by,
            follows=wish.follows,
            grace=wish.grace,
            tree=wish.tree,
        )
        if answer != "unknown":
            self._local = None
            if wish.tree:
                yield from tree.fell(self._keys, self.id, wish)
        elif self._local is not None:
            self._local = State.STOPPED  # the uncertain submit did not arrive
        else:
            raise self._not_found()

    def children(self) -> flow.Flow[list[str]]:
        """The ids of the tasks that it has spawned, in that order."""
        found = [] if self._local is not None else (yield from tree.children(self._keys, self.id))
        if found is None:
            raise self._not_found()
        return found

    def below(self) -> flow.Flow[list[Line]]:
        """All tasks below this one."""
        ids = [] if self._local is not None else (yield from tree.below(self._keys, self.id))
        return [RedisLine(self._keys, id, self._senders, server=self._server) for id in ids]

    # -- mail -----------------------------------------------------------------------------------

    def offer(self, data: Any, inbox: str | None, refused: Full | None = None) -> flow.Flow[int | State | Full]:
        """Put a message into the inbox; before the start it waits here."""
        body = codec.dump_message(data, inbox=inbox)
        if self._local is State.NEW:
            yield from self._starting.take()
            try:
                if self._local is State.NEW:
                    return self._keep(body)
            finally:
                self._starting.give()
        return (yield from self._send(body, refused))

    def received(self, number: int) -> flow.Flow[bool]:
        """Whether the task has taken the message of this number; its worker is asked where it has not said so."""
        if self._local is not None:
            return False
        receipt = yield from self._receipt()
        if number in receipt.taken or not receipt.running:
            return number in receipt.taken
        nudge = yield from self.watch()
        seen = nudge.count
        question: int = yield ops.inquire(self._keys, id=self.id)
        deadline = Deadline(ANSWER_SECONDS)
        while True:
            receipt = yield from self._receipt()
            if number in receipt.taken or not receipt.running or receipt.question >= question or deadline.over:
                return number in receipt.taken
            yield flow.Wait(nudge, seen, deadline.left())
            seen = nudge.count

    def _receipt(self) -> flow.Flow[Receipt]:
        found: Receipt | None = yield ops.receipt(self._keys, id=self.id)
        if found is None:
            raise self._not_found()
        return found

    def read(self, index: int) -> flow.Flow[Mail]:
        """The outbox from an absolute index on, a batch at a time."""
        if self._local is not None:
            return Mail(self._local, index, [], 0)
        mail: RawMail = yield ops.receive(self._keys, id=self.id, index=index, count=self._batch)
        if mail.state is None:
            raise self._not_found()
        if mail.messages:
            self._batch = batch_after(mail.messages)
        return Mail(mail.state, mail.first, mail.messages, mail.sent)

    def opened(self, message: bytes) -> Any:
        """A message of `read` as the task sent it; raises a `WireError` where it cannot be read."""
        return codec.load_message(message).data

    def reported(self, index: int) -> flow.Flow[Reported]:
        """The log from an absolute place on, a batch at a time, and the progress."""
        if self._local is not None:
            return Reported(self._local, None, index, [])
        found: RawReported = yield ops.reported(self._keys, id=self.id, index=index, count=BATCH)
        if found.state is None:
            raise self._not_found()
        return Reported(found.state, progress_of(found.progress), found.next, lines_of(found.lines))

    # -- questions, and a pause -----------------------------------------------------------------

    def ask(self, topic: str, data: Any) -> flow.Flow[int | State | Full]:
        """Put a question to the task."""
        self._check_begun()
        return (yield from self._counter.ask(topic, data))

    def reply(self, number: int) -> flow.Flow[Reply | State]:
        """What the task has answered to a question; else where it stands."""
        return self._counter.reply(number)

    def retract(self, number: int) -> flow.Flow[None]:
        """Forget a question and its answer."""
        return self._counter.retract(number)

    def answer(self, number: int | None, value: Any) -> flow.Flow[None]:
        """Answer what the task asks; without a number, what it has asked last. Raises `TaskEnded`, `NotAsked` or `AlreadyAnswered`."""
        self._check_begun()
        yield from self._counter.answer(number, value)

    def pause(self, pausing: bool, whole: bool = False) -> flow.Flow[bool]:
        """Ask the task to stand still at its next safe point, or to go on; whether it stands still.

        Raises `NotStarted` or `TaskEnded`.
        """
        self._check_begun()
        return (yield from self._counter.pause(pausing, whole))

    def _check_begun(self) -> None:
        if self._local is State.NEW:
            raise errors.NotStarted
        if self._local is not None:
            raise errors.TaskEnded(self._local)

    def _keep(self, body: bytes) -> int | Full:
        if self._uncertain:  # the task may be there already, with the messages of then
            raise errors.SubmitUncertain(
                self.id, f"it is not known whether task {self.id} was accepted; start() it again before you send to it"
            )
        if len(self._early) >= spec.INBOX_LIMIT:
            return FULL
        self._early.append(body)
        return len(self._early)

    def _send(self, body: bytes, refused: Full | None) -> flow.Flow[int | State | Full]:
        if self._local is not None:
            return self._local

        def sending(sender: str, number: int) -> ops.Op[int | str]:
            return ops.send(self._keys, id=self.id, sender=sender, number=number, body=body, limit=spec.INBOX_LIMIT)

        answer = yield from numbered.put(self._senders, self.id, sending, what="message", refused=refused)
        if answer == "unknown":
            raise self._not_found()
        return State(answer) if isinstance(answer, str) else answer

    def _located(self) -> flow.Flow[str]:
        if self._queue is None:
            self._queue = yield ops.locate(self._keys, id=self.id)
        if self._queue is None:
            raise self._not_found()
        return self._queue

    @property
    def _counter(self) -> RedisCounter:
        return RedisCounter(self._keys, self.id, self._senders, self._not_found)

    def _not_found(self) -> errors.TaskNotFound:
        return not_found(self._keys, self.id, self._server())
