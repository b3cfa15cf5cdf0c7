"""The guardian, tick by tick: parents wait for their children without a slot, and take them along where they are to."""

import threading

import pytest

from taskpy import ops, task
from tests.worker import functions
from tests.worker.conftest import settle
from tests.worker.waiting import until

LONG = 30.0


@task(name="guarded.child")
def child(t):
    functions.BEGUN.append((t.id, t.attempt))
    functions.GATE.wait(LONG)
    return str(t.stop_reason)


@task(name="guarded.parent")
def parent(t, ending=None):
    t.spawn(child)
    functions.BEGUN.append((t.id, t.attempt))
    if ending == "fails":
        raise ValueError
    if ending == "again":
        t.release()
    return "mine"


@task(name="guarded.again", retries=1, backoff=0)
def again(t):
    if t.attempt == 1:
        t.spawn(child)
        raise ValueError
    functions.BEGUN.append((t.id, t.attempt))
    return "mine"


def begun(rig, worker, name, *args, **options):
    """A task whose function has begun and, mostly, ended: its guardian has it."""
    made = rig.submit(name, *args, **options)
    worker.claimer.tick(LONG)
    until(lambda: any(id == made.id for id, _ in functions.BEGUN), "the function to begin")
    return made


def awaited(worker, count=1):
    """Turn the guardian until it waits for so many."""
    guardian = worker.executor.guardian
    until(lambda: guardian.waiting == count, "the guardian to have them")
    guardian.tick()
    return guardian


def hear_of_it(worker):
    """Turn the guardian until it has heard that the children have ended; then the end of the parent is told."""

    def heard():
        worker.executor.guardian.tick()
        return worker.settler.pending

    until(heard, "the guardian to hear of it")
    settle(worker)


def run_children(worker, *made):
    worker.claimer.tick(LONG)
    until(lambda: {one.id for one in made} <= {id for id, _ in functions.BEGUN}, "the children to begin")


def test_a_parent_waits_for_its_children_without_a_slot(rig):
    worker = rig.worker(concurrency=1)
    made = begun(rig, worker, "guarded.parent")
    guardian = awaited(worker)
    assert worker.settler.pending == 0
    assert (made.state, worker.executor.room, worker.executor.free) == ("running", 1, 1)
    [one] = made.children()
    run_children(worker, one)

    functions.GATE.set()
    settle(worker)  # the child
    hear_of_it(worker)
    assert (made.result, one.result) == ("mine", "None")
    assert worker.executor.held() == rig.held() == {}
    assert guardian.tick() is None


def test_a_word_that_was_lost_is_made_up_for_later(rig, monkeypatch):
    worker = rig.worker()
    made = begun(rig, worker, "guarded.parent")
    guardian = awaited(worker)
    [one] = made.children()
    monkeypatch.setattr(guardian, "_ended", type(guardian._ended)())  # nobody reads what is said from here on
    one.stop(join=False)  # in its queue
    monkeypatch.undo()
    until(lambda: not guardian._ended.qsize() or guardian._ended.get_nowait(), "what was heard to be forgotten")
    guardian._net = type(guardian._net)(0)

    guardian.tick()
    settle(worker)
    assert made.state == "succeeded"


def test_the_children_of_one_that_failed_are_asked_first(rig):
    worker = rig.worker()
    made = begun(rig, worker, "guarded.parent", "fails")
    awaited(worker)
    [one] = made.children()

    assert one.state == "stopped"
    assert one.stop_reason == "its parent has ended"
    hear_of_it(worker)
    assert made.state == "failed"


def test_a_stop_of_one_that_waits_goes_on_to_its_children(rig):
    worker = rig.worker()
    made = begun(rig, worker, "guarded.parent")
    guardian = awaited(worker)
    made.stop(join=False)
    worker.heartbeater.tick()
    guardian.tick()

    assert made.children()[0].stop_reason == "its parent has ended"
    hear_of_it(worker)
    assert made.result == "mine"


def test_force_ends_the_waiting(rig):
    worker = rig.worker()
    made = begun(rig, worker, "guarded.parent")
    guardian = awaited(worker)
    [one] = made.children()
    run_children(worker, one)
    [attempt] = [attempt for attempt in worker.executor.running() if attempt.id == made.id]

    worker.executor.enforcer.abandon(attempt)
    assert worker.executor.enforcer.abandoned == 0
    settle(worker)
    assert made.state == "stopped"
    assert made.snapshot().note == "its children had not ended"
    guardian.tick()
    assert one.stop_reason == "its parent has ended"
    assert guardian.waiting == 0


def test_a_parent_that_was_taken_over_is_let_go(rig):
    worker = rig.worker()
    made = begun(rig, worker, "guarded.parent")
    guardian = awaited(worker)
    rig.run(ops.lose(rig.keys, wid="w1", lease=15.0, sure=True))
    rig.run(ops.recover(rig.keys, id=made.id, queue="default", wid="w1"))
    worker.heartbeater.tick()

    guardian.tick()
    settle(worker)
    assert guardian.waiting == 0
    assert made.state == "queued"
    assert made.children()[0].stop_reason is None


def test_who_is_tried_again_does_not_wait_and_then_waits_for_all(rig):
    worker = rig.worker()
    made = rig.submit("guarded.again")
    worker.claimer.tick(LONG)
    settle(worker)
    assert made.state == "queued"
    run_children(worker, made)  # and the child
    awaited(worker)
    [one] = made.children()
    assert made.state == "running"

    functions.GATE.set()
    until(lambda: worker.settler.tick(0.01) and one.done, "the child to end")
    hear_of_it(worker)
    assert made.get(1) == "mine"


@task(name="guarded.late")
def late(t):
    """Leaves a thread behind that spawns another child."""
    t.spawn(child)

    def spawn_another():
        functions.GATE.wait(LONG)
        t.spawn(child)
        functions.ANSWERED.set()

    threading.Thread(target=spawn_another).start()
    functions.BEGUN.append((t.id, t.attempt))
    return "mine"


def test_a_child_is_waited_for_that_was_spawned_when_the_function_had_returned(rig):
    worker = rig.worker()
    made = begun(rig, worker, "guarded.late")
    guardian = awaited(worker)
    functions.GATE.set()
    assert functions.ANSWERED.wait(LONG)
    first, second = made.children()
    first.stop(join=False)  # both in their queue

    until(lambda: guardian.tick() is not None and not {first.id} & guardian._awaited.keys(), "the first to have ended")
    guardian.tick()
    assert (worker.settler.pending, made.state) == (0, "running")
    second.stop(join=False)
    hear_of_it(worker)
    assert made.result == "mine"


@pytest.mark.parametrize(("children", "asked"), [("stop", "its parent has ended"), ("leave", None)])
def test_who_does_not_wait_ends_at_once(rig, children, asked):
    worker = rig.worker()
    made = begun(rig, worker, "guarded.parent", children=children)
    settle(worker)
    assert made.state == "succeeded"

    worker.executor.guardian.tick()
    assert made.children()[0].stop_reason == asked
    assert rig.raw.zcard(rig.keys.felling()) == 0


def test_the_sweep_stops_the_children_of_one_whose_worker_died_at_its_end(rig):
    worker = rig.worker()
    made = begun(rig, worker, "guarded.parent", children="stop")
    settle(worker)  # and nobody turns its guardian
    other = rig.worker("w2")
    other.promoter.tick()
    assert made.children()[0].stop_reason is None

    rig.raw.zadd(rig.keys.felling(), {made.id: 1}, xx=True)
    other.promoter.tick()
    assert made.children()[0].stop_reason == "its parent has ended"
    assert rig.raw.zcard(rig.keys.felling()) == 0


def test_without_children_nothing_is_asked(rig):
    worker = rig.worker()
    made = rig.submit("returns", 1)
    worker.claimer.tick(LONG)
    settle(worker)
    assert made.result == 1
    assert worker.executor.guardian.nudge.count == 0
