"""The connections of one process to one server: few commands at a time, one blocking pop, one subscription."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

from taskpy import errors
from taskpy.address import Address
from taskpy.cluster_links import ClusterLinks
from taskpy.links import Links
from taskpy.topology import LaterCluster, Redis, async_client, sync_client

__all__ = ["BLOCK_SECONDS", "AsyncConnections", "Connections", "Redis"]

#: How long one command may take before the connection counts as broken.
SOCKET_SECONDS = 5.0
#: ... and how long at least, however impatient the caller is.
SHORTEST_SECONDS = 0.1
#: The longest time a blocking pop may wait on the server; redis-py would cut a longer one.
BLOCK_SECONDS = 5.0


class Connections:
    """The connections for threads. `slots` is taken around each command: so many are under way at once, no more.

    `timeout` is how long a caller goes on trying, in seconds: no single try takes longer.
    """

    def __init__(
        self, address: Address, *, commands: int = 8, redis: Redis | None = None, timeout: float | None = None
    ) -> None:
        self.address = address
        self._own = redis is None
        _check_given(redis)
        seconds = _socket_seconds(timeout)
        #: Whether reading from a connection gives up by itself, after `SOCKET_SECONDS`.
        self.gives_up = self._own and not address.in_memory and seconds == SOCKET_SECONDS
        self.slots = threading.BoundedSemaphore(commands)
        self.commands = redis or sync_client(address, seconds)
        self.blocking = redis or sync_client(address, seconds, block=BLOCK_SECONDS)
        self._links = self._made_links(self.commands)
        self._blocking_links = self._made_links(self.blocking)

    def call(self, command: Sequence[Any]) -> Any:
        """Send one command; its reply. An error reply is raised."""
        return self._links.call(command) if self._links else self.commands.execute_command(*command)

    def call_many(
        self, commands: Sequence[Sequence[Any]], *, meanwhile: Callable[[], object] | None = None
    ) -> list[Any]:
        """Send commands in one go; their replies in order, error replies among them as exceptions.

        `meanwhile` is called while they are under way, or just before.
        """
        if self._links:
            return self._links.call_many(commands, meanwhile=meanwhile)
        if meanwhile is not None:
            meanwhile()
        pipeline = self.commands.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return cast("list[Any]", pipeline.execute(raise_on_error=False))

    def block(self, command: Sequence[Any]) -> Any:
        """Send a command that waits on the server, for at most `BLOCK_SECONDS`; its reply."""
        return self._blocking_links.call(command) if self._blocking_links else self.blocking.execute_command(*command)

    def _made_links(self, client: Any) -> Links | ClusterLinks | None:
        # Whose client it is may have given it a pool, or hooks, of their own; and fakeredis has none.
        if not self._own or self.address.in_memory:
            return None
        return ClusterLinks(client.client) if isinstance(client, LaterCluster) else Links(client.connection_pool)

    def rejoin(self) -> None:
        """Start a local server again that died: nobody else would. Any other server has its own keepers."""
        _rejoin(self.address)

    def close(self) -> None:
        """Close the connections that taskpy opened; an injected client stays open."""
        for links in (self._links, self._blocking_links):
            if links:
                links.close()
        if self._own:
            for client in (self.commands, self.blocking):
                client.close()
                if pool := getattr(client, "connection_pool", None):  # a Cluster's client has one for each node
                    pool.disconnect()
                for sentinel in _sentinels(pool):
                    sentinel.close()


class AsyncConnections:
    """The asyncio twin of `Connections`."""

    def __init__(
        self, address: Address, *, commands: int = 8, redis: Redis | None = None, timeout: float | None = None
    ) -> None:
        self.address = address
        self._own = redis is None
        _check_given(redis)
        self.slots = asyncio.Semaphore(commands)
        self.commands = redis or async_client(address, _socket_seconds(timeout))

    def rejoin(self) -> None:
        """Start a local server again that died, as `Connections.rejoin` does."""
        _rejoin(self.address)

    async def close(self) -> None:
        """Close the connections that taskpy opened; an injected client stays open."""
        if self._own:
            client = cast("Any", self.commands)
            # redis-py 5.0.1 brought the name aclose; Cluster clients have it since then, too.
            await client.aclose()
            if pool := getattr(client, "connection_pool", None):
                await pool.disconnect()
            for sentinel in _sentinels(pool):
                await sentinel.aclose()


def _rejoin(address: Address) -> None:
    if address.rejoin is not None:
        with contextlib.suppress(errors.ServerError):  # the next try, or the end of our patience, says it better
            address.rejoin()


def _sentinels(pool: Any) -> list[Any]:
    """The clients that ask where the server is; redis-py leaves them open."""
    manager = getattr(pool, "sentinel_manager", None)
    return list(manager.sentinels) if manager else []


def _check_given(redis: Redis | None) -> None:
    pool = getattr(redis, "connection_pool", None)
    if getattr(pool, "connection_kwargs", {}).get("decode_responses"):
        raise errors.BadArguments(
            "this redis client decodes responses to str; taskpy needs bytes: decode_responses=False"
        )


def _socket_seconds(timeout: float | None) -> float:
    return SOCKET_SECONDS if timeout is None else min(SOCKET_SECONDS, max(timeout, SHORTEST_SECONDS))
