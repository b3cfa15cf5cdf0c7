"""The inside of an `async def` task: the names of `Inside`, awaited where they wait."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, overload

from taskpy import errors, flow, thread
from taskpy.contract import recv_order
from taskpy.inside import InsideView, Run
from taskpy.mailbox import Mailbox
from taskpy.spec import State

#: Performs the steps of a flow on an event loop.
AsyncPerform = Callable[[flow.Step], Awaitable[Any]]


class Task(InsideView):
    """The task as a coroutine function sees it: `recv`, `send`, `sleep` and `stop` are awaited, `async for` reads."""

    def __init__(self, run: Run, mailbox: Mailbox, perform: AsyncPerform = flow.wait_here_async) -> None:
        super().__init__(run, mailbox)
        self._perform = perform

    @overload
    async def recv(self, block: bool = True, timeout: float | None = None) -> Any: ...
    @overload
    async def recv(self, inbox: str, /, block: bool = True, timeout: float | None = None) -> Any: ...
    async def recv(self, *order: Any, **options: Any) -> Any:
        """Take the next message, waiting at most `timeout` seconds: of the inbox that is named first, or of all.

        Raises `Empty` when none comes in time. A stop ends the waiting: messages accepted before it are delivered
        first, then `Stopped` is raised, or `Empty` where a timeout was given. Raises `InboxFull` where it would wait
        for ever: nobody can send, for 1,000 messages are in other inboxes, or were taken since the last checkpoint.
        """
        return await flow.drive_async(self._flows.recv(*recv_order(*order, **options)), self._perform)

    async def send(self, data: Any, block: bool = True, timeout: float | None = None) -> int:
        """Append a message to the outbox; how many it has ever been given with this one.

        Never waits for a reader; the outbox keeps the last 1,000.
        """
        del block, timeout  # the signature of the other side; here there is nothing to wait for
        return await flow.drive_async(self._flows.send(data), self._perform)

    async def pour(self, data: Any) -> None:
        """Append a message to the outbox, soon: as `Inside.pour`."""
        await flow.drive_async(self._flows.pour(data), self._perform)

    async def flush(self) -> None:
        """Wait until all that was poured is in the outbox."""
        await flow.drive_async(self._flows.flush(), self._perform)

    async def checkpoint(self, state: Any = None, *, send: Sequence[Any] = ()) -> None:
        """Store `state`, acknowledge the messages taken so far, and send: all of it, or nothing.

        After a lost worker the next attempt finds it in `t.state`, and is given exactly the messages since. A worker
        that shuts down hands the task over right here. Raises `NotSendable` or `TooLarge` (256 KiB), and then nothing
        has been stored.
        """
        await flow.drive_async(self._flows.checkpoint(state, send), self._perform)

    async def spawn(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Start a task as a child of this one, where this one runs: as `Inside.spawn`.

        On a worker its handle is a `taskpy.aio.RemoteTask`, elsewhere a `Task` or a `ProcessTask`, whose calls block.
        """
        return await flow.drive_async(self._flows.spawn(func, args, kwargs), self._perform)

    async def sleep(self, seconds: float) -> bool:
        """Sleep so many seconds; False as soon as a stop comes, True after the whole time."""
        return await flow.drive_async(self._flows.sleep(seconds), self._perform)

    async def stop(self, join: bool = True, *, timeout: float | None = None, reason: str | None = None) -> State:
        """Ask this very task to stop. Only asks: a task cannot wait for its own end."""
        del join, timeout
        return await flow.drive_async(self._flows.stop(reason), self._perform)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            try:
                message = await self.recv()
            except errors.Stopped:
                return
            yield message

    def __eq__(self, other: object) -> bool:
        return isinstance(other, thread.Task | Task) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)


# The object that a coroutine function receives is a Task too.
thread.Task.register(Task)
