"""A queue as a whole: pause and resume, purge; and what lists choose from it."""

import time

import pytest

from taskpy.answers import Standing
from taskpy.listed import Namespace
from taskpy.spec import State


def words(rig, id="a"):
    return [(event.word, event.detail) for event in rig.events(id=id)]


# -- pause and resume ---------------------------------------------------------------------------


def test_nothing_is_claimed_from_a_paused_queue(rig):
    rig.submit()
    rig.join()
    since, again = rig.twice("pause")

    assert since == again
    assert abs(since - time.time()) < 60
    assert rig.paused() == {"q": since}
    assert rig.twice("claim") == ([], [])
    assert rig.queued(count=9) == ["a"]
    assert rig.held(wid="w1").number == 1


def test_the_other_queues_of_a_claim_are_served(rig):
    rig.submit(id="a", queue="high")
    rig.submit(id="b", queue="q")
    rig.submit(id="c", queue="low")
    rig.join()
    rig.pause(queue="q")

    assert rig.claim(queues=["high", "q", "low"], count=9) == ["a", "c"]
    assert rig.claim(queues=["q"], number=2) == []
    rig.resume(queue="q")
    assert rig.claim(queues=["high", "q", "low"], number=3, count=9) == ["b"]


def test_a_paused_queue_takes_tasks_and_wakes_nobody_for_long(rig):
    rig.join()
    rig.pause()
    assert rig.submit() == "new"
    assert rig.raw.llen(rig.keys.bell("q")) == 1

    rig.claim()
    assert rig.raw.llen(rig.keys.bell("q")) == 0, "every idle worker would come for it"


def test_resume_rings_for_what_waits(rig):
    rig.join()
    rig.pause()
    rig.submit()
    rig.claim()

    assert rig.twice("resume") == (None, None)
    assert rig.raw.llen(rig.keys.bell("q")) == 1
    assert rig.paused() == {}
    assert not rig.raw.exists(rig.keys.paused())
    assert rig.claim(number=2) == ["a"]


def test_resume_of_an_empty_queue_rings_for_nobody(rig):
    rig.resume()

    assert rig.raw.llen(rig.keys.bell("q")) == 0


def test_what_was_claimed_before_the_pause_goes_on(rig):
    rig.submit()
    rig.join()
    rig.claim()
    rig.pause()

    [started] = rig.start(ids=["a"])
    assert rig.settle_one("a", started.token)
    assert rig.status() == Standing(State.SUCCEEDED, b"value", None)


# -- purge --------------------------------------------------------------------------------------


def test_what_waits_is_ended_and_its_waiters_are_told(rig):
    rig.submit(keep=60)
    rig.send(sender="s", number=1, body=b"m")
    heard = rig.listen(rig.keys.task("a"))

    assert rig.twice("purge", ids=["a"], reason="too many") == (1, 0)
    task = rig.look()
    assert (task.state, task.reason, task.attempt) == (State.STOPPED, "too many", 0)
    assert heard() == [b"stopped purged from its queue"]
    assert words(rig) == [("stop", "too many")]
    assert rig.queued(count=9) == []
    assert rig.recent(count=9) == ["a"]
    assert not rig.raw.exists(rig.keys.inbox("a"))
    assert 0 < rig.raw.ttl(rig.keys.task("a")) <= 60
    assert 0 < rig.raw.ttl(rig.keys.events("a")) <= 60


def test_only_what_waits_is_ended(rig):
    rig.running("runs")
    rig.submit(id="claimed")
    rig.claim(number=2)
    rig.submit(id="delayed", delay=60.0)
    rig.submit(id="waits")
    rig.submit(id="stays")

    assert rig.purge(ids=["runs", "claimed", "delayed", "waits", "nobody"]) == 1
    states = {id: rig.status(id=id).state for id in ("runs", "claimed", "delayed", "waits", "stays")}
    assert states == {
        "runs": State.RUNNING,
        "claimed": State.QUEUED,
        "delayed": State.QUEUED,
        "waits": State.STOPPED,
        "stays": State.QUEUED,
    }
    assert rig.queued(count=9) == ["stays"]
    assert rig.start(number=2, ids=["claimed"])[0].token == "w1.2"


def test_an_entry_of_an_ended_task_goes_too(rig):
    rig.submit()
    rig.stop(reason="enough")
    assert rig.queued(count=9) == ["a"]

    assert rig.purge(ids=["a"]) == 0
    assert rig.queued(count=9) == []
    assert rig.look().reason == "enough"


def test_a_purged_task_is_not_ended_again_by_a_second_entry(rig):
    rig.submit()
    rig.raw.lpush(rig.keys.queue("q"), "a")

    assert rig.purge(ids=["a", "a"]) == 1
    assert rig.recent(count=9) == ["a"]
    assert words(rig) == [("stop", "")]


# -- what lists choose --------------------------------------------------------------------------


def test_those_that_are_served_next(rig):
    for id in "abc":
        rig.submit(id=id)

    assert rig.foremost(count=2) == ["b", "a"]
    assert rig.foremost(count=9) == ["c", "b", "a"]
    assert rig.foremost(queue="empty", count=2) == []


def test_the_first_in_a_state_and_a_queue(rig):
    for id, queue in [("a", "q"), ("b", "other"), ("c", "q"), ("d", "q")]:
        rig.submit(id=id, queue=queue)
    rig.stop(id="c")
    ids = ["d", "c", "gone", "b", "a"]

    def chosen(**given):
        return [one.id for one in rig.chosen(ids=ids, **{"queue": None} | given)]

    assert chosen(count=9) == ["d", "c", "b", "a"]
    assert chosen(count=9, state=State.QUEUED) == ["d", "b", "a"]
    assert chosen(count=9, state=State.QUEUED, queue="q") == ["d", "a"]
    assert chosen(count=2, queue="q") == ["d", "c"]
    assert chosen(count=9, state=State.STOPPED, queue="other") == []
    [one] = rig.chosen(ids=ids, count=9, state=State.STOPPED, queue="q")
    assert one == rig.outline(ids=["c"])[0]


@pytest.mark.parametrize("start", range(6))
def test_what_workers_hold_by_pages(rig, start):
    for wid, ids in [("w1", "ab"), ("idle", ""), ("w2", "cde")]:
        rig.join(wid=wid)
        for id in ids:
            rig.submit(id=id)
        rig.claim(wid=wid, count=9)
    everything = rig.holding(wids=["w1", "gone", "idle", "w2"], start=0, count=9)

    assert (set(everything[:2]), set(everything[2:])) == ({"a", "b"}, {"c", "d", "e"})
    page = rig.holding(wids=["w1", "gone", "idle", "w2"], start=start, count=2)
    assert page == everything[start : start + 2]


def test_the_exceptions_of_a_page(rig):
    rig.settle_one("a", rig.running("a"), State.FAILED, b"oops")
    rig.submit(id="b")

    assert rig.failures(ids=["a", "b", "gone"]) == [b"oops", None, None]
    assert rig.dead_count() == 1


def test_when_a_delayed_task_is_due(rig):
    rig.submit(delay=60.0)
    rig.submit(id="b")

    assert 50 < rig.due_at(id="a") - time.time() <= 61
    assert rig.due_at(id="b") is None


def test_what_the_namespace_says_of_itself(rig):
    before = rig.namespace()
    rig.agree(version=1, lease=1.5)

    assert before == Namespace(None, None, before.clock)
    assert abs(before.clock - time.time()) < 60
    after = rig.namespace()
    assert after == Namespace(1, 1.5, after.clock)
