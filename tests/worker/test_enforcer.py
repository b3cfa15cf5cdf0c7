"""The enforcer, tick by tick: `Stopped` is raised in who does not end, and who does not care is given up and fenced."""

import asyncio
import threading
import types

import pytest
from taskpy_worker import enforcer
from taskpy_worker.enforcer import ABANDONED_LIMIT

from taskpy import errors, ladder, ops, task
from taskpy.ladder import UNWIND_SECONDS
from taskpy.spec import State
from tests.worker import functions
from tests.worker.conftest import settle
from tests.worker.waiting import until

LONG = 30.0
#: What the functions below had to say.
SAID = []


@task(name="enforced.computes")
def computes(t):
    """Look at nothing until the gate opens."""
    functions.BEGUN.append((t.id, t.attempt))
    while not functions.GATE.is_set():
        pass
    return "computed"


@task(name="enforced.stubborn")
def stubborn(t):
    """Go on whatever is raised, and say something at the end."""
    functions.BEGUN.append((t.id, t.attempt))
    while not functions.GATE.is_set():
        try:
            while not functions.GATE.wait(0.001):
                pass
        except errors.Stopped:
            SAID.append("caught")
    try:
        t.send("late")
    except errors.LeaseLost:
        SAID.append("fenced")
        raise
    return "too late"


@task(name="enforced.waits")
async def waits(t):
    functions.BEGUN.append((t.id, t.attempt))
    await asyncio.sleep(3600)


@task(name="enforced.fails", retries=5, backoff=0)
def fails_once(t):
    functions.BEGUN.append((t.id, t.attempt))
    if t.attempt == 1:
        raise ValueError
    functions.GATE.wait(LONG)


class Clock:
    """The time of the ladder, which passes when the test says so."""

    def __init__(self):
        self.now = 1000.0


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    for module in (ladder, enforcer):
        monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: made.now))
    SAID.clear()
    return made


@pytest.fixture
def worker(rig, clock):
    return rig.worker()


def begun(rig, worker, name, **options):
    """A task whose function runs on the worker."""
    made = rig.submit(name, **options)
    worker.claimer.tick(LONG)
    until(lambda: any(id == made.id for id, _ in functions.BEGUN), "the function to begin")
    return made


def stop(worker, *tasks, **given):
    """Ask the tasks to stop; the worker hears of it."""
    for one in tasks:
        one.stop(join=False, **given)
    worker.heartbeater.tick()


def passes(worker, clock, seconds):
    """Let the time pass, and tick; seconds until something is due again."""
    clock.now += seconds
    return worker.executor.enforcer.tick()


def standing(rig, made):
    return rig.run(ops.status(rig.keys, id=made.id))


# -- raising ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["enforced.computes", "enforced.waits"])
def test_it_is_raised_in_who_does_not_look(rig, worker, clock, name):
    made = begun(rig, worker, name)
    stop(worker, made, then="raise", grace=10.0)

    assert passes(worker, clock, 9.0) == pytest.approx(1.0, abs=0.9)
    assert worker.settler.pending == 0
    assert passes(worker, clock, 1.0) is None
    settle(worker)

    assert (made.state, standing(rig, made).data) == (State.STOPPED, b"")
    assert worker.executor.held() == rig.held() == {}


@pytest.mark.parametrize("name", ["enforced.computes", "enforced.waits"])
def test_a_stop_that_is_only_asked_for_raises_nothing(rig, worker, clock, name):
    made = begun(rig, worker, name)
    stop(worker, made)

    assert passes(worker, clock, 3600.0) is None

    assert worker.settler.pending == 0
    assert made.state == "running"


def test_who_ends_in_time_meets_nothing(rig, worker, clock):
    for _ in range(3):  # so that there are others, and it is not worth while to clear up after one
        begun(rig, worker, "enforced.stubborn", time_limit=600)
    made = begun(rig, worker, "listens")
    stop(worker, made, then="kill", grace=10.0)
    settle(worker)

    assert passes(worker, clock, 20.0) == pytest.approx(580.0)

    assert made.state == "succeeded"
    assert worker.executor.enforcer.abandoned == 0


def test_each_heartbeat_tells_it_again_and_it_is_raised_once(rig, worker, clock):
    made = begun(rig, worker, "enforced.stubborn")
    stop(worker, made, then="raise", grace=0.0)
    for _ in range(5):
        worker.heartbeater.tick()
        passes(worker, clock, 5.0)

    until(lambda: SAID == ["caught"], "it to be caught")
    functions.GATE.set()
    settle(worker)

    assert SAID == ["caught"]
    assert made.result == "too late"


def test_asked_again_it_becomes_stricter(rig, worker, clock):
    made = begun(rig, worker, "enforced.stubborn")
    stop(worker, made, then="raise", grace=600.0)
    stop(worker, made, then="kill", grace=10.0)

    assert passes(worker, clock, 10.0) == pytest.approx(UNWIND_SECONDS, abs=0.9)
    until(lambda: SAID == ["caught"], "it to be caught")
    passes(worker, clock, UNWIND_SECONDS)
    settle(worker)

    assert made.state == "stopped"


def test_a_stop_that_came_before_the_function_began_counts_from_then(rig, worker, clock):
    made = rig.submit("enforced.computes")
    worker.claimer.number += 1
    number = worker.claimer.number
    [id] = rig.run(ops.claim(rig.keys, wid="w1", number=number, count=1, queues=["default"]))
    worker.executor.hold([id], ops.token_of("w1", number))
    [started] = rig.run(ops.start(rig.keys, wid="w1", number=number, ids=[id]))
    worker.listener.start()
    made.stop(join=False, then="raise", grace=10.0)
    until(lambda: id in worker.executor._early, "the news to come")

    worker.executor.execute([started])
    until(lambda: functions.BEGUN, "the function to begin")
    assert passes(worker, clock, 5.0) is not None
    passes(worker, clock, 5.0)
    settle(worker)

    assert made.state == "stopped"


def test_a_stop_in_the_row_of_the_start_counts_too(rig, worker, clock):
    made = rig.submit("enforced.computes")
    worker.claimer.number += 1
    number = worker.claimer.number
    rig.run(ops.claim(rig.keys, wid="w1", number=number, count=1, queues=["default"]))
    worker.executor.hold([made.id], ops.token_of("w1", number))
    start = ops.start(rig.keys, wid="w1", number=number, ids=[made.id])
    rig.run(start)  # its answer is lost
    made.stop(join=False, then="raise", grace=10.0)
    [started] = rig.run(start)

    worker.executor.execute([started])
    until(lambda: functions.BEGUN, "the function to begin")
    passes(worker, clock, 10.0)
    settle(worker)

    assert made.state == "stopped"


# -- giving up ----------------------------------------------------------------------------------


def test_who_does_not_care_is_called_stopped_and_fenced(rig, worker, clock, caplog):
    made = begun(rig, worker, "enforced.stubborn")
    attempt = worker.executor.find(made.id)
    stop(worker, made, then="kill", grace=10.0)

    passes(worker, clock, 10.0)
    until(lambda: SAID == ["caught"], "it to be caught")
    assert worker.settler.pending == 0
    passes(worker, clock, UNWIND_SECONDS)
    settle(worker)

    found = standing(rig, made)
    assert (found.state, found.data) == (State.STOPPED, b"its function did not end, and still runs in worker w1")
    assert worker.executor.held() == rig.held() == {}
    assert worker.executor.free == 10
    assert attempt.mailbox.lost
    assert worker.executor.enforcer.abandoned == 1
    assert f"the function goes on, and its task is called stopped: task={made.id}" in caplog.text

    functions.GATE.set()
    settle(worker)  # its function has ended after all
    assert SAID[-1] == "fenced"
    assert standing(rig, made) == found
    with pytest.raises(errors.TaskEnded):
        made.recv(timeout=0)
    assert worker.executor.held() == rig.held() == {}


def test_who_ends_when_it_is_raised_is_not_given_up(rig, worker, clock):
    made = begun(rig, worker, "enforced.computes")
    stop(worker, made, then="kill", grace=10.0)
    passes(worker, clock, 10.0)
    settle(worker)

    assert passes(worker, clock, UNWIND_SECONDS) is None

    assert worker.executor.enforcer.abandoned == 0
    assert standing(rig, made).data == b""


def test_the_end_of_a_function_comes_before_giving_up_when_it_was_first(rig, worker, clock):
    """It has ended, and Redis does not know yet."""
    made = begun(rig, worker, "enforced.stubborn")
    stop(worker, made, then="kill", grace=0.0)
    functions.GATE.set()
    until(lambda: worker.settler.pending == 1, "the function to end")

    passes(worker, clock, UNWIND_SECONDS)
    settle(worker)

    assert made.result == "too late"


def test_one_attempt_is_not_taken_for_the_next(rig, worker, clock):
    made = rig.submit("enforced.fails", time_limit=5)
    worker.claimer.tick(LONG)
    settle(worker)
    clock.now += 3
    worker.claimer.tick(LONG)
    until(lambda: (made.id, 2) in functions.BEGUN, "the second attempt")

    assert passes(worker, clock, 2.0) == pytest.approx(3.0)
    assert standing(rig, made).stop is None
    passes(worker, clock, 3.0)
    until(lambda: standing(rig, made).stop == "time limit of 5 s", "the stop in Redis")


def test_of_what_has_ended_nothing_is_kept(rig, worker, clock):
    for _ in range(5):
        rig.submit("returns", time_limit=60)
    rig.submit("enforced.fails", time_limit=60)
    worker.claimer.tick(LONG)
    settle(worker, 6)

    assert worker.executor.enforcer._climbed == {}
    assert passes(worker, clock, 0.0) is None


def test_who_has_given_up_too_many_takes_no_more_tasks(rig, worker, clock):
    made = [begun(rig, worker, "enforced.stubborn") for _ in range(ABANDONED_LIMIT + 1)]
    stop(worker, *made[:-1], then="kill", grace=0.0)
    passes(worker, clock, UNWIND_SECONDS)
    assert not worker.executor.enforcer.spent
    stop(worker, made[-1], then="kill", grace=0.0)
    clock.now += UNWIND_SECONDS

    turn = threading.Thread(target=worker._enforce, daemon=True)
    turn.start()
    until(worker.claimer.finished.is_set, "it to take no more")
    worker.executor.enforcer.ladder.nudge.give()
    turn.join(10)
    settle(worker, ABANDONED_LIMIT + 1)

    assert worker.executor.enforcer.spent
    assert [one.state for one in made] == ["stopped"] * len(made)
    waiting = rig.submit("returns")
    worker.claimer.tick(0.01)
    assert waiting.state == "queued"


# -- time limits --------------------------------------------------------------------------------


def test_a_time_limit_is_a_stop_that_everybody_knows_of(rig, worker, clock):
    made = begun(rig, worker, "enforced.stubborn", time_limit=5)

    assert passes(worker, clock, 0.0) == pytest.approx(5.0)
    passes(worker, clock, 4.9)
    assert standing(rig, made).stop is None
    passes(worker, clock, 0.1)

    found = until(lambda: (known := standing(rig, made)).stop is not None and known, "the stop in Redis")
    assert (found.state, found.stop, found.stop.by) == (State.RUNNING, "time limit of 5 s", "w1")
    assert rig.raw.hget(rig.keys.task(made.id), "then") == b"kill"
    assert rig.events(made) == ["stop"]
    worker.heartbeater.tick()
    assert worker.executor.find(made.id).mailbox.wish.reason == "time limit of 5 s"
    passes(worker, clock, 10.0)
    until(lambda: SAID == ["caught"], "it to be caught")
    passes(worker, clock, UNWIND_SECONDS)
    settle(worker)
    assert made.state == "stopped"


def test_the_nudge_of_a_time_limit_comes_back_by_itself(rig, worker, clock):
    worker.listener.start()
    made = begun(rig, worker, "listens", time_limit=5)

    passes(worker, clock, 5.0)
    settle(worker)

    assert made.result == []


def test_who_has_ended_meets_no_time_limit(rig, worker, clock):
    made = begun(rig, worker, "returns", time_limit=5)
    settle(worker)

    assert passes(worker, clock, 10.0) is None

    assert standing(rig, made).stop is None


def test_a_time_limit_that_redis_did_not_hear_of_is_told_again(rig, worker, clock, monkeypatch):
    made = begun(rig, worker, "enforced.stubborn", time_limit=5)
    broker = worker.executor._space.broker

    def silent(op):
        raise errors.Unreachable

    asked = []
    with monkeypatch.context() as outage:
        outage.setattr(broker, "run", lambda op: asked.append(op) or silent(op))
        passes(worker, clock, 5.0)
        until(lambda: asked, "Redis to be asked")
        until(lambda: worker.executor.enforcer.tick() is not None, "another try")
    passes(worker, clock, enforcer.RETRY_SECONDS)

    until(lambda: standing(rig, made).stop == "time limit of 5 s", "Redis to hear of it")


def test_an_outage_at_a_time_limit_does_not_hold_up_the_stops_of_others(rig, worker, clock, monkeypatch):
    limited = begun(rig, worker, "enforced.stubborn", time_limit=5)
    other = begun(rig, worker, "enforced.computes")
    stop(worker, other, then="raise", grace=5.0)
    run, asked, back = worker.executor._space.broker.run, threading.Event(), threading.Event()

    def waits_for_redis(op):
        if op.verb == "stop":
            asked.set()
            assert back.wait(LONG)
        return run(op)

    monkeypatch.setattr(worker.executor._space.broker, "run", waits_for_redis)
    passes(worker, clock, 5.0)
    assert asked.wait(LONG)
    settle(worker)

    assert other.state == "stopped"
    assert standing(rig, limited).stop is None
    back.set()
    until(lambda: standing(rig, limited).stop == "time limit of 5 s", "the stop in Redis")


def test_a_time_limit_of_an_attempt_that_was_taken_over_stops_nobody(rig, worker, clock, monkeypatch):
    """The task runs elsewhere, and has all of its time there."""
    monkeypatch.setattr(worker.executor.enforcer, "_later", lambda step: step())  # or it would be looked at too early
    made = begun(rig, worker, "enforced.stubborn", time_limit=5)
    rig.raw.hset(rig.keys.task(made.id), "tok", "other.1")
    worker.heartbeater.tick()
    assert worker.executor.find(made.id).mailbox.lost

    passes(worker, clock, 5.0)

    assert (standing(rig, made).state, standing(rig, made).stop) == (State.RUNNING, None)
