"""What is due: delayed tasks, and the tasks of workers that were lost. Any worker does it for all."""

import functools

import pytest

from taskpy import errors, ops
from tests.worker import functions
from tests.worker.conftest import LEASE, settle
from tests.worker.waiting import until

LONG = 30.0


def in_hand_of(rig, wid, **options):
    """A task that runs on a worker of which nothing is heard any more."""
    worker = rig.worker(wid)
    task = rig.submit("listens", **options)
    worker.claimer.tick(LONG)
    return worker, task


# -- delayed tasks ------------------------------------------------------------------------------


def test_a_delayed_task_is_promoted_when_it_is_due(rig):
    worker = rig.worker()
    task = rig.submit("returns", delay=100)
    worker.promoter.tick()
    assert rig.client.queues() == {"default": 0}

    rig.raw.zadd(rig.keys.later(), {task.id: 1})
    worker.promoter.tick()
    worker.claimer.tick(LONG)
    settle(worker)

    assert task.state == "succeeded"
    assert [(task.id, 1)] == functions.BEGUN


def test_it_says_when_the_next_one_is_due(rig):
    worker = rig.worker()
    assert worker.promoter.tick() is None

    rig.submit("returns", delay=100)
    rig.submit("returns", delay=50)

    assert worker.promoter.tick() == pytest.approx(50, abs=1)


def test_a_real_delay_passes(rig):
    worker = rig.worker()
    task = rig.submit("returns", delay=0.05)

    until(lambda: worker.promoter.tick() is None, "the delayed task to be promoted")
    worker.claimer.tick(LONG)
    settle(worker)

    assert task.state == "succeeded"


def test_more_than_one_batch_is_promoted_without_a_pause(rig):
    worker = rig.worker()
    tasks = rig.client.options(delay=100).of("returns").submit_many([((), {})] * 150)
    rig.raw.zadd(rig.keys.later(), {task.id: 1 for task in tasks})

    assert worker.promoter.tick() == 0.0
    worker.promoter.tick()

    assert rig.client.queues() == {"default": 150}


def test_a_delayed_task_that_was_stopped_is_not_promoted(rig):
    worker = rig.worker()
    task = rig.submit("returns", delay=100)
    task.stop()
    rig.raw.zadd(rig.keys.later(), {task.id: 1})

    worker.promoter.tick()

    assert rig.client.queues() == {"default": 0}


def test_what_is_delayed_and_no_task_any_more_is_dropped(rig):
    worker = rig.worker()
    rig.raw.zadd(rig.keys.later(), {"gone": 1})

    worker.promoter.tick()

    assert rig.raw.zcard(rig.keys.later()) == 0


# -- workers that were lost ---------------------------------------------------------------------


def test_the_tasks_of_a_silent_worker_are_given_back(rig):
    _, task = in_hand_of(rig, "silent")
    worker = rig.worker("w2")
    worker.promoter.tick()
    rig.fall_silent("silent")

    worker.promoter.tick()

    assert task.state == "queued"
    assert rig.held("silent") == {}
    assert rig.look(task).lost == 1
    assert rig.events(task) == ["recover"]
    assert [one.wid for one in rig.client.workers()] == ["w2"]
    worker.claimer.tick(LONG)
    assert rig.look(task).attempt == 2


def test_the_silent_worker_learns_of_it_and_its_task_is_fenced(rig):
    silent, task = in_hand_of(rig, "silent")
    until(lambda: functions.BEGUN, "the task to begin")
    worker = rig.worker("w2")
    rig.fall_silent("silent")
    worker.promoter.tick()
    worker.claimer.tick(LONG)

    silent.heartbeater.tick()
    settle(silent)

    assert silent.lost
    assert silent.executor.held() == {}
    assert task.state == "running"
    assert rig.look(task).worker == "w2"


def test_a_worker_whose_lease_is_not_over_is_left_alone(rig):
    _, task = in_hand_of(rig, "busy")
    worker = rig.worker("w2")

    worker.promoter.tick()

    assert worker.promoter._recoverer.recover("busy", sure=False) == 0
    assert task.state == "running"


@pytest.mark.parametrize("away", [2.0, 0.9, 0.7])  # in leases; one that is a third old ends in the shortest of them
def test_nobody_is_lost_for_an_outage(rig, away):
    _, task = in_hand_of(rig, "w1")
    worker = rig.worker("w2")
    worker.promoter.tick()
    rig.raw.hincrby(rig.keys.meta(), "swept", int(-away * LEASE * 1000))
    rig.fall_silent("w1")

    worker.promoter.tick()
    worker.promoter.tick()

    assert task.state == "running"


def test_a_sweep_that_is_a_little_late_is_no_outage(rig):
    _, task = in_hand_of(rig, "silent")
    worker = rig.worker("w2")
    worker.promoter.tick()
    rig.raw.hincrby(rig.keys.meta(), "swept", int(-0.4 * LEASE * 1000))  # there is one in each third of a lease
    rig.fall_silent("silent")

    worker.promoter.tick()

    assert task.state == "queued"


def test_a_death_that_was_seen_does_not_wait_for_the_lease(rig):
    _, task = in_hand_of(rig, "w1")
    worker = rig.worker("w2")

    assert worker.promoter._recoverer.recover("w1", sure=True) == 1
    assert worker.promoter._recoverer.recover("w1", sure=True) == 0

    assert task.state == "queued"


def test_a_stop_is_not_lost_with_the_worker(rig):
    _, task = in_hand_of(rig, "silent")
    task.stop(join=False)
    rig.fall_silent("silent")

    rig.worker("w2").promoter.tick()

    assert task.state == "stopped"


def test_a_task_is_not_started_again_for_ever(rig):
    _, task = in_hand_of(rig, "silent-0", restarts=1)
    for number in (1, 2):
        worker = rig.worker(f"silent-{number}")
        rig.fall_silent(f"silent-{number - 1}")
        worker.promoter.tick()
        worker.claimer.tick(0.01)

    assert task.state == "failed"
    assert isinstance(task.exception, errors.WorkerLost)


def test_a_suspect_waits_longer_each_time(rig):
    _, task = in_hand_of(rig, "silent-0", restarts=5)
    worker = rig.worker("w2")
    worker.promoter._recoverer.recover("silent-0", sure=True)
    assert rig.client.queues() == {"default": 1}  # the first time it may have been bad luck
    worker.claimer.tick(LONG)

    rig.worker("w3").promoter._recoverer.recover("w2", sure=True)

    assert task.state == "queued"
    due = rig.raw.zscore(rig.keys.later(), task.id) / 1000
    assert due == pytest.approx(rig.raw.time()[0] + 4, abs=2)


def test_a_recovery_that_was_cut_short_is_finished_by_another(rig):
    _, task = in_hand_of(rig, "silent")
    rig.run(ops.lose(rig.keys, wid="silent", lease=LEASE, sure=True))  # and here the recoverer dies

    rig.worker("w2").promoter.tick()

    assert task.state == "queued"


def test_dead_letters_that_are_too_many_are_forgotten(rig, monkeypatch):
    worker = rig.worker()
    for _ in range(5):
        rig.submit("fails", retries=0)
    worker.claimer.tick(LONG)
    settle(worker, 5)
    monkeypatch.setattr(ops, "due", functools.partial(ops.due, dead_count=3))

    while worker.promoter.tick() == 0.0:
        pass

    assert rig.raw.zcard(rig.keys.dead()) == 3
