"""Which messages a task has taken: the number that `send` answers, and what `receipt`, `inquire` and `seen` make of it."""

import pytest

from taskpy.ops import Ending
from taskpy.spec import State
from taskpy.taken import Taken


def say(rig, count, first=1):
    return [rig.send(sender="s", number=number, body=b"m") for number in range(first, first + count)]


def taken(rig):
    return rig.receipt().taken.dump()


# -- numbers ------------------------------------------------------------------------------------


def test_a_message_has_the_number_of_its_place_among_all(rig):
    rig.submit(messages=[b"with the task", b"too"])

    assert rig.send(sender="x", number=1, body=b"m") == 3
    assert rig.send(sender="y", number=1, body=b"m") == 4
    assert rig.send(sender="x", number=2, body=b"m") == 5


def test_a_message_that_is_repeated_has_the_same_number(rig):
    rig.running()
    say(rig, 3)
    rig.send(sender="another", number=1, body=b"m")

    assert rig.twice("send", sender="s", number=4, body=b"m") == (5, 5)
    rig.send(sender="another", number=2, body=b"m")
    assert rig.send(sender="s", number=4, body=b"m") == 5


def test_numbers_go_on_behind_what_was_acknowledged(rig):
    token = rig.running()
    say(rig, 3)
    rig.mark(token=token, number=1, acknowledged=Taken(3), sent=0)

    assert say(rig, 1, first=4) == [4]
    rig.giveback(token=token, why="release")
    assert say(rig, 1, first=5) == [5]


def test_what_found_no_room_has_no_number(rig):
    rig.running()
    assert rig.send(sender="s", number=1, body=b"m", limit=1) == 1
    before = rig.everything()

    assert rig.send(sender="s", number=2, body=b"m", limit=1) == "full"
    assert rig.everything() == before


# -- receipt ------------------------------------------------------------------------------------


def test_a_receipt_of_a_task_that_waits(rig):
    rig.submit(messages=[b"m"])

    receipt = rig.receipt()

    assert (receipt.running, receipt.question, receipt.taken.dump()) == (False, 0, "0")


def test_a_receipt_of_nobody(rig):
    assert rig.receipt() is None


def test_what_is_acknowledged_is_taken(rig):
    token = rig.running()
    say(rig, 6)
    rig.mark(token=token, number=1, acknowledged=Taken(2, [4, 5]), state=b"1", sent=0)

    assert (rig.receipt().running, taken(rig)) == (True, "2 4-5")


def test_the_worker_says_what_is_taken_and_not_acknowledged(rig):
    token = rig.running()
    say(rig, 6)
    rig.mark(token=token, number=1, acknowledged=Taken(1), sent=0)
    question = rig.inquire()

    assert rig.twice("seen", token=token, question=question, taken=Taken(1, [3, 4, 6])) == (True, True)

    receipt = rig.receipt()
    assert (receipt.running, receipt.question, receipt.taken.dump()) == (True, question, "1 3-4 6")
    rig.mark(token=token, number=2, acknowledged=Taken(5), sent=0)
    assert taken(rig) == "6", "what was said and what is acknowledged, both"


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.STOPPED])
def test_the_end_says_what_was_taken(rig, state):
    token = rig.running()
    say(rig, 4)

    assert rig.settle_one("a", token, state, taken=Taken(1, [3])) is True

    receipt = rig.receipt()
    assert (receipt.running, receipt.question, receipt.taken.dump()) == (False, 0, "1 3")


def test_an_end_without_messages_says_nothing_of_them(rig):
    token = rig.running()
    rig.settle_one("a", token)

    assert "seen" not in rig.fields()
    assert taken(rig) == "0"


def test_a_late_end_says_nothing(rig):
    token = rig.running()
    say(rig, 2)
    rig.giveback(token=token, why="release")
    newer = rig.begun(number=2).token
    before = rig.receipt()

    late = Ending("a", "q", token, State.SUCCEEDED, b"late", taken=Taken(2))
    assert rig.settle(endings=[late]) == [False]
    assert (rig.receipt().running, taken(rig)) == (True, before.taken.dump())
    assert rig.look().token == newer


# -- asking -------------------------------------------------------------------------------------


def test_the_worker_of_a_running_task_is_asked(rig):
    rig.running()
    say(rig, 2)
    heard = rig.listen(rig.keys.worker("w1"))

    assert [rig.inquire(), rig.inquire()] == [1, 2]
    assert heard() == [b"a 2 seen 1", b"a 2 seen 2"]


@pytest.mark.parametrize("how", ["waits", "ended", "nobody"])
def test_of_a_task_that_does_not_run_nobody_is_asked(rig, how):
    if how == "waits":
        rig.submit()
    if how == "ended":
        rig.settle_one("a", rig.running())
    heard = rig.listen(rig.keys.worker("w1"))
    before = rig.everything()

    assert rig.inquire() == 0
    assert rig.everything() == before
    assert heard() == []


def test_an_answer_is_announced(rig):
    token = rig.running()
    say(rig, 1)
    question = rig.inquire()
    heard = rig.listen(rig.keys.task("a"))

    rig.seen(token=token, question=question, taken=Taken(1))

    assert heard() == [b"seen"]


@pytest.mark.parametrize("how", ["another token", "given back", "running elsewhere", "ended", "lost", "nobody"])
def test_an_answer_is_fenced(rig, how):
    token = rig.running()
    say(rig, 2)
    rig.inquire()
    if how in ("given back", "running elsewhere"):
        rig.giveback(token=token, why="release")
    if how == "running elsewhere":
        rig.begun(number=2)
    if how == "ended":
        rig.settle_one("a", token, taken=Taken(1))
    if how == "lost":
        rig.lose(sure=True)
        rig.recover()
    before = rig.everything()
    heard = rig.listen(rig.keys.task("a"))

    id = "nobody" if how == "nobody" else "a"
    token = "w1.9" if how == "another token" else token
    assert rig.seen(id=id, token=token, question=1, taken=Taken(2)) is False
    assert rig.everything() == before
    assert heard() == []
