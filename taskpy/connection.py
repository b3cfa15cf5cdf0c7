"""How we connect: redis-py clients with the settings that keep its retries and time-outs out of our way.

redis-py re-sends commands by itself and cuts blocking reads at its socket time-out, both depending on how a client was
made; so every setting that matters is given here. Understands redis-py 5 to 8.
"""

import contextlib
import inspect
import os
import socket
import threading
from typing import TYPE_CHECKING, Any, Protocol, cast

from taskpy import errors
from taskpy.address import Address

if TYPE_CHECKING:
    import fakeredis

#: How long one command may take before the connection counts as broken.
SOCKET_SECONDS = 5.0
#: ... and how long at least, however impatient the caller is.
SHORTEST_SECONDS = 0.1
#: How many blocking pops may wait at once: a worker's own, and those of controllers.
BLOCKING = 16
#: The longest time a blocking pop may wait on the server; redis-py would cut a longer one.
BLOCK_SECONDS = 3.0

_memory_lock = threading.Lock()
_memory: "dict[str, fakeredis.FakeServer]" = {}


class Redis(Protocol):
    """What taskpy needs of a redis-py client. redis-py's own methods are untyped."""

    def execute_command(self, *args: Any) -> Any: ...
    def pipeline(self, transaction: bool = ...) -> Any: ...
    def pubsub(self) -> Any: ...
    def close(self) -> Any: ...


class Connections:
    """The connections of one process to one server: few commands at a time, one blocking pop, one subscription.

    `timeout` is how long a caller goes on trying, in seconds: no single try takes longer.
    """

    def __init__(
        self, address: Address, *, commands: int = 8, redis: Redis | None = None, timeout: float | None = None
    ) -> None:
        self.address = address
        self._own = redis is None
        _check_given(redis)
        seconds = _socket_seconds(timeout)
        self.commands = redis or _sync(address, commands, seconds)
        self.blocking = redis or _sync(address, BLOCKING, seconds, block=BLOCK_SECONDS)
        self.subscriptions = redis or _sync(address, 1, seconds)

    def rejoin(self) -> None:
        """Start a local server again that died: nobody else would. Any other server has its own keepers."""
        _rejoin(self.address)

    def close(self) -> None:
        """Close the connections that taskpy opened; an injected client stays open."""
        if self._own:
            for client in (self.commands, self.blocking, self.subscriptions):
                client.close()
                if pool := getattr(client, "connection_pool", None):
                    pool.disconnect()


class AsyncConnections:
    """The asyncio twin of `Connections`."""

    def __init__(
        self, address: Address, *, commands: int = 8, redis: Redis | None = None, timeout: float | None = None
    ) -> None:
        self.address = address
        self._own = redis is None
        _check_given(redis)
        seconds = _socket_seconds(timeout)
        self.commands = redis or _async(address, commands, seconds)
        self.subscriptions = redis or _async(address, 1, seconds)

    def rejoin(self) -> None:
        """Start a local server again that died, as `Connections.rejoin` does."""
        _rejoin(self.address)

    async def close(self) -> None:
        """Close the connections that taskpy opened; an injected client stays open."""
        if self._own:
            for client in (self.commands, self.subscriptions):
                await cast("Any", client).connection_pool.disconnect()


def _rejoin(address: Address) -> None:
    if address.rejoin is not None:
        with contextlib.suppress(errors.ServerError):  # the next try, or the end of our patience, says it better
            address.rejoin()


def _check_given(redis: Redis | None) -> None:
    pool = getattr(redis, "connection_pool", None)
    if getattr(pool, "connection_kwargs", {}).get("decode_responses"):
        raise errors.BadArguments(
            "this redis client decodes responses to str; taskpy needs bytes: decode_responses=False"
        )


def _socket_seconds(timeout: float | None) -> float:
    return SOCKET_SECONDS if timeout is None else min(SOCKET_SECONDS, max(timeout, SHORTEST_SECONDS))


def _sync(address: Address, size: int, seconds: float, *, block: float = 0.0) -> Redis:
    import redis.connection
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    if address.in_memory:
        import fakeredis

        return cast("Redis", fakeredis.FakeRedis(server=_memory_server(address.url)))
    settings = {**_settings(redis.connection.AbstractConnection, seconds, block), "retry": Retry(NoBackoff(), 0)}
    pool = redis.BlockingConnectionPool.from_url(address.url, max_connections=size, **settings)
    return cast("Redis", redis.Redis(connection_pool=pool))


def _async(address: Address, size: int, seconds: float) -> Redis:
    import redis.asyncio.connection
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    if address.in_memory:
        import fakeredis

        return cast("Redis", fakeredis.FakeAsyncRedis(server=_memory_server(address.url)))
    settings = {**_settings(redis.asyncio.connection.AbstractConnection, seconds), "retry": Retry(NoBackoff(), 0)}
    pool = redis.asyncio.BlockingConnectionPool.from_url(address.url, max_connections=size, **settings)
    return cast("Redis", redis.asyncio.Redis(connection_pool=pool))


def _settings(connection_class: type[Any], seconds: float, block: float = 0.0) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "socket_timeout": block + seconds,
        "socket_connect_timeout": seconds,
        "protocol": 2,  # nothing here needs RESP3, and some proxies refuse its HELLO
        "client_name": f"taskpy:{socket.gethostname()}:{os.getpid()}".replace(" ", "_"),
    }
    # CLIENT SETINFO is unknown before Redis 7.2; its switch has another name in each redis-py.
    parameters = inspect.signature(connection_class.__init__).parameters
    if "driver_info" in parameters:
        settings["driver_info"] = None
    else:
        settings.update({name: None for name in ("lib_name", "lib_version") if name in parameters})
    return settings


def _memory_server(url: str) -> "fakeredis.FakeServer":
    try:
        import fakeredis
    except ImportError:
        raise errors.ServerError("memory:// needs fakeredis: pip install 'taskpy[test]'") from None
    with _memory_lock:
        return _memory.setdefault(url, fakeredis.FakeServer(version=(7, 0)))
