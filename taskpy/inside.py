"""The inside of a task: what its function receives, wherever it runs.

The calls are flows over a `Mailbox`, so the thread's form here and the coroutine's form in `aio.py` share their logic.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar, overload

from taskpy import errors, flow
from taskpy.attention import Handler
from taskpy.contract import Contract, recv_order
from taskpy.inside_flows import InsideFlows, Run
from taskpy.interrupt import NoShield, Shield
from taskpy.mailbox import Mailbox
from taskpy.reports import Reports
from taskpy.spec import MISSING, State, StopReason

T = TypeVar("T")

#: Performs the steps of a flow: in this process, or by Redis too.
Perform = Callable[[flow.Step], Any]


class InsideView:
    """What thread and coroutine know of their own task without asking anyone."""

    _awaits = False  # whether it is the task of a coroutine function

    def __init__(self, run: Run, mailbox: Mailbox) -> None:
        self.id = run.id
        self._run = run
        self._mailbox = mailbox
        self._flows = InsideFlows(run, mailbox)

    def __repr__(self) -> str:
        return f"<task {self.id}, inside, attempt {self._run.attempt}>"

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments of the function."""
        return self._run.args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments of the function."""
        return self._run.kwargs

    @property
    def attempt(self) -> int:
        """Which start of the function this is, from 1."""
        return self._run.attempt

    @property
    def token(self) -> str:
        """A name for this very start, never used twice: give it to outside systems as an idempotency key."""
        return self._run.token

    @property
    def prev(self) -> Any:
        """The output of the predecessor in a Chain; an AttributeError where there is none."""
        if self._run.prev is MISSING:
            raise AttributeError("prev: this task is not a link of a Chain")
        return self._run.prev

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the task is to stop, and by whom (`.by`); None when it was not asked to."""
        wish = self._mailbox.wish
        return None if wish is None else wish.reason

    @property
    def draining(self) -> bool:
        """Whether the worker is shutting down, so that the task should end or hand over soon. False locally."""
        return self._mailbox.draining

    @property
    def state(self) -> Any:
        """What the last checkpoint stored, in this attempt or one before; None where there was none.

        Who has looked at it is told every message since that checkpoint once more after a lost worker, and not only the
        last ones. Raises `StateVersion` for a state in a form that the task does not know.
        """
        return self._flows.restore()

    @property
    def done(self) -> bool:
        """False, as long as the function can ask."""
        return False

    @property
    def result(self) -> None:
        """None, as long as the function can ask."""
        return

    @property
    def exception(self) -> None:
        """None, as long as the function can ask."""
        return

    @property
    def sink(self) -> Reports:
        """Where its progress and its log records go."""
        return self._mailbox.reports

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Say how far the task has come, and in a few words what it does; those outside see the latest.

        Says nothing to anybody here and now, so that it may be called as often as you like. Raises `BadArguments` for
        numbers below 0, or that are none; a note keeps its first 500 characters.
        """
        self._mailbox.reports.progress(done, total, note)

    def answers(self, topic: str, handler: Handler) -> None:
        """Have `handler` answer what `ask` asks about this topic: with what it returns, given the data that came along.

        It is called in the task's own thread, within the next `stopped`, `recv`, `send`, `sleep`, `checkpoint` or `ask`: it needs
        no lock. A handler that takes no argument is called without. Its error is the asker's; the task goes on. Raises
        `BadName` for a topic that is no name, `BadArguments` for a handler that cannot be called with the data.
        """
        if not self._awaits and inspect.iscoroutinefunction(handler):
            raise errors.BadArguments(
                "only the task of an `async def` function can await a handler; this one is a plain one"
            )
        self._flows.attention.answers(topic, handler)

    def ended(self) -> None:
        """Note that the function has ended: what is done beside it for its task counts no more."""

    def release(self) -> NoReturn:
        """Give the task back to its queue, to be begun again by another worker; raises `Released` to get there.

        Raises `UsageError` for a local task, which has no queue to go back to.
        """
        if not self._run.releasable:
            raise errors.UsageError("only a task on a worker can be released; this one runs locally")
        raise errors.Released


class Inside(InsideView, Contract[Any]):
    """The task as a plain function sees it. Its calls block the thread of the task only."""

    def __init__(
        self,
        run: Run,
        mailbox: Mailbox,
        perform: Perform = flow.wait_here,
        *,
        shield: Shield | None = None,
    ) -> None:
        super().__init__(run, mailbox)
        self._perform = perform
        self._shield: Shield | NoShield = shield or NoShield()
        self._flows.here = self._shield.here

    def _drive(self, steps: flow.Flow[T]) -> T:
        with self._shield:  # a stop that is raised from outside must not break off what is said to Redis
            return flow.drive(steps, self._step)

    def _step(self, step: flow.Step) -> Any:
        if isinstance(step, flow.Call):
            with self._shield.lifted:
                return step.function()
        return self._perform(step)

    def stopped(self) -> bool:
        """Whether the task was asked to stop. A safe point: what was asked is answered here, and a paused task waits here.

        See `release`, too.
        """
        self._flows.check()
        if self._flows.called:
            self._drive(self._flows.attend())
        return self._mailbox.wish is not None

    def ask(self, question: Any, data: None = None, /, *, timeout: float | None = None) -> Any:
        """Ask whoever is there: the task waits, visible to all with its question, until anybody calls `answer(value)`.

        A question that an attempt before this one has asked goes on, with its answer where it has one. Raises `NoAnswer`
        when none comes in `timeout` seconds. A stop ends the waiting: `Stopped` is raised, or `NoAnswer` where a timeout
        was given.
        """
        return self._drive(self._flows.ask(question, data, timeout, []))

    @overload
    def recv(self, block: bool = True, timeout: float | None = None) -> Any: ...
    @overload
    def recv(self, inbox: str, /, block: bool = True, timeout: float | None = None) -> Any: ...
    def recv(self, *order: Any, **options: Any) -> Any:
        """Take the next message, waiting at most `timeout` seconds: of the inbox that is named first, or of all.

        Raises `Empty` when none comes in time. A stop ends the waiting: messages accepted before it are delivered
        first, then `Stopped` is raised, or `Empty` where a timeout was given. Raises `InboxFull` where it would wait
        for ever: nobody can send, for 1,000 messages are in other inboxes, or were taken since the last checkpoint.
        """
        return self._drive(self._flows.recv(*recv_order(*order, **options)))

    def send(self, data: Any, block: bool = True, timeout: float | None = None) -> int:
        """Append a message to the outbox; how many it has ever been given with this one.

        Never waits for a reader; the outbox keeps the last 1,000.
        """
        del block, timeout  # the signature of the other side; here there is nothing to wait for
        return self._drive(self._flows.send(data))

    def pour(self, data: Any) -> None:
        """Append a message to the outbox, soon: in the order of all that is sent, and before the end of the task.

        For what a generator yields: what gathers while others are on their way to Redis goes in one step. Waits only
        when too much has gathered.
        """
        self._drive(self._flows.pour(data))

    def flush(self) -> None:
        """Wait until all that was poured is in the outbox."""
        self._drive(self._flows.flush())

    def checkpoint(self, state: Any = None, *, send: Sequence[Any] = ()) -> None:
        """Store `state`, acknowledge the messages taken so far, and send: all of it, or nothing.

        After a lost worker the next attempt finds it in `t.state`, and is given exactly the messages since. A worker
        that shuts down hands the task over right here. Raises `NotSendable` or `TooLarge` (256 KiB), and then nothing
        has been stored.
        """
        self._drive(self._flows.checkpoint(state, send))

    def spawn(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Start a task as a child of this one: where this one runs, in a thread, a process, or on a worker.

        Takes a function, a task, its name, or a task with options (`crawl.options(queue="io")`). Returns its handle, a
        `Task`, a `ProcessTask` or a `RemoteTask`. Raises `Stopped` when this task is to stop with all below it.
        """
        return self._drive(self._flows.spawn(func, args, kwargs))

    def sleep(self, seconds: float) -> bool:
        """Sleep so many seconds; False as soon as a stop comes, True after the whole time."""
        return self._drive(self._flows.sleep(seconds))

    def stop(self, join: bool = True, *, timeout: float | None = None, reason: str | None = None) -> State:
        """Ask this very task to stop. Only asks: a task cannot wait for its own end."""
        del join, timeout
        return self._drive(self._flows.stop(reason))

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                message = self.recv()
            except errors.Stopped:
                return
            yield message
