"""Commands over connections that are kept to the nodes of a Cluster: each goes to the node that has its keys.

Where the keys are, redis-py knows. What a node answers about slots on their way, and a node that did not answer, is left to
redis-py's own client, which looks anew where everything is.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import redis

from taskpy.links import Links

#: What a node says whose slots have moved, or move.
_ELSEWHERE = (redis.exceptions.AskError, redis.exceptions.TryAgainError, redis.exceptions.ClusterError)


class ClusterLinks:
    """Kept connections to all nodes. `cluster` connects at its first call, and answers redis-py's client. Thread-safe."""

    def __init__(self, cluster: Callable[[], Any]) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._links: dict[str, tuple[Any, Links]] = {}  # by node, with the pool that they are of
        self._doubted: set[str] = set()  # nodes that did not answer when they were last asked

    def call(self, command: Sequence[Any]) -> Any:
        """Send one command; its reply. An error reply is raised."""
        node = self._node_of(command)
        if node is None or node.name in self._doubted:
            return self._call_slowly(command, node)
        try:
            return self._links_to(node).call(command)
        except _ELSEWHERE:
            return self._call_slowly(command, node)
        except (redis.ConnectionError, redis.TimeoutError, OSError):
            self._doubted.add(node.name)
            raise

    def call_many(
        self, commands: Sequence[Sequence[Any]], *, meanwhile: Callable[[], object] | None = None
    ) -> list[Any]:
        """Send commands, those for one node in one go; their replies in order, error replies among them as exceptions.

        `meanwhile` is called when the first node has been asked, before its replies are read.
        """
        by_node: dict[str | None, tuple[Any, list[int]]] = {}  # by name: nodes of redis-py 5.0 have no hash
        for place, command in enumerate(commands):
            node = self._node_of(command)
            if node is not None and node.name in self._doubted:
                node = None
            by_node.setdefault(node and node.name, (node, []))[1].append(place)
        replies: dict[int, Any] = {}
        for node, places in by_node.values():
            some = [commands[place] for place in places]
            if node is None:
                told = [self._reply(command) for command in some]
            else:
                told, meanwhile = self._at_once(node, some, meanwhile), None
            replies.update(zip(places, told, strict=True))
        if meanwhile is not None:  # no node was asked in one go
            meanwhile()
        return [replies[place] for place in range(len(commands))]

    def _at_once(
        self, node: Any, commands: Sequence[Sequence[Any]], meanwhile: Callable[[], object] | None
    ) -> list[Any]:
        try:
            replies = self._links_to(node).call_many(commands, meanwhile=meanwhile)
        except (redis.ConnectionError, redis.TimeoutError, OSError):
            self._doubted.add(node.name)
            raise
        if any(isinstance(reply, _ELSEWHERE) for reply in replies):  # in their order, as each may need the one before
            return [self._reply(command) for command in commands]
        return replies

    def close(self) -> None:
        """Close the connections that nobody has borrowed."""
        with self._lock:
            found, self._links = list(self._links.values()), {}
        for _, links in found:
            links.close()

    def _reply(self, command: Sequence[Any]) -> Any:
        try:
            return self.call(command)
        except redis.ResponseError as error:
            if isinstance(error, _ELSEWHERE):
                raise
            return error

    def _call_slowly(self, command: Sequence[Any], node: Any) -> Any:
        reply = self._cluster().execute_command(*command)
        if node is not None:
            self._doubted.discard(node.name)
        return reply

    def _node_of(self, command: Sequence[Any]) -> Any:
        """The node of a command's keys; None where redis-py shall find out."""
        key = _key_of(command)
        if key is None:
            return None
        try:
            return self._cluster().get_node_from_key(key)
        except redis.exceptions.RedisClusterException:  # nobody has this slot: it is looked for anew
            return None

    def _links_to(self, node: Any) -> Links:
        pool = self._cluster().get_redis_connection(node).connection_pool
        with self._lock:
            known = self._links.get(node.name)
            if known is None or known[0] is not pool:  # redis-py has made another one since
                if known is not None:
                    known[1].close()
                known = self._links[node.name] = pool, Links(pool)
            return known[1]


def _key_of(command: Sequence[Any]) -> Any:
    """The first key of a command of ours: of a script it stands behind their number."""
    word = command[0]
    if word in ("EVALSHA", "EVAL"):
        return command[3] if int(command[2]) else None
    return command[1] if len(command) > 1 and not str(word).startswith(("SCRIPT", "PUBLISH")) else None
