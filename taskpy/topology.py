"""How a redis-py client is made for each kind of server: a single one, behind Sentinel, a Cluster, or fakeredis.

redis-py re-sends commands by itself and cuts blocking reads at its socket time-out, both depending on how a client was
made; so every setting that matters is given here. Understands redis-py 5 to 8.
"""

import inspect
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast
from urllib.parse import unquote, urlsplit

from taskpy import errors, memory
from taskpy.address import Address, shown

#: The ports of a Sentinel and of a Cluster's node whose addresses name none.
SENTINEL_PORT = 26379
CLUSTER_PORT = 6379


class Redis(Protocol):
    """What taskpy needs of a redis-py client. redis-py's own methods are untyped."""

    def execute_command(self, *args: Any) -> Any: ...
    def pipeline(self, transaction: bool = ...) -> Any: ...
    def pubsub(self) -> Any: ...
    def close(self) -> Any: ...


def sync_client(address: Address, seconds: float, *, block: float = 0.0) -> Redis:
    """A client for threads. A command may take so many `seconds`, one that blocks on the server `block` longer."""
    import redis.cluster
    import redis.connection
    import redis.sentinel
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    if address.in_memory:
        return cast("Redis", memory.sync_client(address.url))
    settings = _settings(redis.connection.AbstractConnection, seconds, block)
    settings["retry"] = Retry(NoBackoff(), 0)
    if address.is_sentinel:
        return _behind_sentinel(redis.sentinel.Sentinel, address.url, settings)
    if address.is_cluster:
        hosts = _of_cluster(address.url)
        nodes = [cast("Any", redis.cluster).ClusterNode(*host) for host in hosts.hosts]
        return LaterCluster(lambda: redis.RedisCluster(startup_nodes=nodes, **settings | hosts.options))
    pool = redis.ConnectionPool.from_url(address.url, **settings, **_strict(address.url))
    return cast("Redis", redis.Redis(connection_pool=pool))


def async_client(address: Address, seconds: float) -> Redis:
    """A client for coroutines. A command may take so many `seconds`."""
    import redis.asyncio.cluster
    import redis.asyncio.connection
    import redis.asyncio.sentinel
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    if address.in_memory:
        return cast("Redis", memory.async_client(address.url))
    settings = _settings(redis.asyncio.connection.AbstractConnection, seconds)
    settings["retry"] = Retry(NoBackoff(), 0)
    if address.is_sentinel:
        return _behind_sentinel(redis.asyncio.sentinel.Sentinel, address.url, settings)
    if address.is_cluster:
        hosts = _of_cluster(address.url)
        nodes = [redis.asyncio.cluster.ClusterNode(*host) for host in hosts.hosts]
        return cast("Redis", redis.asyncio.RedisCluster(startup_nodes=nodes, **settings | hosts.options))
    pool = redis.asyncio.ConnectionPool.from_url(address.url, **settings, **_strict(address.url))
    return cast("Redis", redis.asyncio.Redis(connection_pool=pool))


@dataclass(frozen=True, slots=True)
class Hosts:
    """What a URL of several hosts says: `redis+…://user:password@host:port,host:port/service/db?option=value`.

    `options` is what redis-py is told of it: the login, the database, and whatever stands behind the question mark.
    """

    hosts: list[tuple[str, int]]
    service: str
    options: dict[str, Any]

    @classmethod
    def of(cls, url: str, *, port: int) -> "Hosts":
        """Read the URL; `port` is that of a host without one. Raises `BadArguments` for one that cannot be read."""
        scheme, _, rest = url.partition("://")
        place, _, query = rest.partition("?")
        authority, _, path = place.partition("/")
        login, at, names = authority.rpartition("@")
        service, _, db = path.strip("/").partition("/")
        try:
            # redis-py knows which options are numbers and which are flags.
            parsed = _parse_url(f"redis://{login}{at}host/?{query}")
            found = cls([_host_and_port(name, port) for name in names.split(",")], unquote(service), parsed)
            if db:
                parsed["db"] = int(db)
        except ValueError:  # its text may quote a part of the password
            raise errors.BadArguments(
                f"{shown(url)!r} has no hosts, ports and database that can be read, as in {scheme}://host:{port},"
                f"host:{port}/...; in a password, write each of / ? # @ : as %2F %3F %23 %40 %3A"
            ) from None
        if _is_tls(url):
            parsed |= {"ssl": True} | _strict(url)
        return found


def _parse_url(url: str) -> dict[str, Any]:
    import redis.connection

    parsed = cast("Any", redis.connection).parse_url(url)
    return {name: value for name, value in parsed.items() if name not in {"host", "port"}}


def _host_and_port(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(text)
    return parts.hostname, port if parts.port is None else parts.port


def _is_tls(url: str) -> bool:
    return url.startswith("rediss")


def _strict(url: str) -> dict[str, Any]:
    """Have the server's name checked, which redis-py did not before its version 6. Who asks for less, gets less."""
    asked = "ssl_cert_reqs=" in url or "ssl_check_hostname=" in url
    return {"ssl_check_hostname": True} if _is_tls(url) and not asked else {}


class LaterCluster:
    """A Cluster's client that connects when it is used first; redis-py's own does, and fails, when it is made."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None
        self._lock = threading.Lock()

    def execute_command(self, *args: Any) -> Any:
        return self.client().execute_command(*args)

    def pipeline(self, transaction: bool = True) -> Any:
        return self.client().pipeline(transaction=transaction)

    def pubsub(self) -> Any:
        return self.client().pubsub()

    def close(self) -> None:
        if self._made is not None:
            self._made.close()

    def client(self) -> Any:
        """redis-py's client, connected."""
        with self._lock:
            if self._made is None:
                self._made = self._make()
            return self._made


def _of_cluster(url: str) -> Hosts:
    hosts = Hosts.of(url, port=CLUSTER_PORT)
    if hosts.service not in {"", "0"} or hosts.options.pop("db", 0):
        raise errors.BadArguments(
            f"{shown(url)!r}: a Cluster has no databases to choose from; leave out what follows /"
        )
    return hosts


def _behind_sentinel(sentinel_class: Any, url: str, settings: dict[str, Any]) -> Redis:
    where = Hosts.of(url, port=SENTINEL_PORT)
    if not where.service:
        raise errors.BadArguments(
            "a Sentinel URL names the service behind its hosts: redis+sentinel://host:26379,host:26379/mymaster"
        )
    # The Sentinels have logins of their own, which taskpy does not know; they speak TLS when the server does.
    asking = {name: settings[name] for name in ("socket_timeout", "socket_connect_timeout", "protocol", "retry")}
    asking |= {name: value for name, value in where.options.items() if name.startswith("ssl")}
    sentinel = sentinel_class(where.hosts, sentinel_kwargs=asking, **settings | where.options)
    return cast("Redis", sentinel.master_for(where.service))


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
