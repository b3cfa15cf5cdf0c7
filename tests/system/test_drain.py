"""A worker that is told to end: nothing is lost, nothing ends as succeeded because of it, and others go on at once."""

import signal
import time

import pytest

from tests.system.waiting import until

#: No test waits for its end: what happens before is the drain's doing.
LONG_LEASE = 60
#: A grace time that no test waits for.
LONG_GRACE = 60
TASKS = 20


def drained(worker):
    """Tell the worker to drain; when it was told."""
    told = time.monotonic()
    worker.signal(signal.SIGTERM)
    return told


def words(fleet, task):
    """The events of a task."""
    return [event.word for event in fleet.client.events(task.id)]


# -- the first signal ---------------------------------------------------------------------------


def test_a_drain_hands_over_what_it_can_and_lets_the_rest_finish(fleet, record_property):
    draining = fleet.worker(lease=LONG_LEASE, grace=LONG_GRACE, concurrency=TASKS)
    handed_over = fleet.submit_many(5, "handed_over") + fleet.submit_many(5, "handed_over_async")
    finishing = fleet.submit_many(10, "finishes")
    fleet.wait_for_starts(handed_over + finishing)
    other = fleet.worker(lease=LONG_LEASE, concurrency=TASKS)

    told = drained(draining)

    assert [task.get(30) for task in handed_over] == [2] * 10
    assert [task.get(30) for task in finishing] == [{"stopped": False, "attempt": 1}] * 10
    assert draining.ended() == 0
    again = fleet.ledger.starts(attempt=2)
    delay = max(entry.at for entry in again) - told
    record_property("SIGTERM, handed-over tasks begun elsewhere after", round(delay, 3))
    print(f"SIGTERM, handed-over tasks begun elsewhere after: {delay:.3f} s")
    assert delay < 10
    assert {entry.id for entry in again} == {task.id for task in handed_over}
    assert {entry.pid for entry in again} == set(other.children())
    assert len(fleet.ledger.starts()) == TASKS + 10
    assert sorted(entry.id for entry in fleet.ledger.ends()) == sorted(task.id for task in handed_over + finishing)
    assert {entry.id for entry in fleet.ledger.entries("draining")} == {task.id for task in finishing}
    assert all(words(fleet, task) == ["release"] for task in handed_over)
    assert not any(words(fleet, task) for task in finishing)


def test_a_drain_with_nobody_else_there_keeps_everything_in_the_queue(fleet):
    draining = fleet.worker(lease=LONG_LEASE, grace=LONG_GRACE)
    tasks = fleet.submit_many(5, "handed_over")
    fleet.wait_for_starts(tasks)

    drained(draining)

    assert draining.ended() == 0
    assert [task.state for task in tasks] == ["queued"] * 5
    fleet.worker(lease=LONG_LEASE)
    assert [task.get(30) for task in tasks] == [2] * 5


def test_a_stop_from_outside_is_honoured_during_the_drain(fleet):
    draining = fleet.worker(lease=LONG_LEASE, grace=LONG_GRACE)
    tasks = [fleet.submit("stubborn"), fleet.submit("stubborn_async")]
    fleet.wait_for_starts(tasks)
    drained(draining)
    for task in tasks:
        assert task.recv(timeout=20) == "draining"
    assert [task.state for task in tasks] == ["running", "running"]

    assert [task.stop(timeout=20) for task in tasks] == ["succeeded", "succeeded"]

    assert draining.ended() == 0
    assert [task.result for task in tasks] == [1, 1]
    assert len(fleet.ledger.starts()) == 2


def test_messages_reach_a_task_during_the_drain(fleet):
    draining = fleet.worker(lease=LONG_LEASE, grace=LONG_GRACE)
    task = fleet.submit("converse")
    assert task.recv(timeout=20) == "begun"
    drained(draining)
    until(lambda: draining.lines("draining: grace"), "the drain to begin")

    task.send("hello")

    assert task.recv(timeout=20) == ["heard", "hello"]
    assert task.stop(timeout=20) == "succeeded"
    assert task.result == ["hello"]
    assert draining.ended() == 0


def test_what_outlasts_the_grace_time_is_given_back_and_runs_elsewhere(fleet):
    draining = fleet.worker(lease=LONG_LEASE, grace=0.5, concurrency=TASKS)
    tasks = fleet.submit_many(10, "stubborn") + fleet.submit_many(10, "stubborn_async")
    fleet.wait_for_starts(tasks)
    other = fleet.worker(lease=LONG_LEASE, concurrency=TASKS)

    drained(draining)

    assert [task.get(30) for task in tasks] == [2] * TASKS
    assert draining.ended() == 0
    assert {entry.pid for entry in fleet.ledger.starts(attempt=2)} == set(other.children())
    assert len(fleet.ledger.starts()) == 2 * TASKS
    assert not fleet.ledger.ends(attempt=1)
    assert all(words(fleet, task) == ["release"] for task in tasks)


def test_a_backlog_stays_untouched(fleet):
    draining = fleet.worker(lease=LONG_LEASE, grace=LONG_GRACE, concurrency=2)
    running = [fleet.submit("stubborn"), fleet.submit("stubborn")]
    fleet.wait_for_starts(running)
    backlog = fleet.submit_many(50, "echo", "later")
    order = fleet.server.client.lrange(f"{{{fleet.namespace}}}:q:default", 0, -1)

    drained(draining)
    for task in running:
        assert task.recv(timeout=20) == "draining"
        assert task.stop(timeout=20) == "succeeded"

    assert draining.ended() == 0
    assert fleet.server.client.lrange(f"{{{fleet.namespace}}}:q:default", 0, -1) == order
    assert fleet.ledger.started() == {task.id for task in running}
    fleet.worker(lease=LONG_LEASE)
    assert [task.get(30) for task in backlog] == [["later"]] * 50
    assert not any(words(fleet, task) for task in backlog)


def test_workers_that_come_and_go_under_load_lose_nothing_and_repeat_nothing(fleet):
    # A claim may be under way when the signal comes: what it brings must run, or go back, as if nothing had been.
    tasks = fleet.submit_many(3000, "echo", "x")
    for _ in range(4):
        worker = fleet.worker(lease=LONG_LEASE, grace=LONG_GRACE, concurrency=8)
        before = fleet.ledger.path.stat().st_size
        until(lambda before=before: fleet.ledger.path.stat().st_size > before, "tasks to run")
        drained(worker)
        assert worker.ended() == 0
    assert fleet.client.queues()["default"], "the backlog was too small to interrupt it"
    fleet.worker(lease=LONG_LEASE, concurrency=50)

    assert [task.get(30) for task in tasks] == [["x"]] * len(tasks)
    assert sorted(entry.id for entry in fleet.ledger.starts()) == sorted(task.id for task in tasks)
    assert not any(words(fleet, task) for task in tasks)


# -- the second signal, and others --------------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 2])
def test_a_second_signal_gives_everything_back_at_once(fleet, processes, record_property):
    draining = fleet.worker(lease=LONG_LEASE, grace=LONG_GRACE, concurrency=TASKS, processes=processes)
    tasks = fleet.submit_many(10, "stubborn") + fleet.submit_many(10, "stubborn_async")
    fleet.wait_for_starts(tasks)
    other = fleet.worker(lease=LONG_LEASE, concurrency=TASKS)
    drained(draining)
    for task in tasks:
        assert task.recv(timeout=20) == "draining"

    told = drained(draining)

    assert draining.ended() == 0
    ended = time.monotonic() - told
    assert [task.get(30) for task in tasks] == [2] * TASKS
    delay = max(entry.at for entry in fleet.ledger.starts(attempt=2)) - told
    record_property("second SIGTERM, all tasks begun elsewhere after", round(delay, 3))
    print(f"second SIGTERM, all tasks begun elsewhere after: {delay:.3f} s, worker ended after {ended:.3f} s")
    assert ended < 10
    assert delay < 10
    assert {entry.pid for entry in fleet.ledger.starts(attempt=2)} == set(other.children())
    assert len(fleet.ledger.starts()) == 2 * TASKS
    assert not fleet.ledger.ends(attempt=1)
    assert all(words(fleet, task) == ["release"] for task in tasks)


def test_ctrl_c_at_a_terminal_drains_too(fleet):
    draining = fleet.worker(lease=LONG_LEASE, grace=LONG_GRACE)
    tasks = fleet.submit_many(5, "handed_over")
    fleet.wait_for_starts(tasks)

    draining.signal_all(signal.SIGINT)  # as a terminal does: to the children as well

    assert draining.ended() == 0
    assert [task.state for task in tasks] == ["queued"] * 5


def test_a_worker_that_has_nothing_to_do_ends_at_once(fleet):
    worker = fleet.worker(lease=LONG_LEASE, grace=LONG_GRACE, processes=2)

    told = drained(worker)

    assert worker.ended() == 0
    assert time.monotonic() - told < 10
    assert fleet.client.workers() == []


def test_a_task_may_give_itself_back(fleet):
    fleet.worker(lease=LONG_LEASE)
    task = fleet.submit("releases")
    fleet.wait_for_starts([task])

    task.send("go")

    assert task.get(30) == 2
    assert words(fleet, task) == ["release"]
    assert [entry.attempt for entry in fleet.ledger.starts()] == [1, 2]
