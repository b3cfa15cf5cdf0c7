"""Claims tasks: waits for a queue's bell, takes as many ids as slots are free, starts them, hands them to the executor."""

import logging

from taskpy import errors, ops, retry
from taskpy.space import Space
from taskpy_worker.config import WorkerConfig
from taskpy_worker.executor import Executor

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
        self._bells = {space.keys.bell(queue): queue for queue in config.queues}
        self._quiet = True
        self._paused = False
        self._failures = 0
        self.claiming = False
        self.number = 0  # of the last claim sent
        self.completed = 0  # of the last claim whose ids the executor knows
        self.lost = False

    def pause(self) -> None:
        """Claim nothing more."""
        self._paused = True
        self._executor.freed.give()

    def tick(self, block: float) -> float:
        """One turn, waiting at most `block` seconds for a slot and as long for a bell; seconds to pause after it."""
        seen = self._executor.freed.count
        if self._executor.free == 0:
            self._executor.freed.wait(seen, block)
        if self._executor.free == 0 or self._paused:
            return 0.0
        # Where the last claim took all it wanted there may be more: no need to wait for a bell.
        if self._quiet and not self._listen(block):
            return retry.reconnect_delay(self._failures)
        self.claiming = True  # before looking at the pause: a drain does the same the other way round
        try:
            if not self._paused:
                self._claim(min(self._executor.free, BATCH))
        finally:
            self.claiming = False
            self._executor.freed.give()
        return 0.0

    def _listen(self, block: float) -> bool:
        """Wait for a bell; False when this worker should not claim now."""
        try:
            rung = self._space.broker.pop(list(self._bells), block)
        except errors.Unreachable:
            self._failures += 1
            return False
        self._failures = 0
        if self._paused and rung is not None:
            self._space.broker.run(ops.ring(self._space.keys, queue=self._bells[rung[0]]))
        return not self._paused

    def _claim(self, count: int) -> None:
        self.number += 1
        run, keys = self._space.broker.run, self._space.keys
        ids = run(ops.claim(keys, wid=self._wid, number=self.number, count=count, queues=self._config.queues))
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
