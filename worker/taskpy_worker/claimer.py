"""Claims tasks: waits for a queue's bell, takes as many ids as slots are free, starts them, hands them to the executor."""

import logging
import threading
from collections.abc import Iterable

from taskpy import errors, ops, retry
from taskpy.answers import Started
from taskpy.space import Space
from taskpy_worker.config import WorkerConfig
from taskpy_worker.executor import Executor
from taskpy_worker.queues import Queues

logger = logging.getLogger("taskpy.worker")

#: The most that is claimed at once, so that one worker does not take what others have slots for.
BATCH = 16


class Claimer:
    """The only one in its process who takes tasks from queues."""

    def __init__(self, config: WorkerConfig, space: Space, wid: str, executor: Executor) -> None:
        self._config = config
        self._space = space
        self._wid = wid
        self._executor = executor
        self.serve(config.queues)
        self._quiet = not config.burst  # a burst looks first, for it may be that nobody rings any more
        self._left = config.max_tasks or None
        self._paused = False
        self._failures = 0
        self._taking = threading.Lock()
        self.claiming = False
        self.number = 0  # of the last claim sent
        self.completed = 0  # of the last claim whose ids the executor knows
        self.lost = False
        self.finished = False  # it has done what it was to do: a burst, or its share of tasks

    @property
    def spent(self) -> bool:
        """Whether it has claimed its share of tasks; there may be more for others."""
        return self._left == 0

    def serve(self, queues: Iterable[str]) -> None:
        """Take from these queues, from the next claim on."""
        self._queues = Queues.of(queues)
        self._bells = {self._space.keys.bell(queue): queue for queue in self._queues.names}

    def pause(self) -> None:
        """Claim nothing more."""
        self._paused = True
        self._executor.freed.give()

    def tick(self, block: float) -> float:
        """One turn, waiting at most `block` seconds for a slot and as long for a bell; seconds to pause after it."""
        seen = self._executor.freed.count
        if self._executor.free == 0:
            self._executor.freed.wait(seen, block)
        if self._paused:
            return block
        if self._executor.free == 0:
            return 0.0
        # Where the last claim took all it wanted there may be more: no need to wait for a bell.
        if self._quiet and not (self._more_to_come(seen, block) if self._config.burst else self._listen(block)):
            return retry.reconnect_delay(self._failures)
        self.claiming = True  # before looking at the pause: a drain does the same the other way round
        try:
            if not self._paused:
                self._claim(min(self._executor.free, BATCH, self._left or BATCH))
        finally:
            self.claiming = False
            self._executor.freed.give()
        return 0.0

    def take(self, id: str, queue: str, *, restarts: int) -> Started | str:
        """Take one task by its id, which another system has handed out, and start it; or why not: see `ops.take`.

        Any thread may, but not while claims are made, too: they share their numbers.
        """
        with self._taking:
            self.number += 1
            run, keys = self._space.broker.run, self._space.keys
            found = run(ops.take(keys, wid=self._wid, number=self.number, id=id, queue=queue, restarts=restarts))
            if isinstance(found, Started):
                self._executor.hold([id], found.token)
            self.lost = self.lost or found == "refused"
            self.completed = self.number
        return found

    def _more_to_come(self, seen: int, block: float) -> bool:
        """Wait for a running task to end, which may have submitted others; False when none runs: the burst is over."""
        if not self._executor.held():
            self.finish()
            return False
        return self._executor.freed.wait(seen, block)

    def finish(self) -> None:
        """Claim nothing more: this process has done what it was to do."""
        self._paused = True
        self.finished = True
        self._executor.freed.give()

    def _listen(self, block: float) -> bool:
        """Wait for a bell; False when this worker should not claim now."""
        bells = self._bells
        try:
            rung = self._space.broker.pop(list(bells), block)
        except errors.Unreachable:
            self._failures += 1
            return False
        self._failures = 0
        if self._paused and rung is not None:
            self._space.broker.run(ops.ring(self._space.keys, queue=bells[rung[0]]))
        return not self._paused

    def _claim(self, count: int) -> None:
        self.number += 1
        run, keys = self._space.broker.run, self._space.keys
        ids = run(ops.claim(keys, wid=self._wid, number=self.number, count=count, queues=self._queues.order()))
        if ids is None:
            self.lost = True
            self._paused = True
            logger.error("this worker was declared lost and claims no more: worker=%s", self._wid)
            return
        token = ops.token_of(self._wid, self.number)
        self._executor.hold(ids, token)
        self.completed = self.number
        self._quiet = len(ids) < count
        if not ids:
            return
        if self._left is not None:
            self._left -= len(ids)
            if self._left == 0:
                self.finish()
        try:
            self._start(ids, token)
        except BaseException:
            self._executor.give_up(ids, token)  # whatever it was, no claim may be held by nobody
            raise

    def _start(self, ids: list[str], token: str) -> None:
        answers = self._space.broker.run(ops.start(self._space.keys, wid=self._wid, number=self.number, ids=ids))
        for id, started in zip(ids, answers, strict=True):
            if started is None:
                self._executor.drop(id, token)  # it was stopped in its queue, or has ended
            else:
                self._executor.execute(started)
