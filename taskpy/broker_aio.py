"""The door to Redis for coroutines: the asyncio twin of `broker` and `subscriber`. It sends; all else is shared."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

import redis

from taskpy import broker, flow, outage, retry
from taskpy.connection import AsyncConnections
from taskpy.nudge import Nudge
from taskpy.ops import Op
from taskpy.outage import Outage, Patience, is_passing
from taskpy.subscriber import CONFIRM_SECONDS, TICK_SECONDS

T = TypeVar("T")


async def _heeding(call: Awaitable[T]) -> T:
    """What a call of redis-py returns or raises, or `CancelledError` where redis-py swallowed a cancellation meanwhile.

    redis-py sends within `asyncio.wait_for`. That of Python 3.11 drops a cancellation which comes as the sending has just
    ended: the call returns, and who was cancelled would go on, for ever where he waits in a loop.
    """
    before = _cancellations()  # some are old: who cleans up after one may call us
    try:
        answer = await call
    except Exception as error:
        if _cancellations() > before:
            raise asyncio.CancelledError from error
        raise
    if _cancellations() > before:
        raise asyncio.CancelledError
    return answer


def _cancellations() -> int:
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


class AsyncBroker:
    """Runs operations against one server, on the event loop that uses it first. `first`: see `Broker`."""

    def __init__(
        self,
        connections: AsyncConnections,
        *,
        timeout: float | None = broker.CALL_SECONDS,
        first: Op[Any] | None = None,
    ) -> None:
        self._connections = connections
        self._first = first
        self._asking_first = asyncio.Lock()
        self._timeout = timeout
        self.outage = Outage(broker.outage_name(connections))
        self.subscriber = AsyncSubscriber(connections, self.outage)

    @property
    def server(self) -> str:
        """Where this broker is connected, without the password."""
        return self.outage.server

    async def run(self, op: Op[T]) -> T:
        """Send the operation until it is answered, and decode the answer; raises what `Broker.run` raises."""
        return await self._until_answered(lambda: self._send(op), op.decode)

    async def run_many(self, ops: Sequence[Op[T]]) -> list[T]:
        """Send the operations in one pipeline, again as a whole where needed; the answers in order."""
        replies: list[Any] = await self._until_answered(lambda: self._send_many(ops), list)
        return [op.decode(reply) for op, reply in zip(ops, replies, strict=True)]

    async def drive(self, steps: flow.Flow[T]) -> T:
        """Run a flow to its end on this event loop."""
        with self.performing() as perform:
            return await flow.drive_async(steps, perform)

    @contextlib.contextmanager
    def performing(self) -> Iterator[Callable[[flow.Step], Awaitable[Any]]]:
        """Performs steps of flows; what they watch is watched until the end of this."""
        watched: list[str] = []
        try:
            yield lambda step: self._perform(step, watched)
        finally:
            for channel in watched:
                self.subscriber.unwatch(channel)

    async def close(self) -> None:
        """Close the connections."""
        await self.subscriber.close()
        await _heeding(self._connections.close())

    async def _perform(self, step: flow.Step, watched: list[str]) -> Any:
        if isinstance(step, Op):
            return await self.run(step)
        if isinstance(step, flow.Together):
            return await self.run_many(step.ops)
        if isinstance(step, flow.Watch):
            watched.append(step.channel)  # first: it counts as watched also where the wait for it is cancelled
            return await self.subscriber.watch(step.channel)
        if isinstance(step, flow.WatchAll):
            watched.extend(step.channels)
            return await self.subscriber.watch_all(step.channels)
        return await flow.wait_here_async(step)

    async def _until_answered(self, send: Callable[[], Awaitable[Any]], decode: Callable[[Any], T]) -> T:
        if self._first is not None:
            await self._ask_first()
        return await self._insisting(send, decode)

    async def _ask_first(self) -> None:
        async with self._asking_first:
            if (first := self._first) is not None:
                await self._insisting(lambda: self._send(first), first.decode)
                self._first = None

    async def _insisting(self, send: Callable[[], Awaitable[Any]], decode: Callable[[Any], T]) -> T:
        patience: Patience | None = None
        began = asked = time.monotonic()
        while True:
            try:
                answer = decode(await _heeding(send()))
            except outage.FAILURES as error:
                patience = patience or Patience(self.outage, self._timeout, began)
                pause = patience.pause_after(error)
                self._connections.rejoin()
                await asyncio.sleep(pause)
                asked = time.monotonic()
            else:
                self.outage.ends(asked)
                return answer

    async def _send(self, op: Op[Any]) -> Any:
        async with self._connections.slots:
            return await self._sent(op)

    async def _sent(self, op: Op[Any]) -> Any:
        client = self._connections.commands
        if op.script is None:
            return await client.execute_command(*op.command)
        try:
            return await client.execute_command(*op.wire)
        except redis.exceptions.NoScriptError:
            if self._connections.address.is_cluster:  # to load it would ask all nodes, also one that is away
                return await client.execute_command(*op.wire_in_full)
            await client.execute_command("SCRIPT LOAD", op.script.source)
            return await client.execute_command(*op.wire)

    async def _send_many(self, ops: Sequence[Op[Any]]) -> list[Any]:
        if self._connections.address.is_cluster:  # redis-py has no scripts in a Cluster's pipeline
            return [await self._send(op) for op in ops]
        async with self._connections.slots:
            replies = await self._pipelined(ops)
            if missing := broker.unknown_scripts(ops, replies):
                for source in missing:
                    await self._connections.commands.execute_command("SCRIPT LOAD", source)
                replies = await self._pipelined(ops)
        return broker.checked(replies)

    async def _pipelined(self, ops: Sequence[Op[Any]]) -> list[Any]:
        pipeline = self._connections.commands.pipeline(transaction=False)
        for op in ops:
            pipeline.execute_command(*op.wire)
        return cast("list[Any]", await pipeline.execute(raise_on_error=False))


class _Channel:
    """One subscribed channel, and how many watch it."""

    def __init__(self) -> None:
        self.nudge = Nudge()
        self.watchers = 0
        self.confirmed = asyncio.Event()


class AsyncSubscriber:
    """Reads one pub/sub connection in an asyncio task that starts with the first channel."""

    def __init__(self, connections: AsyncConnections, outage: Outage) -> None:
        self._connections = connections
        self._outage = outage
        self._channels: dict[str, _Channel] = {}
        self._pubsub: Any = None
        self._reader: asyncio.Task[None] | None = None

    async def watch(self, channel: str) -> Nudge:
        """Be nudged by every message on the channel, from the moment this returns."""
        [nudge] = await self.watch_all([channel])
        return nudge

    async def watch_all(self, channels: Sequence[str]) -> list[Nudge]:
        """Watch many channels, with one command for those that are new; their nudges in order."""
        new = {channel: _Channel() for channel in channels if channel not in self._channels}
        self._channels |= new
        entries = [self._channels[channel] for channel in channels]
        for entry in entries:
            entry.watchers += 1  # before anything is awaited: an entry without watchers is tidied away
        if new and self._pubsub is not None:
            await self._send("subscribe", new)
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_for_ever(), name="taskpy-subscriber")
        with contextlib.suppress(TimeoutError):  # re-checks are the net
            for entry in entries:  # of many each has its time, as long as they come
                if not entry.confirmed.is_set():
                    async with asyncio.timeout(CONFIRM_SECONDS):
                        await entry.confirmed.wait()
        return [entry.nudge for entry in entries]

    def unwatch(self, channel: str) -> None:
        """Give back one `watch`."""
        self._channels[channel].watchers -= 1

    async def close(self) -> None:
        """End the reading task and the connection."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._drop()

    async def _send(self, command: str, channels: Iterable[str]) -> None:
        try:
            await _heeding(getattr(self._pubsub, command)(*channels))
        except Exception as error:  # redis-py raises many kinds; each means a new connection
            self._outage.begins(error)
            await self._drop()

    async def _drop(self) -> None:
        pubsub, self._pubsub = self._pubsub, None
        if pubsub is not None:
            await _heeding(pubsub.aclose())

    async def _read_for_ever(self) -> None:
        failures = 0
        tidy_at = time.monotonic() + TICK_SECONDS
        while True:
            try:
                pubsub = await _heeding(self._connected())
                message = await _heeding(pubsub.get_message(timeout=TICK_SECONDS))
                failures = 0
            except Exception as error:  # redis-py raises many kinds; each means a new connection
                failures += 1
                if self._pubsub is not None and is_passing(error):
                    self._outage.begins(error)
                await self._drop()
                await asyncio.sleep(retry.reconnect_delay(failures))
                continue
            if message is not None:
                self._dispatch(message)
            if time.monotonic() >= tidy_at:  # also where messages never cease
                await self._tidy()
                tidy_at = time.monotonic() + TICK_SECONDS

    async def _connected(self) -> Any:
        if self._pubsub is None:
            pubsub = self._connections.commands.pubsub()
            known: set[str] = set()
            try:
                while missing := self._channels.keys() - known:  # more may come while we subscribe
                    # In any order: a Cluster's client chooses the node by the first one, and it may be away.
                    await pubsub.subscribe(*random.sample(list(missing), len(missing)))
                    known |= missing
            except BaseException:
                await pubsub.aclose()
                raise
            self._pubsub = pubsub
            for entry in self._channels.values():
                entry.nudge.give()  # whatever was said meanwhile was not heard
        return self._pubsub

    def _dispatch(self, message: dict[str, Any]) -> None:
        channel = message["channel"]
        entry = self._channels.get(channel.decode() if isinstance(channel, bytes) else channel)
        if entry is None:
            return
        if message["type"] == "subscribe":
            entry.confirmed.set()
            entry.nudge.give()  # after a reconnection: what was said before this was not heard
        elif message["type"] == "message":
            entry.nudge.give()

    async def _tidy(self) -> None:
        left = [name for name, entry in self._channels.items() if not entry.watchers]
        if len(left) == len(self._channels):
            left = left[1:]  # a connection without any subscription cannot be read
        for name in left:
            del self._channels[name]
        if left:
            await self._send("unsubscribe", left)
