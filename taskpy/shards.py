"""Into how many shards a namespace is cut, and which of them a task is in: its id says so, and nobody keeps a table.

A shard has all the keys of a namespace, under a hash tag of its own, so that the shards of one namespace lie on many nodes
of a Redis Cluster. A namespace of one shard is what it was before there were shards: the same keys, the same ids.
"""

import itertools
import random
import re
import zlib
from collections.abc import Sequence
from functools import cached_property

from taskpy import errors, naming, values
from taskpy.keys import Keys

#: The most shards of a namespace: far more than a Cluster has nodes.
MOST = 1024
#: How many tasks that are submitted together go to one shard, before another one gets some, too.
TOGETHER = 100

#: An id that names its shard.
_OF_SHARD = re.compile(r"(0|[1-9][0-9]{0,3})-[A-Za-z0-9_-]+")


class Shards:
    """The shards of one namespace. Thread-safe. With `only` a single one of several, by itself."""

    def __init__(self, namespace: str, count: int = 1, *, only: int | None = None) -> None:
        self.root = Keys(namespace, only)
        self.count = checked_count(count)
        self._only = only
        self._turn = itertools.count(random.randrange(self.count))  # others begin with another one

    @cached_property
    def keys(self) -> tuple[Keys, ...]:
        """The keys of all of them, in order."""
        if self.count == 1:
            return (self.root,)
        return tuple(Keys(self.root.namespace, shard) for shard in range(self.count))

    def of(self, id: str) -> Keys:
        """The keys of the shard that this task is in. Raises `BadName` for an id that names none of these shards."""
        if self.count == 1:
            return self.root
        shard = shard_in(id)
        if shard is None or shard >= self.count:
            raise errors.BadName(
                f"no task of namespace {self.root.namespace!r} can have the id {values.shown(id, 200)}: it has "
                f"{self.count} shards, and its ids begin with the number of one, as {self.count - 1}-… does"
            )
        return self.keys[shard]

    def of_key(self, key: str) -> Keys:
        """The keys of the shard that the tasks with this key are in, one after the other."""
        return self.root if self.count == 1 else self.keys[self._place(key)]

    def new_id(self, key: str | None = None) -> str:
        """A fresh id, in the shard whose turn it is; that of a task with a `key` in the shard of its key."""
        if self.count == 1:
            return naming.new_id(self._only)
        return naming.new_id(next(self._turn) % self.count if key is None else self._place(key))

    def _place(self, key: str) -> int:
        return zlib.crc32(naming.checked_key(key).encode()) % self.count

    def new_ids(self, count: int) -> list[str]:
        """Fresh ids for tasks that are submitted together, over no more shards than are worth a call each."""
        if self.count == 1:
            return [naming.new_id(self._only) for _ in range(count)]
        wanted = min(self.count, -(-count // TOGETHER))
        turns = [next(self._turn) % self.count for _ in range(wanted)]
        return [naming.new_id(turns[number % wanted]) for number in range(count)]

    def sorted_out(self, ids: Sequence[str]) -> list[tuple[Keys, list[str]]]:
        """These ids by the shard they are in, as far as there are any."""
        found: dict[Keys, list[str]] = {}
        for id in ids:
            found.setdefault(self.of(id), []).append(id)
        return list(found.items())


def shard_in(id: str) -> int | None:
    """The shard that an id names; None for one that names none."""
    found = _OF_SHARD.fullmatch(id)
    return int(found[1]) if found else None


def checked_count(count: int) -> int:
    """The number of shards, or `BadArguments`."""
    if type(count) is not int or not 1 <= count <= MOST:
        raise errors.BadArguments(f"shards must be a whole number from 1 to {MOST}, not {values.shown(count)}")
    return count


def disagreement(namespace: str, wanted: int, found: int) -> errors.Incompatible:
    """The error for who believes in another number of shards than the namespace has."""
    return errors.Incompatible(
        f"namespace {namespace!r} has {_shards(found)}, and this process was told {wanted}; the number cannot change: say "
        f"shards={found} (TASKPY_SHARDS={found}), or use another namespace"
    )


def _shards(count: int) -> str:
    return "1 shard" if count == 1 else f"{count} shards"
