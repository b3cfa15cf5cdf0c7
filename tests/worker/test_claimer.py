"""The claimer takes what there are slots for, and nothing when it should not."""

import threading
import time

import pytest
from taskpy_worker import pace
from taskpy_worker.claimer import Claimer
from taskpy_worker.config import WorkerConfig
from taskpy_worker.pace import STALE_SECONDS, Pace

from taskpy import errors, ops
from tests.worker import functions
from tests.worker.conftest import settle, trips_of
from tests.worker.waiting import until

#: A block time that no test waits for.
LONG = 30.0


def in_a_thread(step):
    """Run a step beside the test; the answer waits for its end."""
    thread = threading.Thread(target=step, daemon=True)
    thread.start()

    def joined(seconds=10):
        thread.join(seconds)
        return not thread.is_alive()

    return joined


def claims_of(worker, monkeypatch):
    """How many ids each claim of this worker brings, from now on."""
    brought, take_over = [], worker.claimer._take_over
    monkeypatch.setattr(
        worker.claimer, "_take_over", lambda ids, count: brought.append(len(ids)) or take_over(ids, count)
    )
    return brought


def test_it_claims_no_more_than_there_are_free_slots(rig):
    worker = rig.worker(concurrency=3)
    for _ in range(5):
        rig.submit("waits")

    for _ in range(3):
        worker.claimer.tick(0.01)

    assert len(rig.held()) == 3
    assert worker.executor.free == 0
    assert rig.client.queues() == {"default": 2}


def test_one_that_is_turned_by_hand_has_started_what_it_claimed(rig, monkeypatch):
    monkeypatch.setattr(pace, "AHEAD_SECONDS", 1000.0)
    worker = rig.worker(concurrency=3)
    claimer = Claimer(WorkerConfig(concurrency=3), worker.space, "w1", worker.executor, worker.settler, ahead=False)
    claimer.number = worker.claimer.number
    for _ in range(2):  # the second time it knows how quick the first ones were
        for _ in range(3):
            rig.submit("returns")
        claimer.tick(LONG)
        settle(worker, 3)
    for _ in range(8):
        rig.submit("waits")

    claimer.tick(LONG)

    assert len(rig.held()) == 3
    until(lambda: len(functions.BEGUN) == 9, "all that was claimed to begin")
    assert rig.client.queues() == {"default": 5}


def test_a_slot_that_is_free_again_is_filled(rig):
    worker = rig.worker(concurrency=1)
    rig.submit("returns")
    rig.submit("returns")
    worker.claimer.tick(LONG)
    settle(worker)

    worker.claimer.tick(LONG)
    settle(worker)

    assert len(functions.BEGUN) == 2


def test_without_a_free_slot_it_waits_for_one_and_asks_redis_nothing(rig, monkeypatch):
    worker = rig.worker(concurrency=1)
    rig.submit("waits")
    worker.claimer.tick(LONG)
    rig.submit("waits")
    monkeypatch.setattr(worker.claimer, "_space", None)  # whoever asks fails

    assert worker.claimer.tick(0.01) == 0.0


def test_a_freed_slot_wakes_it(rig):
    worker = rig.worker(concurrency=1)
    rig.submit("waits")
    worker.claimer.tick(LONG)
    second = rig.submit("returns")
    claimed = in_a_thread(lambda: worker.claimer.tick(LONG))

    functions.GATE.set()
    settle(worker)

    assert claimed()
    settle(worker)
    assert second.result is None
    assert second.state == "succeeded"


def test_it_takes_at_most_one_batch_at_once_so_that_others_get_some(rig, monkeypatch):
    worker = rig.worker(concurrency=100)
    for _ in range(40):
        rig.submit("waits")

    claims = claims_of(worker, monkeypatch)

    worker.claimer.tick(LONG)

    assert claims == [16, 16, 8]
    assert len(rig.held()) == 40


def test_after_a_full_batch_it_does_not_wait_for_a_bell(rig):
    worker = rig.worker(concurrency=100)
    for _ in range(20):
        rig.submit("waits")
    worker.claimer.tick(LONG)
    rig.raw.delete(rig.keys.bell("default"))

    began = time.monotonic()
    worker.claimer.tick(LONG)

    assert len(rig.held()) == 20
    assert time.monotonic() - began < LONG / 2


def test_a_lost_bell_costs_one_block_time(rig):
    worker = rig.worker()
    rig.submit("waits")
    rig.raw.delete(rig.keys.bell("default"))

    worker.claimer.tick(0.05)

    assert len(rig.held()) == 1


def test_queues_are_served_in_their_order(rig):
    worker = rig.worker(queues=("high", "low"), concurrency=3)
    low = [rig.submit("waits", queue="low") for _ in range(2)]
    high = [rig.submit("waits", queue="high") for _ in range(2)]

    worker.claimer.tick(LONG)

    assert set(rig.held()) == {high[0].id, high[1].id, low[0].id}


def test_a_task_that_was_stopped_in_its_queue_takes_no_slot(rig):
    worker = rig.worker()
    stopped = rig.submit("waits")
    stopped.stop()

    worker.claimer.tick(LONG)

    assert worker.executor.held() == rig.held() == {}
    assert functions.BEGUN == []


def test_what_is_no_id_is_dropped_and_the_rest_is_served(rig):
    worker = rig.worker()
    rig.raw.lpush(rig.keys.queue("default"), b"\xff\x00 {garbage}", b"", b"#", b"unknown-id")
    task = rig.submit("returns", "fine")

    worker.claimer.tick(LONG)
    settle(worker)

    assert task.result == "fine"
    assert worker.executor.held() == rig.held() == {}


def test_paused_it_claims_nothing(rig):
    worker = rig.worker()
    rig.submit("waits")

    worker.claimer.pause()
    worker.claimer.tick(0.01)

    assert rig.held() == {}
    assert rig.raw.llen(rig.keys.bell("default")) == 1


def test_a_bell_that_it_took_and_cannot_use_rings_again(rig, monkeypatch):
    worker = rig.worker()
    rig.submit("waits")
    pop = worker.claimer._space.broker.pop

    def pop_and_pause(*args):
        rung = pop(*args)
        worker.claimer.pause()
        return rung

    monkeypatch.setattr(worker.claimer._space.broker, "pop", pop_and_pause)
    worker.claimer.tick(LONG)

    assert rig.held() == {}
    assert rig.raw.llen(rig.keys.bell("default")) == 1


def test_a_drain_does_not_end_before_the_claim_that_is_under_way(rig, monkeypatch):
    worker = rig.worker()
    task = rig.submit("waits")
    under_way, answered = threading.Event(), threading.Event()
    claim = worker.claimer._claim

    def slow_claim(*args):
        under_way.set()
        answered.wait(10)
        claim(*args)

    monkeypatch.setattr(worker.claimer, "_claim", slow_claim)
    claimed = in_a_thread(lambda: worker.claimer.tick(LONG))
    assert under_way.wait(10)
    settled = in_a_thread(lambda: settle(worker))
    drained = in_a_thread(lambda: worker.drain(LONG))

    answered.set()
    assert claimed()
    assert not drained(0.05)
    functions.GATE.set()

    assert drained()
    assert settled()
    assert task.result == "waited"


def test_a_refused_claim_means_that_the_worker_was_lost(rig):
    worker = rig.worker()
    rig.run(ops.lose(rig.keys, wid="w1", lease=1, sure=True))
    rig.submit("waits")

    worker.claimer.tick(LONG)

    assert worker.lost
    assert worker.executor.held() == {}
    assert rig.client.queues() == {"default": 1}


def test_an_outage_is_no_reason_to_claim_without_a_bell(rig, monkeypatch):
    worker = rig.worker()
    rig.submit("waits")

    def away(*_):
        raise errors.Unreachable

    monkeypatch.setattr(worker.claimer._space.broker, "pop", away)
    pauses = [worker.claimer.tick(LONG) for _ in range(8)]

    assert rig.held() == {}
    assert any(pauses)
    assert max(pauses) <= 1.0


def test_one_task_that_cannot_be_begun_does_not_take_the_others_of_its_claim_along(rig, monkeypatch):
    worker = rig.worker()
    odd, fine = rig.submit("returns", "odd"), rig.submit("returns", "fine")
    ready = worker.executor._ready

    def fail_once(started, *args):
        if started.id == odd.id:
            raise RuntimeError("out of something")
        return ready(started, *args)

    monkeypatch.setattr(worker.executor, "_ready", fail_once)
    worker.claimer.tick(LONG)
    settle(worker, 2)

    assert fine.result == "fine"
    assert worker.executor.held() == rig.held() == {}
    assert odd.state == "queued"


@pytest.mark.parametrize("answer_lost", [True, False])
def test_a_claim_is_complete_only_when_its_ids_are_known(rig, monkeypatch, answer_lost):
    worker = rig.worker()
    rig.submit("waits")
    before = worker.claimer.completed
    if answer_lost:
        monkeypatch.setattr(worker.executor, "hold", lambda *_: (_ for _ in ()).throw(MemoryError))
        with pytest.raises(MemoryError):
            worker.claimer.tick(LONG)
    else:
        worker.claimer.tick(LONG)

    assert (worker.claimer.completed == before) is answer_lost


def test_a_claim_whose_start_is_refused_is_given_back(rig, monkeypatch):
    worker = rig.worker()
    task = rig.submit("returns", 1)
    broker = worker.claimer._space.broker
    run = broker.run

    def refuse_start(op):
        if op.verb == "start":
            raise errors.Refused
        return run(op)

    with monkeypatch.context() as refusing:
        refusing.setattr(broker, "run", refuse_start)
        refusing.setattr(broker, "run_many", lambda asked, **_: [refuse_start(op) for op in asked])
        with pytest.raises(errors.Refused):
            worker.claimer.tick(LONG)
    worker.settler.tick(LONG)
    assert worker.executor.held() == rig.held() == {}

    worker.claimer.tick(LONG)
    worker.settler.tick(LONG)
    assert task.result == 1


def test_the_bell_names_the_task_and_one_round_trip_claims_and_starts_it(rig, monkeypatch):
    worker = rig.worker()
    rig.submit("waits")
    trips = trips_of(worker, monkeypatch)

    worker.claimer.tick(LONG)

    assert trips == [["claim", "start"]]
    until(lambda: functions.BEGUN, "the task to begin")


@pytest.mark.parametrize("hint", [b"somebody-elses", b"\xff\x00", b"", b"#", b"1"])
def test_a_bell_that_names_something_else_does_no_harm(rig, hint):
    worker = rig.worker()
    task = rig.submit("returns", 1)
    rig.raw.delete(rig.keys.bell("default"))
    rig.raw.lpush(rig.keys.bell("default"), hint)

    worker.claimer.tick(LONG)
    settle(worker)

    assert task.result == 1
    assert worker.executor.held() == rig.held() == {}


def test_a_hint_that_another_worker_has_claimed_is_left_to_it(rig):
    first, second = rig.worker(), rig.worker("w2")
    task = rig.submit("waits")
    bell = rig.raw.lrange(rig.keys.bell("default"), 0, -1)
    first.claimer.tick(LONG)
    rig.raw.lpush(rig.keys.bell("default"), *bell)

    second.claimer.tick(LONG)

    assert second.executor.held() == {}
    assert rig.look(task).worker == "w1"


def test_where_tasks_come_and_go_quickly_one_round_trip_ends_starts_and_claims(rig, monkeypatch):
    worker = rig.worker(concurrency=2)
    del worker.settler.carrying
    monkeypatch.setattr(Pace, "ahead", 30)
    tasks = [rig.submit("returns", number) for number in range(400)]
    trips = trips_of(worker, monkeypatch)
    most, take_over = [], worker.claimer._take_over

    def look(ids, count):
        take_over(ids, count)
        coming = sum(len(ids) for ids, _, _ in worker.claimer._answered)
        most.append(worker.executor.slots.load + len(worker.claimer._unstarted) + coming)

    monkeypatch.setattr(worker.claimer, "_take_over", look)
    while len(functions.BEGUN) < 400 or worker.settler.pending:
        worker.claimer.tick(0.01)
        worker.settler.tick(0.01)

    assert max(most) <= 2 + 30
    assert ["settle", "claim", "start"] in trips
    assert len({id for id, _ in functions.BEGUN}) == 400
    assert [task.result for task in tasks] == list(range(400))
    assert worker.executor.held() == rig.held() == {}


def test_what_was_started_before_a_call_fails_runs(rig, monkeypatch):
    worker = rig.worker(concurrency=100)
    tasks = [rig.submit("returns", number) for number in range(20)]
    run_many = worker.space.broker.run_many

    def fail_later(asked, **how):
        if worker.claimer._answered:
            raise errors.Unreachable("from now on")
        return run_many(asked, **how)

    with monkeypatch.context() as outage:
        outage.setattr(worker.space.broker, "run_many", fail_later)
        with pytest.raises(errors.Unreachable):
            worker.claimer.tick(LONG)
    until(lambda: worker.settler.pending == 16, "one task to end, and the others of its claim to go back")
    settle(worker, 16)

    assert [id for id, _ in functions.BEGUN] == [tasks[0].id]
    assert [task.state for task in tasks] == ["succeeded"] + ["queued"] * 19
    assert worker.executor.held() == rig.held() == {}


def test_what_waits_behind_a_long_task_goes_back_to_its_queue(rig, monkeypatch):
    worker = rig.worker(concurrency=1)
    monkeypatch.setattr(Pace, "ahead", 2)
    long, *others = [rig.submit(name) for name in ("waits", "returns", "returns")]
    worker.claimer.tick(LONG)
    until(lambda: functions.BEGUN, "the long one to begin")
    assert len(rig.held()) == 3

    until(lambda: worker.executor.slots.stuck_for > STALE_SECONDS, "the others to have waited")
    monkeypatch.setattr(Pace, "ahead", 0)
    worker.claimer.tick(0.01)
    settle(worker, 2)

    assert list(rig.held()) == [long.id]
    assert [rig.look(task).attempt for task in others] == [0, 0]
    assert [task.state for task in others] == ["queued", "queued"]


def test_a_pause_gives_back_what_is_claimed_and_not_started(rig):
    worker = rig.worker()
    task = rig.submit("waits")
    [id] = rig.run(ops.claim(rig.keys, wid="w1", number=2, count=1, queues=["default"]))
    worker.claimer.number = 2
    worker.executor.hold([id], ops.token_of("w1", 2))
    worker.claimer._unstarted = [id]

    worker.claimer.pause()
    worker.claimer.tick(0.01)
    settle(worker)

    assert rig.held() == {}
    assert (task.state, rig.look(task).attempt) == ("queued", 0)


def test_a_burst_looks_again_when_what_ran_during_its_last_claim_has_ended(rig):
    worker = rig.worker(burst=True)
    first = rig.submit("waits")
    worker.claimer._quiet = False
    worker.claimer.tick(LONG)  # which took less than it wanted: nothing else is there
    rig.submit("returns")  # by the first one, say
    functions.GATE.set()
    settle(worker)
    assert first.state == "succeeded"
    assert worker.executor.held() == {}

    worker.claimer.tick(LONG)

    assert not worker.claimer.finished.is_set()
    settle(worker)
    worker.claimer.tick(LONG)
    worker.claimer.tick(LONG)
    assert worker.claimer.finished.is_set()
