"""Sees to it that a stop lands: raises `Stopped` in tasks that do not end in time, and gives up those that do not care.

Also stops tasks at their time limit. What is to follow, and when, is in `taskpy.ladder`.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from taskpy import call, errors, ops
from taskpy.ladder import Ladder
from taskpy.space import Space
from taskpy.spec import GRACE_SECONDS, Outcome, Verdict, Wish
from taskpy_worker.attempt import Attempt
from taskpy_worker.settler import Settler

logger = logging.getLogger("taskpy.worker")

#: How many functions may go on in this process that their tasks were taken from; past that it takes no more tasks.
ABANDONED_LIMIT = 3
#: When a stop at a time limit is told to Redis once more, after it did not answer.
RETRY_SECONDS = 1.0


class _Climbed:
    """One attempt, on the ladder."""

    at_once = False

    def __init__(self, enforcer: "Enforcer", attempt: Attempt) -> None:
        self._enforcer = enforcer
        self.attempt = attempt
        self.over = False

    def strike(self) -> None:
        """Raise `Stopped` inside its function."""
        logger.info("stop: raised inside the task: task=%s name=%s", self.attempt.id, self.attempt.name)
        if self.attempt.interrupt is not None:
            self.attempt.interrupt.strike()

    def kill(self) -> None:
        """Call it stopped, whatever its function does: a thread cannot be ended by force."""
        self._enforcer.abandon(self.attempt)


class Enforcer:
    """The only one in its process who ends tasks against their will."""

    def __init__(self, space: Space, wid: str, settler: Settler, *, later: Callable[[Callable[[], None]], Any]) -> None:
        self._space = space
        self._later = later  # calls in another thread: an outage of Redis must not hold up the ladder
        self._wid = wid
        self._settler = settler
        self._climbed: dict[str, _Climbed] = {}  # by token and id
        self.ladder = Ladder()
        self.abandoned = 0

    @property
    def spent(self) -> bool:
        """Whether too many functions go on here that nobody waits for."""
        return self.abandoned > ABANDONED_LIMIT

    def begin(self, attempt: Attempt) -> None:
        """Note a task whose function begins, and its time limit."""
        limit = attempt.options.time_limit
        if limit is not None:
            at = time.monotonic() + limit
            self.ladder.at(at, self._of(attempt), lambda: self._later(lambda: self._stop_in_time(attempt, limit)))

    def hear(self, attempt: Attempt, wish: Wish) -> None:
        """Plan what a wish to stop says is to follow."""
        if wish.follows is not None:
            self.ladder.plan(self._of(attempt), wish)

    def end(self, id: str, token: str) -> None:
        """Forget an attempt that is over."""
        climbed = self._climbed.pop(f"{token} {id}", None)
        if climbed is not None:
            climbed.over = True
            self.ladder.forget(climbed)

    def tick(self) -> float | None:
        """Do what is due; seconds until something is again, None: nothing is planned."""
        return self.ladder.tick()

    def abandon(self, attempt: Attempt) -> None:
        """Call a task stopped whose function does not end, and fence it."""
        logger.warning(
            "stop: the function goes on, and its task is called stopped: task=%s name=%s", attempt.id, attempt.name
        )
        self.abandoned += 1
        self._settler.settle(attempt, Outcome(Verdict.STOPPED, note=f"{call.STILL_RUNS} in worker {self._wid}"))
        if attempt.mailbox is not None:
            attempt.mailbox.lose()

    def _of(self, attempt: Attempt) -> _Climbed:
        return self._climbed.setdefault(f"{attempt.token} {attempt.id}", _Climbed(self, attempt))

    def _stop_in_time(self, attempt: Attempt, limit: float) -> None:
        if attempt.mailbox is not None and attempt.mailbox.lost:
            return  # another worker has begun the task anew, with the whole of its time
        # Through Redis, as any other stop: it holds though this worker dies now.
        stop = ops.stop(
            self._space.keys,
            id=attempt.id,
            queue=attempt.queue,
            reason=f"time limit of {limit:g} s",
            by=self._wid,
            follows="kill",
            grace=GRACE_SECONDS,
        )
        try:
            self._space.broker.run(stop)
        except errors.Unreachable:
            again = time.monotonic() + RETRY_SECONDS
            self.ladder.at(again, self._of(attempt), lambda: self._later(lambda: self._stop_in_time(attempt, limit)))
