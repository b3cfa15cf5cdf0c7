"""Whose turn it is to claim, among the shards that one process serves, and how many slots each has in mind.

They share the slots, so each claims when it stands first in the line: who has claimed goes to its end, and no shard starves
however few slots there are. The place in the line is given up before Redis is asked: a shard whose node does not answer
holds up nobody. A process that serves one shard has a line of one.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from taskpy.nudge import Nudge

#: A claim that is not answered for so many seconds keeps no slots from the others any more.
PLANNED_SECONDS = 1.0


class Turns:
    """The line of a process that serves `expected` shards. Thread-safe."""

    def __init__(self, expected: int = 1) -> None:
        self.alone = expected == 1
        self._expected = expected
        self._lock = threading.Lock()
        self._line: deque[Turn] = deque()
        self._plans: dict[Turn, tuple[int, float]] = {}  # how many slots, and since when
        self._emptied: dict[Turn, int] = {}

    def asks(self, turn: "Turn") -> bool:
        """Stand in the line, unless one does; whether one is the first."""
        with self._lock:
            if turn not in self._line:
                self._line.append(turn)
            return self._line[0] is turn

    def take(self, turn: "Turn", room: Callable[[], int]) -> int:
        """How many tasks to claim now: as many as there is room for, for the first in the line, who leaves it."""
        with self._lock:
            if turn not in self._line:
                self._line.append(turn)
            count = room() if self._line[0] is turn else 0
            if count:
                self._plans[turn] = count, time.monotonic()
                self._line.popleft()
                self._wake_first()
            return count

    def leave(self, turn: "Turn") -> None:
        """Claim nothing: let the others go on."""
        with self._lock:
            self._plans.pop(turn, None)
            if turn in self._line:
                self._line.remove(turn)
                self._wake_first()

    def done(self, turn: "Turn") -> None:
        """Have no more in mind: what was claimed counts in the slots."""
        with self._lock:
            self._plans.pop(turn, None)

    def planned(self, besides: "Turn") -> int:
        """How many slots the others have in mind."""
        if not self._plans:
            return 0
        oldest = time.monotonic() - PLANNED_SECONDS
        return sum(count for turn, (count, at) in list(self._plans.items()) if turn is not besides and at > oldest)

    def all_empty(self, turn: "Turn", begun: int) -> bool:
        """Note that one has found nothing after so many tasks had begun here; whether all have."""
        with self._lock:
            self._emptied[turn] = begun
            return len(self._emptied) == self._expected and set(self._emptied.values()) == {begun}

    def _wake_first(self) -> None:
        if self._line:
            self._line[0].nudge.give()


class Turn:
    """The place of one shard in the line; `nudge` is given when it has become the first."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.nudge = Nudge()

    @property
    def alone(self) -> bool:
        """Whether there is nobody else."""
        return self._turns.alone

    @property
    def planned(self) -> int:
        """How many slots the others have in mind."""
        return self._turns.planned(self)

    def asks(self) -> bool:
        """Stand in the line; whether this is the first one."""
        return self.alone or self._turns.asks(self)

    def take(self, room: Callable[[], int]) -> int:
        """How many tasks to claim now, 0 while it is another one's turn."""
        return room() if self.alone else self._turns.take(self, room)

    def done(self) -> None:
        """Have no more in mind: what was claimed counts in the slots."""
        if not self.alone:
            self._turns.done(self)

    def leave(self) -> None:
        """Be done with claiming for now."""
        if not self.alone:
            self._turns.leave(self)

    def all_empty(self, begun: int) -> bool:
        """Whether all have found nothing since the last task began here, and this one now."""
        return self.alone or self._turns.all_empty(self, begun)
