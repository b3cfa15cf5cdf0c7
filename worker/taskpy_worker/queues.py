"""The queues a worker serves, and the order in which it looks into them: always the same, or by chance by weight."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from taskpy import errors, naming


@dataclass(frozen=True, slots=True)
class Queues:
    """Queues with their weights; without weights they are served strictly in the order given."""

    weights: tuple[tuple[str, int], ...]
    strict: bool

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        """Read `high:3 low:1` or `high low`; a name without weight beside others with one counts 1.

        Raises `BadName` for what is no queue, `BadArguments` for a queue that is named twice.
        """
        read = [_read(text) for text in texts]
        names = [name for name, _ in read]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise errors.BadArguments(f"queue {twice[0]!r} is named twice")
        return cls(
            tuple((name, weight or 1) for name, weight in read), strict=all(weight is None for _, weight in read)
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The queues as they were given."""
        return tuple(name for name, _ in self.weights)

    @property
    def by_chance(self) -> bool:
        """Whether the order of each claim is drawn."""
        return not self.strict and len(self.weights) > 1

    def order(self) -> list[str]:
        """The order for the next claim: a queue of weight 3 comes before one of weight 1 in three of four cases."""
        if not self.by_chance:
            return list(self.names)
        # Sorting by u ** (1 / weight) draws without replacement by weight (Efraimidis and Spirakis, 2006).
        drawn = [(random.random() ** (1 / weight), name) for name, weight in self.weights]
        return [name for _, name in sorted(drawn, reverse=True)]


def _read(text: str) -> tuple[str, int | None]:
    name, colon, weight = text.rpartition(":")
    if colon and weight.isdecimal():
        if int(weight) < 1:
            raise errors.BadArguments(f"the weight of queue {name!r} must be at least 1")
        return naming.checked_name(name, "queue"), int(weight)
    return naming.checked_name(text, "queue"), None
