"""The door to Redis for threads: run operations, wait for a list, watch channels. The one place that retries."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import redis

from taskpy import errors, flow, outage
from taskpy.connection import BLOCK_SECONDS, Connections, Redis
from taskpy.ops import Op
from taskpy.outage import Outage, Patience
from taskpy.subscriber import Subscriber

T = TypeVar("T")

#: How long a call goes on trying when nothing else was said, in seconds.
CALL_SECONDS = 10.0


class Broker:
    """Runs operations against one server. Thread-safe, and cheap to share.

    `first` is run once before all others; while it raises, nothing else is said.
    """

    def __init__(
        self, connections: Connections, *, timeout: float | None = CALL_SECONDS, first: Op[Any] | None = None
    ) -> None:
        self._connections = connections
        self._first = first
        self._asking_first = threading.Lock()
        self._timeout = timeout
        self._closed = False
        self.outage = Outage(outage_name(connections))
        self.subscriber = Subscriber(connections.commands.pubsub, self.outage, gives_up=connections.gives_up)

    @property
    def server(self) -> str:
        """Where this broker is connected, without the password."""
        return self.outage.server

    @property
    def redis(self) -> Redis:
        """The redis-py client that commands go through."""
        return self._connections.commands

    def run(self, op: Op[T]) -> T:
        """Send the operation until it is answered, and decode the answer.

        Raises `Unreachable` when there is no answer within the broker's timeout, `Busy` when Redis is out of memory,
        `Refused` for any other error of the server.
        """
        return self._until_answered(lambda: op.decode(self._send(op)))

    def run_many(
        self, ops: Sequence[Op[T]], *, meanwhile: Callable[[], object] | None = None, insist: bool = True
    ) -> list[T]:
        """Send the operations in one pipeline, again as a whole where needed; the answers in order.

        `meanwhile` is called while Redis works on them, at each try: what there is to do beside it. Without `insist`
        there is one try.
        """
        replies = self._until_answered(lambda: self._send_many(ops, meanwhile), insist=insist)
        return [op.decode(reply) for op, reply in zip(ops, replies, strict=True)]

    def drive(self, steps: flow.Flow[T]) -> T:
        """Run a flow to its end in this thread."""
        with self.performing() as perform:
            return flow.drive(steps, perform)

    @contextlib.contextmanager
    def performing(self) -> Iterator[Callable[[flow.Step], Any]]:
        """Performs steps of flows; what they watch is watched until the end of this."""
        watched: list[str] = []

        def perform(step: flow.Step) -> Any:
            if isinstance(step, Op):
                return self.run(step)
            if isinstance(step, flow.Together):
                return self.run_many(step.ops)
            if isinstance(step, flow.Watch):
                nudge = self.subscriber.watch(step.channel)
                watched.append(step.channel)
                return nudge
            if isinstance(step, flow.WatchAll):
                nudges = self.subscriber.watch_all(step.channels)
                watched.extend(step.channels)
                return nudges
            return flow.wait_here(step)

        try:
            yield perform
        finally:
            for channel in watched:
                self.subscriber.unwatch(channel)

    def pop(self, keys: Sequence[str], seconds: float) -> tuple[str, bytes] | None:
        """Wait at most so many seconds (never longer than 3) for an item of one of the lists, and take it.

        An item is lost when the connection breaks while it is on its way. Raises `Unreachable` at the first failure.
        """
        asked = time.monotonic()
        try:
            reply = self._connections.block(["BRPOP", *keys, min(seconds, BLOCK_SECONDS)])
        except Exception as error:  # redis-py raises many kinds; the ones that pass are an outage
            if not outage.is_passing(error):
                raise outage.translated(error, self.server) from error
            self.outage.begins(error)
            raise errors.Unreachable(f"no answer from {self.server}: {outage.said(error)}") from error
        self.outage.ends(asked)
        return (reply[0].decode(), reply[1]) if reply else None

    def command(self, *command: Any) -> Any:
        """Run one plain command of the user's own, once: it may not be one that can be sent twice."""
        try:
            return self._connections.commands.execute_command(*command)
        except Exception as error:  # redis-py raises many kinds
            if outage.is_passing(error):
                raise errors.Unreachable(f"no answer from {self.server}: {outage.said(error)}") from error
            raise outage.translated(error, self.server) from error

    def close(self) -> None:
        """Close the connections. A call that still waits for an answer gives up."""
        self._closed = True
        self.subscriber.close()
        self._connections.close()

    def _until_answered(self, send: Callable[[], T], *, insist: bool = True) -> T:
        if self._first is not None:
            self._ask_first()
        return self._insisting(send, self._timeout if insist else 0.0)

    def _ask_first(self) -> None:
        with self._asking_first:
            if (first := self._first) is not None:
                self._insisting(lambda: first.decode(self._send(first)), self._timeout)
                self._first = None

    def _insisting(self, send: Callable[[], T], timeout: float | None) -> T:
        patience: Patience | None = None
        began = asked = time.monotonic()
        while True:
            try:
                answer = send()
            except outage.FAILURES as error:
                patience = patience or Patience(self.outage, timeout, began)
                pause = patience.pause_after(error)
                if self._closed:
                    raise errors.Unreachable("this client was closed") from error
                self._connections.rejoin()
                time.sleep(pause)
                asked = time.monotonic()
            else:
                self.outage.ends(asked)
                return answer

    def _send(self, op: Op[Any]) -> Any:
        with self._connections.slots:
            return self._sent(op)

    def _sent(self, op: Op[Any]) -> Any:
        call = self._connections.call
        if op.script is None:
            return call(op.command)
        try:
            return call(op.wire)
        except redis.exceptions.NoScriptError:
            if self._connections.address.is_cluster:  # to load it would ask all nodes, also one that is away
                return call(op.wire_in_full)
            call(("SCRIPT LOAD", op.script.source))
            return call(op.wire)

    def _send_many(self, ops: Sequence[Op[Any]], meanwhile: Callable[[], object] | None) -> list[Any]:
        with self._connections.slots:
            commands = [op.wire for op in ops]
            replies = self._connections.call_many(commands, meanwhile=meanwhile)
            if self._connections.address.is_cluster:
                return [self._sent(op) for op in ops] if unknown_scripts(ops, replies) else checked(replies)
            if missing := unknown_scripts(ops, replies):
                self._connections.call_many([("SCRIPT LOAD", source) for source in missing])
                replies = self._connections.call_many(commands)
        return checked(replies)


def outage_name(connections: Any) -> str:
    """How a server is called in logs and errors: its address without the password."""
    return str(connections.address)


def unknown_scripts(ops: Sequence[Op[Any]], replies: Sequence[Any]) -> set[str]:
    """The sources of the scripts that the server did not know."""
    return {
        op.script.source
        for op, reply in zip(ops, replies, strict=True)
        if op.script is not None and isinstance(reply, redis.exceptions.NoScriptError)
    }


def checked(replies: list[Any]) -> list[Any]:
    """The replies of a pipeline; raises the first error among them."""
    for reply in replies:
        if isinstance(reply, Exception):
            raise reply
    return replies
