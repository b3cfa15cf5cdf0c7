"""The desk of a task that runs on a worker: what waits for its attention stands in Redis, and a nudge says how much."""

from collections import deque
from collections.abc import Callable
from typing import Any

from taskpy import errors, flow, ops
from taskpy.answers_desk import Orders, Posed, Withdrawn
from taskpy.desk import Answer, Standstill
from taskpy.keys import Keys
from taskpy.question import Question, Reply, dump_asked, dump_reply, load_answer, load_question

#: How many questions are read at once, each of which may be as large as a message.
BATCH = 20


class RedisDesk:
    """The inside's end of one attempt, fenced by its token.

    `news` answers another object each time that we were told of an order; `lose` is called when another attempt owns the
    task.
    """

    def __init__(
        self, keys: Keys, id: str, token: str, *, news: Callable[[], object], lose: Callable[[], None]
    ) -> None:
        self._keys = keys
        self._id = id
        self._token = token
        self._news = news
        self._lose = lose
        self._attended: object = None  # the news that were seen to
        self._orders = 0  # orders ever given, when we read them last
        self.pausing = False
        self.questions: deque[Question] = deque()
        self._last_question = 0  # the number of the last one that was fetched
        self._parked = False
        self.standstill = Standstill()
        self._posed = 0  # questions that this attempt has asked
        self._answered: Posed | None = None
        self.settled = 0  # the number of its last question whose answer the task has
        self._reading = flow.Turn()

    @property
    def fresh(self) -> bool:
        """Whether there is something that the task does not know yet."""
        return self._news() is not self._attended

    def attend(self) -> flow.Flow[None]:
        """Read what the task is to attend to, where something is new."""
        if not self.fresh:
            return
        yield from self._reading.take()  # else two coroutines would be given the same questions
        try:
            if self.fresh:
                yield from self._read()
        finally:
            self._reading.give()

    def _read(self) -> flow.Flow[None]:
        news = self._news()  # what comes while we read is read once more
        known = self._last_question
        found: Orders | None = yield ops.orders(self._keys, id=self._id, token=self._token, known=known, most=BATCH)
        if found is None:
            raise self._fenced()
        forgot, self._orders = found.count < self._orders, found.count
        if forgot and known:  # a failover has lost the last ones, and the numbers of questions come again
            self._last_question = 0
            return
        if len(found.questions) < BATCH:  # else: there may be more
            self._attended = news
        self.pausing = found.pause
        self._parked = False  # it may have been resumed, and paused again: then it says anew that it stands still
        if found.answered:
            self._answered = Posed(found.answered, found.answer)
        for number, packed in found.questions:
            self._last_question = number
            self.questions.append(Question(number, "", packed))

    def opened(self, question: Question) -> Question:
        """One of `questions` as it was asked; raises a `WireError` where it cannot be read."""
        return load_question(question.number, question.data)

    def respond(self, number: int, reply: Reply) -> flow.Flow[None]:
        """Answer a question that was put to the task."""
        answers = [(number, dump_reply(reply))]
        if not (yield ops.respond(self._keys, id=self._id, token=self._token, answers=answers)):
            raise self._fenced()

    def park(self) -> flow.Flow[bool]:
        """Say that the task stands still; False when there is another order, which has to be looked at first."""
        if self._parked:
            return True
        became: ops.Parked = yield ops.park(self._keys, id=self._id, token=self._token, orders=self._orders)
        if became == "fenced":
            raise self._fenced()
        self._parked = became == "parked"
        if self._parked:
            self.standstill.begin()
        else:
            self._attended = None  # look again
        return self._parked

    def go_on(self) -> None:
        """Stand still no longer. Whoever lets it go on, by a resume or a stop, has said so in Redis."""
        self.standstill.end()

    def pose(self, question: Any) -> flow.Flow[int]:
        """Ask whoever is there; the number of the question."""
        packed = dump_asked(question)
        self._posed += 1
        posed: Posed | None = yield ops.pose(
            self._keys, id=self._id, token=self._token, count=self._posed, question=packed
        )
        if posed is None:
            raise self._fenced()
        if posed.answer is not None:
            self._answered = posed
        return posed.number

    def answer(self, number: int) -> Answer | None:
        """The answer to the task's question of this number, where it is known here."""
        if self._answered is None or self._answered.number != number or self._answered.answer is None:
            return None
        self.settled = number
        return Answer(load_answer(self._answered.answer))

    def withdraw(self, number: int) -> flow.Flow[Answer | None]:
        """Wait no longer for an answer; the one that has come before all the same."""
        came: Withdrawn = yield ops.withdraw(self._keys, id=self._id, token=self._token, number=number)
        if came.fenced:
            raise self._fenced()
        if came.answer is None:
            return None
        self.settled = number
        return Answer(load_answer(came.answer))

    def _fenced(self) -> errors.LeaseLost:
        self._lose()
        return errors.LeaseLost()
