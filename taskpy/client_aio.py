"""The asyncio forms of the outside: a `Client` and its `RemoteTask`. What does I/O is awaited."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from taskpy import address, codec, errors, flow, lists, ops, pages, spec, upkeep
from taskpy.answers import Event, Namespace, Snapshot
from taskpy.broker_aio import AsyncBroker
from taskpy.connection import AsyncConnections, Redis
from taskpy.contract import Contract
from taskpy.info import KnownQueue, KnownWorker
from taskpy.keys import Keys
from taskpy.line import Reported, Status
from taskpy.line_redis import RedisLine
from taskpy.lists import About, DeadPage, Page
from taskpy.outside import OutsideFlows, result_of
from taskpy.reader import Place, Reader
from taskpy.remote import spec_of
from taskpy.reported import LogLine, Progress
from taskpy.senders import Senders
from taskpy.settings import Settings
from taskpy.space import SUBMIT_BATCH
from taskpy.spec import GRACE_SECONDS, MISSING, Follows, Options, State, StopReason, TaskSpec

R = TypeVar("R")
T = TypeVar("T")


class RemoteTask(Generic[R]):
    """A task on any worker, held by a coroutine. The properties are what was known last; `refresh` asks again."""

    def __init__(self, client: "Client", id: str, task: TaskSpec | None) -> None:
        self.id = id
        self._client = client
        self._line = RedisLine(client.keys, id, client.senders, server=lambda: client.server, task=task)
        self._flows = OutsideFlows(self._line, attached=task is None)
        self._task = task
        self._status = Status(State.NEW if task is not None else State.QUEUED)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemoteTask | Contract) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<aio.RemoteTask {self.id}>"

    async def start(self) -> None:
        """Submit the task. Raises `SubmitUncertain` when Redis does not answer in time: start it again, it runs once."""
        await self._drive(self._line.start())
        self._status = Status(State.QUEUED)

    async def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most `timeout` seconds; whether it has come."""
        self._status = await self._drive(self._flows.wait(timeout))
        return self._status.state.done

    async def get(self, timeout: float | None = None) -> R:
        """Wait for the end and return the result; raises what `RemoteTask.get` of taskpy raises."""
        await self.wait(timeout)
        result: R = result_of(self._status, timeout)
        return result

    async def stop(
        self,
        join: bool = True,
        *,
        timeout: float | None = None,
        reason: str | None = None,
        grace: float = GRACE_SECONDS,
        then: Follows | None = None,
    ) -> State:
        """Ask the task to stop, and with `join` wait for its end, at most `timeout` seconds.

        `then` ("raise", "kill") says what follows when it has not ended after `grace` seconds: see `taskpy.RemoteTask`.
        """
        self._status = await self._drive(self._flows.stop(join, timeout, reason, grace, then))
        return self._status.state

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        # Where a framework cancels at every await, the request goes out all the same; only the wait is given up.
        asking = asyncio.ensure_future(self.stop(join=False))
        asking.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(asking)
        await self.wait()

    async def send(self, data: Any, block: bool = True, timeout: float | None = None, *, to: str | None = None) -> int:
        """Put a message into the task's inbox, or the one named `to`, waiting for room at most `timeout` seconds.

        Returns the message's number, from 1.
        """
        return await self._drive(self._flows.send(data, block, timeout, to))

    async def received(self, number: int) -> bool:
        """Whether the task has taken the message of this number, as `send` returned it."""
        return await self._drive(self._flows.received(number))

    def stream(self, after: Place = None, *, timeout: float | None = None) -> "Stream":
        """What the task sends, for `async for`; see `taskpy.RemoteTask.stream`. Its place is found at the first step."""
        return Stream(self, self._flows.reader(after), timeout)

    async def recv(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the next message that the task sent, waiting at most `timeout` seconds."""
        return await self._drive(self._flows.recv(block, timeout))

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            try:
                message = await self.recv()
            except errors.TaskEnded:
                return
            yield message

    async def logs(self, follow: bool = False) -> AsyncIterator[LogLine]:
        """The log records of the task, from the oldest that is kept; with `follow` until the task ends.

        Each call reads for itself. The last 1,000 lines are kept, over all attempts.
        """
        async for one in self.reports(follow):
            if isinstance(one, LogLine):
                yield one

    async def reports(self, follow: bool = False) -> AsyncIterator[LogLine | Progress]:
        """As `logs`, with each new progress of the task among the lines: the latest one, when several came at once."""
        page: Reported | None = None
        progress: Progress | None = None
        while page := await self._drive(self._flows.reported(page, follow)):
            for line in page.lines:
                yield line
            if page.progress is not None and page.progress != progress:
                progress = page.progress
                yield progress

    async def refresh(self) -> Self:
        """Ask Redis where the task stands; the properties then say so."""
        self._status = await self._drive(self._flows.look())
        return self

    async def snapshot(self) -> Snapshot:
        """Read all that Redis knows of the task but its messages; `TaskNotFound` when there is no such task (any more)."""
        found = await self._client.broker.run(pages.look(self._client.keys, id=self.id))
        if found is None:
            raise errors.TaskNotFound
        self._task = self._task or codec.load_spec(found.spec)
        return found

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments; of somebody else's task they are known after `snapshot()`."""
        return self._spec().args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments; of somebody else's task they are known after `snapshot()`."""
        return self._spec().kwargs

    @property
    def name(self) -> str:
        """The name of the task's function; of somebody else's task it is known after `snapshot()`."""
        return self._spec().name

    @property
    def state(self) -> State:
        """Where the task stood when it was last asked."""
        return self._status.state

    @property
    def done(self) -> bool:
        """Whether the task had ended when it was last asked."""
        return self._status.state.done

    @property
    def result(self) -> R | None:
        """What the function returned; None before the end is known, and when it failed or was stopped."""
        value: R | None = self._status.result()
        return value

    @property
    def exception(self) -> Exception | None:
        """What the function raised; None before the end is known, and when it succeeded or was stopped."""
        return self._status.error

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the task was asked to stop, and by whom (`.by`), as far as is known; None when it was not."""
        return self._status.stop

    @property
    def progress(self) -> Progress | None:
        """How far the task had come when it was last asked; None before it had said so."""
        return self._status.progress

    @property
    def line(self) -> RedisLine:
        """The line to the task, for the client that submits many."""
        return self._line

    def _spec(self) -> TaskSpec:
        if self._task is None:
            raise errors.UsageError("this task is somebody else's: its name and arguments are known after snapshot()")
        return self._task

    async def _drive(self, steps: flow.Flow[T]) -> T:
        return await self._client.broker.drive(steps)

    def _source(self) -> "tuple[RedisLine, Client]":
        """The line to the task, and whose broker its flows need, for who waits for many."""
        return self._line, self._client

    def _note(self, status: Status) -> None:
        """Take what another has learnt of the task as what was known last."""
        self._status = status


class Stream(AsyncIterator[Any]):
    """What a task sends, as an asynchronous iterator that can be resumed: see `taskpy.handle.Stream`."""

    def __init__(self, task: RemoteTask[Any], reader: Reader, timeout: float | None) -> None:
        self._task = task
        self._reader = reader
        self._timeout = timeout

    @property
    def position(self) -> int:
        """How many of the task's messages lie behind this stream: give it to `stream(after=...)`, on any host."""
        return self._reader.position

    async def __anext__(self) -> Any:
        try:
            return await self._task._drive(self._reader.recv(True, self._timeout))  # noqa: SLF001 - our own
        except errors.TaskEnded:
            raise StopAsyncIteration from None


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
                await self._client.broker.run_many([line.submission() for line in lines])
            except errors.Unreachable as error:
                raise errors.SubmitUncertain(lines[0].id, f"{len(lines)} tasks are uncertain: {error}") from error
            for line in lines:
                line.submitted()
        return made
