"""A task is asked to stop; and adopt, which fills in its options."""

import pytest

from taskpy.spec import State


def words(rig, id="a"):
    return [(event.word, event.detail) for event in rig.events(id=id)]


# -- stop ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [0.0, 60.0])
def test_a_task_that_waits_is_stopped_at_once(rig, delay):
    rig.submit(delay=delay, keep=60)
    heard = rig.listen(rig.keys.task("a"))

    assert rig.twice("stop", reason="enough") == ("stopped", "stopped")
    task = rig.look()
    assert (task.state, task.reason, task.stopping, task.attempt) == (State.STOPPED, "enough", False, 0)
    assert heard() == [b"stopped stopped in its queue"]
    assert rig.delayed(count=9) == []
    assert rig.recent(count=9) == ["a"]
    assert words(rig) == [("stop", "enough")]
    assert 0 < rig.raw.ttl(rig.keys.events("a")) <= 60
    rig.join()
    assert rig.claim() == ([] if delay else ["a"])
    assert rig.start(ids=["a"]) == [None]


def test_a_running_task_is_asked(rig):
    token = rig.running()
    heard = rig.listen(rig.keys.worker("w1"))

    assert rig.twice("stop", reason="enough is enough") == ("stopping", "stopping")
    assert (rig.look().state, rig.look().stopping, rig.look().reason) == (State.RUNNING, True, "enough is enough")
    assert heard() == [b"a 0 stop"] * 2  # again, for the first nudge may be what was lost
    assert rig.heartbeat(tasks=[("a", token)]).tasks[0].stopping
    assert words(rig) == [("stop", "enough is enough")]


def test_the_first_reason_counts(rig):
    rig.running()
    rig.stop(reason="first")

    assert rig.stop(reason="second") == "stopping"
    assert rig.look().reason == "first"
    assert words(rig) == [("stop", "first")]


def test_no_reason_is_a_stop_too(rig):
    token = rig.running()
    rig.stop()

    assert rig.look().reason == ""
    assert rig.look().stopping
    assert rig.heartbeat(tasks=[("a", token)]).tasks[0].stopping
    assert words(rig) == [("stop", "")]


def test_a_stop_is_seen_by_a_start_whose_answer_was_lost(rig):
    rig.running()
    rig.stop()

    assert rig.start(ids=["a"])[0].stopping


@pytest.mark.parametrize("state", ["succeeded", "failed", "stopped"])
def test_a_stop_after_the_end_answers_how_it_ended(rig, state):
    token = rig.running()
    rig.settle_one("a", token, state)

    assert rig.twice("stop") == (state, state)


def test_a_stop_of_nobody(rig):
    assert rig.stop() == "unknown"
    assert rig.all_keys() == []


def test_a_stop_between_two_attempts(rig):
    token = rig.running()
    rig.giveback(token=token, why="retry", error=b"oops", delay=60.0)

    assert rig.stop() == "stopped"
    assert (rig.look().state, rig.look().exception) == (State.STOPPED, None)
    assert rig.settle_one("a", token, State.SUCCEEDED) is True  # a late one: it has ended, and stays as it is
    assert rig.look().state is State.STOPPED


def test_a_task_may_succeed_or_fail_after_it_was_asked_to_stop(rig):
    for id, state in [("a", State.SUCCEEDED), ("b", State.FAILED)]:
        token = rig.running(id, number=1 if id == "a" else 2)
        rig.stop(id=id)
        rig.settle_one(id, token, state)
        assert rig.look(id=id).state is state


def test_a_reason_has_a_bound(rig):
    rig.running()
    rig.stop(reason="ä" * 10_000)

    assert rig.look().reason == "ä" * 500


# -- adopt --------------------------------------------------------------------------------------


def test_adopt_fills_in_options(rig):
    token = rig.running(restarts=2, keep=60)

    assert rig.twice("adopt", token=token, restarts=0, keep=600.0) == (True, True)
    assert (rig.fields()["mc"], rig.fields()["keep"]) == ("0", "600000")
    assert rig.adopt(token=token) is True
    assert (rig.fields()["mc"], rig.fields()["keep"]) == ("0", "600000")
    rig.lose(sure=True)
    rig.recover()
    assert rig.look().state is State.FAILED


def test_adopt_is_fenced(rig):
    token = rig.running()
    before = rig.everything()
    assert rig.adopt(token="w1.7", restarts=0) is False
    assert rig.adopt(id="nobody", token="w1.7", restarts=0) is False
    assert rig.everything() == before
    rig.settle_one("a", token)

    assert rig.adopt(token=token, restarts=0) is False
