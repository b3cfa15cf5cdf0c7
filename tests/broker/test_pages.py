"""What lists and pages read."""

import time

import pytest

from taskpy import errors
from taskpy.listed import Worker
from taskpy.spec import State


def test_a_look_at_nobody(rig):
    assert rig.look() is None
    assert rig.status() is None
    assert rig.outline(ids=["a"]) == [None]
    assert rig.outline(ids=[]) == []
    assert rig.events() == []


def test_a_snapshot_shows_what_happened(rig):
    rig.submit(queue="other", name="module.crawl", spec=b"spec")
    task = rig.look()

    assert (task.id, task.state, task.queue, task.name, task.spec) == (
        "a",
        State.QUEUED,
        "other",
        "module.crawl",
        b"spec",
    )
    assert (task.attempt, task.retries, task.lost, task.token, task.worker) == (0, 0, 0, None, None)
    assert (task.reason, task.stopping) == (None, False)
    assert abs(task.submitted - time.time()) < 60
    assert (task.started, task.ended, task.result, task.exception, task.error) == (None,) * 5
    assert (task.origin, task.heir) == (None, None)


def test_an_outline_is_a_snapshot_without_what_is_large(rig):
    token = rig.running("a", wid="host.1:7", name="module.crawl")
    rig.submit(id="b")
    outline, missing, other = rig.outline(ids=["a", "gone", "b"])

    task = rig.look()
    assert missing is None
    assert other.state is State.QUEUED
    assert outline.worker == task.worker == "host.1:7"
    for name in ("id", "state", "queue", "name", "attempt", "submitted", "started", "token"):
        assert getattr(outline, name) == getattr(task, name)
    assert outline.token == token == "host.1:7.1"
    assert not hasattr(outline, "spec")


def test_queues_and_their_sizes(rig):
    assert rig.queues() == []
    for id, queue in [("a", "q"), ("b", "other"), ("c", "q")]:
        rig.submit(id=id, queue=queue)

    assert rig.queues() == ["other", "q"]
    assert rig.queue_sizes(queues=["q", "other", "empty"]) == {"q": 2, "other": 1, "empty": 0}
    assert rig.queue_sizes(queues=[]) == {}


def test_pages_of_a_queue(rig):
    for id in "abc":
        rig.submit(id=id)

    assert rig.queued(start=0, count=2) == ["c", "b"]
    assert rig.queued(start=2, count=2) == ["a"]
    assert rig.queued(start=4, count=2) == []


def test_delayed_tasks_with_the_time_they_are_due(rig):
    for id, delay in [("a", 90.0), ("b", 60.0), ("c", 120.0)]:
        rig.submit(id=id, delay=delay)

    page = rig.delayed(start=0, count=2)
    assert [id for id, _ in page] == ["b", "a"]
    assert 50 < page[0][1] - time.time() <= 61
    assert [id for id, _ in rig.delayed(start=2, count=2)] == ["c"]


def test_the_recent_and_the_dead_newest_first(rig):
    rig.join()
    for number, id in enumerate("abc", 1):
        rig.submit(id=id)
        rig.settle_one(id, rig.begun(id, number=number).token, State.FAILED)
        rig.raw.zincrby(rig.keys.dead(), number * 1000, id)  # a second apart

    assert rig.recent(start=0, count=2) == ["c", "b"]
    page = rig.dead(start=0, count=2)
    assert [id for id, _ in page] == ["c", "b"]
    assert page[0][1] == rig.look(id="c").ended + 3


def test_workers(rig):
    rig.running(wid="w1")
    rig.join(wid="w2", info=b"info")
    rig.running("b", wid="w3")
    rig.lose(wid="w3", sure=True)

    page = rig.leases(count=9)
    assert {wid for wid, _ in page} == {"w1", "w2", "w3"}
    assert page[-1] == ("w3", 0.0)
    one, two, lost, missing = rig.workers(wids=["w1", "w2", "w3", "gone"])
    assert one == Worker("w1", one.lease_end, b"", 1)
    assert two == Worker("w2", dict(page)["w2"], b"info", 0)
    assert lost == Worker("w3", None, b"", 1)
    assert (one.lost, lost.lost, missing) == (False, True, None)


def test_foreign_bytes_do_not_make_a_page_fall(rig):
    rig.raw.lpush(rig.keys.queue("q"), b"\xff")
    rig.raw.zadd(rig.keys.later(), {b"\xff": 1})

    assert rig.queued(count=9) == ["\ufffd"]
    assert rig.delayed(count=9) == [("\ufffd", 0.001)]
    assert rig.due().ids == ["\ufffd"]


@pytest.mark.parametrize("fields", [{"st": "no state"}, {"st": b"\xff"}, {"att": "x"}, {"ended": "9" * 5000}])
def test_a_task_of_garbage_is_left_out_of_lists_and_hides_no_other(rig, fields):
    for id in "abc":
        rig.submit(id=id)
    rig.raw.hset(rig.keys.task("b"), mapping=fields)

    first, bad, last = rig.outline(ids=["a", "b", "c"])
    assert (first.id, bad, last.id) == ("a", None, "c")
    assert [one.id for one in rig.chosen(ids=["a", "b", "c"], count=9, queue="q")] == ["a", "c"]
    with pytest.raises(errors.Malformed):
        rig.look(id="b")
