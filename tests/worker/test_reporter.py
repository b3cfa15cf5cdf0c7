"""The reporter: what running tasks report goes to Redis in few words, in order, and before their ends."""

import logging
import threading

import pytest
from taskpy_worker import reporter
from taskpy_worker.recoverer import Recoverer

from taskpy import Progress, errors
from taskpy.ops import Op
from tests.worker import functions
from tests.worker.conftest import LEASE, settle
from tests.worker.waiting import until

LONG = 30.0


class Said:
    """What a worker says to Redis, one list of verbs a round trip. `before` is called with each."""

    def __init__(self, worker, monkeypatch):
        self.trips = []
        self.before = lambda verbs: None
        broker = worker.space.broker
        for name in ("run", "run_many"):
            monkeypatch.setattr(broker, name, self._noting(getattr(broker, name)))

    def _noting(self, send):
        def noted(op, **how):
            verbs = [op.verb] if isinstance(op, Op) else [each.verb for each in op]
            self.before(verbs)
            self.trips.append(verbs)
            return send(op, **how)

        return noted

    @property
    def of_interest(self):
        """The trips of reports and ends."""
        return [verbs for verbs in self.trips if set(verbs) & {"report", "settle", "giveback"}]


@pytest.fixture
def worker(rig):
    return rig.worker()


@pytest.fixture
def said(worker, monkeypatch):
    return Said(worker, monkeypatch)


def begin(worker, rig, *tasks):
    """Claim these tasks, and wait until their functions have reported."""
    worker.claimer.tick(LONG)
    until(lambda: {id for id, _ in functions.BEGUN} >= {task.id for task in tasks}, "the tasks to report")


def texts(task):
    return [line.text for line in task.logs()]


def test_one_call_tells_of_all_tasks(rig, worker, said):
    tasks = [rig.submit("reports", 4) for _ in range(3)]
    begin(worker, rig, *tasks)
    assert [task.progress for task in tasks] == [None] * 3

    assert worker.reporter.tick(LONG) == 3

    assert said.of_interest == [["report"] * 3]
    assert [task.progress for task in tasks] == [Progress(4, 4)] * 3
    assert [texts(task) for task in tasks] == [["begins attempt 1"]] * 3


def test_nothing_new_is_no_word(rig, worker, said):
    begin(worker, rig, rig.submit("reports"))
    worker.reporter.tick(LONG)
    said.trips.clear()

    assert worker.reporter.tick(0.01) == 0
    worker.reporter.flush(worker.executor.running())
    assert said.trips == []


def test_progress_costs_nothing_until_it_is_told(rig, worker, said):
    task = rig.submit("reports", 1_000_000)
    begin(worker, rig, task)
    assert said.of_interest == []

    assert worker.reporter.tick(LONG) == 1
    assert said.of_interest == [["report"]]
    assert task.progress == Progress(1_000_000, 1_000_000)


def test_the_tick_wakes_at_the_first_report(rig, worker):
    task = rig.submit("reports")
    ticked = []
    thread = threading.Thread(target=lambda: ticked.append(worker.reporter.tick(LONG)))
    thread.start()
    worker.claimer.tick(LONG)
    thread.join(LONG)

    assert ticked == [1]
    assert task.progress == Progress(1, 1)


def test_what_is_new_comes_before_the_end(rig, worker, said):
    task = rig.submit("reports")
    begin(worker, rig, task)
    functions.GATE.set()
    settle(worker)

    assert said.of_interest == [["report"], ["settle"]]
    assert (task.state, task.progress) == ("succeeded", Progress(1, 1, "at the end"))
    assert texts(task) == ["begins attempt 1", "ends"]


def test_an_end_without_news_costs_no_trip(rig, worker, said):
    rig.submit("returns")
    worker.claimer.tick(LONG)
    settle(worker)

    assert said.of_interest == [["settle"]]


def test_what_is_new_comes_before_a_retry(rig, worker, said):
    task = rig.submit("reports_and_fails")
    worker.claimer.tick(LONG)
    settle(worker)

    assert said.of_interest == [["report"], ["giveback"]]
    assert (task.state, task.progress, texts(task)) == ("queued", Progress(1), ["fails"])


@pytest.fixture
def held(worker, said):
    """Hold the next report on its way, in a thread; the fixture's value lets it go on, and waits for it."""
    under_way, go_on = threading.Event(), threading.Event()

    def hold(verbs):
        if "report" in verbs and not under_way.is_set():
            under_way.set()
            assert go_on.wait(LONG)

    said.before = hold
    telling = threading.Thread(target=worker.reporter.tick, args=(LONG,))

    class Held:
        def wait(self):
            telling.start()
            assert under_way.wait(LONG)

        def go_on(self):
            go_on.set()
            telling.join(LONG)

    yield Held()
    go_on.set()


@pytest.mark.parametrize("last_words", [True, False])
def test_an_end_waits_for_a_report_that_is_under_way(rig, worker, said, held, last_words):
    task = rig.submit("reports", 1, last_words)
    begin(worker, rig, task)
    held.wait()
    functions.GATE.set()
    settling = threading.Thread(target=settle, args=(worker,))
    settling.start()
    until(lambda: worker.settler.pending and not worker.settler._decided, "the end to be under way")
    settling.join(0.05)  # it does not come to its end, however long one waits
    assert settling.is_alive()
    assert said.of_interest == []
    held.go_on()
    settling.join(LONG)

    assert said.of_interest[0] == ["report"]
    assert said.of_interest[-1] == ["settle"]
    assert texts(task) == (["begins attempt 1", "ends"] if last_words else ["begins attempt 1"])


def test_an_end_does_not_wait_for_the_reports_of_others(rig, worker, said, held):
    begin(worker, rig, rig.submit("reports"))
    held.wait()
    task = rig.submit("returns", 7)
    worker.claimer.tick(LONG)
    settle(worker)

    assert task.result == 7
    assert said.of_interest == [["settle"]]
    held.go_on()


def test_an_attempt_that_owns_its_task_no_more_is_fenced(rig, worker):
    task = rig.submit("reports")
    begin(worker, rig, task)
    worker.reporter.tick(LONG)
    Recoverer(rig.client.space, LEASE).recover("w1", sure=True)
    [attempt] = worker.executor.running()
    attempt.mailbox.reports.progress(9, 10, None)

    worker.reporter.tick(LONG)
    assert attempt.mailbox.lost
    assert task.progress == Progress(1, 1)


def test_after_a_crash_the_next_attempt_appends(rig, worker):
    task = rig.submit("reports")
    begin(worker, rig, task)
    worker.reporter.tick(LONG)
    Recoverer(rig.client.space, LEASE).recover("w1", sure=True)
    assert (task.state, texts(task)) == ("queued", ["begins attempt 1"])

    another = rig.worker("w2")
    another.claimer.tick(LONG)
    functions.GATE.set()
    settle(another)
    worker.reporter.tick(0)  # too late
    assert texts(task) == ["begins attempt 1", "begins attempt 2", "ends"]


def test_more_tasks_than_a_pipeline_takes(rig, worker, said, monkeypatch):
    monkeypatch.setattr(reporter, "BATCH", 2)
    tasks = [rig.submit("reports") for _ in range(5)]
    begin(worker, rig, *tasks)

    assert worker.reporter.tick(LONG) == 5
    assert said.of_interest == [["report"] * 2, ["report"] * 2, ["report"]]


# -- what cannot be told is dropped ---------------------------------------------------------------


def test_a_full_server_is_told_of_once(rig, worker, monkeypatch, caplog):
    begin(worker, rig, rig.submit("reports"))
    [attempt] = worker.executor.running()
    answers = iter([["full"], ["full"], ["kept"], ["full"]])
    monkeypatch.setattr(worker.space.broker, "run_many", lambda ops, **_: next(answers))
    warned = []
    with caplog.at_level(logging.WARNING, "taskpy.worker"):
        for number in range(4):
            attempt.mailbox.reports.progress(number, None, None)
            assert worker.reporter.tick(LONG) == 1
            warned.append(sum("no memory" in record.getMessage() for record in caplog.records))

    assert warned == [1, 1, 1, 2]


def test_what_redis_refuses_holds_up_no_end(rig, worker, said, caplog):
    task = rig.submit("reports")
    begin(worker, rig, task)

    def refuse(verbs):
        if "report" in verbs:
            raise errors.Refused("no")

    said.before = refuse
    functions.GATE.set()
    settle(worker)

    assert (task.state, task.progress, texts(task)) == ("succeeded", None, [])
    assert "reports of tasks are lost: tasks=1 error=no" in caplog.text


def test_a_fault_in_reporting_holds_up_no_end(rig, worker, monkeypatch, caplog):
    task = rig.submit("reports")
    begin(worker, rig, task)
    [attempt] = worker.executor.running()
    monkeypatch.setattr(attempt.mailbox, "report", lambda: 1 / 0)
    functions.GATE.set()
    settle(worker)

    assert task.state == "succeeded"
    assert "ZeroDivisionError" in caplog.text
