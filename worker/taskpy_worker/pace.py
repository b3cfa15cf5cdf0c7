"""How many tasks to claim beyond the free slots: as many as will begin in a moment, when tasks go on to end as they did."""

import time
from typing import Any

from taskpy_worker.slots import Slots

#: The most that is claimed beyond the slots.
MOST = 500
#: What is claimed beyond the slots is what will begin within so many seconds.
AHEAD_SECONDS = 0.02
#: How quickly tasks end is measured over so many seconds, or more: in less it is chance.
MEASURE_SECONDS = 0.01
#: From fewer ends than these no pace is told: one task that ends says nothing of the next.
FEWEST = 2
#: Where nobody has asked for so many seconds, what has ended since says nothing.
REST_SECONDS = 0.2
#: What waits for a slot while none becomes free for so many seconds waits for a long task: it goes back to its queue.
STALE_SECONDS = 0.25


class Pace:
    """How quickly tasks come and go here. `never`: nothing is claimed beyond the slots, however quickly they do."""

    def __init__(self, slots: Slots[Any], *, never: bool = False) -> None:
        self._never = never
        self._slots = slots
        self._measured = time.monotonic()
        self._left = slots.left
        self._ahead = 0

    @property
    def ahead(self) -> int:
        """How many to claim beyond the slots now: after a rest none, whatever came before it."""
        if self._never:
            return 0
        now, left = time.monotonic(), self._slots.left
        seconds = now - self._measured
        if seconds >= MEASURE_SECONDS:
            ended = left - self._left
            tells = ended >= FEWEST and seconds < REST_SECONDS
            self._ahead = min(MOST, int(ended / seconds * AHEAD_SECONDS)) if tells else 0
            self._measured, self._left = now, left
        return self._ahead

    @property
    def stale(self) -> bool:
        """Whether what waits for a slot has waited too long, for none becomes free."""
        return self._slots.stuck_for > STALE_SECONDS
