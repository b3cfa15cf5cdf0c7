"""The desk of a task on a worker: what it reads, and when it reads again."""

import pytest

from taskpy import errors, flow
from taskpy.answers_desk import Orders, Posed, Withdrawn
from taskpy.desk import Answer
from taskpy.desk_redis import BATCH, RedisDesk
from taskpy.keys import Keys
from taskpy.question import Question, Reply, dump_answer, dump_question


class Rig:
    """A desk, and who tells it that there is news; `replies` are what Redis says, one after the other."""

    def __init__(self):
        self.news = None
        self.lost = False
        self.replies = []
        self.asked = []
        self.desk = RedisDesk(Keys("unit"), "a", "w.1", news=lambda: self.news, lose=self._lose)

    def _lose(self):
        self.lost = True

    def tell(self):
        self.news = object()

    def run(self, steps):
        return flow.drive(steps, self._perform)

    def attend(self, *replies):
        self.replies += replies
        self.run(self.desk.attend())
        assert not self.replies

    def _perform(self, op):
        self.asked.append((op.verb, *op.args[1:]))
        reply = self.replies.pop(0)
        if callable(reply):
            reply = reply()
        if isinstance(reply, BaseException):
            raise reply
        return reply


def orders(count, *numbers, answered=0, answer=b""):
    questions = [(number, dump_question("t", number)) for number in numbers]
    return Orders(count, pause=False, answered=answered, answer=answer, questions=questions)


@pytest.fixture
def rig():
    return Rig()


def waiting(rig):
    return [question.number for question in rig.desk.questions]


def test_without_news_nobody_is_asked(rig):
    rig.attend()

    assert rig.asked == []


def test_news_are_read_once(rig):
    rig.tell()
    rig.attend(orders(2, 1, 2))
    rig.attend()

    assert rig.asked == [("orders", 0, BATCH)]
    assert [rig.desk.opened(question) for question in rig.desk.questions] == [Question(n, "t", n) for n in (1, 2)]


def test_what_comes_while_it_reads_is_read_too(rig):
    def late():
        rig.tell()
        return orders(1, 1)

    rig.tell()
    rig.attend(late)
    assert rig.desk.fresh
    rig.attend(orders(2, 2))

    assert rig.asked == [("orders", 0, BATCH), ("orders", 1, BATCH)]
    assert waiting(rig) == [1, 2]


def test_many_are_read_batch_by_batch(rig):
    rig.tell()
    rig.attend(orders(99, *range(1, BATCH + 1)))
    assert rig.desk.fresh
    rig.attend(orders(99, BATCH + 1))

    assert not rig.desk.fresh
    assert waiting(rig) == list(range(1, BATCH + 2))


def test_what_could_not_be_read_is_read_again(rig):
    rig.tell()
    with pytest.raises(errors.Unreachable):
        rig.attend(errors.Unreachable())
    assert rig.desk.fresh
    rig.attend(orders(1, 1))

    assert waiting(rig) == [1]


def test_after_a_failover_that_lost_questions_their_numbers_are_read_anew(rig):
    rig.tell()
    rig.attend(orders(5, 4, 5))
    rig.desk.questions.clear()
    rig.tell()
    rig.attend(orders(3))
    assert rig.desk.fresh
    rig.attend(orders(3, 4))

    assert [known for _, known, _ in rig.asked] == [0, 5, 0]
    assert waiting(rig) == [4]


def test_another_owner_is_noticed(rig):
    rig.tell()
    with pytest.raises(errors.LeaseLost):
        rig.attend(None)

    assert rig.lost


def test_an_answer_is_that_of_its_question(rig):
    rig.replies = [Posed(3, None)]
    assert rig.run(rig.desk.pose("?")) == 3
    rig.tell()
    rig.attend(orders(1, answered=2, answer=dump_answer("old")))
    assert rig.desk.answer(3) is None
    rig.tell()
    rig.attend(orders(2, answered=3, answer=dump_answer("new")))

    assert rig.desk.settled == 0
    assert rig.desk.answer(3) == Answer("new")
    assert rig.desk.settled == 3


def test_an_answer_may_come_with_the_question_or_with_its_end(rig):
    rig.replies = [Posed(1, dump_answer("at once")), Posed(2, None), Withdrawn(answer=dump_answer("in time"))]
    rig.run(rig.desk.pose("?"))
    assert rig.desk.answer(1) == Answer("at once")
    number = rig.run(rig.desk.pose("?"))

    assert rig.run(rig.desk.withdraw(number)) == Answer("in time")
    assert rig.desk.settled == 2
    assert [count for _, count, *_ in rig.asked[:2]] == [1, 2], "the attempt numbers its questions"


@pytest.mark.parametrize("verb", ["pose", "withdraw", "respond"])
def test_nothing_is_said_for_another_owner(rig, verb):
    steps = {
        "pose": lambda: rig.desk.pose("?"),
        "withdraw": lambda: rig.desk.withdraw(1),
        "respond": lambda: rig.desk.respond(1, Reply("a")),
    }
    rig.replies = [{"pose": None, "withdraw": Withdrawn(fenced=True), "respond": False}[verb]]

    with pytest.raises(errors.LeaseLost):
        rig.run(steps[verb]())
    assert rig.lost
