"""What Redis answers about questions, answers and pauses, as data."""

from dataclasses import dataclass
from typing import Any, Self

from taskpy.answers import counted, pairs, text
from taskpy.spec import State


@dataclass(frozen=True, slots=True)
class Orders:
    """What a running attempt is to attend to, apart from mail and a stop. `count` is how many orders there ever were.

    `pause`: it was asked to pause. `answered` is the number of its own question that was answered (0: none), `answer` that
    answer. `questions` were put to it, each under its number.
    """

    count: int
    pause: bool
    answered: int
    answer: bytes
    questions: list[tuple[int, bytes]]

    @classmethod
    def of(cls, reply: Any) -> Self | None:
        """Read the reply of `orders`; None: fenced."""
        if reply == 0:
            return None
        count, pause, answered, answer, *flat = reply
        questions = [(int(number), bytes(body)) for number, body in pairs(flat)]
        return cls(counted(count), bool(pause), counted(answered), answer, questions)


@dataclass(frozen=True, slots=True)
class Response:
    """Where a task stands, and what it has answered to a question, packed; None: nothing yet.

    `gone`: there is neither an answer nor the question, so that there will be none.
    """

    state: State
    answer: bytes | None
    gone: bool

    @classmethod
    def of(cls, row: Any, number: int) -> Self | None:
        """Read the reply of `response`; None: no such task."""
        state, answer, waiting = row
        if state is None:
            return None
        return cls(State(text(state)), answer, answer is None and str(number) not in text(waiting or b"").split())


@dataclass(frozen=True, slots=True)
class Posed:
    """A question of a task, under its number in the life of the task, with the answer where it has one."""

    number: int
    answer: bytes | None

    @classmethod
    def of(cls, reply: Any) -> Self | None:
        """Read the reply of `pose`; None: fenced."""
        if reply == 0:
            return None
        number, *answer = reply
        return cls(counted(number), answer[0] if answer else None)


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What came of a question that was withdrawn: fenced, or the answer that had come before, or neither."""

    fenced: bool = False
    answer: bytes | None = None

    @classmethod
    def of(cls, reply: Any) -> Self:
        """Read the reply of `withdraw`."""
        if isinstance(reply, list):
            return cls(answer=reply[0])
        return cls(fenced=reply == 0)
