"""All duties together, as threads of this process: how a worker is run for memory://."""

import gc
import threading
import time

import fakeredis
import pytest
from taskpy_worker.config import WorkerConfig
from taskpy_worker.worker import running_here

from taskpy import errors
from taskpy.line_redis import RECHECK_SECONDS, RedisLine
from taskpy.nudge import Nudge
from taskpy.space import Space
from tests.worker import functions
from tests.worker.conftest import LEASE
from tests.worker.waiting import until

DUTIES = {"taskpy-claim", "taskpy-settle", "taskpy-beat", "taskpy-promote"}


@pytest.fixture
def space(rig):
    made = Space(redis=fakeredis.FakeRedis(server=rig.server), namespace="test", timeout=None)
    yield made
    made.close()


@pytest.fixture
def worker(space):
    made = running_here(WorkerConfig(block=0.05), space, wid="here", lease=LEASE)
    yield made
    made.close()


def duties(besides):
    """The duties that run, leaving out the threads of other workers of this process."""
    return {thread.name for thread in threading.enumerate() if thread not in besides} & DUTIES


def test_tasks_run_and_are_steered(rig, worker):
    plain, coroutine = rig.submit("listens"), rig.submit("listens_async")
    until(lambda: len(functions.BEGUN) == 2, "both tasks to begin")
    for task in (plain, coroutine):
        task.send("hello")
        assert task.stop(timeout=10) == "succeeded"

    assert plain.result == coroutine.result == ["hello"]


def test_a_task_that_comes_alone_runs_in_the_thread_that_claimed_it_and_holds_up_nobody(rig, worker):
    until(worker._relay.is_covered, "somebody to be in reserve")
    claiming = [thread for thread in threading.enumerate() if thread.name == "taskpy-claim"]
    alone = rig.submit("waits")
    until(lambda: functions.BEGUN, "it to begin")
    assert [thread for thread in claiming if thread.name == f"taskpy-{alone.id}"]

    assert [rig.submit("returns", number).get(10) for number in range(3)] == [0, 1, 2]

    functions.GATE.set()
    assert alone.wait(10)
    until(worker._relay.is_covered, "its thread to be in reserve")


def test_closing_does_not_wait_for_a_task_that_runs_in_the_thread_that_claims(rig, space):
    worker = running_here(WorkerConfig(block=30.0), space, wid="closed", lease=LEASE)
    until(worker._relay.is_covered, "somebody to be in reserve")
    rig.submit("waits")
    until(lambda: functions.BEGUN, "it to begin")
    began = time.monotonic()

    worker.close()

    assert time.monotonic() - began < 25
    functions.GATE.set()


def test_a_delayed_task_wakes_the_promoter(rig, worker):
    assert rig.client.options(delay=0.05).of("returns").submit("late").get(10) == "late"


def test_a_waiter_whose_nudges_are_lost_looks_again_by_itself(rig, worker, monkeypatch):
    monkeypatch.setattr(rig.client.space.broker.subscriber, "watch", lambda channel: Nudge())
    monkeypatch.setattr(rig.client.space.broker.subscriber, "unwatch", lambda channel: None)
    monkeypatch.setattr(RedisLine, "recheck", 0.02)
    assert RECHECK_SECONDS <= 5
    task = rig.submit("listens")
    until(lambda: functions.BEGUN, "the task to begin")

    task.send("hello")

    assert task.stop(timeout=10) == "succeeded"
    assert task.get(10) == ["hello"]


def test_closing_ends_the_duties(rig, space):
    others = threading.enumerate()
    worker = running_here(WorkerConfig(block=0.05), space, wid="closed", lease=LEASE)
    assert duties(others) == DUTIES

    worker.close()

    assert not duties(others)
    task = rig.submit("returns")
    assert not task.wait(0.2)


@pytest.mark.parametrize("error", [errors.Refused, ZeroDivisionError])
def test_a_duty_that_fails_goes_on(rig, worker, monkeypatch, caplog, error):
    tick, failed = worker.settler.tick, []

    def fail_once():
        monkeypatch.setattr(worker.settler, "tick", tick)
        failed.append(1)
        raise error

    monkeypatch.setattr(worker.settler, "tick", fail_once)
    worker.settler.close()  # which ends the waiting of the turn before
    until(lambda: failed, "the duty to fail")

    assert rig.submit("returns", 1).get(10) == 1
    [record] = [record for record in caplog.records if "a duty failed" in record.message]
    assert bool(record.exc_info) is (error is ZeroDivisionError)


def test_an_async_task_cannot_end_the_loop_of_the_others(rig, worker):
    exits, stops = rig.submit("ends_the_loop", "exit"), rig.submit("ends_the_loop", "stop")

    with pytest.raises(errors.RemoteError, match="SystemExit: enough"):
        exits.get(10)
    assert stops.get(10) is None
    assert rig.submit("returns_async", "still here").get(10) == "still here"


def test_a_closed_worker_leaves_no_threads(rig, space):
    before = set(threading.enumerate())
    worker = running_here(WorkerConfig(block=0.05), space, wid="gone", lease=LEASE)
    rig.submit("returns").get(10)
    worker.close()
    space.close()
    del worker
    gc.collect()

    def left():
        return {thread.name for thread in set(threading.enumerate()) - before if "subscriber" not in thread.name}

    until(lambda: not left(), "the threads to end")
