"""The heartbeat: what a worker believes of its tasks becomes what Redis knows, whatever pub/sub lost."""

import logging

import pytest
from taskpy_worker.config import BEATS

from taskpy import errors, ops
from taskpy.question import dump_question, load_reply
from tests.worker import functions
from tests.worker.conftest import settle
from tests.worker.waiting import until

LONG = 30.0


def begun(rig, worker, name="listens"):
    """A task that runs on the worker."""
    task = rig.submit(name)
    worker.claimer.tick(LONG)
    until(lambda: any(id == task.id for id, _ in functions.BEGUN), "the task to begin")
    return task


def test_a_stop_arrives_by_heartbeat_alone(rig):
    worker = rig.worker()
    task = begun(rig, worker)
    task.stop(join=False)

    worker.heartbeater.tick()
    settle(worker)

    assert task.state == "succeeded"
    assert task.result == []


def test_mail_arrives_by_heartbeat_alone_and_in_front_of_the_stop(rig):
    worker = rig.worker()
    plain, coroutine = begun(rig, worker, "listens"), begun(rig, worker, "listens_async")
    for task in (plain, coroutine):
        task.send("one")
        task.send("two")
        task.stop(join=False)

    worker.heartbeater.tick()
    settle(worker, 2)

    assert plain.result == coroutine.result == ["one", "two"]


def put(rig, task, number):
    """A question to the task, of which no nudge says anything."""
    packed = dump_question("count", None)
    return rig.run(ops.ask(rig.keys, id=task.id, sender="s", number=number, question=packed))


def replied(rig, task, number):
    response = until(
        lambda: (found := rig.run(ops.response(rig.keys, id=task.id, number=number))).answer and found, "it"
    )
    return load_reply(response.answer).value


def test_a_question_arrives_by_heartbeat_alone(rig):
    worker = rig.worker()
    task = begun(rig, worker, "answers")
    put(rig, task, 1)

    worker.heartbeater.tick()

    assert replied(rig, task, 1) == 1
    worker.heartbeater.tick()  # the same number once more is no news
    put(rig, task, 2)
    worker.heartbeater.tick()
    assert replied(rig, task, 2) == 2
    task.stop(join=False)
    worker.heartbeater.tick()
    settle(worker)


def test_an_answer_arrives_by_heartbeat_alone(rig):
    worker = rig.worker()
    task = begun(rig, worker, "answers")
    task.send("ask")
    worker.heartbeater.tick()
    until(lambda: task.question, "its question")
    task.answer("yes")
    task.stop(join=False)

    worker.heartbeater.tick()
    settle(worker)

    assert task.result == ["yes"]


def test_orders_that_a_failover_has_lost_are_counted_anew(rig):
    worker = rig.worker()
    task = begun(rig, worker, "answers")
    for number in (1, 2, 3):
        put(rig, task, number)
        worker.heartbeater.tick()
        replied(rig, task, number)
    fields = {"od": 1, "qn": 1, "qo": "", "qa": ""}  # as after the first one
    rig.raw.hset(rig.keys.task(task.id), mapping=fields)
    rig.raw.hdel(rig.keys.task(task.id), "s:s")

    assert put(rig, task, 1) == 2, "its number has been there before"
    worker.heartbeater.tick()

    until(lambda: not rig.raw.hexists(rig.keys.task(task.id), "q:2"), "it to be answered")
    task.stop(join=False)
    worker.heartbeater.tick()
    settle(worker)


def test_a_task_that_others_own_is_fenced(rig):
    worker = rig.worker()
    task = begun(rig, worker)
    rig.raw.hset(rig.keys.task(task.id), "tok", "other.1")

    worker.heartbeater.tick()
    settle(worker)

    assert worker.executor.held() == {}
    assert not worker.lost
    assert task.state == "running"
    assert rig.look(task).token == "other.1"


def test_a_worker_that_was_declared_lost_fences_all_it_runs(rig, caplog):
    worker = rig.worker()
    tasks = [begun(rig, worker), begun(rig, worker, "listens_async")]
    rig.run(ops.lose(rig.keys, wid="w1", lease=LONG, sure=True))

    worker.heartbeater.tick()
    worker.heartbeater.tick()
    settle(worker, 2)

    assert worker.lost
    assert rig.held() == {}
    assert [(task.state, rig.look(task).attempt) for task in tasks] == [("queued", 1)] * 2
    assert len([r for r in caplog.records if "declared lost" in r.message]) == 1


def test_a_forgotten_claim_is_given_back(rig):
    worker = rig.worker()
    task = begun(rig, worker, "returns")
    settle(worker)
    forgotten = rig.submit("returns")
    worker.claimer.number += 1
    rig.run(ops.claim(rig.keys, wid="w1", number=worker.claimer.number, count=1, queues=["default"]))
    worker.claimer.completed = worker.claimer.number  # its answer is lost for good

    worker.heartbeater.tick()
    settle(worker)

    assert rig.held() == {}
    assert rig.client.queues() == {"default": 1}
    assert rig.look(forgotten).attempt == 0
    assert task.state == "succeeded"
    worker.claimer.tick(LONG)
    settle(worker)
    assert forgotten.state == "succeeded"


def test_a_forgotten_attempt_is_given_back_as_if_it_had_not_been(rig):
    worker = rig.worker()
    task = rig.submit("returns")
    worker.claimer.number += 1
    number = worker.claimer.number
    rig.run(ops.claim(rig.keys, wid="w1", number=number, count=1, queues=["default"]))
    rig.run(ops.start(rig.keys, wid="w1", number=number, ids=[task.id]))
    worker.claimer.completed = number

    worker.heartbeater.tick()
    settle(worker)

    assert (task.state, rig.look(task).attempt, rig.look(task).lost) == ("queued", 0, 0)


def test_a_claim_under_way_is_not_forgotten(rig):
    worker = rig.worker()
    rig.submit("returns")
    worker.claimer.number += 1  # sent, and not yet answered
    rig.run(ops.claim(rig.keys, wid="w1", number=worker.claimer.number, count=1, queues=["default"]))

    worker.heartbeater.tick()

    assert worker.settler.pending == 0
    assert len(rig.held()) == 1


def test_a_claim_that_completes_while_the_heartbeat_reads_is_not_forgotten(rig, monkeypatch):
    worker = rig.worker()
    rig.submit("waits")
    held = worker.executor.held

    def held_just_before_a_claim():
        known = held()
        monkeypatch.setattr(worker.executor, "held", held)
        worker.claimer.tick(LONG)
        return known

    monkeypatch.setattr(worker.executor, "held", held_just_before_a_claim)
    worker.heartbeater.tick()

    assert worker.settler.pending == 0
    assert len(rig.held()) == 1


def test_more_tasks_than_fit_in_one_call_are_all_asked_about(rig, monkeypatch):
    monkeypatch.setattr("taskpy_worker.heartbeater.BATCH", 2)
    worker = rig.worker()
    tasks = [begun(rig, worker, "listens_async") for _ in range(5)]
    for task in tasks:
        task.stop(join=False)

    worker.heartbeater.tick()
    settle(worker, 5)

    assert [task.state for task in tasks] == ["succeeded"] * 5
    assert rig.held() == {}


def test_a_deaf_subscription_is_noticed_after_two_heartbeats(rig, caplog, monkeypatch):
    worker = rig.worker()
    reconnected = []
    monkeypatch.setattr(worker.listener._space.broker.subscriber, "reconnect", lambda: reconnected.append(1))

    with caplog.at_level(logging.WARNING):
        worker.heartbeater.tick()
        worker.heartbeater.tick()
        assert not reconnected
        worker.heartbeater.tick()

    assert reconnected == [1]
    assert "gone deaf" in caplog.text
    worker.heartbeater.tick()  # the new one gets as long to prove itself
    worker.heartbeater.tick()
    assert reconnected == [1, 1]


def beats_in(worker, turns, monkeypatch):
    """How often the worker beats in so many turns."""
    beaten = []
    tick = worker.heartbeater.tick
    with monkeypatch.context() as patch:
        patch.setattr(worker.heartbeater, "tick", lambda: (beaten.append(1), tick()))
        for _ in range(turns):
            worker.heartbeater.turn()
    return len(beaten)


def test_who_holds_nothing_beats_once_a_lease_and_who_holds_anything_at_each_turn(rig, monkeypatch):
    worker = rig.worker()
    assert beats_in(worker, 1, monkeypatch) == 1
    assert beats_in(worker, 3 * BEATS, monkeypatch) == 3
    task = begun(rig, worker)

    assert beats_in(worker, 4, monkeypatch) == 4

    task.stop(join=False)
    worker.heartbeater.turn()
    settle(worker)
    assert beats_in(worker, 2 * BEATS, monkeypatch) == 2


def test_a_claim_whose_answer_was_lost_for_good_is_looked_for_at_the_next_turns(rig, monkeypatch):
    worker = rig.worker()
    worker.heartbeater.turn()
    forgotten = rig.submit("returns")
    run_many = worker.space.broker.run_many

    def lose_the_answer(asked, **how):
        run_many(asked, **how)
        raise errors.Unreachable("nobody will ever hear it")

    with monkeypatch.context() as patch:
        patch.setattr(worker.space.broker, "run_many", lose_the_answer)
        with pytest.raises(errors.Unreachable):
            worker.claimer.tick(LONG)
    worker.heartbeater.turn()  # the claim may be under way still
    assert len(rig.held()) == 1
    rig.raw.delete(rig.keys.bell("default"))
    worker.claimer.tick(0.01)

    worker.heartbeater.turn()
    settle(worker)

    assert rig.held() == {}
    assert (forgotten.state, rig.look(forgotten).attempt) == ("queued", 0)
    assert beats_in(worker, BEATS, monkeypatch) == 1  # it is known that there is no more


def test_a_subscription_that_hears_is_left_alone(rig, monkeypatch):
    worker = rig.worker()
    worker.listener.start()
    reconnected = []
    monkeypatch.setattr(worker.listener._space.broker.subscriber, "reconnect", lambda: reconnected.append(1))

    for beat in range(1, 6):
        worker.heartbeater.tick()
        until(lambda beat=beat: worker.listener.heard == beat, "the nonce to come back")

    assert not reconnected


def test_after_a_reconnection_it_hears_again(rig):
    worker = rig.worker()
    worker.listener.start()
    task = begun(rig, worker)
    worker.listener.reconnect()
    until(lambda: rig.raw.pubsub_numsub(rig.keys.worker("w1"))[0][1] == 1, "a new subscription")

    task.stop(join=False)  # no heartbeat now: only pub/sub can tell

    settle(worker)
    assert task.state == "succeeded"
