"""What some measured values come to: quantiles, and a median with the smallest and the largest one."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def quantile(values: Sequence[float], part: float) -> float:
    """The value below which this part of them lies, taken from among them."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """The figures of some durations, in milliseconds."""
    return {"p50_ms": quantile(seconds, 0.5) * 1000, "p99_ms": quantile(seconds, 0.99) * 1000}


@dataclass(frozen=True, slots=True)
class Summary:
    """The median of some repetitions, with the smallest and the largest one."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Summary":
        """Sum up; there must be one value at least."""
        found = list(values)
        return cls(statistics.median(found), min(found), max(found))

    def __str__(self) -> str:
        if self.low == self.high:
            return shown(self.median)
        return f"{shown(self.median)} ({shown(self.low)}-{shown(self.high)})"


def shown(value: float) -> str:
    """A number with as many digits as somebody wants to read."""
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 100:
        return f"{value:.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 or value == 0 else f"{value:.3f}"
