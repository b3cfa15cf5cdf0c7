"""Checkpoints: the state, what was taken and what is sent go in by one fenced step; lost workers are counted since."""

import pytest

from taskpy.answers import Mail
from taskpy.spec import State
from taskpy.taken import Taken


def say(rig, count, first=1):
    """Send so many messages; each carries its number."""
    for number in range(first, first + count):
        assert rig.send(sender="s", number=number, body=b"%d" % number) == number


def again(rig, number=2):
    """The next attempt, after the first one was given back."""
    token = rig.look().token
    assert rig.giveback(token=token, why="release") is True
    return rig.begun(number=number)


def lose(rig, wid):
    """The worker is declared lost, and what it ran is given back; a delay is over at once."""
    rig.lose(wid=wid, sure=True)
    rig.recover(wid=wid)
    rig.raw.zadd(rig.keys.later(), {"a": 1}, xx=True)
    rig.promote()


def next_worker(rig, wid):
    rig.join(wid=wid)
    return rig.begun(wid=wid).token


# -- what is stored -----------------------------------------------------------------------------


def test_a_checkpoint_is_there_for_the_next_attempt(rig):
    token = rig.running()
    say(rig, 3)

    assert rig.mark(token=token, number=1, acknowledged=Taken(2), state=b"state", sent=0, messages=[b"out"]) is True

    assert rig.fetch(skip=0, count=9) == [b"3"]
    assert rig.receive(index=0, count=9) == Mail(State.RUNNING, 1, 0, [b"out"])
    started = again(rig)
    assert (started.checkpoint, started.acknowledged, started.acknowledgements) == (b"state", "2 ", 1)
    assert (started.received, started.sent) == (3, 1)


def test_a_start_whose_answer_was_lost_is_told_the_checkpoint_too(rig):
    token = rig.running()
    rig.mark(token=token, number=1, state=b"state", sent=0)

    [started] = rig.start(ids=["a"])

    assert (started.checkpoint, started.acknowledgements) == (b"state", 1)


def test_take_is_told_the_checkpoint_too(rig):
    token = rig.running()
    rig.mark(token=token, number=1, state=b"state", sent=0)
    rig.giveback(token=token, why="release")

    assert rig.take(number=2, restarts=0).checkpoint == b"state"


@pytest.mark.parametrize("state", [b"\x00\xff\r\n", b"x" * 256 * 1024, b"1", b"0"])
def test_a_state_is_any_bytes(rig, state):
    token = rig.running()

    rig.mark(token=token, number=1, state=state, sent=0)

    assert rig.start(ids=["a"])[0].checkpoint == state


def test_a_repeated_checkpoint_changes_nothing(rig):
    token = rig.running()
    say(rig, 5)
    given = {"token": token, "number": 1, "acknowledged": Taken(2, [4]), "state": b"1", "sent": 0, "messages": [b"m"]}

    assert rig.twice("mark", **given) == (True, True)


def test_a_late_copy_of_a_checkpoint_changes_nothing(rig):
    token = rig.running()
    say(rig, 6)
    marks = [
        {"number": 1, "acknowledged": Taken(1, [3]), "state": b"first", "sent": 0, "messages": [b"1"]},
        {"number": 2, "acknowledged": Taken(3), "sent": 1},
        {"number": 3, "acknowledged": Taken(3, [5]), "state": b"third", "sent": 1, "messages": [b"2", b"3"]},
        {"number": 4, "acknowledged": Taken(5), "sent": 3},
    ]
    for given in marks:
        assert rig.mark(token=token, **given) is True
    before = rig.everything()

    for given in marks[:-1]:
        assert rig.mark(token=token, **given) is True
        assert rig.everything() == before
    assert again(rig).checkpoint == b"third"


def test_a_late_copy_of_the_attempt_before_is_fenced(rig):
    token = rig.running()
    rig.mark(token=token, number=1, state=b"1", sent=0)
    newer = again(rig).token
    rig.mark(token=newer, number=2, state=b"2", sent=0)
    before = rig.everything()

    assert rig.mark(token=token, number=3, state=b"late", sent=0) is False
    assert rig.everything() == before


def test_a_checkpoint_needs_no_messages(rig):
    token = rig.running()

    assert rig.mark(token=token, number=1, state=b"1", sent=0) is True
    assert rig.mark(token=token, number=2, state=b"2", sent=0) is True

    assert again(rig).checkpoint == b"2"


def test_an_acknowledgement_without_state_keeps_the_state(rig):
    token = rig.running()
    say(rig, 2)
    rig.mark(token=token, number=1, acknowledged=Taken(1), state=b"1", sent=0)
    rig.mark(token=token, number=2, acknowledged=Taken(2), sent=0)

    started = again(rig)
    assert (started.checkpoint, started.acknowledged, started.acknowledgements) == (b"1", "2 ", 2)


def test_a_send_alone_acknowledges_nothing(rig):
    token = rig.running()
    say(rig, 2)
    rig.mark(token=token, number=1, acknowledged=Taken(1), state=b"1", sent=0)

    rig.mark(token=token, acknowledged=Taken(2), sent=0, messages=[b"out"])

    started = again(rig)
    assert (started.acknowledged, started.acknowledgements, started.sent) == ("1 ", 1, 1)


def test_what_was_taken_out_of_order_is_remembered(rig):
    token = rig.running()
    say(rig, 7)

    rig.mark(token=token, number=1, acknowledged=Taken(1, [3, 4, 6]), state=b"1", sent=0)

    assert rig.fetch(skip=0, count=9) == [b"2", b"3", b"4", b"5", b"6", b"7"]
    assert again(rig).acknowledged == "1 3-4 6"
    rig.mark(token=rig.look().token, number=2, acknowledged=Taken(4, [6]), state=b"2", sent=0)
    assert rig.fetch(skip=0, count=9) == [b"5", b"6", b"7"]
    assert again(rig, 3).acknowledged == "4 6"


def test_only_what_is_gone_makes_room(rig):
    token = rig.running()
    say(rig, 3)
    heard = rig.listen(rig.keys.task("a"))

    rig.mark(token=token, number=1, acknowledged=Taken(0, [2, 3]), state=b"1", sent=0)
    assert rig.send(sender="s", number=4, body=b"4", limit=3) == "full"
    rig.mark(token=token, number=2, acknowledged=Taken(3), state=b"2", sent=0)
    assert rig.send(sender="s", number=4, body=b"4", limit=3) == 4

    assert heard() == [b"room"]


def test_a_task_that_knows_of_more_messages_than_redis_loses_none(rig):
    """After a failover, Redis may have forgotten messages that the task has taken."""
    token = rig.running()
    say(rig, 2)
    rig.mark(token=token, number=1, acknowledged=Taken(9), state=b"1", sent=0)
    say(rig, 1, first=3)

    assert rig.fetch(skip=0, count=9) == [b"3"]
    assert rig.fields()["ib"] == "2"


def test_a_task_that_knows_of_less_than_redis_takes_nothing_back(rig):
    token = rig.running()
    say(rig, 3)
    rig.mark(token=token, number=1, acknowledged=Taken(3), state=b"1", sent=0)

    assert rig.mark(token=token, number=2, acknowledged=Taken(1), state=b"2", sent=0) is True

    assert rig.fields()["ib"] == "3"
    assert rig.send(sender="s", number=4, body=b"4") == 4
    assert rig.fetch(skip=0, count=9) == [b"4"]


# -- how often it may be started again ----------------------------------------------------------


def test_lost_workers_are_counted_since_the_last_checkpoint(rig):
    token = rig.running(restarts=1)
    for number in range(1, 6):  # far more often than it may be started again
        rig.mark(token=token, number=number, state=b"%d" % number, sent=0)
        lose(rig, f"w{number}")
        token = next_worker(rig, f"w{number + 1}")

    assert (rig.look().state, rig.look().lost) == (State.RUNNING, 5)
    lose(rig, "w6")
    assert rig.look().state is State.FAILED


@pytest.mark.parametrize("what", ["an acknowledgement", "a send"])
def test_only_a_checkpoint_says_that_it_has_come_further(rig, what):
    token = rig.running(restarts=1)
    say(rig, 1)
    lose(rig, "w1")
    token = next_worker(rig, "w2")
    if what == "a send":
        rig.mark(token=token, sent=0, messages=[b"m"])
    else:
        rig.mark(token=token, number=1, acknowledged=Taken(1), sent=0)

    lose(rig, "w2")

    assert (rig.look().state, rig.look().exception) == (State.FAILED, b"WorkerLost")


def test_a_late_copy_of_a_checkpoint_is_no_progress(rig):
    token = rig.running(restarts=1)
    rig.mark(token=token, number=1, state=b"1", sent=0)
    lose(rig, "w1")
    token = next_worker(rig, "w2")

    rig.mark(token=token, number=1, state=b"1", sent=0)  # with a number that was used
    lose(rig, "w2")

    assert rig.look().state is State.FAILED


def test_the_first_loss_after_a_checkpoint_is_bad_luck(rig):
    """And each further one makes the task wait longer, as if it had begun there."""
    token = rig.running(restarts=9)
    rig.lose(sure=True)
    rig.recover()
    assert rig.delayed(count=9) == []
    token = next_worker(rig, "w2")
    rig.mark(token=token, number=1, state=b"1", sent=0)
    for wid, waits in [("w2", 0), ("w3", 4), ("w4", 8)]:
        rig.lose(wid=wid, sure=True)
        before = rig.raw.time()
        rig.recover(wid=wid)
        due = rig.raw.zscore(rig.keys.later(), "a")
        wait = 0 if due is None else due / 1000 - before[0] - before[1] / 1e6
        assert wait == pytest.approx(waits, abs=1)
        rig.raw.zadd(rig.keys.later(), {"a": 1}, xx=True)
        rig.promote()
        next_worker(rig, f"w{int(wid[1:]) + 1}")


# -- at the end ---------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.STOPPED])
def test_only_a_failed_task_keeps_its_state(rig, state):
    token = rig.running()
    rig.mark(token=token, number=1, state=b"state", sent=0)

    rig.settle_one("a", token, state)

    assert rig.fields().get("cp") == ("state" if state is State.FAILED else None)
    assert rig.mark(token=token, number=2, state=b"late", sent=0) is False


@pytest.mark.parametrize("how", ["stop", "purge", "giveback", "recover"])
def test_a_task_that_is_stopped_from_outside_drops_its_state(rig, how):
    token = rig.running()
    rig.mark(token=token, number=1, state=b"state", sent=0)
    if how == "giveback":
        rig.stop()
        rig.giveback(token=token, why="release")
    elif how == "recover":
        rig.stop()
        rig.lose(sure=True)
        rig.recover()
    else:
        rig.giveback(token=token, why="release")
        rig.stop() if how == "stop" else rig.purge(ids=["a"])

    assert rig.look().state is State.STOPPED
    assert "cp" not in rig.fields()


def test_a_task_that_its_workers_fall_under_keeps_its_state(rig):
    token = rig.running(restarts=0)
    rig.mark(token=token, number=1, state=b"state", sent=0)

    lose(rig, "w1")

    assert rig.look().state is State.FAILED
    assert rig.fields()["cp"] == "state"


def test_what_is_revived_begins_without_a_state(rig):
    token = rig.running()
    rig.mark(token=token, number=1, state=b"state", sent=0)
    rig.settle_one("a", token, State.FAILED)
    rig.revive(new_id="b")

    started = rig.begun("b", number=2)

    assert (started.checkpoint, started.acknowledgements, started.acknowledged) == (None, 0, "0 ")


# -- the fence ----------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["another token", "given back", "ended", "lost", "nobody"])
def test_a_checkpoint_is_fenced(rig, how):
    token = rig.running()
    say(rig, 2)
    rig.mark(token=token, number=1, acknowledged=Taken(1), state=b"1", sent=0)
    if how == "given back":
        rig.giveback(token=token, why="release")
    if how == "ended":
        rig.settle_one("a", token, State.FAILED)
    if how == "lost":
        lose(rig, "w1")
    before = rig.everything()

    id = "nobody" if how == "nobody" else "a"
    token = "w1.9" if how == "another token" else token
    late = {"number": 2, "acknowledged": Taken(2), "state": b"late", "sent": 0, "messages": [b"late"]}
    assert rig.mark(id=id, token=token, **late) is False
    assert rig.everything() == before
