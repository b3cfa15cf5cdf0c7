"""The asyncio form of `RemoteTask`: what does I/O is awaited, the properties are what was known last."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from taskpy import codec, errors, flow, ops, pages
from taskpy.contract import Contract
from taskpy.line_redis import RedisLine
from taskpy.listed import Snapshot
from taskpy.outside import OutsideFlows, result_of
from taskpy.question import Asked
from taskpy.reader import Place, Reader
from taskpy.reported import LogLine, Progress
from taskpy.spec import GRACE_SECONDS, Flag, Follows, State, StopReason, TaskSpec
from taskpy.status import Reported, Status

if TYPE_CHECKING:
    from taskpy.client_aio import Client

R = TypeVar("R")
T = TypeVar("T")


class RemoteTask(Generic[R]):
    """A task on any worker, held by a coroutine. The properties are what was known last; `refresh` asks again."""

    def __init__(self, client: "Client", id: str, task: TaskSpec | None) -> None:
        self.id = id
        self._client = client
        self._line = RedisLine(client.keys_of(id), id, client.senders, server=lambda: client.server, task=task)
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
        """Submit the task. Raises `SubmitUncertain` when Redis does not answer in time: start it again, it runs once.

        Where it has a `key` that another live task has, it may raise `KeyTaken`, or become a handle of the other one: see
        `taskpy.RemoteTask.start`.
        """
        try:
            await self._drive(self._line.start())
        finally:
            self._follow_line()
        self._status = Status(State.QUEUED)

    def _follow_line(self) -> None:
        """Be a handle of what the line leads to now."""
        if self._line.id != self.id:
            self.id = self._line.id
            if self.joined:
                self._task = None
                self._flows = OutsideFlows(self._line, attached=True)

    @property
    def joined(self) -> bool:
        """Whether `start()` has found another live task with its key, so that this is a handle of that one."""
        return self._line.joined

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
        tree: bool = False,
    ) -> State:
        """Ask the task to stop, and with `join` wait for its end, at most `timeout` seconds.

        `then` ("raise", "kill") says what follows when it has not ended after `grace` seconds, `tree` asks all below it,
        too: see `taskpy.RemoteTask`.
        """
        self._status = await self._drive(self._flows.stop(join, timeout, reason, grace, then, tree=tree))
        return self._status.state

    async def children(self) -> "list[RemoteTask[Any]]":
        """Handles of the tasks that it has spawned, in that order, over all attempts."""
        ids = await self._drive(self._line.children())
        return [RemoteTask(self._client, id, None) for id in ids]

    async def parent(self) -> "RemoteTask[Any] | None":
        """A handle of the task that has spawned it; None for one that was submitted."""
        found = await self._client.broker.run(ops.parent(self._line.keys, id=self.id))
        if found is None:
            raise errors.TaskNotFound
        return None if found[0] is None else RemoteTask(self._client, found[0], None)

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

    async def ask(self, topic: Any, data: Any = None, /, *, timeout: float | None = None) -> Any:
        """Ask the task, and wait for its answer, at most `timeout` seconds.

        It is answered by the handler that the task has registered with `t.answers(topic, handler)`, in the task's own
        thread, where it calls taskpy next. Raises `UnknownTopic` when there is no such handler, `AnswerFailed` when it
        raised, `TaskEnded`, `NoAnswer` when the time is over, `Full` when 100 questions are open.
        """
        return await self._drive(self._flows.ask(topic, data, timeout))

    async def answer(self, value: Any, *, number: int | None = None) -> None:
        """Answer what the task asks: the question of this number, or the last one.

        The first answer counts: raises `AlreadyAnswered` for another one, `NotAsked` when the task asks nothing (any
        more), `TaskEnded`.
        """
        await self._drive(self._flows.answer(value, number))

    async def pause(self, join: bool = False, *, timeout: float | None = None, tree: bool = False) -> bool:
        """Ask the task to stand still where it calls taskpy next, and with `join` wait until it does, or has ended.

        Returns whether it stands still. It keeps its slot, and can be stopped, asked and sent to. Raises `TaskEnded`.

        With `tree` all below it, too, also when it has ended itself; what it spawns meanwhile begins at rest. `join` then
        waits for all of them, and the answer is whether all stand still that have not ended.
        """
        return await self._drive(self._flows.pause(join, timeout, tree))

    async def resume(self, *, tree: bool = False) -> None:
        """Let a task that was asked to pause go on, with `tree` all below it, too. Raises `TaskEnded`."""
        await self._drive(self._flows.resume(tree))

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
        self._status = await self._drive(self.line.look_closely())
        return self

    async def snapshot(self) -> Snapshot:
        """Read all that Redis knows of the task but its messages; `TaskNotFound` when there is no such task (any more)."""
        found = await self._client.broker.run(pages.look(self._line.keys, id=self.id))
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
    def question(self) -> Asked | None:
        """What the task asked when it was last looked at, and waited for; None when it asked nothing."""
        return self._status.question

    @property
    def flags(self) -> frozenset[Flag]:
        """What was to be said of the task beside its state when it was last looked at: `Flag.WAITING`, `Flag.PAUSED`, …"""
        return self._status.flags

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
