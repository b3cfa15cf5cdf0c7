"""The outside of a local task's desk: what was asked and what was answered, in both directions, and the pause."""

import threading
from collections.abc import Callable
from typing import Any

from taskpy import errors, identity, spec
from taskpy.desk import Answer, Standstill
from taskpy.question import Asked, Question, Reply

#: What became of a question that is neither open nor answered.
GONE = "the answer was not fetched in time, or the question was lost with Redis's last writes; ask again"


class Counter:
    """What those outside see of the desk of one local task. `changed` is called when there is something new.

    `put`, `forget`, `told` and `ordered` pass a question, that nobody waits for it any more, an answer and the wish that it
    pauses on to the task.
    """

    def __init__(
        self,
        changed: Callable[[], None],
        *,
        put: Callable[[Question], None],
        forget: Callable[[int], None],
        told: Callable[[int, Any], None],
        ordered: Callable[[bool, int], None],
    ) -> None:
        self._changed = changed
        self._put = put
        self._forget = forget
        self._told = told
        self._ordered = ordered
        self._lock = threading.Lock()
        self._asked = 0
        self._open: dict[int, Reply | None] = {}
        self._question: Asked | None = None
        self._answer: Answer | None = None
        self._answered_by = ""
        self.pausing = False
        self.standstill = Standstill()
        self._wishes = 0  # how often it was asked to pause, or to go on
        self._parked = 0  # the number of the wish for which it says that it stands still

    # -- who is outside -------------------------------------------------------------------------

    def ask(self, topic: str, data: Any) -> int | None:
        """Put a question to the task; its number, or None when too many wait for a reply."""
        with self._lock:
            if sum(reply is None for reply in self._open.values()) >= spec.QUESTION_LIMIT:
                return None
            self._asked += 1
            self._open[self._asked] = None
            self._put(Question(self._asked, topic, data))
            return self._asked

    def reply(self, number: int) -> Reply | None:
        """What the task has answered; None: nothing yet. Raises `NoAnswer` where nobody has fetched it for long."""
        with self._lock:
            if number not in self._open:
                raise errors.NoAnswer(GONE)
            return self._open[number]

    def retract(self, number: int) -> None:
        """Forget a question: whoever asked has the answer, or waits no longer."""
        with self._lock:
            reply = self._open.pop(number, None)
        if reply is None:
            self._forget(number)

    @property
    def question(self) -> Asked | None:
        """What the task asks, until it is answered."""
        return self._question if self._answer is None else None

    def answer(self, number: int | None, value: Any) -> tuple[bool, str]:
        """Answer what the task asks, or has asked last: whether this counts; and whose answer does, where it is another one's."""
        with self._lock:
            asked = self._question
            if asked is None or number not in (None, asked.number):
                return False, ""
            if self._answer is not None:
                return False, self._answered_by
            self._answer, self._answered_by = Answer(value), identity.who()
        self._told(asked.number, value)
        self._changed()
        return True, ""

    @property
    def paused(self) -> bool:
        """Whether the task stands still, and nobody has let it go on since."""
        return self.pausing and self._parked == self._wishes

    def pause(self, pausing: bool) -> None:
        """Have the task stand still at its next safe point, or go on."""
        with self._lock:
            if pausing is self.pausing:
                return
            self.pausing = pausing
            self._wishes += 1
            self._ordered(pausing, self._wishes)
        self._changed()

    # -- what the task says ---------------------------------------------------------------------

    def responded(self, number: int, reply: Reply) -> None:
        """It has answered a question."""
        with self._lock:
            if number in self._open:
                self._open[number] = reply
            answered = [asked for asked, said in self._open.items() if said is not None]
            for asked in answered[: -spec.QUESTION_LIMIT]:  # whoever has asked that has gone
                del self._open[asked]
        self._changed()

    def parked(self, wish: int) -> None:
        """It stands still, for the wish of this number; 0: it goes on."""
        self._parked = wish
        if wish:
            self.standstill.begin()
        else:
            self.standstill.end()
        self._changed()

    def mirror(self, *, pausing: bool, paused: bool) -> None:
        """Show what is known elsewhere, where others let it pause and go on."""
        with self._lock:
            self.pausing, self._parked = pausing, self._wishes if paused else -1
        self._changed()

    def posed(self, number: int, question: Any) -> None:
        """It asks."""
        with self._lock:
            self._question, self._answer = Asked(number, question), None
        self._changed()

    def withdrew(self, number: int) -> Answer | None:
        """It asks this no longer; the answer, where one has come."""
        with self._lock:
            mine = self._question is not None and self._question.number == number
            answer = self._answer if mine else None
            if mine and answer is None:
                self._question = None
        self._changed()
        return answer
