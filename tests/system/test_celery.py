"""Celery's tasks, steered: real Celery workers in every pool, whose messages go through the tests' own server."""

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections import OrderedDict
from pathlib import Path

import pytest
from celery.exceptions import (
    OperationalError,
    SoftTimeLimitExceeded,
    TaskRevokedError,
    TimeLimitExceeded,
    WorkerLostError,
)

from taskpy import Client, Progress, RemoteTask, errors, ops, set_default_client
from taskpy.spec import State
from tests.system.ledger import Ledger
from tests.system.servers import Server
from tests.system.tasks import celery_tasks as tasks
from tests.system.waiting import until


@pytest.fixture(autouse=True)
def nothing_left():
    """Celery keeps connections of its own for the whole process; what is ours is looked at in the other files."""


ROOT = Path(__file__).parents[2]
LEASE = 1.5
APP = "tests.system.tasks.celery_tasks"


class CeleryWorker:
    """`celery worker`, as anyone would start it."""

    def __init__(self, stage, pool, *options):
        self._log = stage.folder / f"{uuid.uuid4().hex}.log"
        command = [sys.executable, "-m", "celery", "-A", APP, "worker", "-P", pool, "-c", "2", "-l", "info"]
        command += ["--without-mingle", "--without-gossip", "--without-heartbeat", "-n", f"{uuid.uuid4().hex}@%h"]
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, *options],
                cwd=ROOT,
                env=stage.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def log(self):
        return self._log.read_text()

    def wait_ready(self):
        until(lambda: " ready." in self.log or self.process.poll() is not None, lambda: f"the worker:\n{self.log}")
        assert self.process.poll() is None, self.log
        return self

    def kill(self):
        """End it and its children with SIGKILL."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def close(self):
        """Shut it down as Celery is shut down."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"the worker does not end:\n{self.log}") from None


class Stage:
    """A server, a namespace on it, and whatever runs there."""

    def __init__(self, server, folder, *, lease=LEASE):
        self.folder = folder
        self.namespace = f"celery-{uuid.uuid4().hex[:8]}"
        self.ledger = Ledger(folder / f"{self.namespace}.ledger")
        named = {name for name in os.environ if name.startswith("TASKPY_") or name == "REDIS_URL"}
        self.environment = {name: value for name, value in os.environ.items() if name not in named} | {
            "CELERY_BROKER_URL": server.url,
            "CELERY_RESULT_BACKEND": server.url,
            "CELERY_QUEUE": self.namespace,
            "C_FORCE_ROOT": "1",
            "LEDGER": str(self.ledger.path),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'worker'}",
            "TASKPY_NAMESPACE": self.namespace,
            "TASKPY_REDIS_URL": server.url,
        }
        self.client = Client(server.url, namespace=self.namespace)
        self.client.space.broker.run(ops.agree(self.client.space.keys, version=ops.VERSION, lease=lease))
        self._workers = []

    def start_worker(self, pool, *options):
        self._workers.append(CeleryWorker(self, pool, *options))
        return self._workers[-1].wait_ready()

    @property
    def log(self):
        return self._workers[0].log

    def publish(self, task, *args, kwargs=None, **options):
        """Publish a task as anyone would; what Celery has of it, and what taskpy has."""
        published = task.apply_async(args, kwargs, queue=self.namespace, **options)
        return published, RemoteTask.attach(published.id)

    def pids(self):
        """The processes that are workers of taskpy's, too."""
        return {known.info.pid for known in self.client.workers() if not known.lost}

    def close(self):
        for worker in self._workers:
            worker.close()
        self.client.close()


@pytest.fixture(scope="module")
def server():
    with contextlib.closing(Server(tcp=True).start()) as started:
        tasks.app.conf.update(broker_url=started.url, result_backend=started.url)
        yield started
        tasks.app.close()


@contextlib.contextmanager
def staged(server, folder, **options):
    stage = Stage(server, folder, **options)
    set_default_client(stage.client)
    try:
        yield stage
    finally:
        set_default_client(None)
        stage.close()


@pytest.fixture(scope="module", params=["prefork", "threads", "solo"])
def running(request, server, tmp_path_factory):
    """A stage with a worker that is there already, for what does it no harm."""
    stage = Stage(server, tmp_path_factory.mktemp(request.param))
    stage.start_worker(request.param)
    yield stage
    stage.close()


@pytest.fixture
def shared(running):
    """The same, as the default client of this test."""
    set_default_client(running.client)
    known = len(running.log)
    yield running
    set_default_client(None)
    print(running.log[known:])  # what Celery had to say is shown with a failure


@pytest.fixture
def stage(server, tmp_path):
    """A stage of the test's own, without a worker yet."""
    with staged(server, tmp_path) as own:
        yield own


@pytest.fixture
def patient(server, tmp_path):
    """The same with a lease so long that whatever happens does not happen because of it."""
    with staged(server, tmp_path, lease=600) as own:
        yield own


def events(stage, handle):
    return [(event.word, event.detail) for event in stage.client.events(handle.id)]


# -- steering, in every pool ------------------------------------------------------------------------


def test_a_celery_task_hears_answers_and_ends(shared):
    published, handle = shared.publish(tasks.converse)
    handle.send("early")  # the worker may or may not have begun

    assert handle.recv(timeout=20) == "begun"
    assert handle.state is State.RUNNING
    assert handle.recv(timeout=20) == ["heard", "early"]
    handle.send({"late": (1, 2)})
    assert handle.recv(timeout=20) == ["heard", {"late": (1, 2)}]
    assert handle.stop(timeout=20) is State.SUCCEEDED

    assert handle.get() == ["early", {"late": (1, 2)}]
    assert published.get(timeout=20) == ["early", {"late": [1, 2]}]  # Celery's JSON has no tuples
    assert list(handle) == []


def test_progress_and_logs_of_a_celery_task(shared):
    _, handle = shared.publish(tasks.report)
    reports = handle.reports(follow=True)

    assert {getattr(one, "text", one) for one in (next(reports), next(reports))} == {
        "half way",
        Progress(1, 2, "half way"),
    }
    handle.send("go on")
    handle.get(timeout=20)
    assert handle.progress == Progress(2, 2)
    assert [line.text for line in handle.logs()] == ["half way"]


def test_a_celery_task_asks_and_is_asked(shared):
    published, handle = shared.publish(tasks.asks_and_answers)
    question = until(lambda: handle.question, "its question")
    assert question.data == "go on?"
    assert handle.ask("where", timeout=20) == ["waiting", None]

    RemoteTask.attach(published.id).answer("yes")

    def told():
        return handle.ask("where", "now", timeout=20)

    assert until(lambda: told() == ["yes", "now"] if handle.question is None else None, "the answer to be there")
    with pytest.raises(errors.UnknownTopic):
        handle.ask("who", timeout=20)
    assert handle.stop(timeout=20) is State.SUCCEEDED
    assert published.get(timeout=20) == "yes"


def test_called_like_a_function_it_asks_nobody():
    assert tasks.asks_nobody().startswith("called like a function, this task asks nobody")


def test_a_task_without_self_is_steered_too(shared):
    published, handle = shared.publish(tasks.unbound, "a")
    handle.send("b")

    assert published.get(timeout=20) == "ab"
    assert handle.get(timeout=20) == "ab"


def test_another_handle_sees_all(shared):
    published, handle = shared.publish(tasks.ask, "who?")
    assert handle.recv(timeout=20) == "who?"
    handle.send("me")

    other = RemoteTask.attach(published.id)
    assert other.get(timeout=20) == "me"
    assert list(other) == ["who?"]
    assert (other.name, other.args, other.kwargs) == (tasks.ask.name, ("who?",), {})


def test_a_loop_ends_when_it_is_stopped(shared):
    published, handle = shared.publish(tasks.loop)
    assert handle.recv(timeout=20) == "begun"

    assert handle.stop(timeout=20) is State.SUCCEEDED
    assert handle.result is False  # its sleep was cut short
    assert published.get(timeout=20) is False


def test_a_stop_that_unwinds_the_task_is_a_revocation_for_celery(shared):
    published, handle = shared.publish(tasks.wait_for_message)
    assert handle.recv(timeout=20) == "begun"

    assert handle.stop(reason="not needed", timeout=20) is State.STOPPED
    with pytest.raises(errors.TaskStopped):
        handle.get()
    with pytest.raises(TaskRevokedError, match="not needed"):
        published.get(timeout=20)
    assert published.state == "REVOKED"
    assert handle.snapshot().reason == "not needed"


def test_an_exception_reaches_both(shared):
    published, handle = shared.publish(tasks.fail, "broken")

    with pytest.raises(ValueError, match="broken"):
        handle.get(timeout=20)
    assert handle.state is State.FAILED
    assert isinstance(handle.exception, ValueError)
    with pytest.raises(ValueError, match="broken"):
        published.get(timeout=20)


def test_discard_is_a_failure(shared):
    published, handle = shared.publish(tasks.discard)

    with pytest.raises(errors.RemoteError, match="no good"):
        handle.get(timeout=20)
    until(published.ready, "Celery")
    assert published.state == "FAILURE"


def test_release_says_what_to_do_instead(shared):
    _, handle = shared.publish(tasks.release)

    with pytest.raises(errors.UsageError, match="retry"):
        handle.get(timeout=20)


@pytest.mark.parametrize("how", ["celery", "taskpy", "quietly"])
def test_a_retry_is_the_same_task(shared, how):
    published, handle = shared.publish(tasks.again, 2, kwargs={"how": how})

    assert [handle.recv(timeout=20) for _ in range(3)] == ["attempt 1", "attempt 2", "attempt 3"]
    if how != "quietly":  # Celery may write down RETRY after the SUCCESS that came of it
        until(lambda: shared.log.count(f"[{handle.id}] retry") == 2, "Celery")
    handle.send("enough")

    assert handle.get(timeout=20) == "enough"
    assert published.get(timeout=20) == "enough" or how == "quietly"  # where Celery keeps the first result
    found = handle.snapshot()
    assert (found.attempt, found.retries) == (3, 2)
    assert [word for word, _ in events(shared, handle)] == ["retry", "retry"]


def test_a_task_that_gives_up_has_failed(shared):
    published, handle = shared.publish(tasks.give_up)

    with pytest.raises(ValueError, match="attempt 2"):
        handle.get(timeout=20)
    with pytest.raises(ValueError, match="attempt 2"):
        published.get(timeout=20)


def test_a_stopped_task_is_not_retried(shared):
    published, handle = shared.publish(tasks.retry_when_stopped)
    assert handle.recv(timeout=20) == "begun"

    assert handle.stop(reason="no more", timeout=20) is State.STOPPED
    with pytest.raises(TaskRevokedError, match="no more"):
        published.get(timeout=20)
    assert [entry.id for entry in shared.ledger.starts()].count(handle.id) == 1


def test_a_rejected_delivery_comes_again(shared):
    published, handle = shared.publish(tasks.refuse_once)

    assert handle.get(timeout=20) == "taken"
    assert published.get(timeout=20) == "taken"
    assert handle.snapshot().attempt == 2


def test_a_task_that_is_replaced_goes_on_under_its_id(shared):
    published, handle = shared.publish(tasks.replace, "instead")
    assert handle.recv(timeout=20) == "instead"
    handle.send("good")

    assert handle.get(timeout=20) == "good"
    assert published.get(timeout=20) == "good"


def test_a_result_that_only_celery_can_send_is_celerys(shared):
    published, handle = shared.publish(tasks.unsendable)

    assert published.get(timeout=20) == {"a": 1}
    with pytest.raises(errors.NotSendable):
        handle.get(timeout=20)


def test_a_task_publishes_and_steers_another(shared):
    published, _ = shared.publish(tasks.submit_another)
    other = RemoteTask.attach(published.get(timeout=20))

    assert other.get(timeout=20) == "to it"


def test_a_task_published_by_its_name_is_known_when_it_begins(shared):
    id = uuid.uuid4().hex
    handle = RemoteTask.attach(id)
    tasks.app.send_task(tasks.ask.name, ["why?"], task_id=id, queue=shared.namespace)

    def answer():
        with contextlib.suppress(errors.TaskNotFound):
            return handle.recv(timeout=1)

    assert until(answer, "the task") == "why?"
    handle.send("so")
    assert handle.get(timeout=20) == "so"
    assert handle.args == ("why?",)


def test_a_task_handed_out_twice_runs_once(shared):
    published, handle = shared.publish(tasks.converse)
    assert handle.recv(timeout=20) == "begun"
    tasks.app.send_task(tasks.converse.name, task_id=published.id, queue=shared.namespace)
    handle.send("one")
    assert handle.recv(timeout=20) == ["heard", "one"]
    handle.stop()

    _, after = shared.publish(tasks.ask, "is the other one through?")
    assert after.recv(timeout=20)
    after.send("yes")
    assert after.get(timeout=20) == "yes"
    assert handle.get(timeout=20) == ["one"]
    assert [entry.id for entry in shared.ledger.starts()].count(handle.id) == 1


def test_a_chain_goes_on(shared):
    first = tasks.ask.s("one").set(queue=shared.namespace)
    second = tasks.ask.s().set(queue=shared.namespace)
    last = (first | second).apply_async()
    handles = [RemoteTask.attach(last.parent.id), RemoteTask.attach(last.id)]
    handles[0].send("two")

    assert handles[0].get(timeout=20) == "two"

    def asked():
        with contextlib.suppress(errors.TaskNotFound):  # until it is its turn
            return handles[1].recv(timeout=1)

    assert until(asked, "the second one") == "two"
    handles[1].send("three")
    assert last.get(timeout=20) == "three"


def test_nothing_is_left_behind(shared):
    _, handle = shared.publish(tasks.ask, "?")
    handle.send("!")
    handle.get(timeout=20)

    until(lambda: not any(known.held for known in shared.client.workers()), "what is held")
    until(lambda: shared.client.queues() == {"celery": 0}, shared.client.queues)


# -- before the worker is there ---------------------------------------------------------------------


def test_what_is_sent_and_said_before_the_start_is_not_lost(stage):
    told, steered = stage.publish(tasks.ask, "?")
    steered.send("!")
    stopped, unwanted = stage.publish(tasks.wait_for_message)
    assert unwanted.stop(reason="changed my mind", timeout=20) is State.STOPPED
    expired, late = stage.publish(tasks.wait_for_message, expires=0.01)

    stage.start_worker("prefork")

    assert told.get(timeout=20) == steered.get(timeout=20) == "!"
    with pytest.raises(TaskRevokedError, match="changed my mind"):
        stopped.get(timeout=20)
    with pytest.raises(TaskRevokedError, match="expired"):
        expired.get(timeout=20)
    assert until(lambda: late.done, "the end of the late one")
    assert (late.state, late.snapshot().reason) == (State.STOPPED, "expired")
    assert stage.ledger.starts() == []
    until(lambda: stage.client.queues() == {"celery": 0}, stage.client.queues)


def test_a_stop_before_the_start_is_remembered_for_long(stage):
    _, handle = stage.publish(tasks.wait_for_message, countdown=1000)
    handle.stop(reason="no")

    left = stage.client.redis.ttl(stage.client.space.keys.task(handle.id))
    assert left > 7 * 24 * 3600 + 900


def test_what_cannot_be_published_is_stopped(stage, monkeypatch):
    def send_task(*_, **__):
        raise OperationalError("no broker")

    monkeypatch.setattr(tasks.app, "send_task", send_task)
    id = uuid.uuid4().hex
    with pytest.raises(OperationalError):
        stage.publish(tasks.ask, "?", task_id=id)

    assert RemoteTask.attach(id).state is State.STOPPED
    assert stage.client.queues() == {"celery": 0}


def test_without_taskpys_redis_nothing_is_published(stage, monkeypatch):
    sent = []
    monkeypatch.setattr(tasks.app, "send_task", lambda *_, **__: sent.append(1))
    with contextlib.closing(Client("redis://127.0.0.1:1", timeout=0.1)) as nowhere:
        set_default_client(nowhere)
        with pytest.raises(errors.Unreachable):
            stage.publish(tasks.ask, "?")

    assert sent == []


def test_an_id_is_used_once_and_must_be_one(stage):
    _, handle = stage.publish(tasks.ask, "?")
    handle.stop(timeout=20)

    with pytest.raises(errors.AlreadyStarted, match="stopped"):
        stage.publish(tasks.ask, "?", task_id=handle.id)
    with pytest.raises(errors.BadName):
        stage.publish(tasks.ask, "?", task_id="user:7")


def test_arguments_that_taskpy_cannot_send_are_left_to_celery(stage):
    _, handle = stage.publish(tasks.ask, OrderedDict(a=1))
    assert handle.args == ()

    stage.start_worker("prefork")
    assert handle.recv(timeout=20) == {"a": 1}
    handle.stop()


# -- without a worker -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["called", "applied", "eager"])
def test_called_like_a_function_nobody_steers_it(how, monkeypatch):
    monkeypatch.setitem(tasks.app.conf, "task_always_eager", how == "eager")
    ways = {
        "called": lambda: tasks.alone(number=1),
        "applied": lambda: tasks.alone.apply(kwargs={"number": 1}).get(),
        "eager": lambda: tasks.alone.delay(number=1).get(),
    }

    number, stopped, slept, heard, kwargs = ways[how]()

    assert (number, stopped, slept, kwargs) == (1, False, True, {"number": 1})
    assert heard.startswith("nothing: called like a function")


def test_outside_there_is_no_inside():
    with pytest.raises(errors.WrongSide, match=r"RemoteTask\.attach"):
        tasks.ask.recv()


def test_a_task_calls_another_like_a_function(shared):
    published, handle = shared.publish(tasks.nested)
    handle.send(2)

    assert published.get(timeout=20) == 3


# -- what kills a task --------------------------------------------------------------------------------


def running_in(stage, handle):
    """The process in which the task runs."""
    assert handle.recv(timeout=20) == "begun"
    wid = handle.snapshot().worker
    [pid] = {known.info.pid for known in stage.client.workers() if known.wid == wid}
    return pid


def test_a_killed_child_fails_its_task_at_once(patient):
    worker = patient.start_worker("prefork")
    until(lambda: len(patient.pids()) == 2, patient.pids)
    assert worker.process.pid not in patient.pids()
    published, handle = patient.publish(tasks.converse)
    neighbour = patient.publish(tasks.converse)[1]
    assert neighbour.recv(timeout=20) == "begun"

    os.kill(running_in(patient, handle), signal.SIGKILL)

    with pytest.raises(errors.WorkerLost, match="signal 9"):
        handle.get(timeout=20)
    with pytest.raises(WorkerLostError):
        published.get(timeout=20)
    assert neighbour.stop(timeout=20) is State.SUCCEEDED
    until(lambda: len(patient.pids()) == 2, patient.pids)


def test_a_killed_child_ends_a_task_that_was_to_stop(patient):
    patient.start_worker("prefork")
    _, handle = patient.publish(tasks.deaf)
    pid = running_in(patient, handle)
    handle.stop(join=False, reason="please")

    os.kill(pid, signal.SIGKILL)

    assert until(lambda: handle.state.done, "its end")
    assert handle.state is State.STOPPED


def test_a_killed_worker_fails_its_tasks_after_the_lease(stage):
    worker = stage.start_worker("prefork")
    _, handle = stage.publish(tasks.converse)
    assert handle.recv(timeout=20) == "begun"

    worker.kill()
    stage.start_worker("prefork")

    with pytest.raises(errors.WorkerLost):
        handle.get(timeout=20)
    assert len(stage.ledger.starts()) == 1


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_what_celery_hands_out_again_is_started_again(stage, pool):
    worker = stage.start_worker(pool)
    published, handle = stage.publish(tasks.converse_late)
    assert handle.recv(timeout=20) == "begun"
    handle.send("one")
    assert handle.recv(timeout=20) == ["heard", "one"]

    if pool == "prefork":
        os.kill(next(iter({entry.pid for entry in stage.ledger.starts()})), signal.SIGKILL)
    else:
        worker.kill()
        stage.environment["CELERY_VISIBILITY"] = "1"
        stage.start_worker(pool)

    assert handle.recv(timeout=30) == "begun"
    assert handle.recv(timeout=20) == ["heard", "one"]  # once more, as for every task that is started again
    handle.send("two")
    assert handle.recv(timeout=20) == ["heard", "two"]
    assert handle.stop(timeout=20) is State.SUCCEEDED
    assert handle.get() == ["one", "two"]
    assert published.get(timeout=20) == ["one", "two"]
    assert handle.snapshot().lost == 1


def test_a_task_that_ends_its_process_has_failed(patient):
    patient.start_worker("prefork")
    published, handle = patient.publish(tasks.end_process)

    with pytest.raises(errors.WorkerLost):
        handle.get(timeout=20)
    until(published.ready, "Celery")
    assert len(patient.ledger.starts()) == 1


def test_time_limits_fail_the_task(patient):
    patient.start_worker("prefork")
    hard, killed = patient.publish(tasks.wait_for_message, time_limit=1)
    soft, interrupted = patient.publish(tasks.wait_for_message, soft_time_limit=1)

    with pytest.raises(errors.RemoteError, match="TimeLimitExceeded"):
        killed.get(timeout=20)
    with pytest.raises(TimeLimitExceeded):
        hard.get(timeout=20)
    with pytest.raises(errors.RemoteError, match="SoftTimeLimitExceeded"):
        interrupted.get(timeout=20)
    with pytest.raises(SoftTimeLimitExceeded):
        soft.get(timeout=20)


def test_a_task_that_celery_terminates_is_stopped(patient):
    patient.start_worker("prefork")
    published, handle = patient.publish(tasks.wait_for_message)
    assert handle.recv(timeout=20) == "begun"

    published.revoke(terminate=True)

    assert until(lambda: handle.state.done, "its end")
    assert (handle.state, handle.snapshot().reason) == (State.STOPPED, "terminated")
    with pytest.raises(TaskRevokedError):
        published.get(timeout=20)


def test_a_process_that_was_declared_lost_begins_anew(stage):
    worker = stage.start_worker("solo")
    published, handle = stage.publish(tasks.loop)
    assert handle.recv(timeout=20) == "begun"
    other = stage.start_worker("solo")  # which sweeps

    os.kill(worker.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(errors.WorkerLost):
            handle.get(timeout=20)
        other.close()
    finally:
        os.kill(worker.process.pid, signal.SIGCONT)

    with pytest.raises(errors.WorkerLost):
        published.get(timeout=20)
    published, handle = stage.publish(tasks.ask, "?")
    handle.send("!")
    assert published.get(timeout=20) == handle.get(timeout=20) == "!"


# -- processes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_a_worker_that_shuts_down_leaves(stage, pool):
    worker = stage.start_worker(pool)
    until(stage.pids, "the worker, before it has run any task")
    published, handle = stage.publish(tasks.ask, "?")
    handle.send("!")
    assert published.get(timeout=20) == "!"

    worker.close()

    assert stage.client.workers() == []


def test_children_that_are_replaced_after_each_task(patient):
    patient.start_worker("prefork", "--max-tasks-per-child", "1", "-c", "1")
    found = []
    for _ in range(3):
        published, handle = patient.publish(tasks.pid_of)
        found.append(published.get(timeout=20))
        assert handle.get(timeout=20) == found[-1]

    assert len(set(found)) == 3


def test_a_process_has_few_connections_however_many_tasks_run(stage):
    worker = stage.start_worker("threads", "-c", "20")
    handles = [stage.publish(tasks.wait_for_message)[1] for _ in range(20)]
    for handle in handles:
        assert handle.recv(timeout=20) == "begun"

    ours = [c for c in stage.client.redis.client_list() if c["name"].endswith(f":{worker.process.pid}")]

    assert 2 <= len(ours) <= 5, ours
    for handle in handles:
        handle.stop(join=False)
    for handle in handles:
        handle.wait(20)
