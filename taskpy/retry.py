"""When to try again: after a task's failure (`Backoff`), and after Redis did not answer (`reconnect_delay`)."""

import random
import sys
from dataclasses import dataclass

#: The longest pause between two tries to reach Redis, in seconds.
RECONNECT_CAP_SECONDS = 1.0

_MOST = sys.float_info.max  # an int may be larger, and is of no use then


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pause before each retry: `first` seconds, then `factor` times as long each time, never more than `cap`.

    `jitter` is the share of each pause that is left to chance, so that tasks that failed together do not all come
    back together.
    """

    first: float = 1.0
    factor: float = 2.0
    cap: float = 300.0
    jitter: float = 0.2

    def __post_init__(self) -> None:
        numbers = (self.first, self.factor, self.cap, self.jitter)
        if not (all(0 <= number <= _MOST for number in numbers) and self.jitter <= 1):
            raise ValueError(f"a backoff needs finite numbers of at least 0, and a jitter of at most 1: {self!r}")

    def delay(self, used: int) -> float:
        """Seconds to wait before the next retry, after `used` retries."""
        try:
            pause = min(self.cap, self.first * self.factor**used)
        except OverflowError:
            pause = self.cap
        return pause * (1 - self.jitter * random.random())


def backoff_of(backoff: Backoff | float | None) -> Backoff:
    """The backoff that an option stands for: a number is a constant pause in seconds, None the default."""
    if backoff is None:
        return Backoff()
    if isinstance(backoff, Backoff):
        return backoff
    return Backoff(first=float(backoff), factor=1.0, cap=float(backoff), jitter=0.0)


def reconnect_delay(failures: int) -> float:
    """Seconds to wait after so many failed tries to reach Redis in a row; random, so that a fleet spreads out."""
    return random.random() * min(RECONNECT_CAP_SECONDS, 0.02 * 2.0 ** min(failures, 16))
