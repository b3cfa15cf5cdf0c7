"""The executor runs each claimed spec, or says at once why it cannot."""

import pytest

from taskpy import codec, errors, ops
from taskpy.spec import TaskSpec
from tests.worker import functions
from tests.worker.conftest import settle
from tests.worker.waiting import until

LONG = 30.0
both = pytest.mark.parametrize("name", ["returns", "returns_async"])


def raw_task(rig, spec, id="by-hand"):
    """A task whose spec was put into Redis by hand."""
    rig.run(ops.submit(rig.keys, id=id, queue="default", name="by.hand", spec=spec))
    return rig.client.attach(id)


@both
def test_it_runs_a_function_with_its_arguments(rig, name):
    worker = rig.worker()
    task = rig.submit(name, {"n": (1, 2)})

    worker.claimer.tick(LONG)
    settle(worker)

    assert task.result == {"n": (1, 2)}
    assert worker.executor.running() == []
    assert worker.executor.free == 10


def test_what_runs_can_be_found(rig):
    worker = rig.worker(concurrency=2)
    task = rig.submit("waits")
    worker.claimer.tick(LONG)

    assert worker.executor.find(task.id).token == rig.look(task).token
    assert worker.executor.find("another") is None
    assert [attempt.id for attempt in worker.executor.running()] == [task.id]
    assert worker.executor.held() == rig.held()
    assert worker.executor.free == 1


def test_an_unknown_name_is_given_back_for_a_while_and_then_fails(rig):
    worker = rig.worker(unknown_delay=0.0, unknown_limit=3)
    task = rig.submit("nobody.knows_this")

    for _ in range(3):
        worker.claimer.tick(LONG)
        settle(worker)
        assert task.state == "queued"
    worker.claimer.tick(LONG)
    settle(worker)

    assert task.state == "failed"
    assert isinstance(task.exception, errors.UnknownTask)
    assert "nobody.knows_this" in str(task.exception)
    assert "default" in str(task.exception)
    assert rig.events(task) == ["unknown"] * 3
    assert rig.look(task).retries == 0


def test_each_line_about_an_unknown_task_has_its_name(rig, caplog):
    worker = rig.worker(unknown_delay=0.0, unknown_limit=1)
    rig.submit("nobody.knows_this")

    with caplog.at_level("INFO", logger="taskpy.worker"):
        for _ in range(2):
            worker.claimer.tick(LONG)
            settle(worker)

    lines = [record.getMessage() for record in caplog.records if "task=" in record.getMessage()]
    assert len(lines) >= 3  # what cannot be run, what was given back, what has failed
    assert all("name=nobody.knows_this" in line for line in lines), lines


def test_an_unknown_name_waits_between_two_looks(rig):
    worker = rig.worker(unknown_delay=60)
    task = rig.submit("nobody.knows_this")

    worker.claimer.tick(LONG)
    settle(worker)

    assert task.state == "queued"
    assert rig.client.queues() == {"default": 0}
    assert rig.raw.zscore(rig.keys.later(), task.id)


def test_a_newer_spec_waits_for_a_newer_worker(rig):
    worker = rig.worker(unknown_delay=0.0, unknown_limit=1)
    spec = codec.dump_spec(TaskSpec("returns")).replace(b"\xa1v\x01", b"\xa1v\x63")
    task = raw_task(rig, spec)

    worker.claimer.tick(LONG)
    settle(worker)
    assert task.state == "queued"
    worker.claimer.tick(LONG)
    settle(worker)

    assert task.state == "failed"
    assert isinstance(task.exception, errors.NewerVersion)


@pytest.mark.parametrize("spec", [b"", b"garbage", b"\xc1", b"\x80", codec.dumps([1, 2]), codec.dumps({"v": 1})])
def test_a_spec_that_cannot_be_read_fails(rig, spec):
    worker = rig.worker()
    task, fine = raw_task(rig, spec), rig.submit("returns", "fine")

    worker.claimer.tick(LONG)
    settle(worker, 2)

    assert isinstance(task.exception, errors.Malformed)
    assert fine.result == "fine"
    assert worker.executor.held() == {}


def test_wrong_arguments_fail_and_are_not_retried(rig):
    worker = rig.worker()
    task = rig.submit("tuned", 1, 2, retries=5)
    wrong = rig.submit("returns", 1, 2, retries=5)

    worker.claimer.tick(LONG)
    settle(worker, 2)

    assert task.state == "succeeded"  # a function that takes its task alone finds them in t.args
    assert isinstance(wrong.exception, errors.BadArguments)
    assert "too many positional arguments" in str(wrong.exception)
    assert functions.BEGUN == []


def test_options_that_the_submitter_did_not_give_are_filled_in(rig):
    worker = rig.worker()
    by_default, by_submitter = rig.submit("tuned"), rig.submit("tuned", restarts=1, keep=5000)

    worker.claimer.tick(LONG)
    settle(worker, 2)

    def fields(task):
        return rig.raw.hmget(rig.keys.task(task.id), "mc", "keep")

    assert fields(by_default) == [b"9", b"77000"]
    assert fields(by_submitter) == [b"1", b"5000000"]


def test_a_draining_executor_lets_a_task_that_it_begins_know(rig):
    worker = rig.worker()
    worker.executor.drain()
    task = rig.submit("hands_over")

    worker.claimer.tick(LONG)
    settle(worker)

    assert task.state == "queued"
    assert rig.events(task) == ["release"]


def test_closing_fences_what_runs(rig):
    worker = rig.worker()
    tasks = [rig.submit("listens"), rig.submit("listens_async")]
    worker.claimer.tick(LONG)
    until(lambda: len(worker.executor.running()) == 2, "both to begin")

    worker.executor.close()
    settle(worker, 2)

    assert rig.held() == {}
    assert [(task.state, rig.look(task).attempt) for task in tasks] == [("queued", 1)] * 2


@pytest.fixture(params=["on the way there", "on the way back"])
def slow_mark(request, monkeypatch):
    """Makes the first `mark` of a worker wait for the gate to open, before or after Redis has done it."""

    def slow_down(worker):
        run = worker.executor._space.broker.run

        def run_slowly(op):
            if op.verb != "mark" or functions.ON_ITS_WAY.is_set():
                return run(op)
            if request.param == "on the way back":
                answer = run(op)
            functions.ON_ITS_WAY.set()
            assert functions.GATE.wait(10)
            if request.param == "on the way there":
                answer = run(op)
            functions.ANSWERED.set()
            return answer

        monkeypatch.setattr(worker.executor._space.broker, "run", run_slowly)

    return slow_down


def test_a_cancelled_send_does_not_swallow_the_next_one(rig, slow_mark):
    worker = rig.worker()
    slow_mark(worker)
    task = rig.submit("cancels_its_send")

    worker.claimer.tick(LONG)
    settle(worker)

    assert task.result == (True, True)
    assert list(task) == ["first", "second", "third"]


def test_a_cancelled_recv_loses_no_message(rig, slow_mark):
    worker = rig.worker()
    slow_mark(worker)
    task = rig.submit("cancels_its_recv", 400)
    for number in range(400):
        task.send(number)

    worker.claimer.tick(LONG)
    settle(worker)

    assert functions.ON_ITS_WAY.is_set()
    assert task.result == list(range(400))


def test_a_late_end_of_another_attempt_leaves_the_slot_alone(rig):
    worker = rig.worker()
    task = rig.submit("waits")
    worker.claimer.tick(LONG)

    worker.executor.drop(task.id, "w1.999")

    assert worker.executor.find(task.id)
    assert worker.executor.held() == rig.held()


def test_an_async_task_that_is_cancelled_before_its_first_step_has_an_end_too(rig):
    worker = rig.worker()
    canceller, cancelled = rig.submit("cancels_all"), rig.submit("returns_async", 1)
    rig.raw.delete(rig.keys.bell("default"))  # so that both begin together
    worker.claimer.tick(0.05)
    settle(worker, 2)

    assert canceller.get(10) is None
    with pytest.raises(errors.RemoteError, match="CancelledError"):
        cancelled.get(10)
