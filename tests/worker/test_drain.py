"""A worker that ends: what can go goes at once, what can finish finishes, the rest is given back, each exactly once."""

import threading

import pytest

from tests.worker import functions
from tests.worker.waiting import until

LONG = 30.0


@pytest.fixture
def settling():
    """Keeps settlers at work, as their threads do in a real worker."""
    over = threading.Event()
    threads = []

    def keep(worker):
        def turn():
            while not over.is_set():
                worker.settler.tick(0.05)

        thread = threading.Thread(target=turn, daemon=True)
        thread.start()
        threads.append(thread)

    yield keep
    over.set()
    for thread in threads:
        thread.join(10)


def begun(rig, worker, *names):
    """Tasks that run on the worker."""
    tasks = [rig.submit(name) for name in names]
    worker.claimer.tick(LONG)
    until(lambda: len(functions.BEGUN) == len(names), "the tasks to begin")
    return tasks


def draining(worker, grace):
    """Drain in a thread; the answer tells whether it came to its end."""
    thread = threading.Thread(target=worker.drain, args=(grace,), daemon=True)
    thread.start()

    def ended(seconds=10):
        thread.join(seconds)
        return not thread.is_alive()

    return ended


def test_a_drain_hands_over_and_waits_for_the_rest(rig, settling):
    worker = rig.worker()
    settling(worker)
    handed_over, finishing = begun(rig, worker, "hands_over", "waits")

    ended = draining(worker, LONG)
    until(lambda: handed_over.state == "queued", "the task to be handed over")
    assert not ended(0.05)
    assert finishing.state == "running"
    functions.GATE.set()

    assert ended()
    assert finishing.result == "waited"
    assert rig.events(handed_over) == ["release"]
    assert rig.look(handed_over).lost == 0
    assert rig.held() == {}


def test_what_outlasts_the_grace_time_is_given_back_as_it_is(rig, settling):
    worker = rig.worker()
    settling(worker)
    tasks = begun(rig, worker, "waits", "listens", "listens_async")

    assert draining(worker, 0.05)()

    assert [task.state for task in tasks] == ["queued"] * 3
    assert [rig.look(task).attempt for task in tasks] == [1] * 3
    assert [rig.events(task) for task in tasks] == [["release"]] * 3
    assert rig.held() == {}
    functions.GATE.set()  # the end of the one that went on comes too late
    until(lambda: not worker.settler.pending, "late words to be told")
    assert tasks[0].state == "queued"


def test_a_stop_during_the_drain_is_honoured(rig, settling):
    worker = rig.worker()
    settling(worker)
    worker.listener.start()
    [task] = begun(rig, worker, "listens")
    ended = draining(worker, LONG)

    task.send("last")
    assert task.stop(timeout=10) == "succeeded"

    assert task.result == ["last"]
    assert ended()


def test_a_handed_over_task_that_was_stopped_is_stopped(rig, settling):
    worker = rig.worker()
    settling(worker)
    worker.listener.start()
    [task] = begun(rig, worker, "hands_over")
    task.stop(timeout=10)

    assert draining(worker, LONG)()

    assert task.state == "succeeded"  # it returned, as it was asked to


def test_giving_everything_back_includes_what_has_not_begun(rig, settling, monkeypatch):
    worker = rig.worker()
    settling(worker)
    monkeypatch.setattr(worker.executor, "execute", lambda started, here: None)
    task = rig.submit("returns")
    worker.claimer.tick(LONG)

    worker.give_back_all()

    assert (task.state, rig.look(task).attempt) == ("queued", 0)
    assert rig.held() == {}


def test_a_worker_with_nothing_ends_at_once(rig):
    worker = rig.worker()

    assert draining(worker, LONG)()
