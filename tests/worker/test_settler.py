"""The settler: what an outcome means, and that no end of a task is lost between here and Redis."""

import threading
import time

import pytest
import redis
from taskpy_worker.attempt import Attempt
from taskpy_worker.settler import GiveBack, decide

import taskpy
from taskpy import errors, failure, ops
from taskpy.ops import Ending
from taskpy.retry import Backoff
from taskpy.spec import Options, Outcome, State, Verdict, Wish
from taskpy.taken import Taken
from tests.worker import functions
from tests.worker.conftest import settle, trips_of
from tests.worker.waiting import until

LONG = 30.0
ERROR = ValueError("no")


class Mailbox:
    def __init__(self, *, stopping=False, received=0, taken=0):
        self.wish = Wish() if stopping else None
        self.received = received
        self.taken = Taken(taken)


def attempt(*, stopping=False, **options):
    return Attempt("a", "w1.1", "q", "name", Options(**options), 0, Mailbox(stopping=stopping))


def retrying(*, used=0, backoff=0.0):
    return Attempt("a", "w1.1", "q", "name", Options(retries=9, backoff=backoff), used, Mailbox())


# -- what an outcome means ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "outcome", "state"),
    [
        (attempt(), Outcome(Verdict.SUCCEEDED, 1), State.SUCCEEDED),
        (attempt(stopping=True), Outcome(Verdict.SUCCEEDED, 1), State.SUCCEEDED),
        (attempt(), Outcome(Verdict.STOPPED), State.STOPPED),
        (attempt(), Outcome(Verdict.FAILED, error=ERROR), State.FAILED),
        (attempt(retries=2, stopping=True), Outcome(Verdict.FAILED, error=ERROR), State.FAILED),
        (attempt(retries=2), Outcome(Verdict.FAILED, error=ERROR, final=True), State.FAILED),
        (attempt(retries=2, stopping=True), Outcome(Verdict.RETRY, error=taskpy.Retry()), State.STOPPED),
    ],
)
def test_an_outcome_that_ends_the_task(made, outcome, state):
    ending = decide(made, outcome)

    assert isinstance(ending, Ending)
    assert (ending.id, ending.token, ending.queue, ending.state) == ("a", "w1.1", "q", state)


@pytest.mark.parametrize(
    ("made", "outcome", "back"),
    [
        (attempt(), Outcome(Verdict.RELEASED), GiveBack("release")),
        (attempt(stopping=True), Outcome(Verdict.RELEASED), GiveBack("release")),
        (attempt(), Outcome(Verdict.LOST), GiveBack("release")),
        (attempt(), Outcome(Verdict.RETRY, error=taskpy.Retry(), delay=3), GiveBack("retry", delay=3)),
        (attempt(backoff=7.0), Outcome(Verdict.RETRY, error=taskpy.Retry()), GiveBack("retry", delay=7.0)),
    ],
)
def test_an_outcome_that_gives_the_task_back(made, outcome, back):
    assert decide(made, outcome) == back


@pytest.mark.parametrize(("used", "expected"), [(0, True), (1, True), (2, False), (5, False)])
def test_a_failure_is_retried_as_often_as_was_said(used, expected):
    made = Attempt("a", "w1.1", "q", "name", Options(retries=2, backoff=1.0), used, Mailbox())

    decided = decide(made, Outcome(Verdict.FAILED, error=ERROR))

    assert isinstance(decided, GiveBack) is expected


def test_a_retry_after_a_failure_keeps_the_exception():
    back = decide(retrying(), Outcome(Verdict.FAILED, error=ERROR))

    assert isinstance(back, GiveBack)
    assert isinstance(failure.load_exception(back.error), ValueError)


def test_each_retry_waits_longer():
    backoff = Backoff(first=1, factor=3, cap=20, jitter=0)
    outcome = Outcome(Verdict.FAILED, error=ERROR)
    attempts = [retrying(used=used, backoff=backoff) for used in range(4)]

    assert [decide(one, outcome).delay for one in attempts] == [1, 3, 9, 20]


@pytest.mark.parametrize("value", [object(), [lambda: None], "\ud800", b"x" * (17 * 1024 * 1024)])
def test_a_result_that_cannot_be_sent_is_a_failure_that_says_so(value):
    ending = decide(attempt(), Outcome(Verdict.SUCCEEDED, value))

    assert ending.state is State.FAILED
    assert isinstance(failure.load_exception(ending.value), errors.SpecError)


# -- and how Redis learns of it -----------------------------------------------------------------


def test_a_failure_is_retried_after_its_backoff_and_then_final(rig):
    worker = rig.worker()
    task = rig.submit("fails")

    for used in (1, 2):
        worker.claimer.tick(LONG)
        settle(worker)
        assert task.state == "queued"
        assert rig.look(task).retries == used
        due = rig.raw.zscore(rig.keys.later(), task.id) / 1000
        assert due == pytest.approx(rig.raw.time()[0] + 7, abs=2)
        rig.raw.zadd(rig.keys.later(), {task.id: 1})
        worker.promoter.tick()
    worker.claimer.tick(LONG)
    settle(worker)

    assert task.state == "failed"
    assert isinstance(task.exception, ValueError)
    assert [number for _, number in functions.BEGUN] == [1, 2, 3]
    assert rig.events(task) == ["retry", "retry"]


def test_a_discarded_task_is_not_retried(rig):
    worker = rig.worker()
    task = rig.submit("fails")
    functions.FAULT.append(taskpy.Discard("hopeless"))

    worker.claimer.tick(LONG)
    settle(worker)

    assert task.state == "failed"
    assert "hopeless" in str(task.exception)


def test_a_task_may_ask_for_another_run(rig):
    worker = rig.worker()
    task = rig.submit("retries_itself", 0)

    for _ in range(3):
        worker.claimer.tick(LONG)
        settle(worker)

    assert task.result == 3
    assert task.exception is None
    assert rig.look(task).retries == 2


def test_a_retry_that_is_asked_for_with_a_delay_is_delayed(rig):
    worker = rig.worker()
    task = rig.submit("retries_itself", 1000)

    worker.claimer.tick(LONG)
    settle(worker)

    assert task.state == "queued"
    due = rig.raw.zscore(rig.keys.later(), task.id) / 1000
    assert due == pytest.approx(rig.raw.time()[0] + 1000, abs=2)


def test_a_stop_that_only_redis_knows_of_ends_a_task_instead_of_retrying_it(rig):
    worker = rig.worker()
    raised, asked = rig.submit("fails"), rig.submit("retries_itself")
    worker.claimer.tick(LONG)
    until(lambda: worker.settler.pending == 2, "two tasks to ask for another run")
    for task in (raised, asked):
        task.stop(join=False)
    settle(worker, 2)

    assert raised.state == "failed"
    assert asked.state == "stopped"


def test_what_gathers_goes_in_one_call(rig, monkeypatch):
    worker = rig.worker()
    for _ in range(5):
        rig.submit("returns_async")
    worker.claimer.tick(LONG)
    until(lambda: worker.settler.pending == 5, "five tasks to end")

    assert worker.settler.tick(0) == 5
    assert worker.settler.pending == 0
    assert worker.settler.tick(0) == 0


def test_a_late_result_is_refused_and_said(rig, caplog):
    worker = rig.worker()
    task = rig.submit("waits")
    worker.claimer.tick(LONG)
    rig.raw.hset(rig.keys.task(task.id), "tok", "other.1")

    functions.GATE.set()
    settle(worker)

    assert task.state == "running"
    assert f"late result refused: task={task.id}" in caplog.text
    assert rig.held() == {}
    assert worker.executor.held() == {}


def test_an_end_that_redis_did_not_take_is_told_again(rig, monkeypatch):
    worker = rig.worker()
    ended, back = rig.submit("returns", "kept"), rig.submit("retries_itself", 60)
    run_many = worker.settler._space.broker.run_many

    def refuse(asked):
        if any(op.verb == "giveback" for op in asked):
            raise errors.Refused
        return run_many(asked)

    worker.claimer.tick(LONG)
    until(lambda: worker.settler.pending == 2, "two tasks to end")
    monkeypatch.setattr(worker.settler._space.broker, "run_many", refuse)
    with pytest.raises(errors.Refused):
        worker.settler.tick(LONG)
    assert ended.result == "kept"  # one that is refused does not hold up the others of its batch
    assert worker.settler.pending == 1
    monkeypatch.setattr(worker.settler._space.broker, "run_many", run_many)
    settle(worker)

    assert ended.result == "kept"
    assert rig.events(back) == ["retry"]
    assert worker.executor.held() == rig.held() == {}


def test_the_first_word_on_an_attempt_counts(rig):
    worker = rig.worker()
    task = rig.submit("waits")
    worker.claimer.tick(LONG)
    running = worker.executor.find(task.id)

    worker.settler.give_back(running, GiveBack("release"))
    worker.settler.settle(running, Outcome(Verdict.SUCCEEDED, "too late"))

    assert worker.settler.pending == 1
    settle(worker)
    assert task.state == "queued"
    assert worker.settler.pending == 0


def test_a_task_tells_of_its_own_end_where_nothing_else_waits(rig):
    worker = rig.worker()
    del worker.settler.settle_here  # as it is without a test
    task = rig.submit("returns", 1)
    worker.claimer.tick(LONG)

    until(lambda: not worker.executor.held(), "the end to be told")

    assert task.result == 1
    assert worker.settler.pending == 0


def test_an_end_that_is_refused_there_is_told_by_the_settler(rig, monkeypatch):
    worker = rig.worker()
    del worker.settler.settle_here
    run_many = worker.settler._space.broker.run_many

    def refuse(asked, **how):
        if any(op.verb == "settle" for op in asked):
            raise errors.Refused
        return run_many(asked, **how)

    task = rig.submit("returns", 1)
    with monkeypatch.context() as refusing:
        refusing.setattr(worker.settler._space.broker, "run_many", refuse)
        worker.claimer.tick(LONG)
        until(lambda: worker.settler.pending and worker.settler._decided, "the end to stand in line")
    settle(worker)

    assert task.result == 1
    assert worker.executor.held() == rig.held() == {}


# -- what somebody takes along ------------------------------------------------------------------


@pytest.fixture
def carried(rig):
    """A worker with two tasks that have ended and are not told of, whose settler is carried: the context, and the tasks."""
    worker = rig.worker()
    del worker.settler.carrying
    tasks = [rig.submit("returns", number) for number in (1, 2)]
    worker.claimer.tick(LONG)
    until(lambda: worker.settler.pending == 2, "two tasks to end")
    with worker.settler.carrying():
        yield worker, tasks


def nothing():
    """There is nothing to do meanwhile."""


def test_who_asks_redis_anyway_takes_along_what_is_decided(rig, carried, monkeypatch):
    worker, tasks = carried
    trips = trips_of(worker, monkeypatch)

    assert worker.settler.tick(0) == 0  # it is for the other
    answers = worker.settler.run_along([ops.held(rig.keys, wid="w1")], meanwhile=nothing)

    assert [held.tokens for held in answers] == [{}]  # they were told first
    assert trips == [["settle", "held"]]
    assert [task.result for task in tasks] == [1, 2]
    noted = []
    worker.settler.run_along([], meanwhile=lambda: noted.append(worker.settler.pending))
    assert noted == [0]  # while Redis works on the next
    assert worker.executor.held() == {}


def test_what_is_decided_meanwhile_goes_with_the_next(rig, carried):
    worker, _ = carried
    late = rig.submit("returns", 3)
    worker.settler.run_along([], meanwhile=nothing)

    def meanwhile():
        worker.settler.give_back(Attempt(late.id, "w1.9", "default"), GiveBack("unbegun"))

    worker.settler.run_along([ops.held(rig.keys, wid="w1")], meanwhile=meanwhile)
    assert worker.settler.pending == 1
    worker.settler.run_along([], meanwhile=nothing)
    worker.settler._carry_no_more()

    assert worker.settler.pending == 0


def test_what_is_left_when_nobody_carries_any_more_wakes_the_settler(carried):
    worker, tasks = carried
    telling = threading.Thread(target=settle, args=(worker, 2))
    telling.start()
    worker.settler._carry_no_more()
    telling.join(10)

    assert not telling.is_alive()
    assert [task.result for task in tasks] == [1, 2]


@pytest.mark.parametrize("error", [errors.Unreachable, errors.Busy, errors.Refused])
def test_where_the_call_fails_the_settler_tells_at_once_and_the_call_is_made_without(rig, carried, monkeypatch, error):
    worker, tasks = carried
    run_many = worker.space.broker.run_many

    def fail(asked, **how):
        if "insist" in how:
            raise error("not with these")
        return run_many(asked, **how)

    monkeypatch.setattr(worker.space.broker, "run_many", fail)
    [held] = worker.settler.run_along([ops.held(rig.keys, wid="w1")], meanwhile=nothing)

    assert set(held.tokens) == {task.id for task in tasks}
    assert worker.settler.tick(0) == 2
    assert [task.result for task in tasks] == [1, 2]


def test_whatever_happens_no_end_is_forgotten(rig, carried, monkeypatch):
    worker, tasks = carried

    def interrupt(asked, **how):
        raise MemoryError

    with monkeypatch.context() as broken:
        broken.setattr(worker.space.broker, "run_many", interrupt)
        with pytest.raises(MemoryError):
            worker.settler.run_along([], meanwhile=nothing)

    assert worker.settler.tick(0) == 2
    assert [task.result for task in tasks] == [1, 2]


def test_one_tries_only_once_to_tell_along(rig, carried, monkeypatch):
    worker, _ = carried
    tries = []

    def away(*_, **__):
        tries.append(time.monotonic())
        raise redis.ConnectionError("away")

    with monkeypatch.context() as outage:
        outage.setattr(worker.space.broker._connections, "call_many", away)
        outage.setattr(worker.space.broker, "_timeout", 0.0)  # of the call that is made without them
        with pytest.raises(errors.Unreachable):
            worker.settler.run_along([ops.held(rig.keys, wid="w1")], meanwhile=nothing)

    assert len(tries) == 2


def test_a_task_whose_end_somebody_takes_along_asks_redis_nothing_itself(rig, monkeypatch):
    worker = rig.worker()
    del worker.settler.settle_here, worker.settler.carrying
    task = rig.submit("waits")
    worker.claimer.tick(LONG)
    with worker.settler.carrying():
        functions.GATE.set()
        until(lambda: worker.settler.pending, "the task to end")
        assert task.state == "running"
        worker.settler.run_along([], meanwhile=nothing)

    assert task.result == "waited"


def test_a_settler_that_is_closed_waits_for_nothing(rig):
    worker = rig.worker()
    waiting = threading.Thread(target=worker.settler.tick, args=(LONG,))
    waiting.start()

    worker.settler.close()
    waiting.join(10)

    assert not waiting.is_alive()
    assert worker.settler.tick(LONG) == 0
