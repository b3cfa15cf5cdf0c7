"""One namespace on one server, as this process reaches it: its keys, its door to Redis, its senders.

Connects at the first use. After a fork the child shares nothing with its parent: it connects anew.
"""

import contextlib
import os
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from taskpy import address, errors, ops, pages
from taskpy.connection import Connections, Redis
from taskpy.keys import Keys
from taskpy.senders import Senders
from taskpy.settings import Settings
from taskpy.shards import Shards, disagreement

if TYPE_CHECKING:
    from taskpy.broker import Broker
    from taskpy.line_redis import RedisLine

#: How many tasks are submitted in one call.
SUBMIT_BATCH = 500
#: As many shards as the namespace has: it is asked when that matters first.
ASK = 0


class Space:
    """A namespace on a server. `timeout` bounds the retrying of each call, in seconds; None: for ever.

    `shards` is into how many the namespace is cut: None, as many as the environment says; `ASK`. Without `agreed` the
    namespace is asked, once, whether it has so many.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        namespace: str | None = None,
        redis: Redis | None = None,
        timeout: float | None = 10.0,
        connections: int = 8,
        shards: int | None = None,
        agreed: bool = False,
    ) -> None:
        settings = Settings.from_env()
        self.keys = Keys(namespace or settings.namespace)
        self._shards: Shards | None = None
        self._agreed = agreed
        if shards != ASK:
            self.divide((settings.shards or 1) if shards is None else shards)
        self._url = url
        self._settings = settings
        self._redis = redis
        self._timeout = timeout
        self._connections = connections
        self._lock = threading.Lock()
        self._broker: Broker | None = None
        self._address: address.Address | None = None
        self.senders = Senders()
        _spaces.add(self)

    @property
    def broker(self) -> "Broker":
        """The door to Redis; opened at the first use, which may start a local server."""
        with self._lock:
            if self._broker is None:
                self._broker = self._connect()
            return self._broker

    @property
    def server(self) -> str:
        """Where this is connected, or will be, without the password."""
        return str(self.address)

    @property
    def address(self) -> address.Address:
        """Where Redis is; looked up once, which may start a local server."""
        if self._address is None:
            self._address = address.find(self._url, self._settings, given=self._redis is not None)
        return self._address

    @property
    def shards(self) -> Shards:
        """The shards of the namespace."""
        if self._shards is None:
            self.divide(self.broker.run(pages.namespace(self.keys)).shards, agreed=True)
        assert self._shards is not None
        return self._shards

    def divide(self, shards: int, *, agreed: bool = False) -> None:
        """Say into how many shards the namespace is cut; `agreed`: it has said so itself."""
        self._shards = Shards(self.keys.namespace, shards)
        self._agreed = self._agreed or agreed

    def whole(self, what: str) -> Keys:
        """The keys of a namespace that is not cut; raises `Incompatible`, and says what has no shards, where it is."""
        if self.shards.count > 1:
            raise errors.Incompatible(
                f"{what} has no shards, and namespace {self.keys.namespace!r} is cut into {self.shards.count}; use a namespace "
                "of its own there, with TASKPY_SHARDS=1 or Client(shards=1)"
            )
        return self.keys

    def keys_of(self, id: str) -> Keys:
        """The keys of the shard that this task is in; raises `BadName` for an id that names none."""
        return self.shards.of(id)

    def with_patience(self, timeout: float | None, *, connections: int) -> "Space":
        """The same namespace on the same server with another `timeout`, over connections of its own."""
        return Space(
            self._url,
            namespace=self.keys.namespace,
            redis=self._redis,
            timeout=timeout,
            connections=connections,
            shards=self.shards.count,
            agreed=self._agreed,
        )

    def in_shard(self, shard: int | None, *, connections: int) -> "Space":
        """One shard by itself, over connections of its own, whose failures are nobody else's; None: the namespace."""
        found = self.with_patience(self._timeout, connections=connections)
        if shard is not None:
            found._confine(shard)  # noqa: SLF001 - our own
        return found

    def _confine(self, shard: int) -> None:
        self.keys = self.shards.keys[shard]
        self._shards, self._agreed = Shards(self.keys.namespace, only=shard), True

    def submit_many(self, lines: Sequence["RedisLine"]) -> None:
        """Submit the tasks of these lines, which differ in their arguments only, with one call a batch.

        Raises `SubmitUncertain` with the first uncertain id.
        """
        for batch in batches(lines):
            try:
                self.broker.run(batch[0].submission_of(batch))
            except errors.Unreachable as error:
                raise errors.SubmitUncertain(batch[0].id, f"{len(batch)} tasks are uncertain: {error}") from error
            for line in batch:
                line.submitted()

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        with self._lock:
            broker, self._broker = self._broker, None
        if broker is not None:
            broker.close()

    def _connect(self) -> "Broker":
        from taskpy.broker import Broker  # redis is only imported where somebody talks to it

        connections = Connections(self.address, commands=self._connections, redis=self._redis, timeout=self._timeout)
        shards = self._shards
        first = None if shards is None or shards.count == 1 or self._agreed else agreement(shards)
        return Broker(connections, timeout=self._timeout, first=first)

    def _reset(self) -> None:
        """Forget what belongs to the parent process."""
        self._lock = threading.Lock()
        self._broker = None
        self._address = None
        self.senders.forget()  # in place: lines made before the fork go on with them


def batches(lines: Sequence["RedisLine"]) -> "Iterator[list[RedisLine]]":
    """These tasks, which are to be submitted, by calls: each of one shard, and not too large."""
    by_shard: dict[Keys, list[RedisLine]] = {}
    for line in lines:
        by_shard.setdefault(line.keys, []).append(line)
    for some in by_shard.values():
        for first in range(0, len(some), SUBMIT_BATCH):
            yield some[first : first + SUBMIT_BATCH]


def agreement(shards: Shards) -> ops.Op[int]:
    """Have the namespace cut into so many shards, unless that is decided; raises `Incompatible` where it has others."""
    asked = ops.divide(shards.root, shards=shards.count)

    def decode(reply: Any) -> int:
        found = asked.decode(reply)
        if found != shards.count:
            raise disagreement(shards.root.namespace, shards.count, found)
        return found

    return replace(asked, decode=decode)


_spaces: "weakref.WeakSet[Space]" = weakref.WeakSet()
_default: Space | None = None
_default_lock = threading.Lock()


def default() -> Space:
    """The space of this process's default client; made from the environment at the first use."""
    global _default  # noqa: PLW0603 - the one default that a process has
    with _default_lock:
        if _default is None:
            _default = Space()
        return _default


def set_default(space: Space | None) -> None:
    """Make this the space of the default client; None: from the environment again."""
    global _default  # noqa: PLW0603 - the one default that a process has
    with _default_lock:
        _default = space


@contextlib.contextmanager
def default_meanwhile(space: Space) -> Iterator[None]:
    """Make this the space of the default client for a while, for tests; then it is the former one again."""
    before = _default
    set_default(space)
    try:
        yield
    finally:
        set_default(before)


def _after_fork() -> None:
    global _default_lock  # noqa: PLW0603 - the parent's may be held by a thread that does not exist here
    _default_lock = threading.Lock()
    for space in _spaces:
        space._reset()  # noqa: SLF001 - our own


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
