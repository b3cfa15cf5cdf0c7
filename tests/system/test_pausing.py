"""A paused task outlives its worker, however that ends, and stands still on the next one until it is resumed."""

import signal

import psutil
import pytest

from taskpy.spec import Flag
from tests.system.waiting import until

#: A lease and a grace time that no test waits for.
LONG = 60


def paused(fleet, name):
    """A task that has begun, and stands still."""
    task = fleet.submit(name)
    fleet.wait_for_starts([task])
    assert task.pause(join=True, timeout=20), fleet.logs()
    return task


def assert_it_goes_on(fleet, task, attempt):
    """It stands still in this attempt until it is resumed; then it does what it does."""
    fleet.wait_for_starts([task], attempt=attempt)
    assert task.pause(join=True, timeout=20), fleet.logs()
    assert task.flags == {Flag.PAUSED}
    assert not fleet.ledger.ends()
    task.resume()
    assert task.flags == set()
    assert task.stop(timeout=20) == "succeeded", fleet.logs()
    assert task.result == attempt


@pytest.mark.parametrize("name", ["pausable", "kept"])
def test_it_stays_paused_when_its_child_is_killed(fleet, name):
    first = fleet.worker(lease=LONG)
    task = paused(fleet, name)

    psutil.Process(first.children()[0]).kill()

    assert_it_goes_on(fleet, task, 2)
    assert task.snapshot().lost == 1


def test_it_stays_paused_when_its_whole_worker_is_killed(fleet):
    first = fleet.worker(lease=1.5)
    task = paused(fleet, "kept")

    first.signal_all(signal.SIGKILL)
    fleet.worker(lease=1.5)

    assert_it_goes_on(fleet, task, 2)


def test_a_drain_hands_a_paused_task_over_at_once(fleet):
    draining = fleet.worker(lease=LONG, grace=LONG)
    task = paused(fleet, "pausable")

    draining.signal(signal.SIGTERM)

    assert draining.ended() == 0
    assert (task.state, task.flags) == ("queued", {Flag.PAUSING})
    fleet.worker(lease=LONG)
    assert_it_goes_on(fleet, task, 2)
    assert task.snapshot().lost == 0


def test_a_paused_task_that_is_not_handed_over_gets_the_grace_time(fleet):
    draining = fleet.worker(lease=LONG, grace=1)
    task = paused(fleet, "kept")

    draining.signal(signal.SIGTERM)

    assert draining.ended() == 0
    assert (task.state, task.flags) == ("queued", {Flag.PAUSING})
    fleet.worker(lease=LONG)
    assert_it_goes_on(fleet, task, 2)


def test_in_the_grace_time_it_can_be_resumed(fleet):
    draining = fleet.worker(lease=LONG, grace=LONG)
    task = paused(fleet, "kept")
    draining.signal(signal.SIGTERM)
    until(lambda: draining.lines("draining"), fleet.logs)

    task.resume()
    assert task.stop(timeout=20) == "succeeded"
    assert task.result == 1
    assert draining.ended() == 0


def test_a_stop_while_its_worker_is_frozen_ends_a_paused_task(fleet):
    first = fleet.worker(lease=LONG)
    task = paused(fleet, "kept")
    first.signal_all(signal.SIGSTOP)
    try:
        task.stop(join=False)
    finally:
        first.signal_all(signal.SIGCONT)
    assert task.wait(20)


def test_it_stays_paused_while_the_server_is_killed_and_started_again(own_fleet):
    own_fleet.worker(lease=LONG)
    task = paused(own_fleet, "kept")

    own_fleet.server.kill()
    own_fleet.server.start()

    until(lambda: task.flags == {Flag.PAUSED}, own_fleet.logs)
    task.resume()
    assert task.stop(timeout=20) == "succeeded"
    assert task.result == 1
