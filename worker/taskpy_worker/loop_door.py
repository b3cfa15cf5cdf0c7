"""The door to Redis for handles that coroutines of this worker hold: what they ask goes through its threads."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from typing import Any, TypeVar

from taskpy import flow
from taskpy.keys import Keys
from taskpy.ops import Op
from taskpy.senders import Senders
from taskpy.space import Space

T = TypeVar("T")


class LoopDoor:
    """What an `aio.RemoteTask` needs of its client. So the coroutines of a worker need no connections of their own."""

    def __init__(self, space: Space, threads: Executor) -> None:
        self._space = space
        self._threads = threads

    def keys_of(self, id: str) -> Keys:
        """The keys of the shard that this task is in."""
        return self._space.keys_of(id)

    @property
    def senders(self) -> Senders:
        """The names and numbers under which messages are sent."""
        return self._space.senders

    @property
    def server(self) -> str:
        """Where this is connected, without the password."""
        return self._space.server

    @property
    def broker(self) -> "LoopDoor":
        """Itself."""
        return self

    async def run(self, op: Op[T]) -> T:
        """Run an op; its answer."""
        answer: T = await self._called(self._space.broker.run, op)
        return answer

    async def drive(self, steps: flow.Flow[T]) -> T:
        """Run a flow to its end."""
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
                self._space.broker.subscriber.unwatch(channel)

    async def _perform(self, step: flow.Step, watched: list[str]) -> Any:
        broker = self._space.broker
        if isinstance(step, Op):
            return await self._called(broker.run, step)
        if isinstance(step, flow.Together):
            return await self._called(broker.run_many, step.ops)
        if not isinstance(step, flow.Watch | flow.WatchAll):
            return await flow.wait_here_async(step)
        channels = [step.channel] if isinstance(step, flow.Watch) else list(step.channels)

        def watch() -> Any:
            nudges = broker.subscriber.watch_all(channels)
            watched.extend(channels)
            return nudges

        nudges = await self._called(watch)
        return nudges[0] if isinstance(step, flow.Watch) else nudges

    async def _called(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *args)
