"""Commands over connections that are kept: a call is one write and one read.

redis-py's own `execute_command` takes a connection from its pool for each call, looks whether it still lives, and notes
what it does for its statistics. On a fast network that is more than half of the time of a call. Here a connection stays
out of the pool, and is looked at only when it has rested. What a connection is, its login, TLS, Sentinels, is redis-py's.
"""

import contextlib
import inspect
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import redis

try:
    import hiredis
except ImportError:  # redis-py packs commands itself, several times as slowly
    _pack: Callable[..., bytes] | None = None
else:
    _pack = hiredis.pack_command

#: A connection that was not used for so many seconds is looked at before it is: the server may have closed it meanwhile.
REST_SECONDS = 1.0


class Links:
    """Connections of one pool; who calls borrows one. Thread-safe. How many there are at most is up to the callers."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        # redis-py before 5.3 wants to know what for; since then it warns who says so.
        asked = inspect.signature(pool.get_connection).parameters.values()
        self._purpose = (
            ["_"] if any(one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD for one in asked) else []
        )
        self._idle: list[tuple[Any, float]] = []  # each with the moment (monotonic) of its last use

    def call(self, command: Sequence[Any]) -> Any:
        """Send one command; its reply. An error reply is raised."""
        with self._borrowed() as connection:
            connection.send_packed_command(_packed(connection, [command]), check_health=False)
            return connection.read_response()

    def call_many(
        self, commands: Sequence[Sequence[Any]], *, meanwhile: Callable[[], object] | None = None
    ) -> list[Any]:
        """Send commands in one go; their replies in order, error replies among them as exceptions.

        `meanwhile` is called when they have been sent, before their replies are read.
        """
        with self._borrowed() as connection:
            connection.send_packed_command(_packed(connection, commands), check_health=False)
            if meanwhile is not None:
                meanwhile()
            return [_reply(connection) for _ in commands]

    def close(self) -> None:
        """Close the connections that nobody has borrowed; the pool knows the others."""
        while self._idle:
            connection, _ = self._idle.pop()
            connection.disconnect()
            self._pool.release(connection)

    @contextlib.contextmanager
    def _borrowed(self) -> Iterator[Any]:
        try:
            connection, used = self._idle.pop()
        except IndexError:
            connection, used = self._pool.get_connection(*self._purpose), time.monotonic()
        if time.monotonic() - used > REST_SECONDS and _is_stale(connection):
            connection.disconnect()  # it connects again by itself
        try:
            connection.connect()  # unless it is; one behind a Sentinel asks here where the primary is
            yield connection
        except redis.ResponseError:
            raise
        except BaseException:  # a reply may be on its way, which would be taken for that of the next call
            connection.disconnect()
            raise
        finally:
            self._idle.append((connection, time.monotonic()))


def _packed(connection: Any, commands: Sequence[Sequence[Any]]) -> Any:
    """The bytes of these commands. Ours have no argument that redis-py must look at first, as it does at each of them."""
    if _pack is None:
        return connection.pack_commands(commands)
    return [b"".join([_pack((*command[0].split(), *command[1:])) for command in commands])]


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except redis.ResponseError as error:
        return error


def _is_stale(connection: Any) -> bool:
    """Whether there is something to read where nothing was asked: mostly the end of the connection."""
    try:
        return bool(connection.can_read())
    except (redis.RedisError, OSError):
        return True
