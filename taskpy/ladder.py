"""What follows when a task that was asked to stop does not end: `Stopped` is raised inside it, then it is ended by force.

Holds the plans, and carries them out when their time comes: `tick` in a duty of the worker, a thread for local tasks.
"""

import heapq
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

from taskpy.nudge import Nudge
from taskpy.spec import Wish

logger = logging.getLogger("taskpy.task")

#: How long a task has after `Stopped` was raised in it before it is ended by force, in seconds.
UNWIND_SECONDS = 1.0
#: How soon the time limit of a task that stands still is looked at again, in seconds, at the least.
PAUSED_SECONDS = 0.2


class Rungs(Protocol):
    """A running task, as the ladder deals with it. `at_once`: force needs no raising before it."""

    at_once: bool

    @property
    def over(self) -> bool:
        """Whether it has ended."""

    def strike(self) -> None:
        """Raise `Stopped` inside it."""

    def kill(self) -> None:
        """End it by force, as far as that can be done."""


class Ladder:
    """The plans of all tasks of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due: list[tuple[float, int, Rungs, Callable[[], None]]] = []
        self._order = itertools.count()
        self._planned: dict[Rungs, tuple[bool, float]] = {}
        self._entries: dict[Rungs, int] = {}  # how many of `_due` are for a task
        self._stale = 0  # how many are for tasks that are over
        self.nudge = Nudge()

    def plan(self, task: Rungs, wish: Wish) -> None:
        """Plan what a wish to stop says is to follow; told again, it can only become stricter."""
        if wish.follows is None:
            return
        forced, deadline = wish.follows == "kill", time.monotonic() + wish.grace
        with self._lock:
            if (known := self._planned.get(task)) is not None:
                # Whoever tells it once more counts the rest of the grace time anew, and a little differently.
                if (known[0] or not forced) and known[1] <= deadline + UNWIND_SECONDS / 2:
                    return
                forced, deadline = forced or known[0], min(deadline, known[1])
            self._planned[task] = forced, deadline
        if forced:
            self.at(deadline if task.at_once else deadline + UNWIND_SECONDS, task, task.kill)
        if not (forced and task.at_once):
            self.at(deadline, task, task.strike)

    def at(self, moment: float, task: Rungs, action: Callable[[], None]) -> None:
        """Do this at a moment of the monotonic clock, unless the task is over by then."""
        with self._lock:
            heapq.heappush(self._due, (moment, next(self._order), task, action))
            self._entries[task] = self._entries.get(task, 0) + 1
        self.nudge.give()

    def limit(self, seconds: float, task: Rungs, action: Callable[[], None], *, stood: Callable[[], float]) -> None:
        """Do this after so many seconds; those in which the task stood still, as `stood` says, do not count."""
        end = time.monotonic() + seconds

        def reached() -> None:
            left = end + stood() - time.monotonic()
            if left > 0:
                self.at(time.monotonic() + max(left, PAUSED_SECONDS), task, reached)
            else:
                action()

        self.at(end, task, reached)

    def forget(self, task: Rungs) -> None:
        """Drop what is planned for a task that has ended."""
        with self._lock:
            self._planned.pop(task, None)
            self._stale += self._entries.pop(task, 0)
            if self._stale > len(self._due) / 2:  # seldom, so that it costs next to nothing for each
                self._due = [entry for entry in self._due if entry[2] in self._entries]
                heapq.heapify(self._due)
                self._stale = 0

    def tick(self) -> float | None:
        """Do what is due; seconds until something is again, None: nothing is planned."""
        while True:
            with self._lock:
                if not self._due:
                    return None
                left = self._due[0][0] - time.monotonic()
                if left > 0:
                    return left
                _, _, task, action = heapq.heappop(self._due)
                self._pop(task)
            if task.over:
                continue
            try:
                action()
            except Exception:  # one task's fault must not keep the others from their ends
                logger.exception("a stop could not be carried on: task=%s", task)

    def _pop(self, task: Rungs) -> None:
        left = self._entries.get(task, 0) - 1
        if left > 0:
            self._entries[task] = left
        elif left == 0:
            del self._entries[task]
        else:  # it was forgotten
            self._stale -= 1


class LocalLadder(Ladder):
    """The ladder of the local tasks of this process, with a thread from the first plan on."""

    def __init__(self) -> None:
        super().__init__()
        self._starting = threading.Lock()
        self._pid: int | None = None

    def at(self, moment: float, task: Rungs, action: Callable[[], None]) -> None:
        """Do this at a moment of the monotonic clock, unless the task is over by then."""
        super().at(moment, task, action)
        with self._starting:
            if self._pid != os.getpid():  # a forked child has the plans but not the thread
                self._pid = os.getpid()
                threading.Thread(target=self._climb_for_ever, name="taskpy-ladder", daemon=True).start()

    def _climb_for_ever(self) -> None:
        while True:
            seen = self.nudge.count
            self.nudge.wait(seen, self.tick())


#: The ladder of the local tasks of this process.
local = LocalLadder()
