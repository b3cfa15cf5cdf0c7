"""A task is asked to stop; and adopt, which fills in its options."""

import pytest

from taskpy.answers import Standing, wish_of
from taskpy.spec import State, StopReason, Wish


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

    assert rig.twice("stop", reason="enough is enough", by="ann@web:1") == ("stopping", "stopping")
    assert (rig.look().state, rig.look().stopping, rig.look().reason) == (State.RUNNING, True, "enough is enough")
    assert (
        heard() == [b"a 0 stop - 0 ann@web:1 enough is enough"] * 2
    )  # again, for the first nudge may be what was lost
    assert rig.heartbeat(tasks=[("a", token)]).tasks[0].wish == Wish(StopReason("enough is enough"))
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
    assert rig.heartbeat(tasks=[("a", token)]).tasks[0].wish == Wish()
    assert words(rig) == [("stop", "")]


def test_a_stop_is_seen_by_a_start_whose_answer_was_lost(rig):
    rig.running()
    rig.stop()

    assert rig.start(ids=["a"])[0].wish == Wish()


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


# -- what follows -------------------------------------------------------------------------------


def asked(rig, **given):
    """Ask the task to stop."""
    assert rig.stop(**given) == "stopping"


def told(rig):
    """What the worker's heartbeat is told: what follows, and in how many seconds."""
    [beat] = rig.heartbeat(tasks=[("a", rig.look().token)]).tasks
    return beat.wish.follows, beat.wish.grace


def test_what_follows_is_told_in_the_nudge_the_heartbeat_and_the_start(rig):
    token = rig.running()
    rig.send(sender="s", number=1, body=b"m")
    heard = rig.listen(rig.keys.worker("w1"))

    asked(rig, reason="why not", by="ann@web-3:4711", follows="raise", grace=60.0)

    [nudge] = heard()
    id, received, word, said = nudge.split(b" ", 3)
    assert (id, received, word) == (b"a", b"1", b"stop")
    wishes = [wish_of(said), rig.heartbeat(tasks=[("a", token)]).tasks[0].wish, rig.start(ids=["a"])[0].wish]
    for wish in wishes:
        assert (wish.reason, wish.reason.by, wish.follows) == ("why not", "ann@web-3:4711", "raise")
        assert 50 < wish.grace <= 60
    assert rig.heartbeat(tasks=[("a", token)]).tasks[0].received == 1


def test_a_stop_between_claim_and_start_ends_the_task(rig):
    rig.submit()
    rig.join()
    rig.claim()

    assert rig.stop(follows="kill", grace=1.0) == "stopped"
    assert rig.start(ids=["a"]) == [None]


def test_who_asked_and_why_stays_as_it_was_first(rig):
    rig.running()
    asked(rig, reason="first", by="ann")
    asked(rig, reason="second", by="bob", follows="kill", grace=1.0)

    assert rig.status().stop == "first"
    assert rig.status().stop.by == "ann"
    assert words(rig) == [("stop", "first")]


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        ((None, 0.0), (None, 0.0), (None, 0.0)),
        ((None, 0.0), ("raise", 60.0), ("raise", 60.0)),
        ((None, 0.0), ("kill", 60.0), ("kill", 60.0)),
        (("raise", 60.0), (None, 0.0), ("raise", 60.0)),
        (("kill", 60.0), (None, 0.0), ("kill", 60.0)),
        (("raise", 60.0), ("kill", 60.0), ("kill", 60.0)),
        (("kill", 60.0), ("raise", 60.0), ("kill", 60.0)),
        (("raise", 60.0), ("raise", 30.0), ("raise", 30.0)),
        (("raise", 30.0), ("raise", 60.0), ("raise", 30.0)),
        (("kill", 60.0), ("kill", 30.0), ("kill", 30.0)),
        (("kill", 30.0), ("kill", 60.0), ("kill", 30.0)),
        (("raise", 30.0), ("kill", 60.0), ("kill", 30.0)),
        (("kill", 30.0), ("raise", 60.0), ("kill", 30.0)),
    ],
)
def test_asked_again_it_can_only_become_stricter(rig, first, second, together):
    rig.running()
    for follows, grace in (first, second):
        asked(rig, follows=follows, grace=grace)

    follows, grace = told(rig)

    assert follows == together[0]
    assert grace == pytest.approx(together[1], abs=5)


@pytest.mark.parametrize("follows", [None, "raise", "kill"])
def test_a_repeated_stop_changes_nothing(rig, follows):
    rig.running()

    assert rig.twice("stop", reason="why", by="ann", follows=follows, grace=60.0) == ("stopping", "stopping")


def test_a_late_copy_of_a_milder_stop_changes_nothing(rig):
    rig.running()
    asked(rig, reason="why", follows="raise", grace=60.0)
    asked(rig, follows="kill", grace=30.0)
    before = rig.everything()

    asked(rig, reason="why", follows="raise", grace=60.0)

    assert rig.everything() == before


def test_the_time_that_is_left_becomes_less_and_never_less_than_none(rig):
    rig.running()
    asked(rig, follows="kill", grace=60.0)
    rig.raw.hset(rig.keys.task("a"), "until", 1)  # long ago

    assert told(rig) == ("kill", 0.0)


def test_no_grace_is_at_once(rig):
    rig.running()
    asked(rig, follows="kill", grace=0)

    assert told(rig) == ("kill", 0.0)


def test_each_stop_is_told_the_worker_anew(rig):
    rig.running()
    heard = rig.listen(rig.keys.worker("w1"))
    asked(rig, reason="why", by="ann")
    asked(rig, reason="another", by="bob", follows="kill", grace=0)

    assert heard() == [b"a 0 stop - 0 ann why", b"a 0 stop kill 0 ann why"]


def test_what_follows_outlives_the_worker(rig):
    """A stop is durable: whoever recovers the task ends it."""
    rig.running()
    asked(rig, reason="why", by="ann", follows="kill", grace=60.0)
    rig.lose(sure=True)
    rig.recover()

    assert rig.status() == Standing(State.STOPPED, b"its worker was lost", StopReason("why"))


def test_how_it_was_stopped_is_said(rig):
    token = rig.running()
    asked(rig, reason="why", by="ann")
    rig.settle_one("a", token, State.STOPPED, b"its function did not end")

    standing = rig.status()

    assert (standing.state, standing.data) == (State.STOPPED, b"its function did not end")
    assert (standing.stop, standing.stop.by) == ("why", "ann")


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
