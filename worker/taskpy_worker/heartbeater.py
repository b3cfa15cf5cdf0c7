"""Asks Redis, a few times a lease, how the running tasks fare: lost, to stop, mail. The net under pub/sub."""

import logging
from collections.abc import Iterator, Sequence

from taskpy import ops
from taskpy.space import Space
from taskpy_worker.attempt import Attempt
from taskpy_worker.claimer import Claimer
from taskpy_worker.config import BEATS
from taskpy_worker.executor import Executor
from taskpy_worker.listener import NONCE, Listener
from taskpy_worker.settler import GiveBack, Settler

logger = logging.getLogger("taskpy.worker")

#: How many tasks are asked about in one call.
BATCH = 500
#: After so many nonces that did not come back the subscription counts as deaf.
DEAF_AFTER = 2


class Heartbeater:
    """Keeps what this process believes of its tasks equal to what Redis knows."""

    def __init__(
        self,
        space: Space,
        wid: str,
        *,
        executor: Executor,
        claimer: Claimer,
        listener: Listener,
        settler: Settler,
    ) -> None:
        self._space = space
        self._wid = wid
        self._executor = executor
        self._claimer = claimer
        self._listener = listener
        self._settler = settler
        self._nonce = 0
        self._turns = BEATS  # since the last beat: the first turn is one
        self._looked_at = 0  # the last claim of which it is known that no id of it was forgotten
        self.lost = False

    def turn(self) -> None:
        """To be called `BEATS` times a lease: beats each time while this process holds anything, else once a lease."""
        self._turns += 1
        doubtful = self._claimer.doubtful > self._looked_at
        if self._turns >= BEATS or doubtful or self._executor.held():
            self.tick()

    def tick(self) -> None:
        """One beat."""
        self._turns = 0
        say = self._next_nonce()
        for batch in _batches(self._executor.running()):
            self._ask(batch, say)
            say = ""

    def _ask(self, attempts: Sequence[Attempt], say: str) -> None:
        # Read before asking, and in this order: what is claimed meanwhile must not look forgotten.
        completed = self._claimer.completed
        known = self._executor.held()
        tasks = [(attempt.id, attempt.token) for attempt in attempts]
        beat = self._space.broker.run(ops.heartbeat(self._space.keys, wid=self._wid, tasks=tasks, say=say))
        if beat.held < 0:
            self._lose_all()
            return
        for attempt, fate in zip(attempts, beat.tasks, strict=True):
            if not fate.lost:
                self._executor.hear(attempt.id, fate.received, fate.wish, orders=fate.orders)
            elif attempt.mailbox is not None:
                attempt.mailbox.lose()
        if beat.held > len(known):
            self._give_back_forgotten(known, completed)
        self._looked_at = completed

    def _lose_all(self) -> None:
        if not self.lost:
            logger.error("this worker was declared lost; its tasks belong to others now: worker=%s", self._wid)
        self.lost = True
        for attempt in self._executor.running():
            if attempt.mailbox is not None:
                attempt.mailbox.lose()

    def _give_back_forgotten(self, known: dict[str, str], completed: int) -> None:
        """Give back what Redis says we hold and we do not know: the answer of a claim was lost for good."""
        held = self._space.broker.run(ops.held(self._space.keys, wid=self._wid))
        for id, token in held.tokens.items():
            number = int(token.rpartition(".")[2])
            if id in known or number > completed:  # a claim that is under way has a higher number
                continue
            queue = self._space.broker.run(ops.locate(self._space.keys, id=id)) or ""
            logger.warning("giving back a forgotten claim: task=%s token=%s", id, token)
            self._settler.give_back(Attempt(id, token, queue), GiveBack("drop"))

    def _next_nonce(self) -> str:
        if self._nonce - self._listener.heard >= DEAF_AFTER:
            self._listener.reconnect()
            self._listener.heard = self._nonce
        self._nonce += 1
        return f"{NONCE} {self._nonce}"


def _batches(attempts: Sequence[Attempt]) -> Iterator[Sequence[Attempt]]:
    # One call even for nobody: it also counts what Redis thinks this process holds.
    for first in range(0, max(1, len(attempts)), BATCH):
        yield attempts[first : first + BATCH]
