"""A moment after which to stop waiting, on the monotonic clock."""

import time


class Deadline:
    """`timeout` seconds from now, or never for None."""

    __slots__ = ("_at",)

    def __init__(self, timeout: float | None) -> None:
        self._at = None if timeout is None else time.monotonic() + timeout

    @property
    def over(self) -> bool:
        """Whether the moment has come."""
        return self._at is not None and time.monotonic() >= self._at

    def left(self, at_most: float | None = None) -> float | None:
        """Seconds until then, never below 0 and never above `at_most`; None when there is no limit at all."""
        if self._at is None:
            return at_most
        left = max(0.0, self._at - time.monotonic())
        return left if at_most is None else min(left, at_most)
