"""What the shards that one process serves have in common: its slots, its event loop, its share of tasks, the turns to claim."""

import threading
from typing import Any, Protocol

from taskpy.eventloop import EventLoop
from taskpy.nudge import Nudge
from taskpy_worker.slots import Slots, Work
from taskpy_worker.turns import Turns


class Piece(Work, Protocol):
    """A function that is ready to run, and its executor, which begins coroutines."""

    executor: Any


class Workshop:
    """Where the tasks of a process run, of `shards` shards. `freed` is given when something has ended or may have changed."""

    def __init__(self, concurrency: int, *, max_tasks: int = 0, shards: int = 1) -> None:
        self.loop = EventLoop("taskpy-loop")
        self.slots: Slots[Any] = Slots(concurrency, self._begin_on_loop)
        self.freed = Nudge()
        self.turns = Turns(shards)
        self.finished = threading.Event()  # the process has done what it was to do: a burst, or its share of tasks
        self._left = max_tasks or None
        self._lock = threading.Lock()
        self._held: dict[Any, int] = {}  # by executor
        self.begun = 0  # how many tasks were ever claimed here

    @property
    def left(self) -> int | None:
        """How many tasks this process may still claim; None: as many as there are."""
        return self._left

    @property
    def busy(self) -> bool:
        """Whether anything is claimed here and not settled, of any shard."""
        return any(list(self._held.values()))

    def holds(self, executor: Any, count: int, *, begun: int = 0) -> None:
        """Note how many tasks an executor holds, and how many of them are new."""
        self._held[executor] = count
        if begun:
            with self._lock:
                self.begun += begun

    def spend(self, count: int) -> None:
        """Count what was claimed against the share of this process."""
        if self._left is None:
            return
        with self._lock:
            self._left = max(0, self._left - count)
        if self._left == 0:
            self.finish()

    def finish(self) -> None:
        """Claim nothing more, in no shard: this process has done what it was to do."""
        self.finished.set()
        self.freed.give()

    def _begin_on_loop(self, pieces: list[Piece]) -> None:
        def begin() -> None:
            for piece in pieces:
                piece.executor.spawn(piece)

        self.loop.call(begin)
