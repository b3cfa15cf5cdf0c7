"""The inside of an `async def` task: the names of `Inside`, awaited where they wait."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar, overload

from taskpy import errors, flow, thread
from taskpy.contract import recv_order
from taskpy.inside import InsideView
from taskpy.inside_flows import Run
from taskpy.mailbox import Mailbox
from taskpy.spec import State

T = TypeVar("T")

#: Performs the steps of a flow on an event loop.
AsyncPerform = Callable[[flow.Step], Awaitable[Any]]


class Task(InsideView):
    """The task as a coroutine function sees it: `recv`, `send`, `sleep` and `stop` are awaited, `async for` reads."""

    _awaits = True

    def __init__(self, run: Run, mailbox: Mailbox, perform: AsyncPerform = flow.wait_here_async) -> None:
        super().__init__(run, mailbox)
        self._perform = perform
        self._attending: asyncio.Task[None] | None = None
        self._asides: set[asyncio.Task[None]] = set()

    async def _drive(self, steps: flow.Flow[T]) -> T:
        return await flow.drive_async(steps, self._step)

    async def _step(self, step: flow.Step) -> Any:
        if isinstance(step, flow.Call):
            answer = step.function()
            return await answer if inspect.isawaitable(answer) else answer
        return await self._perform(step)

    def stopped(self) -> bool:
        """Whether the task was asked to stop. What was asked is answered soon; it pauses where it awaits the task next."""
        self._flows.check()
        if self._flows.called and (self._attending is None or self._attending.done()):
            with contextlib.suppress(RuntimeError):  # in a thread that the coroutine has begun there is no loop
                self._attending = self._aside(self._flows.attention.pay(park=False))
        return self._mailbox.wish is not None

    def _aside(self, steps: flow.Flow[None]) -> "asyncio.Task[None]":
        loop = asyncio.get_running_loop()
        aside = loop.create_task(self._drive_aside(steps))
        self._asides.add(aside)
        aside.add_done_callback(self._asides.discard)
        return aside

    async def _drive_aside(self, steps: flow.Flow[None]) -> None:
        # What is raised here is raised again where the coroutine comes to its next safe point.
        with contextlib.suppress(errors.TaskSignal, errors.TaskpyError):
            await self._drive(steps)

    def ended(self) -> None:
        """Note that the function has ended: what is done beside it for its task counts no more."""
        for aside in self._asides:
            aside.cancel()

    async def ask(self, question: Any, data: None = None, /, *, timeout: float | None = None) -> Any:
        """Ask whoever is there: the task waits, visible to all with its question, until anybody calls `answer(value)`.

        A question that an attempt before this one has asked goes on, with its answer where it has one. Raises `NoAnswer`
        when none comes in `timeout` seconds. A stop ends the waiting: `Stopped` is raised, or `NoAnswer` where a timeout
        was given. Coroutines of one task ask one after the other. One that is cancelled asks no more; an answer that was
        accepted before is lost.
        """
        standing: list[int] = []
        try:
            return await self._drive(self._flows.ask(question, data, timeout, standing))
        except asyncio.CancelledError:
            for number in standing:  # nobody shall answer what nobody waits for
                self._aside(self._flows.withdraw(number))
            raise

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
        return await self._drive(self._flows.recv(*recv_order(*order, **options)))

    async def send(self, data: Any, block: bool = True, timeout: float | None = None) -> int:
        """Append a message to the outbox; how many it has ever been given with this one.

        Never waits for a reader; the outbox keeps the last 1,000.
        """
        del block, timeout  # the signature of the other side; here there is nothing to wait for
        return await self._drive(self._flows.send(data))

    async def pour(self, data: Any) -> None:
        """Append a message to the outbox, soon: as `Inside.pour`."""
        await self._drive(self._flows.pour(data))

    async def flush(self) -> None:
        """Wait until all that was poured is in the outbox."""
        await self._drive(self._flows.flush())

    async def checkpoint(self, state: Any = None, *, send: Sequence[Any] = ()) -> None:
        """Store `state`, acknowledge the messages taken so far, and send: all of it, or nothing.

        After a lost worker the next attempt finds it in `t.state`, and is given exactly the messages since. A worker
        that shuts down hands the task over right here. Raises `NotSendable` or `TooLarge` (256 KiB), and then nothing
        has been stored.
        """
        await self._drive(self._flows.checkpoint(state, send))

    async def spawn(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Start a task as a child of this one, where this one runs: as `Inside.spawn`.

        On a worker its handle is a `taskpy.aio.RemoteTask`, elsewhere a `Task` or a `ProcessTask`, whose calls block.
        """
        return await flow.drive_async(self._flows.spawn(func, args, kwargs), self._perform)

    async def sleep(self, seconds: float) -> bool:
        """Sleep so many seconds; False as soon as a stop comes, True after the whole time."""
        return await self._drive(self._flows.sleep(seconds))

    async def stop(self, join: bool = True, *, timeout: float | None = None, reason: str | None = None) -> State:
        """Ask this very task to stop. Only asks: a task cannot wait for its own end."""
        del join, timeout
        return await self._drive(self._flows.stop(reason))

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
