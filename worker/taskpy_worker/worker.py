"""One worker process's duties in one shard, and their threads. Knows threads; signals and processes are the supervisor's.

Can also run inside any process (`renews=True`: it keeps its own lease), which is how tests run it on fakeredis.
"""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

from taskpy import errors, ops
from taskpy.deadline import Deadline
from taskpy.info import WorkerInfo
from taskpy.nudge import Nudge
from taskpy.space import Space
from taskpy_worker.attempt import Attempt
from taskpy_worker.claimer import Claimer
from taskpy_worker.config import BEATS, WorkerConfig
from taskpy_worker.executor import Executor
from taskpy_worker.heartbeater import Heartbeater
from taskpy_worker.listener import Listener
from taskpy_worker.promoter import Promoter
from taskpy_worker.queues import Queues
from taskpy_worker.recoverer import Recoverer
from taskpy_worker.relay import Relay
from taskpy_worker.reporter import PAUSE_SECONDS, Reporter
from taskpy_worker.settler import GiveBack, Settler
from taskpy_worker.workshop import Workshop

logger = logging.getLogger("taskpy.worker")

#: How long the last words to Redis may take when the worker ends, in seconds; what is not said then, the lease says.
LAST_WORDS_SECONDS = 5.0


class Worker:
    """The duties of one worker process: claim, run, report, settle, listen, heartbeat, promote.

    Where the process serves several shards there is one of these for each, and they share a `workshop`.
    """

    def __init__(
        self,
        config: WorkerConfig,
        space: Space,
        *,
        wid: str,
        lease: float,
        renews: bool = False,
        workshop: Workshop | None = None,
    ) -> None:
        self._config = config
        self.space = space
        self.wid = wid
        self._lease = lease
        self._renews = renews
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._relay = Relay(partial(self._take_turn, self._claim), self._closing)
        self.settler = Settler(space, wid)
        self.executor = Executor(config, space, wid, self.settler, workshop)
        self.reporter = Reporter(space, executor=self.executor, settler=self.settler)
        self.claimer = Claimer(config, space, wid, self.executor, self.settler)
        self.listener = Listener(space, wid, self.executor)
        self.heartbeater = Heartbeater(
            space,
            wid,
            executor=self.executor,
            claimer=self.claimer,
            listener=self.listener,
            settler=self.settler,
        )
        self._recoverer = Recoverer(space, lease)
        self.promoter = Promoter(space, lease, self._recoverer)

    @property
    def lost(self) -> bool:
        """Whether this worker was declared lost: it does nothing any more, and must be replaced."""
        return self.claimer.lost or self.heartbeater.lost

    def start(self, *, claims: bool = True) -> None:
        """Begin all duties; the worker must have joined. Without `claims` it takes only what it is told to take."""
        self.listener.start()
        self._later = self.space.broker.subscriber.watch(self.space.keys.later())
        if claims:
            for _ in range(2):
                threading.Thread(target=self._relay.serve, name="taskpy-claim", daemon=True).start()
        for turn in (self._settle, self._report, self._beat, self._promote, self._enforce, self._guard):
            name = f"taskpy-{turn.__name__.strip('_')}"
            thread = threading.Thread(target=self._turn_for_ever, args=(turn,), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def drain(self, grace: float) -> None:
        """Claim nothing more, let what can be handed over go, wait for the rest, and give back what remains."""
        self.claimer.pause()
        self.executor.drain()
        wait_until(lambda: self.holds_nothing, self.executor.freed, Deadline(grace))
        self.give_back_all()

    def await_finish(self) -> None:
        """Wait until the claimer has done what it was to do."""
        self.claimer.finished.wait()

    def await_empty(self) -> None:
        """Wait until nothing runs any more, however long it takes."""
        wait_until(lambda: self.holds_nothing, self.executor.freed, Deadline(None))

    def give_back_all(self) -> None:
        """Give back at once whatever this process holds."""
        self.claimer.pause()
        deadline = Deadline(LAST_WORDS_SECONDS)
        wait_until(lambda: not self.claimer.claiming, self.executor.freed, deadline)
        self.executor.give_up_waiting()  # from here on nothing begins
        running = self.executor.running()
        for attempt in running:
            self.settler.give_back(attempt, GiveBack("release"))
        for attempt in running:
            if attempt.mailbox is not None:
                attempt.mailbox.lose()
        self.executor.close()  # only now: what a fenced task says of its end comes too late
        started = {attempt.id for attempt in running}
        for id, token in self.executor.held().items():
            if id not in started:
                queue = self.space.broker.run(ops.locate(self.space.keys, id=id)) or ""
                self.settler.give_back(Attempt(id, token, queue), GiveBack("drop"))
        wait_until(lambda: not self.settler.pending, self.settler.idle, deadline)

    def leave(self) -> None:
        """End the duties of a worker that renews itself, and make it unknown; what it still holds is given back."""
        self._closing.set()
        self._recoverer.recover(self.wid, sure=True)

    def close(self) -> None:
        """End the duties' threads; tasks that still run are fenced."""
        self._closing.set()
        self.claimer.pause()
        self.executor.end()
        self.listener.stop()
        self.space.broker.subscriber.unwatch(self.space.keys.later())
        self._later.give()
        self.executor.enforcer.ladder.nudge.give()
        self.executor.guardian.nudge.give()
        self.reporter.nudge.give()
        self.settler.close()
        self._relay.close(self._config.block + 1)
        for thread in self._threads:
            thread.join(self._config.block + 1)
        self.executor.guardian.close()

    @property
    def holds_nothing(self) -> bool:
        """Whether nothing is claimed here, nor about to be."""
        return not self.claimer.claiming and not self.executor.held()  # in this order: a claim ends by being held

    # -- the turns ------------------------------------------------------------------------------

    def _claim(self) -> float:
        if self.lost:
            self.claimer.pause()  # else other shards would wait for its turn
            return self._config.block
        pause = self.claimer.tick(self._config.block, here=self._relay.is_covered)
        if (own := self.claimer.own) is not None:
            with self._relay.aside():
                own()
        return pause

    def _settle(self) -> float:
        self.settler.tick()
        return 0.0

    def _report(self) -> float:
        return PAUSE_SECONDS if self.reporter.tick(self._config.block) else 0.0

    def _beat(self) -> float:
        if self._renews:
            self.space.broker.run(ops.renew(self.space.keys, wid=self.wid, lease=self._lease))
        self.heartbeater.turn()
        return self._lease / BEATS

    def _promote(self) -> float:
        seen = self._later.count
        soon = self.promoter.tick()
        if self._renews:  # else the supervisor looks a few times a lease, for all its children
            soon = min(self._lease / BEATS, self._lease if soon is None else soon)
        self._later.wait(seen, soon)
        return 0.0

    def _enforce(self) -> float:
        ladder = self.executor.enforcer.ladder
        seen = ladder.nudge.count
        soon = self.executor.enforcer.tick()
        if self.executor.enforcer.spent and not self._renews:  # nobody could replace a worker inside another process
            self.claimer.finish()
        ladder.nudge.wait(seen, soon)
        return 0.0

    def _guard(self) -> float:
        guardian = self.executor.guardian
        seen = guardian.nudge.count
        guardian.nudge.wait(seen, guardian.tick())
        return 0.0

    def _turn_for_ever(self, turn: Callable[[], float]) -> None:
        while not self._closing.is_set():
            self._take_turn(turn)

    def _take_turn(self, turn: Callable[[], float]) -> None:
        try:
            pause = turn()
        except errors.TaskpyError as error:
            logger.error("a duty failed, going on: duty=%s error=%s", turn.__name__, error)  # noqa: TRY400 - no bug
            pause = 1.0
        except Exception:  # a bug in one duty must not end it in silence
            logger.exception("a duty failed, going on: duty=%s", turn.__name__)
            pause = 1.0
        if pause:
            self._closing.wait(pause)


def wait_until(reached: Callable[[], bool], nudge: Nudge, deadline: Deadline) -> None:
    """Wait until this holds, looking whenever the nudge is given, at most until the deadline."""
    while True:
        seen = nudge.count
        if reached() or deadline.over:
            return
        nudge.wait(seen, deadline.left())


def running_here(config: WorkerConfig, space: Space, *, wid: str, lease: float, claims: bool = True) -> Worker:
    """Start a worker inside this process: it joins, and keeps its own lease, as long as the namespace has agreed on.

    Raises `Incompatible` when the namespace has data of another version, or shards.
    """
    found = space.broker.run(
        ops.agree(space.whole("a worker inside another program"), version=ops.VERSION, lease=lease)
    )
    if found.version != ops.VERSION:
        raise errors.Incompatible(
            f"namespace {space.keys.namespace!r} has data of version {found.version}, this taskpy knows {ops.VERSION}"
        )
    info = WorkerInfo(
        host=socket.gethostname(),
        pid=os.getpid(),
        queues=Queues.of(config.queues).names,
        concurrency=config.concurrency,
        started=time.time(),
    )
    space.broker.run(ops.join(space.keys, wid=wid, lease=found.lease, info=info.dump()))
    worker = Worker(config, space, wid=wid, lease=found.lease, renews=True)
    worker.start(claims=claims)
    return worker
