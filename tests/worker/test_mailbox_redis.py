"""The mailbox of a task on a worker: messages at a cursor, acknowledged far behind it, and everything fenced."""

import random
from dataclasses import replace

import pytest

from taskpy import codec, errors, flow, ops, spec
from taskpy.mailbox_redis import RedisMailbox
from taskpy.spec import StopReason, Wish
from taskpy.traffic_redis import STEP, WINDOW


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

    def checkpoint(self, state, *messages, version=1):
        self.do(self.mailbox.checkpoint(state, version, messages))

    @classmethod
    def after_loss(cls, rig, task, wid):
        """The next attempt, on a worker of this name, once the one that has it is lost."""
        lost = rig.look(task).worker
        rig.run(ops.lose(rig.keys, wid=lost, lease=15, sure=True))
        rig.run(ops.recover(rig.keys, id=task.id, queue="default", wid=lost))
        rig.raw.zadd(rig.keys.later(), {task.id: 1}, xx=True)
        rig.run(ops.promote(rig.keys, id=task.id, queue="default"))
        return cls(rig, wid)

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


# -- named inboxes ------------------------------------------------------------------------------


def send_to(task, **numbers):
    """Send each number to the inbox of that name, in the order of the numbers; `_` is no name."""
    for number, inbox in sorted((number, inbox) for inbox, some in numbers.items() for number in some):
        task.send(number, to=None if inbox == "_" else inbox)


def lose_and_start(rig, task, wid="w2"):
    """The worker is lost, and another one begins the task anew."""
    return Attempt.after_loss(rig, task, wid)


def test_one_inbox_can_be_taken_from_before_the_others(task, attempt):
    send_to(task, a=[1, 3, 6], b=[2, 5], _=[4])
    attempt.hear(6)

    assert attempt.take_all("b") == [2, 5]
    assert attempt.take("a") == 1
    assert attempt.take() == 3
    assert attempt.take_all("nobody") == []
    assert attempt.take_all() == [4, 6]
    assert attempt.mailbox.taken.dump() == "6"


def test_a_plain_take_keeps_one_order_over_all(task, attempt):
    send_to(task, a=range(0, 300, 3), b=range(1, 300, 3), _=range(2, 300, 3))
    attempt.hear(300)

    assert attempt.take_all() == list(range(300))


def test_a_name_far_behind_is_found(task, attempt):
    send_to(task, a=range(250), b=[250])
    attempt.hear(251)

    assert attempt.take("b") == 250
    assert attempt.take("b") is None
    assert attempt.take_all() == list(range(250))


def test_after_a_stop_each_inbox_has_what_was_accepted_before(task, attempt):
    send_to(task, a=[1], b=[2])
    attempt.hear(2, stopping=True)
    send_to(task, a=[3], b=[4])
    attempt.hear(4, stopping=True)

    assert attempt.take_all("b") == [2]
    assert attempt.take_all("a") == [1]
    assert attempt.take_all() == []


def test_random_takes_from_named_inboxes_lose_and_repeat_nothing(rig, task, attempt):
    """Whatever is taken in whatever order, each message comes once, and those of one inbox in their order."""
    seed = random.randrange(10**6)
    print(f"seed={seed}")
    chance = random.Random(seed)
    names, sent, found = ["a", "b", None], [], []
    for number in range(600):
        inbox = chance.choice(names)
        sent.append(inbox)
        task.send(number, to=inbox)
        if chance.random() < 0.5:
            attempt.hear(number + 1)
        if chance.random() < 0.9:
            wanted = chance.choice(names)
            message = attempt.take(wanted)
            if message is not None:
                assert wanted in (None, sent[message])
                found.append(message)
    attempt.hear(600)
    found += attempt.take_all()

    assert sorted(found) == list(range(600))
    for inbox in ("a", "b"):
        mine = [number for number in found if sent[number] == inbox]
        assert mine == sorted(mine)
    assert len(attempt.mailbox._traffic._open) <= WINDOW + STEP


def test_a_message_that_cannot_be_read_is_for_whoever_takes_all(rig, task, attempt):
    send_to(task, a=[1])
    rig.raw.rpush(rig.keys.inbox(task.id), b"\xff")
    rig.raw.hset(rig.keys.task(task.id), "in", 2)
    send_to(task, a=[3], b=[4])
    attempt.hear(4)

    assert attempt.take_all("b") == [4]
    assert attempt.take_all("a") == [1, 3]
    with pytest.raises(errors.WireError):
        attempt.take()
    assert attempt.take() is None
    assert attempt.mailbox.taken.dump() == "4"


# -- checkpoints --------------------------------------------------------------------------------


def test_after_a_checkpoint_exactly_the_rest_comes_again(rig, task, attempt):
    send(task, *range(10))
    attempt.hear(10)
    for _ in range(4):
        attempt.take()
    attempt.checkpoint({"done": 4})
    for _ in range(3):
        attempt.take()

    again = lose_and_start(rig, task)

    assert again.mailbox.restore().data == {"done": 4}
    assert again.take_all() == list(range(4, 10))


def test_after_taking_out_of_order_exactly_the_rest_comes_again(rig, task, attempt):
    send_to(task, a=[0, 3, 4, 8], b=[1, 5, 9], _=[2, 6, 7])
    attempt.hear(10)
    assert [attempt.take("b"), attempt.take("a"), attempt.take("b")] == [1, 0, 5]
    attempt.checkpoint("state")
    assert attempt.take() == 2

    again = lose_and_start(rig, task)

    assert again.mailbox.taken.dump() == "2 6"
    assert again.take_all("a") == [3, 4, 8]
    assert again.take_all() == [2, 6, 7, 9]
    again.checkpoint("state")
    assert rig.raw.llen(rig.keys.inbox(task.id)) == 0
    assert lose_and_start(rig, task, "w3").take_all() == []


def test_random_lives_with_checkpoints_see_each_message_exactly_once(rig):
    """What is kept in the state and what is taken agree, however often the worker is lost."""
    seed = random.randrange(10**6)
    print(f"seed={seed}")
    chance = random.Random(seed)
    names, sent, state, wid = ["a", "b", None], 0, [], 0
    seen = list(state)
    task = rig.submit("listens", restarts=1000)
    attempt = Attempt(rig)
    attempt.mailbox.restore()
    for _ in range(400):
        what = chance.choices(["send", "take", "checkpoint", "lose"], [10, 10, 4, 1])[0]
        if what == "send":
            task.send(sent, to=chance.choice(names))
            sent += 1
            attempt.hear(sent)
        elif what == "take":
            message = attempt.take(chance.choice(names))
            seen += [] if message is None else [message]
        elif what == "checkpoint":
            attempt.checkpoint(seen)
            state = list(seen)
        else:
            wid += 1
            attempt = Attempt.after_loss(rig, task, f"x{wid}")
            stored = attempt.mailbox.restore()
            seen = [] if stored is None else list(stored.data)
            assert seen == state
            assert len(set(seen)) == len(seen)
    seen += attempt.take_all()

    assert sorted(seen) == list(range(sent))


def test_without_a_checkpoint_there_is_no_state(attempt):
    assert attempt.mailbox.restore() is None
    assert attempt.mailbox.resumable is None


def test_a_state_comes_back_as_it_was(rig, task, attempt):
    state = {"pages": [1, 2], "at": (1, 2.5), "raw": b"x", "none": None}
    attempt.checkpoint(state, version=7)

    stored = lose_and_start(rig, task).mailbox.restore()

    assert (stored.data, stored.version) == (state, 7)
    assert attempt.mailbox.restore().data == state


def test_none_is_a_state_like_any_other(rig, task, attempt):
    attempt.checkpoint(None)

    stored = lose_and_start(rig, task).mailbox.restore()

    assert stored is not None
    assert stored.data is None


def test_a_checkpoint_sends_with_it(rig, task, attempt):
    attempt.do(attempt.mailbox.post("before"))
    attempt.checkpoint(1, "one", "two")
    assert attempt.do(attempt.mailbox.post("behind")) == 4

    assert [task.recv(timeout=1) for _ in range(4)] == ["before", "one", "two", "behind"]


@pytest.mark.parametrize("what", ["state", "message"])
def test_what_cannot_be_stored_stores_nothing(rig, task, attempt, what):
    send(task, 1)
    attempt.hear(1)
    attempt.checkpoint("before")
    attempt.take()
    before = rig.raw.hgetall(rig.keys.task(task.id))

    with pytest.raises(errors.NotSendable, match=r"state|send\[1\]"):
        attempt.checkpoint(object()) if what == "state" else attempt.checkpoint("new", "fine", object())
    with pytest.raises(errors.TooLarge):
        attempt.checkpoint(b"x" * (257 * 1024))

    assert rig.raw.hgetall(rig.keys.task(task.id)) == before
    with pytest.raises(errors.Empty):
        task.recv(block=False)
    assert attempt.mailbox.restore().data == "before"
    assert not attempt.mailbox.resumable


def test_another_worker_can_go_on_where_nothing_was_taken_since(rig, task, attempt):
    send(task, 1, 2)
    attempt.hear(2)
    attempt.take()
    assert attempt.mailbox.resumable is None
    attempt.checkpoint("state")
    assert attempt.mailbox.resumable
    attempt.take()
    assert not attempt.mailbox.resumable
    attempt.checkpoint("state")
    assert attempt.mailbox.resumable

    assert lose_and_start(rig, task).mailbox.resumable


@pytest.mark.parametrize("how", ["restore", "checkpoint"])
def test_who_has_checkpoints_acknowledges_by_them_alone(rig, task, attempt, how):
    """It is told all messages since its last checkpoint once more, and not the last ones only."""
    count = WINDOW + STEP + 20
    attempt.mailbox.restore() if how == "restore" else attempt.checkpoint("state")
    send(task, *range(count))
    attempt.hear(count)
    assert attempt.take_all() == list(range(count))
    assert rig.raw.llen(rig.keys.inbox(task.id)) == count

    assert lose_and_start(rig, task).take_all() == list(range(count))


def test_an_attempt_that_finds_a_checkpoint_acknowledges_by_them_alone(rig, task, attempt):
    count = WINDOW + STEP + 20
    attempt.checkpoint("state")
    again = lose_and_start(rig, task)  # it does not look at its state
    send(task, *range(count))
    again.hear(count)
    assert again.take_all() == list(range(count))

    assert lose_and_start(rig, task, "w3").take_all() == list(range(count))


def test_who_takes_out_of_order_without_checkpoints_keeps_a_bounded_inbox(rig, task, attempt):
    """One inbox is never looked at until the end; what was acknowledged beyond it takes no room in the window."""
    send_to(task, b=[0])
    for number in range(1, 4 * (WINDOW + STEP)):
        send_to(task, a=[number])
        attempt.hear(number + 1)
        assert attempt.take("a") == number
        assert len(attempt.mailbox._traffic._open) <= WINDOW + STEP
    assert attempt.take("b") == 0
    for number in range(1000, 1000 + WINDOW + STEP):
        send_to(task, a=[number])
        attempt.hear(4 * (WINDOW + STEP) + number - 999)
        assert attempt.take() == number

    assert rig.raw.llen(rig.keys.inbox(task.id)) <= WINDOW + STEP


def test_after_taking_out_of_order_without_checkpoints_the_last_ones_come_again(rig, task, attempt):
    count = WINDOW + STEP + 20
    send_to(task, b=[0], a=range(1, count))
    attempt.hear(count)
    assert attempt.take_all("a") == list(range(1, count))

    again = lose_and_start(rig, task)

    found = again.take_all()
    assert found[0] == 0
    assert found[1:] == list(range(count - len(found) + 1, count))
    assert WINDOW <= len(found) - 1 < WINDOW + STEP


def test_a_full_inbox_asks_for_a_checkpoint(rig, task, attempt):
    attempt.mailbox.restore()
    send(task, *range(spec.INBOX_LIMIT))
    with pytest.raises(errors.Full):
        task.send("one more", block=False)
    attempt.hear(spec.INBOX_LIMIT)

    for number in range(spec.INBOX_LIMIT):
        assert attempt.take() == number
    assert attempt.take() is None
    assert attempt.mailbox.full
    attempt.checkpoint("state")
    assert not attempt.mailbox.full
    assert attempt.take() is None
    task.send("one more", block=False)
    attempt.hear(spec.INBOX_LIMIT + 1)
    assert attempt.take() == "one more"


def test_a_message_that_nobody_takes_holds_the_inbox_full(rig, task, attempt):
    """It stands in front of 999 that were taken: a checkpoint makes no room, but there is a message to take."""
    attempt.mailbox.restore()
    send_to(task, b=[0], a=range(1, spec.INBOX_LIMIT))
    attempt.hear(spec.INBOX_LIMIT)
    assert attempt.take_all("a") == list(range(1, spec.INBOX_LIMIT))
    attempt.checkpoint("state")

    assert attempt.mailbox.full
    assert attempt.take("b") == 0
    attempt.checkpoint("state")
    assert not attempt.mailbox.full
    assert attempt.take("a") is None
    assert rig.raw.llen(rig.keys.inbox(task.id)) == 0


def test_a_task_that_is_to_stop_needs_no_checkpoint(task, attempt):
    attempt.mailbox.restore()
    send(task, *range(spec.INBOX_LIMIT))
    attempt.hear(spec.INBOX_LIMIT, stopping=True)

    assert len(attempt.take_all()) == spec.INBOX_LIMIT


def test_a_checkpoint_of_an_attempt_that_lost_its_task_is_refused(rig, task, attempt):
    send(task, 1)
    attempt.hear(1)
    attempt.take()
    again = lose_and_start(rig, task)
    again.checkpoint("new")

    with pytest.raises(errors.LeaseLost):
        attempt.checkpoint("late", "late")

    assert attempt.mailbox.lost
    assert lose_and_start(rig, task, "w3").mailbox.restore().data == "new"
    with pytest.raises(errors.Empty):
        task.recv(block=False)


def test_a_checkpoint_that_got_no_answer_can_be_made_again(rig, task, attempt, monkeypatch):
    send(task, 1, 2, 3)
    attempt.hear(3)
    attempt.take()
    run = rig.run

    def done_and_not_answered(op):
        monkeypatch.setattr(rig, "run", run)
        run(replace(op, decode=lambda answer: True))
        raise errors.Unreachable

    monkeypatch.setattr(rig, "run", done_and_not_answered)
    with pytest.raises(errors.Unreachable):
        attempt.checkpoint("first", "once")
    attempt.checkpoint("first", "once")
    attempt.take()
    attempt.checkpoint("second", "twice")

    again = lose_and_start(rig, task)
    assert again.mailbox.restore().data == "second"
    assert again.take_all() == [3]
    assert [task.recv(timeout=1) for _ in range(2)] == ["once", "twice"]


# -- broken off ---------------------------------------------------------------------------------


def break_off(rig, steps, at, *, done):
    """Drive a flow to its step number `at`, perform that one or not, and close it there, as a coroutine that is cancelled.

    True when it was broken off; False when it had ended before.
    """
    answer = None
    try:
        for _ in range(at):
            step = steps.send(answer)
            answer = rig.run(step) if isinstance(step, ops.Op) else flow.wait_here(step)
        step = steps.send(answer)
    except StopIteration:
        return False
    if done and isinstance(step, ops.Op):
        rig.run(step)
    steps.close()
    return True


@pytest.mark.parametrize("done", [True, False], ids=["done in Redis", "not done"])
@pytest.mark.parametrize("at", range(4))
def test_a_take_that_is_broken_off_loses_and_repeats_nothing(rig, task, attempt, at, done):
    count = 2 * (WINDOW + STEP)
    send(task, *range(count))
    attempt.hear(count)
    found = []
    while len(found) < count:
        break_off_at = at if len(found) % 25 == 0 or len(found) in (WINDOW + STEP, WINDOW + STEP - 1) else None
        if break_off_at is not None and not break_off(rig, attempt.mailbox.take(None), break_off_at, done=done):
            found.append(None)  # it had ended, with a message that the task has got
            continue
        found.append(attempt.take())

    assert [number for number in found if number is not None] == [
        place for place, number in enumerate(found) if number is not None
    ]
    assert attempt.take() is None
    assert rig.raw.llen(rig.keys.inbox(task.id)) <= WINDOW + STEP


@pytest.mark.parametrize("done", [True, False], ids=["done in Redis", "not done"])
def test_a_checkpoint_that_is_broken_off_is_made_or_not(rig, task, attempt, done):
    send(task, *range(6))
    attempt.hear(6)
    attempt.take()
    attempt.checkpoint("first", "m1")
    attempt.take()

    assert break_off(rig, attempt.mailbox.checkpoint("second", 1, ["m2"]), 0, done=done)

    assert attempt.mailbox.resumable is done
    assert attempt.mailbox.restore().data == ("second" if done else "first")
    attempt.take()
    attempt.checkpoint("third", "m3")
    again = lose_and_start(rig, task)
    assert again.mailbox.restore().data == "third"
    assert again.take_all() == [3, 4, 5]
    expected = ["m1", "m2", "m3"] if done else ["m1", "m3"]
    assert [task.recv(timeout=1) for _ in expected] == expected
    with pytest.raises(errors.Empty):
        task.recv(block=False)


@pytest.mark.parametrize("done", [True, False], ids=["done in Redis", "not done"])
def test_a_post_that_is_broken_off_is_sent_or_not(rig, task, attempt, done):
    assert break_off(rig, attempt.mailbox.post("first"), 0, done=done)

    assert attempt.do(attempt.mailbox.post("second")) == 1 + done
    expected = ["first", "second"] if done else ["second"]
    assert [task.recv(timeout=1) for _ in expected] == expected


def test_whoever_waits_for_its_turn_and_is_broken_off_holds_up_nobody(rig, task, attempt):
    first = attempt.mailbox.checkpoint("first", 1, [])
    next(first)  # it has its turn, and is on its way
    second = attempt.mailbox.checkpoint("second", 1, [])
    assert isinstance(next(second), flow.Wait)
    second.close()
    first.close()

    attempt.checkpoint("third")

    assert lose_and_start(rig, task).mailbox.restore().data == "third"


def test_what_it_keeps_is_far_below_what_fits():
    assert WINDOW + STEP < spec.INBOX_LIMIT / 2


def test_a_late_copy_of_a_checkpoint_that_was_refused_does_not_pass_for_the_next_one(rig, task):
    attempt, refused = Attempt(rig), []

    def refuse(op):
        refused.append(op)
        raise errors.Busy("no memory")

    with pytest.raises(errors.Busy):
        flow.drive(attempt.mailbox.checkpoint("refused", 1, ()), refuse)
    rig.run(replace(refused[0], decode=bool))  # nobody hears its answer

    attempt.checkpoint("the next one")

    assert Attempt.after_loss(rig, task, "w2").mailbox.restore().data == "the next one"
