"""Which messages of an inbox were taken. Numbers count all messages ever sent to a task, from 1."""

from collections.abc import Iterable
from typing import Self

from taskpy import errors

#: So many messages can be taken out of order: far more than wait in an inbox.
BEYOND_LIMIT = 10_000


class Taken:
    """All messages up to `upto`, and some beyond it that were taken out of order."""

    __slots__ = ("beyond", "upto")

    def __init__(self, upto: int = 0, beyond: Iterable[int] = ()) -> None:
        self.upto = upto
        self.beyond = set(beyond) if beyond else set()

    def __contains__(self, number: int) -> bool:
        return number <= self.upto or number in self.beyond

    def __repr__(self) -> str:
        return f"<taken: {self.dump()}>"

    def add(self, number: int) -> None:
        """Note that this message was taken."""
        if number > self.upto:
            self.beyond.add(number)
        while self.upto + 1 in self.beyond:
            self.upto += 1
            self.beyond.discard(self.upto)

    def __or__(self, other: "Taken") -> "Taken":
        both = Taken(max(self.upto, other.upto))
        for number in sorted(self.beyond | other.beyond):
            if number > both.upto:
                both.add(number)
        return both

    def copy(self) -> "Taken":
        """The same numbers, on their own from here on."""
        return Taken(self.upto, self.beyond)

    def dump(self) -> str:
        """These numbers as text: `12` for all up to 12, `12 15-17 20` where some beyond were taken."""
        return " ".join([str(self.upto), *self.ranges().split()])

    def ranges(self) -> str:
        """What was taken out of order, as text: `15-17 20`."""
        parts: list[list[int]] = []
        for number in sorted(self.beyond):
            if parts and number == parts[-1][-1] + 1:
                parts[-1][1:] = [number]
            else:
                parts.append([number])
        return " ".join("-".join(map(str, part)) for part in parts)

    @classmethod
    def load(cls, text: str) -> Self:
        """Read what `dump` wrote; raises Malformed for anything else, before it takes up memory."""
        if text == "0 ":  # what is said of a task that has taken nothing
            return cls()
        try:
            upto, *ranges = text.split()
            taken = cls(int(upto))
            for part in ranges:
                first, _, last = part.partition("-")
                taken._load(int(first), int(last or first))
        except ValueError as error:
            raise errors.Malformed(f"{text!r:.100} does not say which messages were taken") from error
        if taken.upto < 0:
            raise errors.Malformed(f"{text!r:.100} does not say which messages were taken")
        return taken

    def _load(self, first: int, last: int) -> None:
        if len(self.beyond) + last - first >= BEYOND_LIMIT:
            raise ValueError("too many")
        self.beyond.update(range(first, last + 1))
