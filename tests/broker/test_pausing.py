"""One task is asked to pause, says that it stands still, and is let go on."""

import pytest

from taskpy.answers import Standing
from taskpy.spec import State


def words(rig, id="a"):
    return [(event.word, event.detail) for event in rig.events(id=id)]


def flags(rig, id="a"):
    standing = rig.status(id=id)
    return standing.pausing, standing.paused


def orders(rig, token="w1.1"):
    return rig.orders(token=token).count


def parked(rig, token="w1.1"):
    """It stands still, for all the orders that it has got."""
    assert rig.park(token=token, orders=orders(rig, token)) == "parked"


# -- pause --------------------------------------------------------------------------------------


def test_a_running_task_is_asked_and_told(rig):
    token = rig.running()
    heard, seen = rig.listen(rig.keys.worker("w1")), rig.listen(rig.keys.task("a"))

    assert rig.twice("pause_task", name="n1", by="ann@web:1") == ("pausing", "pausing")
    assert heard() == [b"a 0 order 1"]
    assert seen() == [b"pausing"]
    assert flags(rig) == (True, False)
    assert words(rig) == [("pause", "ann@web:1")]
    told = rig.orders(token=token)
    assert (told.count, told.pause) == (1, True)
    assert rig.heartbeat(tasks=[("a", token)]).tasks[0].orders == 1


def test_a_task_that_waits_is_told_at_its_start(rig):
    rig.submit()
    assert rig.twice("pause_task", name="n1") == ("pausing", "pausing")
    assert flags(rig) == (True, False)
    rig.join()

    assert rig.begun().orders == 1
    assert rig.orders(token="w1.1").pause is True


def test_a_task_that_is_taken_is_told_too(rig):
    rig.submit()
    rig.pause_task(name="n1")
    rig.join()

    assert rig.take(restarts=0).orders == 1


def test_asked_again_it_is_asked_once(rig):
    rig.running()
    rig.pause_task(name="n1", by="ann")

    assert rig.pause_task(name="n2", by="bob") == "pausing"
    assert words(rig) == [("pause", "ann")]
    assert orders(rig) == 1


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.STOPPED])
def test_an_ended_task_is_neither_paused_nor_resumed(rig, state):
    token = rig.running()
    rig.settle_one("a", token, state)
    before = rig.everything()

    assert rig.pause_task(name="n1") == state
    assert rig.resume_task(name="n2") == state
    assert rig.everything() == before


def test_an_unknown_task_is_neither_paused_nor_resumed(rig):
    assert rig.pause_task(name="n1") == "unknown"
    assert rig.resume_task(name="n2") == "unknown"
    assert rig.park(token="w1.1", orders=0) == "fenced"
    assert rig.everything() == {}


def test_an_end_takes_the_flags_away(rig):
    token = rig.running()
    rig.pause_task(name="n1")
    parked(rig)
    rig.settle_one("a", token, State.SUCCEEDED, b"v")

    assert rig.status() == Standing(State.SUCCEEDED, b"v")


def test_a_stop_takes_the_flags_away(rig):
    rig.running()
    rig.pause_task(name="n1")
    parked(rig)

    assert rig.stop(reason="enough") == "stopping"
    assert flags(rig) == (False, False)
    assert rig.pause_task(name="n2") == "pausing"
    assert flags(rig) == (False, False)


def test_a_paused_task_that_waits_is_stopped_at_once(rig):
    rig.submit()
    rig.pause_task(name="n1")

    assert rig.stop() == "stopped"


# -- park ---------------------------------------------------------------------------------------


def test_requested_and_paused_are_two_things(rig):
    token = rig.running()
    rig.pause_task(name="n1")
    heard = rig.listen(rig.keys.task("a"))

    assert rig.twice("park", token=token, orders=1) == ("parked", "parked")
    assert flags(rig) == (True, True)
    assert heard() == [b"paused"]
    assert rig.pause_task(name="n2") == "paused"


def test_who_was_not_asked_does_not_stand_still(rig):
    token = rig.running()
    assert rig.twice("park", token=token, orders=0) == ("ordered", "ordered")
    rig.ask(sender="s", number=1, question=b"q")

    assert rig.twice("park", token=token, orders=1) == ("ordered", "ordered")
    assert flags(rig) == (False, False)


def test_who_was_resumed_meanwhile_does_not_stand_still(rig):
    token = rig.running()
    rig.pause_task(name="n1")
    rig.resume_task(name="n2")

    assert rig.park(token=token, orders=1) == "ordered"
    assert flags(rig) == (False, False)


def test_who_was_asked_something_else_meanwhile_looks_first(rig):
    token = rig.running()
    rig.pause_task(name="n1")
    rig.ask(sender="s", number=1, question=b"q")

    assert rig.park(token=token, orders=1) == "ordered"
    assert rig.park(token=token, orders=2) == "parked"


def test_a_late_copy_of_a_park_does_not_count_for_another_pause(rig):
    token = rig.running()
    rig.pause_task(name="n1")
    late = rig.op("park", token=token, orders=1)
    assert rig.run(late) == "parked"
    rig.resume_task(name="n2")
    rig.pause_task(name="n3")

    assert rig.run(late) == "ordered"
    assert flags(rig) == (True, False)


def test_a_park_is_fenced(rig):
    token = rig.running()
    rig.pause_task(name="n1")
    rig.giveback(token=token, why="release")
    rig.begun(number=2)

    assert rig.park(token=token, orders=1) == "fenced"
    assert flags(rig) == (True, False)


# -- resume -------------------------------------------------------------------------------------


def test_it_is_let_go_on_and_told(rig):
    rig.running()
    rig.pause_task(name="n1")
    parked(rig)
    heard, seen = rig.listen(rig.keys.worker("w1")), rig.listen(rig.keys.task("a"))

    assert rig.twice("resume_task", name="n2", by="ann") == ("running", "running")
    assert flags(rig) == (False, False)
    assert heard() == [b"a 0 order 2"]
    assert seen() == [b"resumed"]
    assert words(rig) == [("pause", ""), ("resume", "ann")]


def test_one_that_was_not_paused_is_left_alone(rig):
    rig.running()

    assert rig.twice("resume_task", name="n1") == ("running", "running")
    assert words(rig) == []
    assert orders(rig) == 0


def test_one_that_waits_is_let_go_on(rig):
    rig.submit()
    rig.pause_task(name="n1")

    assert rig.resume_task(name="n2") == "queued"
    assert flags(rig) == (False, False)


@pytest.mark.parametrize("effect", [True, False])
def test_a_late_copy_of_a_pause_changes_nothing(rig, effect):
    rig.running()
    if not effect:  # somebody else was first
        rig.pause_task(name="n0")
    late = rig.op("pause_task", name="n1")
    rig.run(late)
    rig.resume_task(name="n2")

    rig.run(late)
    assert flags(rig) == (False, False)


@pytest.mark.parametrize("effect", [True, False])
def test_a_late_copy_of_a_resume_changes_nothing(rig, effect):
    rig.running()
    if effect:
        rig.pause_task(name="n0")
    late = rig.op("resume_task", name="n1")
    rig.run(late)
    rig.pause_task(name="n2")

    rig.run(late)
    assert flags(rig) == (True, False)


# -- other workers ------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["retry", "release", "drop"])
def test_it_stays_paused_for_the_next_attempt(rig, why):
    token = rig.running()
    rig.pause_task(name="n1")
    parked(rig)
    rig.giveback(token=token, why=why)
    assert flags(rig) == (True, False)

    assert rig.begun(number=2).orders == 1
    assert flags(rig) == (True, False)
    parked(rig, "w1.2")
    assert flags(rig) == (True, True)


def test_it_stays_paused_when_its_worker_is_lost(rig):
    rig.running()
    rig.pause_task(name="n1")
    parked(rig)
    rig.lose(sure=True)
    rig.recover()
    assert flags(rig) == (True, False)
    rig.join(wid="w2")

    assert rig.begun(wid="w2").orders == 1
    assert rig.orders(token="w2.1").pause is True


def test_what_a_task_spawns_begins_at_rest_where_its_tree_does(rig):
    rig.submit(id="parent")
    rig.join()
    rig.begun("parent", number=9)
    rig.pause_task(id="parent", name="n1", by="ann", tree=True)

    rig.spawn(parent="parent", token="w1.9", id="a")
    assert flags(rig) == (True, False)
    assert rig.begun(number=10).orders == 1
    parked(rig, "w1.10")

    rig.resume_task(id="parent", name="n2")
    rig.spawn(parent="parent", token="w1.9", id="b")
    assert flags(rig, "b") == (False, False)


def test_a_revived_task_is_not_paused(rig):
    token = rig.running()
    rig.pause_task(name="n1")
    rig.settle_one("a", token, State.FAILED)
    rig.revive(id="a", new_id="b")

    assert flags(rig, "b") == (False, False)
