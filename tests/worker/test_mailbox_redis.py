"""The mailbox of a task on a worker: messages at a cursor, acknowledged far behind it, and everything fenced."""

import pytest

from taskpy import codec, errors, flow, ops, spec
from taskpy.mailbox_redis import STEP, WINDOW, RedisMailbox
from taskpy.spec import StopReason, Wish


class Attempt:
    """One attempt at a task, with its mailbox and nothing else."""

    def __init__(self, rig, wid="w1", number=1):
        self._rig = rig
        rig.run(ops.join(rig.keys, wid=wid, lease=15))
        [id] = rig.run(ops.claim(rig.keys, wid=wid, number=number, count=1, queues=["default"]))
        [started] = rig.run(ops.start(rig.keys, wid=wid, number=number, ids=[id]))
        self.mailbox = RedisMailbox(rig.keys, "default", started)

    def do(self, steps):
        def perform(step):
            return self._rig.run(step) if isinstance(step, ops.Op) else flow.wait_here(step)

        return flow.drive(steps, perform)

    def take(self, inbox=None):
        """The next message, or None."""
        received = self.do(self.mailbox.take(inbox))
        return None if received is None else received.data

    def take_all(self, inbox=None):
        """All messages that are to be had."""
        return list(iter(lambda: self.take(inbox), None))

    def hear(self, received, *, stopping=False):
        self.mailbox.hear(received, Wish() if stopping else None)


@pytest.fixture
def task(rig):
    return rig.submit("listens")


@pytest.fixture
def attempt(rig, task):
    return Attempt(rig)


def send(task, *messages):
    for message in messages:
        task.send(message)


def test_messages_are_taken_in_their_order(task, attempt):
    send(task, 1, 2, 3)
    attempt.hear(3)

    assert attempt.take_all() == [1, 2, 3]


def test_what_was_sent_before_the_start_is_there(rig, task):
    send(task, 1, 2)

    assert Attempt(rig).take_all() == [1, 2]


def test_of_a_message_that_was_not_heard_of_nothing_is_asked(task, attempt, monkeypatch):
    send(task, 1)
    monkeypatch.setattr(attempt, "_rig", None)  # whoever asks fails

    assert attempt.take() is None


def test_after_a_stop_what_was_accepted_before_is_delivered_and_nothing_more(task, attempt):
    send(task, 1, 2)
    attempt.hear(2, stopping=True)
    send(task, 3)
    attempt.hear(3, stopping=True)

    assert attempt.take_all() == [1, 2]


def test_a_task_that_starts_after_the_stop_has_what_was_accepted(rig, task, attempt):
    send(task, 1)
    task.stop(join=False)
    rig.run(ops.lose(rig.keys, wid="w1", lease=15, sure=True))
    rig.raw.hdel(rig.keys.task(task.id), "stop")  # as if the stop came between recovery and start
    rig.run(ops.recover(rig.keys, id=task.id, queue="default", wid="w1"))
    rig.raw.hset(rig.keys.task(task.id), "stop", "")
    again = Attempt(rig, "w2")

    assert again.mailbox.wish is not None
    assert again.take_all() == [1]


def test_news_that_come_late_take_nothing_back(task, attempt):
    send(task, 1, 2)
    attempt.hear(2)
    attempt.hear(1)

    assert attempt.take_all() == [1, 2]


def test_only_news_nudge(attempt):
    seen = attempt.mailbox.nudge.count

    attempt.hear(0)
    assert attempt.mailbox.nudge.count == seen
    attempt.hear(1)
    attempt.hear(1, stopping=True)
    attempt.hear(1, stopping=True)
    assert attempt.mailbox.nudge.count == seen + 2


def test_the_last_messages_stay_for_the_next_attempt(rig, task, attempt):
    count = WINDOW + STEP + 20
    send(task, *range(count))
    attempt.hear(count)
    assert attempt.take_all() == list(range(count))

    rig.run(ops.lose(rig.keys, wid="w1", lease=15, sure=True))
    rig.run(ops.recover(rig.keys, id=task.id, queue="default", wid="w1"))
    again = Attempt(rig, "w2").take_all()

    assert again == list(range(STEP, count))
    assert WINDOW <= len(again) < WINDOW + STEP


def test_a_long_conversation_keeps_the_inbox_short(rig, task, attempt):
    for number in range(5 * (WINDOW + STEP)):
        task.send(number)
        attempt.hear(number + 1)
        assert attempt.take() == number
        assert rig.raw.llen(rig.keys.inbox(task.id)) <= WINDOW + STEP


def test_an_inbox_that_is_gone_is_empty(rig, task, attempt):
    send(task, 1)
    attempt.hear(1)
    rig.raw.delete(rig.keys.inbox(task.id))

    assert attempt.take() is None
    assert attempt.take() is None


def test_a_message_that_cannot_be_read_is_taken_all_the_same(rig, task, attempt):
    send(task, 1)
    rig.raw.rpush(rig.keys.inbox(task.id), b"\xff")
    rig.raw.rpush(rig.keys.inbox(task.id), codec.dump_message(3))
    attempt.hear(3)

    assert attempt.take() == 1
    with pytest.raises(errors.WireError):
        attempt.take()
    assert attempt.take() == 3


def test_posting_appends(rig, task, attempt):
    for number in range(3):
        attempt.do(attempt.mailbox.post(number))

    assert [task.recv(timeout=1) for _ in range(3)] == [0, 1, 2]


def test_posting_goes_on_where_the_last_attempt_ended(rig, task, attempt):
    attempt.do(attempt.mailbox.post("first"))
    rig.run(ops.lose(rig.keys, wid="w1", lease=15, sure=True))
    rig.run(ops.recover(rig.keys, id=task.id, queue="default", wid="w1"))
    again = Attempt(rig, "w2")

    again.do(again.mailbox.post("second"))

    assert [task.recv(timeout=1) for _ in range(2)] == ["first", "second"]


@pytest.mark.parametrize("what", ["post", "acknowledge"])
def test_an_attempt_that_lost_its_task_is_told_so(rig, task, attempt, what):
    count = WINDOW + STEP + 1
    send(task, *range(count))
    attempt.hear(count)
    rig.run(ops.lose(rig.keys, wid="w1", lease=15, sure=True))
    rig.run(ops.recover(rig.keys, id=task.id, queue="default", wid="w1"))
    Attempt(rig, "w2")

    with pytest.raises(errors.LeaseLost):
        attempt.do(attempt.mailbox.post("late")) if what == "post" else attempt.take_all()

    assert attempt.mailbox.lost
    with pytest.raises(errors.Empty):
        task.recv(block=False)
    assert rig.raw.llen(rig.keys.inbox(task.id)) == count


def test_a_failed_post_leaves_the_place_to_the_next(rig, task, attempt, monkeypatch):
    run = rig.run

    def fail_once(op):
        monkeypatch.setattr(rig, "run", run)
        raise errors.Unreachable

    monkeypatch.setattr(rig, "run", fail_once)
    with pytest.raises(errors.Unreachable):
        attempt.do(attempt.mailbox.post("first"))
    attempt.do(attempt.mailbox.post("second"))

    assert task.recv(timeout=1) == "second"


def test_a_task_may_ask_itself_to_stop(rig, task, attempt):
    send(task, 1)
    attempt.hear(1)

    attempt.do(attempt.mailbox.ask_stop("enough"))
    send(task, 2)
    attempt.hear(2)

    assert attempt.mailbox.wish == Wish(StopReason("enough"))
    assert attempt.mailbox.wish.reason.by == "itself"
    assert rig.look(task).reason == "enough"
    assert attempt.take_all() == [1]


def test_what_it_keeps_is_far_below_what_fits():
    assert WINDOW + STEP < spec.INBOX_LIMIT / 2
