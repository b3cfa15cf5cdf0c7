"""The asyncio form of `Client`: what does I/O is awaited."""

from collections.abc import Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from taskpy import address, branches, errors, keyed, lists, naming, pages, spread, upkeep
from taskpy.branches import Branch
from taskpy.broker_aio import AsyncBroker
from taskpy.connection import AsyncConnections, Redis
from taskpy.info import KnownQueue, KnownWorker
from taskpy.keys import Keys
from taskpy.listed import Event, Namespace
from taskpy.lists import About, DeadPage, Page
from taskpy.remote import sending, spec_of
from taskpy.remote_aio import RemoteTask
from taskpy.senders import Senders
from taskpy.settings import Settings
from taskpy.shards import Shards
from taskpy.space import agreement, batches
from taskpy.spec import MISSING, Options, State, TaskSpec

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
        shards: int | None = None,
    ) -> None:
        self._settings = Settings.from_env()
        self._url = url
        self._redis = redis
        self._timeout = timeout
        self._broker: AsyncBroker | None = None
        count = (self._settings.shards or 1) if shards is None else shards
        self.shards = Shards(namespace or self._settings.namespace, count)
        self.keys = self.shards.root
        self.senders = Senders()

    @property
    def broker(self) -> AsyncBroker:
        """The door to Redis; opened at the first use, which may start a local server."""
        if self._broker is None:
            found = address.find(self._url, self._settings, given=self._redis is not None)
            self._broker = AsyncBroker(
                AsyncConnections(found, redis=self._redis, timeout=self._timeout),
                timeout=self._timeout,
                first=agreement(self.shards) if self.shards.count > 1 else None,
            )
        return self._broker

    def keys_of(self, id: str) -> Keys:
        """The keys of the shard that this task is in; raises `BadName` for an id that names none."""
        return self.shards.of(id)

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

    @overload
    def attach(self, id: str) -> RemoteTask[Any]: ...
    @overload
    def attach(self, *, key: str) -> Coroutine[Any, Any, RemoteTask[Any]]: ...
    def attach(self, id: Any = None, *, key: Any = None) -> Any:
        """The task of this id, from any process on any host. Does no I/O, and is not awaited.

        `await client.attach(key=...)` is the live task that has this key; raises `TaskNotFound` when there is none.
        """
        if id is not None and key is not None:
            raise errors.BadArguments("attach to an id, or to a key=: one of them")
        return RemoteTask(self, naming.checked_id(id), None) if key is None else self._attach(key)

    async def _attach(self, key: str) -> RemoteTask[Any]:
        id = await self.broker.drive(keyed.found(self.shards.of_key(key), key=key, server=lambda: self.server))
        return RemoteTask(self, id, None)

    async def events(self, id: str) -> list[Event]:
        """What was not plain in the life of a task (retried, released, its worker lost, …), oldest first."""
        return await self.broker.run(pages.events(self.keys_of(naming.checked_id(id)), id=id))

    async def about(self, id: str) -> About:
        """All that is known of a task but its messages, in one round trip. Raises `TaskNotFound`."""
        return await self.broker.drive(
            lists.about(self.keys_of(naming.checked_id(id)), id=id, server=lambda: self.server)
        )

    async def tree(self, id: str) -> Branch:
        """The tree of tasks below this one, as it is now. Raises `TaskNotFound`."""
        return await self.broker.drive(
            branches.branch(self.keys_of(naming.checked_id(id)), id=id, server=lambda: self.server)
        )

    async def dead(self, *, page: int = 0) -> DeadPage:
        """A page of the dead letters with their exceptions, the newest first; page 0 is the newest."""
        return await self.broker.drive(spread.dead(self.shards, page=page))

    async def revive(self, id: str) -> RemoteTask[Any]:
        """Submit a dead letter as a new task that knows the old one; see `taskpy.Client.revive`."""
        keys = self.keys_of(naming.checked_id(id))
        return self.attach(await self.broker.drive(upkeep.revive(keys, id=id, server=lambda: self.server)))

    async def revive_many(self, ids: Iterable[str]) -> list[RemoteTask[Any] | None]:
        """Submit dead letters as new tasks; these in order, None for what is no dead letter (any more).

        One whose key another live task has stays a dead letter, and is None, too.
        """
        new_ids = await self.broker.drive(spread.revive_many(self.shards, ids=list(ids)))
        return [None if id is None else self.attach(id) for id in new_ids]

    async def delete(self, ids: Iterable[str]) -> int:
        """Drop dead letters; how many there were. As results they still stay their `keep`."""
        return await self.broker.drive(spread.delete(self.shards, ids=list(ids)))

    async def tasks(self, *, state: State | str | None = None, queue: str | None = None, page: int = 0) -> Page:
        """A page of the tasks in a state and in a queue, newest first; see `taskpy.Client.tasks`."""
        return await self.broker.drive(spread.tasks(self.shards, state=lists.state_of(state), queue=queue, page=page))

    async def delayed(self, *, queue: str | None = None, page: int = 0) -> Page:
        """A page of the delayed tasks, with the time each is `due`, the next one first."""
        return await self.broker.drive(spread.delayed(self.shards, queue=queue, page=page))

    async def queues(self) -> dict[str, int]:
        """The queues that ever got a task, and how many are ready in each."""
        return await self.broker.drive(spread.queues(self.shards))

    async def known_queues(self) -> list[KnownQueue]:
        """The queues that ever got a task, are served or are paused, by name, with what is known of each."""
        return await self.broker.drive(spread.known_queues(self.shards))

    async def workers(self) -> list[KnownWorker]:
        """The worker processes that are known, those with the newest lease first."""
        return await self.broker.drive(spread.workers(self.shards))

    async def namespace(self) -> Namespace:
        """What all workers of the namespace agree on, and what time it is on the server."""
        return await self.broker.run(pages.namespace(self.keys))

    async def pause(self, queue: str) -> float:
        """Let nothing be claimed from a queue until it is resumed; since when it is paused, in epoch seconds."""
        return await self.broker.drive(spread.pause(self.shards, queue=queue))

    async def resume(self, queue: str) -> None:
        """Let a paused queue be claimed from again. One that is not paused stays as it is."""
        await self.broker.drive(spread.resume(self.shards, queue=queue))

    async def purge(self, queue: str, *, reason: str | None = None) -> int:
        """End as stopped what waits in a queue by now, and tell those who wait for it; how many tasks that were."""
        return await self.broker.drive(spread.purge(self.shards, queue=queue, reason=reason))


class Submission:
    """A client with options, ready to submit."""

    def __init__(self, client: Client, options: Options, inbox: str | None = None) -> None:
        self._client = client
        self._options = options
        self._inbox = inbox

    def task(self, func: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]:
        """Make a task, not started yet."""
        task = self._spec(func, args, kwargs)
        return RemoteTask(self._client, self._client.shards.new_id(task.options.key), task)

    async def submit(self, func: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]:
        """Make a task and start it."""
        made = self.task(func, *args, **kwargs)
        await made.start()
        return made

    def to(self, inbox: str) -> "Submission":
        """The same, for a message to this inbox: see `send_or_start`."""
        return Submission(self._client, self._options, inbox)

    async def send_or_start(self, func: Any, message: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]:
        """Send a message to the live task that has the key, or start it with this message; the handle of it.

        The arguments are those of the task, for when it is started; see `taskpy.remote.Submission.send_or_start`.
        """
        made = Submission(self._client, sending(self._options)).task(func, *args, **kwargs)
        await made.send(message, to=self._inbox)
        await made.start()
        return made

    async def submit_many(
        self, func: Any, inputs: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]
    ) -> list[RemoteTask[Any]]:
        """Start a task for each `(args, kwargs)`, in few round trips; the handles in order."""
        specs = [self._spec(func, args, kwargs) for args, kwargs in inputs]
        ids = self._client.shards.new_ids(len(specs))
        made = [RemoteTask[Any](self._client, id, task) for id, task in zip(ids, specs, strict=True)]
        for lines in batches([task.line for task in made]):
            try:
                await self._client.broker.run(lines[0].submission_of(lines))
            except errors.Unreachable as error:
                raise errors.SubmitUncertain(lines[0].id, f"{len(lines)} tasks are uncertain: {error}") from error
            for line in lines:
                line.submitted()
        return made

    def _spec(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TaskSpec:
        return spec_of(func, args, kwargs, self._options, MISSING)
