"""What a handle learns of its task: how it stands, and pages of what it sent and logged."""

from dataclasses import dataclass
from typing import Any

from taskpy import errors
from taskpy.question import Asked
from taskpy.reported import LogLine, Progress
from taskpy.spec import Flag, State, StopReason, flags_of


@dataclass(frozen=True, slots=True)
class Status:
    """Where a task stands, and what came of it: a value when it succeeded, an exception when it failed.

    `unreadable` says why this process cannot read the value, where it cannot. `stop`: it was asked to stop, why and by whom;
    `note` says how it was stopped, where that was not plain.
    `progress` is what it reported last; `question` what it asks, and waits for the answer; `pausing`: it was asked to stand
    still, `paused`: it does. `delayed` is known where it was looked at closely.
    """

    state: State
    value: Any = None
    error: Exception | None = None
    unreadable: errors.WireError | None = None
    stop: StopReason | None = None
    note: str = ""
    progress: Progress | None = None
    question: Asked | None = None
    pausing: bool = False
    paused: bool = False
    delayed: bool = False

    @property
    def flags(self) -> frozenset[Flag]:
        """What is to be said of it beside its state, as far as it is known here."""
        return flags_of(
            self.state,
            delayed=self.delayed,
            stopping=self.stop is not None,
            asks=self.question is not None,
            pausing=self.pausing,
            paused=self.paused,
        )

    def result(self) -> Any:
        """The value; raises a `WireError` where it cannot be read."""
        if self.unreadable is not None:
            raise self.unreadable
        return self.value


@dataclass(frozen=True, slots=True)
class Mail:
    """What a reader of the outbox finds: messages, the first at the absolute index `first`, and the task's state.

    `sent` counts all that there have ever been. The messages are as they came: `Line.opened` reads one.
    """

    state: State
    first: int
    messages: list[Any]
    sent: int


@dataclass(frozen=True, slots=True)
class Reported:
    """What a reader of the log finds: lines, the absolute place behind them, and how the task stands."""

    state: State
    progress: Progress | None
    next: int
    lines: list[LogLine]
