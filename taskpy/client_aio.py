"""The asyncio form of `Client`: what does I/O is awaited."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

from taskpy import address, branches, errors, lists, ops, pages, spec, upkeep
from taskpy.branches import Branch
from taskpy.broker_aio import AsyncBroker
from taskpy.connection import AsyncConnections, Redis
from taskpy.info import KnownQueue, KnownWorker
from taskpy.keys import Keys
from taskpy.listed import Event, Namespace
from taskpy.lists import About, DeadPage, Page
from taskpy.remote import spec_of
from taskpy.remote_aio import RemoteTask
from taskpy.senders import Senders
from taskpy.settings import Settings
from taskpy.space import SUBMIT_BATCH
from taskpy.spec import MISSING, Options, State

R = TypeVar("R")
T = TypeVar("T")


class Client:
    """The asyncio twin of `taskpy.Client`: the same arguments, bound to the event loop that uses it first."""

    def __init__(
        self,
        url: str | None = None,
        *,
        namespace: str | None = None,
        redis: Redis | None = None,
        timeout: float | None = 10.0,
    ) -> None:
        self._settings = Settings.from_env()
        self._url = url
        self._redis = redis
        self._timeout = timeout
        self._broker: AsyncBroker | None = None
        self.keys = Keys(namespace or self._settings.namespace)
        self.senders = Senders()

    @property
    def broker(self) -> AsyncBroker:
        """The door to Redis; opened at the first use, which may start a local server."""
        if self._broker is None:
            found = address.find(self._url, self._settings, given=self._redis is not None)
            self._broker = AsyncBroker(
                AsyncConnections(found, redis=self._redis, timeout=self._timeout), timeout=self._timeout
            )
        return self._broker

    @property
    def server(self) -> str:
        """Where this client is connected, without the password."""
        return self.broker.server

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the next use opens them again."""
        broker, self._broker = self._broker, None
        if broker is not None:
            await broker.close()

    def options(self, **options: Any) -> "Submission":
        """The same client with options for what is submitted next: see `Options`."""
        return Submission(self, Options.of(options))

    def task(self, func: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]:
        """Make a task of a function or a name, not started yet."""
        return self.options().task(func, *args, **kwargs)

    async def submit(self, func: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]:
        """Make a task of a function or a name, and start it."""
        return await self.options().submit(func, *args, **kwargs)

    async def submit_many(
        self, func: Any, inputs: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]
    ) -> list[RemoteTask[Any]]:
        """Start a task for each `(args, kwargs)`, in few round trips; the handles in order."""
        return await self.options().submit_many(func, inputs)

    def attach(self, id: str) -> RemoteTask[Any]:
        """The task of this id, from any process on any host. Does no I/O."""
        return RemoteTask(self, spec.checked_id(id), None)

    async def events(self, id: str) -> list[Event]:
        """What was not plain in the life of a task (retried, released, its worker lost, …), oldest first."""
        return await self.broker.run(pages.events(self.keys, id=spec.checked_id(id)))

    async def about(self, id: str) -> About:
        """All that is known of a task but its messages, in one round trip. Raises `TaskNotFound`."""
        return await self.broker.drive(lists.about(self.keys, id=id, server=lambda: self.server))

    async def tree(self, id: str) -> Branch:
        """The tree of tasks below this one, as it is now. Raises `TaskNotFound`."""
        return await self.broker.drive(branches.branch(self.keys, id=id, server=lambda: self.server))

    async def dead(self, *, page: int = 0) -> DeadPage:
        """A page of the dead letters with their exceptions, the newest first; page 0 is the newest."""
        return await self.broker.drive(lists.dead(self.keys, page=page))

    async def revive(self, id: str) -> RemoteTask[Any]:
        """Submit a dead letter as a new task that knows the old one; see `taskpy.Client.revive`."""
        return self.attach(await self.broker.drive(upkeep.revive(self.keys, id=id, server=lambda: self.server)))

    async def revive_many(self, ids: Iterable[str]) -> list[RemoteTask[Any] | None]:
        """Submit dead letters as new tasks; these in order, None for what is no dead letter (any more)."""
        new_ids = await self.broker.drive(upkeep.revive_many(self.keys, ids=list(ids)))
        return [None if id is None else self.attach(id) for id in new_ids]

    async def delete(self, ids: Iterable[str]) -> int:
        """Drop dead letters; how many there were. As results they still stay their `keep`."""
        return await self.broker.drive(upkeep.delete(self.keys, ids=list(ids)))

    async def tasks(self, *, state: State | str | None = None, queue: str | None = None, page: int = 0) -> Page:
        """A page of the tasks in a state and in a queue, newest first; see `taskpy.Client.tasks`."""
        return await self.broker.drive(lists.tasks(self.keys, state=lists.state_of(state), queue=queue, page=page))

    async def delayed(self, *, queue: str | None = None, page: int = 0) -> Page:
        """A page of the delayed tasks, with the time each is `due`, the next one first."""
        return await self.broker.drive(lists.delayed(self.keys, queue=queue, page=page))

    async def queues(self) -> dict[str, int]:
        """The queues that ever got a task, and how many are ready in each."""
        return await self.broker.drive(lists.queues(self.keys))

    async def known_queues(self) -> list[KnownQueue]:
        """The queues that ever got a task, are served or are paused, by name, with what is known of each."""
        return await self.broker.drive(lists.known_queues(self.keys))

    async def workers(self) -> list[KnownWorker]:
        """The worker processes that are known, those with the newest lease first."""
        return await self.broker.drive(lists.workers(self.keys))

    async def namespace(self) -> Namespace:
        """What all workers of the namespace agree on, and what time it is on the server."""
        return await self.broker.run(pages.namespace(self.keys))

    async def pause(self, queue: str) -> float:
        """Let nothing be claimed from a queue until it is resumed; since when it is paused, in epoch seconds."""
        return await self.broker.run(ops.pause(self.keys, queue=spec.checked_name(queue, "queue")))

    async def resume(self, queue: str) -> None:
        """Let a paused queue be claimed from again. One that is not paused stays as it is."""
        await self.broker.run(ops.resume(self.keys, queue=spec.checked_name(queue, "queue")))

    async def purge(self, queue: str, *, reason: str | None = None) -> int:
        """End as stopped what waits in a queue by now, and tell those who wait for it; how many tasks that were."""
        return await self.broker.drive(upkeep.purge(self.keys, queue=queue, reason=reason))


class Submission:
    """A client with options, ready to submit."""

    def __init__(self, client: Client, options: Options) -> None:
        self._client = client
        self._options = options

    def task(self, func: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]:
        """Make a task, not started yet."""
        return RemoteTask(self._client, spec.new_id(), spec_of(func, args, kwargs, self._options, MISSING))

    async def submit(self, func: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]:
        """Make a task and start it."""
        made = self.task(func, *args, **kwargs)
        await made.start()
        return made

    async def submit_many(
        self, func: Any, inputs: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]
    ) -> list[RemoteTask[Any]]:
        """Start a task for each `(args, kwargs)`, in few round trips; the handles in order."""
        made = [self.task(func, *args, **kwargs) for args, kwargs in inputs]
        for first in range(0, len(made), SUBMIT_BATCH):
            lines = [task.line for task in made[first : first + SUBMIT_BATCH]]
            try:
                await self._client.broker.run(lines[0].submission_of(lines))
            except errors.Unreachable as error:
                raise errors.SubmitUncertain(lines[0].id, f"{len(lines)} tasks are uncertain: {error}") from error
            for line in lines:
                line.submitted()
        return made
