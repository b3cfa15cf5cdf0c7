"""What Redis answers about keys: who has one, and what became of a submission that wants it."""

import re
from dataclasses import dataclass
from typing import Any, Self

from taskpy.answers import text

#: What stands at a key: the id of the live task, and behind it that of one that waits for its end.
_ENTRY = re.compile(r"(?:[\w-]+(?: [\w-]+)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Holders:
    """Who has a key: the ids of the live task and, behind it, of the one that waits for its end."""

    ids: tuple[str, ...] = ()

    @classmethod
    def of(cls, reply: Any) -> Self:
        """Read the entry of a key. Raises ValueError for one that taskpy has not written."""
        entry = text(reply or b"")
        if not _ENTRY.fullmatch(entry):
            raise ValueError(f"{entry!r:.200} names no tasks")
        return cls(tuple(entry.split(" ")) if entry else ())


@dataclass(frozen=True, slots=True)
class Placed:
    """What has become of a submission with a key.

    `word`: 'new'; the state of the task that has this id already; 'taken', 'joined', 'sent' or 'full', with the `id` of the
    task that has the key; or 'again': nothing was done, for these are the `holders` of the key now.
    """

    word: str
    id: str = ""
    holders: Holders = Holders()

    @classmethod
    def of(cls, reply: Any) -> Self:
        """Read the reply of `submit_keyed`."""
        word, _, rest = reply.partition(b" ")
        if word == b"again":
            return cls("again", holders=Holders.of(rest))
        return cls(text(word), text(rest))
