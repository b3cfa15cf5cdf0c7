"""The line from a handle to its task: what the outside can ask of a task, wherever it runs.

`Line` is the contract. `LocalLine` is what the lines of `thread.py` and `process.py` share; the line through Redis is in
`remote.py`.
"""

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

from taskpy import codec, errors, flow
from taskpy.mailbox import Outbox
from taskpy.nudge import Nudge
from taskpy.spec import Outcome, State, Verdict


@dataclass(frozen=True, slots=True)
class Status:
    """Where a task stands, and what came of it: a value when it succeeded, an exception when it failed.

    `unreadable` says why this process cannot read the value, where it cannot.
    """

    state: State
    value: Any = None
    error: Exception | None = None
    unreadable: errors.WireError | None = None

    def result(self) -> Any:
        """The value; raises a `WireError` where it cannot be read."""
        if self.unreadable is not None:
            raise self.unreadable
        return self.value


@dataclass(frozen=True, slots=True)
class Mail:
    """What a reader of the outbox finds: messages, the first at the absolute index `first`, and the task's state.

    The messages are as they came: `Line.opened` reads one.
    """

    state: State
    first: int
    messages: list[Any]


class Full:
    """The answer of a line whose task has no room for another message."""


FULL = Full()


class Line(Protocol):
    """What a handle asks of its task. Whatever may need Redis is a flow."""

    #: How long a wait may rely on being woken, in seconds, before it looks again; None: for ever.
    recheck: float | None

    @property
    def queue(self) -> str | None:
        """The queue the task is in, where that is known without asking."""

    def look(self) -> flow.Flow[Status]:
        """Where the task stands now."""

    def watch(self) -> flow.Flow[Nudge]:
        """A nudge that is given whenever the task's state, outbox or room in the inbox changes."""

    def start(self) -> flow.Flow[None]:
        """Begin; raises `AlreadyStarted`."""

    def stop(self, reason: str | None) -> flow.Flow[None]:
        """Ask the task to stop; a task that has not begun is stopped by that."""

    def offer(self, data: Any) -> flow.Flow[State | Full]:
        """Put a message into the inbox: answered by the task's state (a final one took nothing), or `FULL`."""

    def read(self, index: int) -> flow.Flow[Mail]:
        """The outbox from an absolute index on."""

    def opened(self, message: Any) -> Any:
        """A message of `read` as the task sent it; raises a `WireError` where it cannot be read."""

    def late(self) -> flow.Flow[None]:
        """Called when a wait was not woken for `recheck` seconds."""


def as_exception(error: BaseException | None) -> Exception:
    """The exception a handle shows: the task's own, unless raising it here could end the caller."""
    if isinstance(error, Exception):
        return error
    # As it would come back from a worker: a RemoteError, with the traceback.
    return codec.load_exception(codec.dump_exception(error or RuntimeError("the task failed without an exception")))


class LocalLine(ABC):
    """A task of this process or of its child: its state, its outbox, and the nudge for those outside."""

    recheck: float | None = None
    queue: str | None = None

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status = Status(State.NEW)
        self._nudge = Nudge()
        self._outbox = Outbox()

    # -- the outside ----------------------------------------------------------------------------

    def look(self) -> flow.Flow[Status]:
        """Where the task stands now."""
        return flow.just(self._status)

    def watch(self) -> flow.Flow[Nudge]:
        """A nudge that is given at every change."""
        return flow.just(self._nudge)

    def start(self) -> flow.Flow[None]:
        """Go from new to running; raises `AlreadyStarted` from any other state."""
        with self._lock:
            if self._status.state is not State.NEW:
                raise errors.AlreadyStarted(f"the task is {self._status.state}; make a new one")
            self._status = Status(State.RUNNING)
        return flow.just(None)

    def stop(self, reason: str | None) -> flow.Flow[None]:
        """Ask the task to stop; a new one is stopped for good."""
        del reason
        with self._lock:
            if self._status.state is State.NEW:
                self._status = Status(State.STOPPED)
        self.ask_stop()
        self._nudge.give()
        return flow.just(None)

    def offer(self, data: Any) -> flow.Flow[State | Full]:
        """Put a message into the inbox."""
        with self._lock:
            state = self._status.state
            if state.done or self.deliver(data):
                return flow.just(state)
        return flow.just(FULL)

    def read(self, index: int) -> flow.Flow[Mail]:
        """The outbox from an absolute index on."""
        state = self._status.state  # read first: a task that ends afterwards has sent all it will
        page = self._outbox.read(index)
        return flow.just(Mail(state, page.first, page.messages))

    def opened(self, message: Any) -> Any:
        """A message of `read` as the task sent it."""
        return message

    def late(self) -> flow.Flow[None]:
        """Never called: a local nudge is never lost."""
        return flow.just(None)

    # -- the task's own side --------------------------------------------------------------------

    @abstractmethod
    def ask_stop(self) -> None:
        """Pass the wish to stop on to the inside."""

    @abstractmethod
    def deliver(self, data: Any) -> bool:
        """Pass a message on to the inside; False when there is no room."""

    def posted(self, data: Any) -> None:
        """Take a message from the inside."""
        self._outbox.append(data)
        self._nudge.give()

    def taken(self) -> None:
        """Note that the inside took a message: those who wait to send have room."""
        self._nudge.give()

    def ended(self, outcome: Outcome) -> None:
        """Note how the function came out. The first outcome stays."""
        if outcome.verdict is Verdict.SUCCEEDED:
            status = Status(State.SUCCEEDED, value=outcome.value)
        elif outcome.verdict is Verdict.STOPPED:
            status = Status(State.STOPPED)
        else:
            status = Status(State.FAILED, error=as_exception(outcome.error))
        with self._lock:
            if not self._status.state.done:
                self._status = status
        self._nudge.give()
