"""What others want of a running task apart from mail and a stop: questions to answer, and a pause. And what it asks them.

`Desk` is the contract; `LocalDesk` serves threads and, with its hooks, the child of a `ProcessTask`. The one that lives in
Redis is in `desk_redis.py`.
"""

import contextlib
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from taskpy import flow
from taskpy.nudge import Nudge
from taskpy.question import Question, Reply


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question that the task asked."""

    data: Any


class Standstill:
    """How long a task has stood still, in seconds, all pauses together."""

    def __init__(self) -> None:
        self._before = 0.0
        self._since: float | None = None

    def begin(self) -> None:
        """Note that it stands still."""
        if self._since is None:
            self._since = time.monotonic()

    def end(self) -> None:
        """Note that it goes on."""
        self._before, self._since = self.seconds, None

    @property
    def seconds(self) -> float:
        """Up to now."""
        since = self._since  # read once: another thread may ask
        return self._before if since is None else self._before + time.monotonic() - since


class Desk(Protocol):
    """The inside's end: what waits for the task's attention, and what it says to that.

    `pausing`: it was asked to stand still; `questions` were put to it and wait for their replies.
    """

    pausing: bool
    questions: deque[Question]

    def attend(self) -> flow.Flow[None]:
        """Bring `pausing`, `questions` and `answer` up to date."""

    def opened(self, question: Question) -> Question:
        """One of `questions` as it was asked; raises a `WireError` where it cannot be read."""

    def respond(self, number: int, reply: Reply) -> flow.Flow[None]:
        """Answer a question that was put to the task."""

    def park(self) -> flow.Flow[bool]:
        """Say that the task stands still; False when it need not any more."""

    def go_on(self) -> None:
        """Stand still no longer."""

    def pose(self, question: Any) -> flow.Flow[int]:
        """Ask whoever is there; the number of the question."""

    def answer(self, number: int) -> Answer | None:
        """The answer to the task's question of this number, where it is known here."""

    def withdraw(self, number: int) -> flow.Flow[Answer | None]:
        """Wait no longer for an answer to the task's question; the one that has come before all the same."""


class Listening(Protocol):
    """Who hears what a local task says at its desk."""

    def responded(self, number: int, reply: Reply) -> None:
        """It has answered a question."""

    def parked(self, wish: int) -> None:
        """It stands still, for the wish of this number; 0: it goes on."""

    def posed(self, number: int, question: Any) -> None:
        """It asks."""

    def withdrew(self, number: int) -> Answer | None:
        """It asks this no longer; the answer, where one has come."""


class Unheard:
    """Where nobody is outside: who asks gets no answer."""

    def responded(self, number: int, reply: Reply) -> None:
        """Nobody has asked."""

    def parked(self, wish: int) -> None:
        """Nobody looks."""

    def posed(self, number: int, question: Any) -> None:
        """Nobody answers."""

    def withdrew(self, number: int) -> Answer | None:
        """Nobody has answered."""
        del number
        return None


class LocalDesk:
    """The inside's end in this process."""

    def __init__(self, nudge: Nudge, listening: Listening) -> None:
        self._nudge = nudge
        self._listening = listening
        self.pausing = False
        self.questions: deque[Question] = deque()
        self._wish = 0  # the number of the last wish that it pauses, or goes on
        self._parked = 0  # ... and of the one for which it has said that it stands still
        self._posed = 0
        self._answer: tuple[int, Answer] | None = None

    # -- the outside ----------------------------------------------------------------------------

    def put(self, question: Question) -> None:
        """Put a question to the task."""
        self.questions.append(question)
        self._nudge.give()

    def forget(self, number: int) -> None:
        """Drop a question: whoever asked waits no longer."""
        for question in self.questions.copy():
            if question.number == number:
                with contextlib.suppress(ValueError):  # the task is about to answer it
                    self.questions.remove(question)

    def pause(self, pausing: bool, wish: int) -> None:
        """Have the task stand still at its next safe point, or go on; `wish` counts how often this was said."""
        self.pausing, self._wish = pausing, wish
        self._nudge.give()

    def answered(self, number: int, value: Any) -> None:
        """Pass on the answer to the task's question of this number."""
        self._answer = number, Answer(value)
        self._nudge.give()

    # -- the inside -----------------------------------------------------------------------------

    def attend(self) -> flow.Flow[None]:
        """Do nothing: what was said is known."""
        return flow.just(None)

    def opened(self, question: Question) -> Question:
        """The question: it has not left this process."""
        return question

    def respond(self, number: int, reply: Reply) -> flow.Flow[None]:
        """Answer a question that was put to the task."""
        self._listening.responded(number, reply)
        return flow.just(None)

    def park(self) -> flow.Flow[bool]:
        """Say that the task stands still: for each wish anew, as after a resume it might have gone on."""
        wish = self._wish
        if self._parked != wish:
            self._parked = wish
            self._listening.parked(wish)
        return flow.just(True)

    def go_on(self) -> None:
        """Say that the task stands still no longer."""
        self._parked = 0
        self._listening.parked(0)

    def pose(self, question: Any) -> flow.Flow[int]:
        """Ask whoever is there."""
        self._posed += 1
        self._listening.posed(self._posed, question)
        return flow.just(self._posed)

    def answer(self, number: int) -> Answer | None:
        """The answer to the task's question of this number, where there is one."""
        return self._answer[1] if self._answer is not None and self._answer[0] == number else None

    def withdraw(self, number: int) -> flow.Flow[Answer | None]:
        """Wait no longer for an answer."""
        return flow.just(self._listening.withdrew(number))
