"""Messages that come along with a nudge, and those that are poured: what spares a round trip changes nothing else."""

import random

import pytest

from taskpy import codec, errors, flow, ops
from taskpy.mailbox_redis import BROUGHT_LIMIT, RedisMailbox
from taskpy.spec import Wish
from taskpy.traffic_redis import POURED_BYTES, POURED_LIMIT


@pytest.fixture
def task(rig):
    return rig.submit("listens")


class Attempt:
    """One attempt, whose asking is counted, and whose flows for later are driven when a test says so."""

    def __init__(self, rig):
        self._rig = rig
        rig.run(ops.join(rig.keys, wid="w1", lease=15))
        [id] = rig.run(ops.claim(rig.keys, wid="w1", number=1, count=1, queues=["default"]))
        [started] = rig.run(ops.start(rig.keys, wid="w1", number=1, ids=[id]))
        self.asked = []
        self.later = []
        self.mailbox = RedisMailbox(rig.keys, "default", started, later=self.later.append)

    def do(self, steps):
        def perform(step):
            if not isinstance(step, ops.Op):
                return flow.wait_here(step)
            self.asked.append(step.verb)
            return self._rig.run(step)

        return flow.drive(steps, perform)

    def take_all(self):
        return [one.data for one in iter(lambda: self.do(self.mailbox.take(None)), None)]

    def pour_on(self):
        while self.later:
            self.do(self.later.pop(0)())


@pytest.fixture
def attempt(rig, task):
    return Attempt(rig)


def body(data):
    return codec.dump_message(data)


def outbox(rig, task):
    return [codec.load_message(one).data for one in rig.raw.lrange(rig.keys.outbox(task.id), 0, -1)]


# -- messages that come along --------------------------------------------------------------------


def test_a_message_that_was_brought_is_taken_without_asking(task, attempt):
    task.send("first")
    attempt.mailbox.hear(1, None, body("first"))

    assert attempt.take_all() == ["first"]
    assert attempt.asked == []


def test_what_was_not_brought_is_read_and_nothing_comes_twice(task, attempt):
    for number in (1, 2, 3, 4):
        task.send(number)
    attempt.mailbox.hear(2, None, body(2))
    attempt.mailbox.hear(4, None, body(4))

    assert attempt.take_all() == [1, 2, 3, 4]
    assert attempt.asked == ["fetch"]
    task.send(5)
    attempt.mailbox.hear(5, None, body(5))
    assert attempt.take_all() == [5]


def test_only_so_many_are_kept(task, attempt):
    for number in range(BROUGHT_LIMIT + 50):
        task.send(number)
        attempt.mailbox.hear(number + 1, None, body(number))

    assert len(attempt.mailbox.brought) == BROUGHT_LIMIT
    assert attempt.take_all() == list(range(BROUGHT_LIMIT + 50))
    assert not attempt.mailbox.brought


def test_what_comes_after_the_stop_is_not_delivered_though_it_was_brought(task, attempt):
    task.send("before")
    attempt.mailbox.hear(1, None, body("before"))
    attempt.mailbox.hear(1, Wish())
    attempt.mailbox.hear(2, None, body("after"))

    assert attempt.take_all() == ["before"]


def test_news_in_any_order_and_with_gaps_lose_and_repeat_nothing(rig, task, attempt):
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    taken, news = [], []
    for number in range(400):
        task.send(number)
        news.append((number + 1, body(number) if chance.random() < 0.7 else None))
        while news and chance.random() < 0.7:
            attempt.mailbox.hear(news[0][0], None, news[0][1])
            if chance.random() < 0.2:  # told twice
                attempt.mailbox.hear(news[0][0], None, news[0][1])
            del news[: 1 if chance.random() < 0.9 else 2]  # some are never heard
        if chance.random() < 0.5:
            taken += attempt.take_all()
    attempt.mailbox.hear(400, None)

    assert taken + attempt.take_all() == list(range(400))


def test_one_that_cannot_be_read_is_taken_all_the_same(task, attempt):
    task.send("fine")
    task.send("fine")
    attempt.mailbox.hear(1, None, b"\xc1")
    attempt.mailbox.hear(2, None, body("fine"))

    with pytest.raises(errors.Malformed):
        attempt.do(attempt.mailbox.take(None))
    assert attempt.take_all() == ["fine"]


def test_send_brings_short_messages_and_only_tells_of_long_ones(rig, task, attempt):
    heard = rig.raw.pubsub()
    heard.subscribe(rig.keys.worker("w1"))
    heard.get_message(timeout=5)

    task.send("short")
    task.send("x" * 2000)

    said = [heard.get_message(timeout=5)["data"] for _ in range(2)]
    assert said == [f"{task.id} 1 mail ".encode() + body("short"), f"{task.id} 2".encode()]
    heard.close()


# -- pouring -------------------------------------------------------------------------------------


def test_what_is_poured_goes_together_and_in_order(rig, task, attempt):
    for number in range(20):
        attempt.do(attempt.mailbox.pour(number))
    assert outbox(rig, task) == []

    assert len(attempt.later) == 1
    attempt.pour_on()

    assert outbox(rig, task) == list(range(20))
    assert attempt.asked == ["mark"]


@pytest.mark.parametrize("how", ["post", "checkpoint", "flush"])
def test_whatever_is_said_next_comes_behind_it(rig, task, attempt, how):
    attempt.do(attempt.mailbox.pour("poured"))
    if how == "post":
        attempt.do(attempt.mailbox.post("next"))
    elif how == "checkpoint":
        attempt.do(attempt.mailbox.checkpoint(None, 1, ["next"]))
    else:
        attempt.do(attempt.mailbox.flush())
    attempt.pour_on()

    assert outbox(rig, task) == ["poured", "next"][: 1 if how == "flush" else 2]


@pytest.mark.parametrize(("one", "fits"), [("x", POURED_LIMIT), ("x" * (POURED_BYTES // 10), 10)])
def test_a_task_that_pours_too_much_waits_for_redis(rig, task, attempt, one, fits):
    for _ in range(fits - 1):
        attempt.do(attempt.mailbox.pour(one))
    assert attempt.asked == []

    attempt.do(attempt.mailbox.pour(one))

    assert attempt.asked == ["mark"]
    assert len(outbox(rig, task)) == fits


def test_what_cannot_be_sent_is_said_at_once(attempt):
    with pytest.raises(errors.NotSendable):
        attempt.do(attempt.mailbox.pour(object()))
    assert not attempt.later


def test_an_attempt_that_lost_its_task_is_told_so_when_it_says_more(rig, task, attempt):
    attempt.do(attempt.mailbox.pour("too late"))
    rig.run(ops.lose(rig.keys, wid="w1", lease=15, sure=True))
    rig.run(ops.recover(rig.keys, id=task.id, queue="default", wid="w1"))

    attempt.pour_on()

    assert attempt.mailbox.lost
    assert outbox(rig, task) == []
    with pytest.raises(errors.LeaseLost):
        attempt.do(attempt.mailbox.post("more"))


@pytest.mark.parametrize("done", [True, False])
def test_a_flush_that_is_broken_off_loses_and_repeats_nothing(rig, task, attempt, done):
    for number in range(3):
        attempt.do(attempt.mailbox.pour(number))
    steps = attempt.mailbox.flush()
    op = next(steps)
    if done:
        rig.run(op)
    with pytest.raises(GeneratorExit):
        steps.throw(GeneratorExit)

    attempt.do(attempt.mailbox.flush())

    assert outbox(rig, task) == [0, 1, 2]
