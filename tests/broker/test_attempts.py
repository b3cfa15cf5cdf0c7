"""An attempt ends: settle and giveback."""

import time

import pytest

from taskpy import ops, spec
from taskpy.answers import Standing
from taskpy.spec import State


def words(rig, id="a"):
    return [(event.word, event.detail) for event in rig.events(id=id)]


# -- settle -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED, State.STOPPED])
def test_settle_ends_a_task(rig, state):
    token = rig.running(keep=60)
    heard = rig.listen(rig.keys.task("a"))

    assert rig.twice("settle", endings=[ops.Ending("a", "q", token, state, b"value")]) == ([True], [True])
    task = rig.look()
    assert task.state is state
    assert task.result == (b"value" if state is State.SUCCEEDED else None)
    assert task.exception == (b"value" if state is State.FAILED else None)
    assert rig.status() == Standing(state, b"value", None)
    assert abs(task.ended - time.time()) < 60
    assert rig.held().tokens == {}
    assert rig.recent(count=9) == ["a"]
    assert [id for id, _ in rig.dead(count=9)] == (["a"] if state is State.FAILED else [])
    kept = spec.KEEP_DEAD_SECONDS if state is State.FAILED else 60
    assert kept - 10 < rig.raw.ttl(rig.keys.task("a")) <= kept
    assert heard() == [f"{state} value".encode()]
    assert words(rig) == []  # a plain life


def test_many_are_settled_in_one_call(rig):
    rig.join()
    endings = []
    for id, state in [("a", State.SUCCEEDED), ("b", State.FAILED), ("c", State.STOPPED)]:
        rig.submit(id=id, queue=f"of-{id}")
        rig.claim(number=len(endings) + 1, queues=[f"of-{id}"])
        [started] = rig.start(number=len(endings) + 1, ids=[id])
        endings.append(ops.Ending(id, f"of-{id}", started.token, state, id.encode()))
    stranger = ops.Ending("nobody", "q", "w1.1", State.SUCCEEDED, b"")

    assert rig.twice("settle", endings=[*endings, stranger]) == ([True, True, True, False],) * 2
    assert rig.status(id="a") == Standing(State.SUCCEEDED, b"a", None)
    assert rig.status(id="b") == Standing(State.FAILED, b"b", None)
    assert rig.recent(queue="of-c", count=9) == ["c"]


def test_a_long_value_is_not_in_the_notice(rig):
    token = rig.running()
    heard = rig.listen(rig.keys.task("a"))
    rig.settle_one("a", token, value=b"x" * 1025)

    assert heard() == [b"succeeded"]


def test_only_the_token_of_the_attempt_settles(rig):
    rig.running()
    before = rig.everything()

    assert rig.settle_one("a", "w1.7") is False
    assert rig.settle_one("a", "w2.1") is False
    assert rig.settle_one("nobody", "w1.1") is False
    assert rig.everything() == before


def test_the_first_end_stays(rig):
    token = rig.running()
    rig.settle_one("a", token, State.SUCCEEDED, b"first")
    before = rig.everything()

    assert rig.settle_one("a", token, State.FAILED, b"second") is True  # it has ended by this attempt
    assert rig.everything() == before


def test_a_late_settle_does_not_touch_a_newer_claim_of_the_same_task(rig):
    token = rig.running()
    rig.giveback(token=token, why="retry")
    again = rig.begun(number=2)

    assert rig.settle_one("a", token) is False
    assert rig.held().tokens == {"a": again.token}
    assert rig.settle_one("a", again.token) is True


@pytest.mark.parametrize("late", ["settle", "giveback"])
def test_a_late_end_does_not_touch_a_newer_claim_that_has_not_started(rig, late):
    token = rig.running()
    rig.giveback(token=token, why="retry")
    assert rig.claim(number=2) == ["a"]

    if late == "settle":
        assert rig.settle_one("a", token) is False
    else:
        assert rig.giveback(token=token, why="retry") is True  # it was given back by this attempt, before
    assert rig.held().tokens == {"a": "w1.2"}
    assert rig.queued(count=9) == []


def test_a_settle_after_a_giveback_is_fenced(rig):
    token = rig.running()
    rig.giveback(token=token, why="release")
    before = rig.everything()

    assert rig.settle_one("a", token) is False
    assert rig.everything() == before


def test_an_ending_may_say_how_long_it_is_kept(rig):
    token = rig.running(keep=60)
    rig.settle_one("a", token, keep=600.0)

    assert 60 < rig.raw.ttl(rig.keys.task("a")) <= 600


def test_a_failed_task_is_kept_for_the_longer_time(rig):
    longest = spec.KEEP_DEAD_SECONDS * 2
    rig.settle_one("a", rig.running("a", keep=longest), State.FAILED)
    rig.submit(id="b", keep=60)
    started = rig.begun("b", number=2)
    rig.settle(endings=[ops.Ending("b", "q", started.token, State.FAILED, b"")], keep_dead=120)

    assert rig.raw.ttl(rig.keys.task("a")) > spec.KEEP_DEAD_SECONDS
    assert 60 < rig.raw.ttl(rig.keys.task("b")) <= 120


def test_a_time_without_end_is_a_long_time(rig):
    token = rig.running(keep=1e300)

    assert rig.settle_one("a", token) is True
    assert rig.raw.ttl(rig.keys.task("a")) > 10**9


@pytest.mark.parametrize("keep", ["garbage", "", "nan", "inf", "-1", "1e300", "9" * 400])
@pytest.mark.parametrize("ending", ["settle", "stop"])
def test_a_task_whose_time_is_garbage_ends_and_is_kept_as_any_other(sync_rig, keep, ending):
    token = sync_rig.running("a")
    sync_rig.mark(token=token, sent=0, messages=[b"out"])
    if ending == "stop":
        sync_rig.giveback(token=token, why="release")
    sync_rig.raw.hset(sync_rig.keys.task("a"), "keep", keep)

    ended = sync_rig.settle_one("a", token) if ending == "settle" else sync_rig.stop(reason="enough")

    assert ended in {True, "stopped"}
    for key in (sync_rig.keys.task("a"), sync_rig.keys.outbox("a")):
        assert spec.KEEP_SECONDS - 60 < sync_rig.raw.ttl(key) <= spec.KEEP_SECONDS


def test_a_time_of_less_than_a_millisecond_is_cut(sync_rig):
    token = sync_rig.running("a")
    sync_rig.raw.hset(sync_rig.keys.task("a"), "keep", "60000.5")

    assert sync_rig.settle_one("a", token) is True
    assert 0 < sync_rig.raw.ttl(sync_rig.keys.task("a")) <= 60


def test_everything_of_an_ended_task_expires(rig):
    token = rig.running(keep=60)
    rig.send(sender="s", number=1, body=b"in")
    rig.mark(token=token, sent=0, messages=[b"out"])
    rig.stop(reason="enough")
    rig.settle_one("a", token)

    assert rig.raw.exists(rig.keys.inbox("a")) == 0
    for key in (rig.keys.task("a"), rig.keys.outbox("a"), rig.keys.events("a")):
        assert 0 < rig.raw.ttl(key) <= 60


def test_the_list_of_the_recent_is_bounded(rig):
    token = rig.running()
    rig.raw.rpush(rig.keys.recent("q"), *[f"t{i}" for i in range(1000)])
    rig.settle_one("a", token)

    assert rig.raw.llen(rig.keys.recent("q")) == 1000
    assert rig.recent(count=2) == ["a", "t0"]


def test_any_bytes_come_back(rig):
    token = rig.running()
    rig.settle_one("a", token, value=bytes(range(256)) * 10)

    assert rig.look().result == bytes(range(256)) * 10


# -- giveback -----------------------------------------------------------------------------------


def test_a_retry_goes_to_the_end_of_the_queue(rig):
    token = rig.running()
    rig.submit(id="b")
    heard = rig.listen(rig.keys.task("a"))

    assert rig.twice("giveback", token=token, why="retry", error=b"oops") == (True, True)
    assert rig.queued(count=9) == ["a", "b"]
    task = rig.look()
    assert (task.state, task.retries, task.attempt, task.error, task.exception) == (State.QUEUED, 1, 1, b"oops", None)
    assert rig.held().tokens == {}
    assert words(rig) == [("retry", "w1")]
    assert heard() == [b"queued"]
    rig.settle_one("b", rig.begun("b", number=2).token)
    again = rig.begun(number=3)
    assert (again.attempt, again.retries) == (2, 1)
    rig.settle_one("a", again.token)
    assert (rig.look().exception, rig.look().error) == (None, None)


def test_a_retry_may_wait(rig):
    token = rig.running()

    assert rig.twice("giveback", token=token, why="retry", delay=60.0) == (True, True)
    assert 50 < rig.due().next <= 60
    assert rig.queued(count=9) == []


def test_a_released_task_is_served_next_and_nothing_is_counted(rig):
    token = rig.running()
    rig.submit(id="b")

    assert rig.twice("giveback", token=token, why="release") == (True, True)
    again = rig.begun(number=2)
    assert (again.attempt, again.retries, again.lost, again.unknowns) == (2, 0, 0, 0)
    assert words(rig) == [("release", "w1")]


def test_an_unknown_name_takes_the_attempt_back(rig):
    token = rig.running()

    assert rig.twice("giveback", token=token, why="unknown", delay=5.0) == (True, True)
    rig.raw.zadd(rig.keys.later(), {"a": 1})
    rig.promote()
    again = rig.begun(number=2)
    assert (again.attempt, again.unknowns, again.retries) == (1, 1, 0)
    assert words(rig) == [("unknown", "w1")]


def test_a_started_task_that_was_lost_track_of_is_dropped_without_a_trace_in_its_counters(rig):
    token = rig.running()

    assert rig.twice("giveback", token=token, why="drop") == (True, True)
    again = rig.begun(number=2)
    assert (again.attempt, again.unknowns, again.retries, again.lost) == (1, 0, 0, 0)


def test_what_was_started_and_has_not_begun_goes_back_as_if_nothing_had_been(rig):
    token = rig.running()

    assert rig.twice("giveback", token=token, why="unbegun") == (True, True)
    again = rig.begun(number=2)
    assert (again.attempt, again.unknowns, again.retries, again.lost) == (1, 0, 0, 0)
    assert words(rig) == []


@pytest.mark.parametrize("why", ["retry", "release", "unknown", "drop", "unbegun"])
def test_giving_back_a_claim_that_was_not_started(rig, why):
    rig.submit()
    rig.join()
    rig.claim()

    assert rig.twice("giveback", token="w1.1", why=why)[0] is True
    assert rig.queued(count=9) == ["a"]
    again = rig.begun(number=2)
    assert (again.attempt, again.unknowns, again.retries, again.lost) == (1, 0, 0, 0)
    assert words(rig) == []


@pytest.mark.parametrize("why", ["retry", "release", "unknown", "drop", "unbegun"])
@pytest.mark.parametrize(("error", "state"), [(b"", State.STOPPED), (b"oops", State.FAILED)])
def test_giveback_of_a_task_that_was_asked_to_stop_ends_it(rig, why, error, state):
    token = rig.running(keep=60)
    rig.stop()

    assert rig.twice("giveback", token=token, why=why, error=error, delay=60.0) == (True, True)
    assert rig.look().state is state
    assert rig.look().exception == (error or None)
    assert rig.look().retries == 0
    assert rig.queued(count=9) == []
    assert rig.delayed(count=9) == []
    assert rig.recent(count=9) == ["a"]
    assert [id for id, _ in rig.dead(count=9)] == (["a"] if error else [])
    assert (rig.raw.ttl(rig.keys.task("a")) > 60) is bool(error)


def test_only_the_token_of_the_attempt_gives_back(rig):
    rig.running()
    before = rig.everything()

    assert rig.giveback(token="w1.7", why="retry") is False
    assert rig.giveback(wid="w2", token="w2.1", why="retry") is False
    assert rig.giveback(id="nobody", token="w1.1", why="retry") is False
    assert rig.everything() == before


def test_a_late_copy_of_giveback_leaves_the_next_attempt_alone(rig):
    token = rig.running()
    rig.giveback(token=token, why="retry")
    again = rig.begun(number=2)
    before = rig.everything()

    assert rig.giveback(token=token, why="retry") is False
    assert rig.everything() == before
    rig.settle_one("a", again.token)
    before = rig.everything()
    assert rig.giveback(token=token, why="retry") is False
    assert rig.everything() == before


def test_giveback_after_the_end_changes_nothing(rig):
    token = rig.running()
    rig.settle_one("a", token)
    before = rig.everything()

    assert rig.giveback(token=token, why="retry") is False
    assert rig.everything() == before


def test_the_list_of_events_is_bounded(rig):
    rig.running()
    rig.raw.rpush(rig.keys.events("a"), *[f"{i} old" for i in range(100)])
    rig.stop(reason="enough")

    events = rig.events()
    assert len(events) == 100
    assert (events[0].word, events[0].time, events[0].detail) == ("old", 0.001, "")
    assert (events[-1].word, events[-1].detail) == ("stop", "enough")


def test_an_end_after_a_failover_that_lost_the_start_does_not_lose_the_task(rig):
    token = rig.running()
    rig.raw.hset(rig.keys.task("a"), "st", "queued")
    rig.raw.hdel(rig.keys.task("a"), "tok", "att", "started")

    assert rig.settle_one("a", token) is False

    assert rig.held().tokens == {"a": token}, "queued, and nowhere: nobody would ever run it"
    assert rig.giveback(token=token, why="drop") is True
    assert rig.queued(count=9) == ["a"]
