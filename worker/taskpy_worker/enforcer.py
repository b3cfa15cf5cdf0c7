"""Sees to it that a stop lands: raises `Stopped` in tasks that do not end in time, and gives up those that do not care.

Also stops tasks at their time limit. What is to follow, and when, is in `taskpy.ladder`.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
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
        self._abandoned: set[str] = set()  # likewise
        self.ladder = Ladder()

    @property
    def spent(self) -> bool:
        """Whether too many functions go on here that nobody waits for."""
        return self.abandoned > ABANDONED_LIMIT

    @property
    def abandoned(self) -> int:
        """How many functions go on here whose tasks were called stopped."""
        return len(self._abandoned)

    def begin(self, attempt: Attempt) -> None:
        """Note a task whose function begins, and its time limit."""
        self._climbed[_key(attempt.id, attempt.token)] = climbed = _Climbed(self, attempt)
        if attempt.options.time_limit is not None:
            limit = attempt.options.time_limit
            stop = partial(self._later, lambda: self._stop_in_time(climbed, limit))
            self.ladder.limit(limit, climbed, stop, stood=lambda: attempt.mailbox.stood if attempt.mailbox else 0.0)

    def hear(self, attempt: Attempt, wish: Wish) -> None:
        """Plan what a wish to stop says is to follow."""
        climbed = self._climbed.get(_key(attempt.id, attempt.token))
        if climbed is not None and wish.follows is not None:
            self.ladder.plan(climbed, wish)

    def end(self, id: str, token: str) -> None:
        """Forget an attempt that is over."""
        climbed = self._climbed.pop(_key(id, token), None)
        if climbed is not None:
            climbed.over = True
            self.ladder.forget(climbed)

    def tick(self) -> float | None:
        """Do what is due; seconds until something is again, None: nothing is planned."""
        return self.ladder.tick()

    def abandon(self, attempt: Attempt) -> None:
        """Call a task stopped whose function does not end, or which still waits for its children, and fence it."""
        note = call.CHILDREN_RUN
        if not attempt.returned:
            logger.warning(
                "stop: the function goes on, and its task is called stopped: task=%s name=%s", attempt.id, attempt.name
            )
            self._abandoned.add(_key(attempt.id, attempt.token))
            note = f"{call.STILL_RUNS} in worker {self._wid}"
        self._settler.settle(attempt, Outcome(Verdict.STOPPED, note=note))
        if attempt.mailbox is not None:
            attempt.mailbox.lose()

    def returned(self, attempt: Attempt) -> None:
        """Note that a function has come to its end after all."""
        self._abandoned.discard(_key(attempt.id, attempt.token))

    def _stop_in_time(self, climbed: _Climbed, limit: float) -> None:
        attempt = climbed.attempt
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
            self.ladder.at(again, climbed, lambda: self._later(lambda: self._stop_in_time(climbed, limit)))


def _key(id: str, token: str) -> str:
    return f"{token} {id}"
