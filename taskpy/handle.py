"""The handle: the outside of a task for threads. `Task`, `ProcessTask` and `RemoteTask` differ in their line only."""

import copy
import os
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, cast, overload

from taskpy import errors, flow
from taskpy.contract import Contract, recv_order
from taskpy.line import Line, LocalLine
from taskpy.outside import OutsideFlows, result_of
from taskpy.question import Asked
from taskpy.reader import Place, Reader
from taskpy.reported import LogLine, Progress
from taskpy.spec import GRACE_SECONDS, MISSING, Flag, Follows, Options, Outcome, State, StopReason, Verdict
from taskpy.status import Reported, Status

R = TypeVar("R")
T = TypeVar("T")


class Handle(Contract[R]):
    """One task, held from the outside. Every call is safe in any thread."""

    def __init__(
        self,
        id: str,
        line: Line,
        *,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        attached: bool = False,
    ) -> None:
        self.id = id
        self._args = args
        self._kwargs = kwargs or {}
        self._flows = OutsideFlows(line, attached=attached)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    def _drive(self, steps: flow.Flow[T]) -> T:
        return flow.drive(steps, flow.wait_here)

    def _source(self) -> tuple[Line, Any]:
        """The line to the task, and whose broker its flows need, for who waits for many."""
        return self._flows.line, None

    # -- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Run the function in the background. Raises `AlreadyStarted` the second time, and after a stop."""
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most `timeout` seconds; whether it has come. Raises `NotStarted` for a new task."""
        return self._drive(self._flows.wait(timeout, brief=True)).state.done

    def wait_begun(self, timeout: float | None = None) -> bool:
        """Wait until the function has begun, at most `timeout` seconds; whether it has, or the task has ended."""
        return self._drive(self._flows.wait_begun(timeout))

    def get(self, timeout: float | None = None) -> R:
        """Wait for the end, at most `timeout` seconds, and return the result.

        Raises the task's exception when it failed, `TaskStopped` when it was stopped, `TaskTimeout` when it has not
        ended in time, `NotStarted` for a new task.
        """
        result: R = result_of(self._drive(self._flows.wait(timeout, brief=True)), timeout)
        return result

    def stop(
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

        `then` says what follows when it has not ended after `grace` seconds, whether or not anybody still waits here:
        "raise" raises `Stopped` inside it, in a thread at its next bytecode, in a coroutine where it waits; "kill" does
        so too, and a second later ends it by force: a child process is killed (at once), a thread that goes on all the
        same is fenced, and its task called stopped. Asked again, a stop can only become stricter; the first reason counts.

        With `tree` all below it are asked, too, also those that it is spawning at this moment; and `join` waits for them.

        Returns the state by then. A task that has not begun never will; one that has ended stays as it is.
        """
        return self._drive(self._flows.stop(join, timeout, reason, grace, then, tree=tree)).state

    # -- its family -----------------------------------------------------------------------------

    def children(self) -> "list[Handle[Any]]":
        """Handles of the tasks that it has spawned, in that order, over all attempts."""
        raise NotImplementedError

    @property
    def parent(self) -> "Handle[Any] | None":
        """A handle of the task that has spawned it; None for one that was started otherwise."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # -- mail -----------------------------------------------------------------------------------

    def send(self, data: Any, block: bool = True, timeout: float | None = None, *, to: str | None = None) -> int:
        """Put a message into the task's inbox, waiting for room at most `timeout` seconds; its number, from 1.

        `to` names the inbox; without it, it is for whoever takes from all. A message sent before the start waits for it.
        Raises `Full` when there is no room in time (at once before the start), `TaskEnded` after the end.
        """
        return self._drive(self._flows.send(data, block, timeout, to))

    def received(self, number: int) -> bool:
        """Whether the task has taken the message of this number, as `send` returned it."""
        return self._drive(self._flows.received(number))

    @overload
    def recv(self, block: bool = True, timeout: float | None = None) -> Any: ...
    @overload
    def recv(self, inbox: str, /, block: bool = True, timeout: float | None = None) -> Any: ...
    def recv(self, *order: Any, **options: Any) -> Any:
        """Take the next message that the task sent, waiting at most `timeout` seconds; `recv(block=True, timeout=None)`.

        Every handle reads for itself, from the oldest message kept. Raises `Empty` when none comes in time,
        `TaskEnded` after the last one, `MessagesMissed` once when this handle came too late for some.
        """
        if not (order or options) and (message := self._flows.at_hand()) is not MISSING:
            return message
        inbox, block, timeout = recv_order(*order, **options)  # a name has a type here: the inside is a `Task` too
        return self._drive(self._flows.recv(inbox or block, timeout))

    def stream(self, after: Place = None, *, timeout: float | None = None) -> "Stream":
        """What the task sends, message by message, until it ends; each stream has a place of its own.

        It begins at the oldest message kept; behind so many messages with `after=` a number, which was the `position` of
        another stream, here or on another host; with `after="now"` at what is sent from here on. Waits at most `timeout`
        seconds for each, then raises `Empty`.
        """
        reader = self._flows.reader(after)
        self._drive(reader.settle())
        return Stream(self, reader, timeout)

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                message = self.recv()
            except errors.TaskEnded:
                return
            yield message

    # -- questions, and a pause -----------------------------------------------------------------

    def ask(self, topic: Any, data: Any = None, /, *, timeout: float | None = None) -> Any:
        """Ask the task, and wait for its answer, at most `timeout` seconds.

        It is answered by the handler that the task has registered with `t.answers(topic, handler)`, in the task's own
        thread, where it calls taskpy next. Raises `UnknownTopic` when there is no such handler, `AnswerFailed` when it
        raised, `TaskEnded`, `NoAnswer` when the time is over, `Full` when 100 questions are open.
        """
        return self._drive(self._flows.ask(topic, data, timeout))

    def answer(self, value: Any, *, number: int | None = None) -> None:
        """Answer what the task asks: the question of this number, or the last one.

        The first answer counts: raises `AlreadyAnswered` for another one, `NotAsked` when the task asks nothing (any
        more), `TaskEnded`.
        """
        self._drive(self._flows.answer(value, number))

    def pause(self, join: bool = False, *, timeout: float | None = None, tree: bool = False) -> bool:
        """Ask the task to stand still where it calls taskpy next, and with `join` wait until it does, or has ended.

        Returns whether it stands still. It keeps its slot, and can be stopped, asked and sent to. Raises `TaskEnded`.

        With `tree` all below it, too, also when it has ended itself; what it spawns meanwhile begins at rest. `join` then
        waits for all of them, and the answer is whether all stand still that have not ended.
        """
        return self._drive(self._flows.pause(join, timeout, tree))

    def resume(self, *, tree: bool = False) -> None:
        """Let a task that was asked to pause go on, with `tree` all below it, too. Raises `TaskEnded`."""
        self._drive(self._flows.resume(tree))

    @property
    def question(self) -> Asked | None:
        """What the task asks, and waits for; None when it asks nothing, or has the answer."""
        return self._look().question

    @property
    def flags(self) -> frozenset[Flag]:
        """What is to be said of the task beside its state: `Flag.WAITING`, `Flag.PAUSED`, …"""
        return self._drive(self._flows.line.look_closely()).flags

    # -- what it reports ------------------------------------------------------------------------

    @property
    def progress(self) -> Any:
        """How far the task says it has come, a `Progress`; None before it has said so.

        For type checkers this is Any: inside the task `progress` is what says so, and both are a `Task`.
        """
        return self._look().progress

    def logs(self, follow: bool = False) -> Iterator[LogLine]:
        """The log records of the task, from the oldest that is kept; with `follow` until the task ends.

        Each call reads for itself. The last 1,000 lines are kept, over all attempts.
        """
        return (one for one in self.reports(follow) if isinstance(one, LogLine))

    def reports(self, follow: bool = False) -> Iterator[LogLine | Progress]:
        """As `logs`, with each new progress of the task among the lines: the latest one, when several came at once."""
        page: Reported | None = None
        progress: Progress | None = None
        while page := self._drive(self._flows.reported(page, follow)):
            yield from page.lines
            if page.progress is not None and page.progress != progress:
                progress = page.progress
                yield progress

    # -- what is known --------------------------------------------------------------------------

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments of the function."""
        return self._args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments of the function."""
        return self._kwargs

    @property
    def state(self) -> State:
        """Where the task stands now."""
        return self._look().state

    @property
    def done(self) -> bool:
        """Whether the task has ended."""
        return self._look().state.done

    @property
    def result(self) -> R | None:
        """What the function returned; None before the end, and when it failed or was stopped."""
        value: R | None = self._look().result()
        return value

    @property
    def exception(self) -> Exception | None:
        """What the function raised; None before the end, and when it succeeded or was stopped."""
        return self._look().error

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the task was asked to stop, and by whom (`.by`); None when it was not. The end is another thing: `state`."""
        return self._look().stop

    def _look(self) -> Status:
        return self._drive(self._flows.look())

    def _attended(self, known: Status | None) -> Status:
        """How it stands once it has ended, or asks or stands still otherwise than was known; for who follows it."""
        return self._drive(self._flows.attended(known))


class Stream(Iterator[Any]):
    """What a task sends, as an iterator that can be resumed: `position` is how many messages lie behind it.

    An error (`Empty`, `MessagesMissed`, a lost connection) does not end it: the next step goes on from `position`.
    """

    def __init__(self, handle: Handle[Any], reader: Reader, timeout: float | None) -> None:
        self._handle = handle
        self._reader = reader
        self._timeout = timeout

    @property
    def position(self) -> int:
        """How many of the task's messages lie behind this stream: give it to `stream(after=...)`, on any host."""
        return self._reader.position

    def __next__(self) -> Any:
        try:
            # Mostly a whole page was fetched; then nothing needs to be driven.
            if (message := self._reader.at_hand()) is not MISSING:
                return message
            return self._handle._drive(self._reader.recv(True, self._timeout))  # noqa: SLF001 - our own
        except errors.TaskEnded:
            raise StopIteration from None


class LocalHandle(Handle[R]):
    """A task of this process or of its child: it does not survive a fork."""

    def __init__(
        self,
        id: str,
        line: LocalLine,
        *,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        begin: Callable[[], None],
    ) -> None:
        super().__init__(id, line, args=args, kwargs=kwargs)
        self.line = line
        line.family.id = id
        self._begin = begin
        self._limit: float | None = None
        self._pid = os.getpid()

    def start(self) -> None:
        """Run the function in the background. Raises `AlreadyStarted` the second time, and after a stop."""
        self._drive(self.line.start())
        try:
            self._begin()
        except BaseException as error:
            self.line.ended(Outcome(Verdict.FAILED, error=error))
            raise

    def children(self) -> "list[Handle[Any]]":
        """Handles of the tasks that it has spawned, in that order."""
        self._check_process()
        return [cast("LocalHandle[Any]", child).again() for child in self.line.family.children]

    @property
    def parent(self) -> "Handle[Any] | None":
        """A handle of the task that has spawned it; None for one that was started otherwise."""
        found = cast("LocalHandle[Any] | None", self.line.family.parent)
        return None if found is None else found.again()

    def again(self) -> Self:
        """Another handle of this task, that reads from a place of its own."""
        made = copy.copy(self)
        made._flows = OutsideFlows(self.line, attached=True)  # noqa: SLF001 - our own
        return made

    def take_options(self, options: Options) -> None:
        """Run it with those of these options that mean something for a local task."""
        self._limit = options.time_limit
        self.line.family.policy = options.children or "wait"

    def _drive(self, steps: flow.Flow[T]) -> T:
        self._check_process()
        return super()._drive(steps)

    def _source(self) -> tuple[Line, Any]:
        self._check_process()
        return super()._source()

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise errors.Forked
