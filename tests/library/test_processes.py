"""Processes: children that die, parents that die, programs that end, and forks."""

import os
import signal
import sys

import contract_tasks as tasks
import psutil
import pytest
from places import SOON, WOKEN, eventually

import taskpy
from taskpy import ProcessTask, RemoteTask, errors

process = pytest.mark.parametrize("place", ["process", "process-async"], indirect=True)
remote_names = pytest.mark.parametrize("place", ["real"], indirect=True)


def alive(pid):
    """Whether the process lives; what waits to be collected by its parent does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# -- a child that dies --------------------------------------------------------------------------


@process
def test_a_child_that_dies_leaves_a_failed_task(place):
    handle = place.started(tasks.tell_pid)
    os.kill(handle.recv(timeout=SOON), signal.SIGKILL)
    with pytest.raises(errors.WorkerLost, match="SIGKILL"):
        handle.get(timeout=SOON)
    assert handle.state == "failed"
    assert isinstance(handle.exception, errors.WorkerLost)
    with pytest.raises(errors.TaskEnded):
        handle.send("too late")


@process
def test_a_child_that_dies_after_a_stop_leaves_a_stopped_task(place, gate):
    handle = place.started(tasks.tell_pid_and_ignore_stop, gate.path)
    pid = handle.recv(timeout=SOON)
    assert handle.stop(join=False) == "running"
    os.kill(pid, signal.SIGKILL)
    assert handle.wait(SOON)
    assert handle.state == "stopped"
    assert handle.exception is None


@pytest.mark.parametrize("place", ["process"], indirect=True)
def test_what_a_child_sent_before_it_died_is_not_lost(place):
    handle = place.started(tasks.die_after_sending, 50)
    assert list(handle) == list(range(50))
    with pytest.raises(errors.WorkerLost, match="exit code 7"):
        handle.get(timeout=SOON)


@pytest.mark.parametrize("place", ["process"], indirect=True)
def test_ctrl_c_is_for_the_parent(place):
    handle = place.started(tasks.tell_pid)
    os.kill(handle.recv(timeout=SOON), signal.SIGINT)
    handle.send("go on")
    assert handle.wait(SOON)
    assert handle.state == "succeeded"


@pytest.mark.parametrize("place", ["process"], indirect=True)
def test_the_task_runs_in_another_process_that_ends_with_it(place):
    handle = place.started(tasks.facts)
    pid = handle.get(timeout=SOON)["pid"]
    assert pid != os.getpid()
    eventually(lambda: not alive(pid))


@pytest.mark.parametrize("place", ["process"], indirect=True)
def test_a_grandchild_that_lives_on_does_not_hide_the_end(place):
    handle = place.started(tasks.die_and_leave_a_child)
    orphan = handle.recv(timeout=SOON)
    try:
        with pytest.raises(errors.WorkerLost):
            handle.get(timeout=SOON)
    finally:
        os.kill(orphan, signal.SIGKILL)


@pytest.mark.parametrize("place", ["process", "fake", "real"], indirect=True)
def test_a_task_may_start_processes_of_its_own(place):
    assert place.started(tasks.in_process, "from below").get(timeout=SOON) == "from below"


def test_a_child_that_cannot_be_started_leaves_a_failed_task(monkeypatch):
    handle = ProcessTask(tasks.give, 1)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr("multiprocessing.spawn._python_exe", b"/nowhere/python")
    handle.start()
    with pytest.raises(errors.WorkerLost):
        handle.get(timeout=SOON)


def test_a_process_that_cannot_be_made_is_an_error_of_start(monkeypatch):
    def refuse(*args):
        raise OSError("too many processes")

    handle = ProcessTask(tasks.give, 1)
    monkeypatch.setattr("multiprocessing.util.spawnv_passfds", refuse)
    with pytest.raises(OSError, match="too many processes"):
        handle.start()
    assert handle.wait(SOON)
    assert handle.state == "failed"
    with pytest.raises(OSError, match="too many processes"):
        handle.get()


# -- the end of a program -----------------------------------------------------------------------


def test_the_end_of_a_program_stops_its_tasks(script, tmp_path):
    _, seconds = script.run(
        """
import asyncio, sys, pathlib
from taskpy import ProcessTask, Task

def wait(t, name):
    t.send("begun")
    while not t.stopped():
        t.sleep(60)
    pathlib.Path(name).write_text("stopped")

async def wait_async(t, name):
    await t.send("begun")
    while await t.sleep(60):
        pass
    pathlib.Path(name).write_text("stopped")

if __name__ == "__main__":
    handles = [place(func, f"{place.__name__}-{func.__name__}") for place in (Task, ProcessTask) for func in (wait, wait_async)]
    for handle in handles:
        handle.start()
    for handle in handles:
        handle.recv(timeout=20)
"""
    )
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".py") == [
        "ProcessTask-wait",
        "ProcessTask-wait_async",
        "Task-wait",
        "Task-wait_async",
    ]
    assert seconds < 2 * WOKEN


def test_the_end_of_a_program_waits_five_seconds_and_ends_children(script):
    output, seconds = script.run(
        """
import time
from taskpy import ProcessTask, Task

def ignore(t):
    import os
    t.send(os.getpid())
    time.sleep(600)

if __name__ == "__main__":
    began = time.monotonic()
    handles = [Task(ignore), ProcessTask(ignore)]
    for handle in handles:
        handle.start()
    print([handle.recv(timeout=20) for handle in handles][1])
"""
    )
    assert 5.0 <= seconds < 12.0
    eventually(lambda: not alive(int(output)))


def test_a_child_exits_with_its_parent(script):
    program = script.start(
        """
import time
from taskpy import ProcessTask

def ignore(t):
    import os
    t.send(os.getpid())
    time.sleep(600)

if __name__ == "__main__":
    handle = ProcessTask(ignore)
    handle.start()
    print(handle.recv(timeout=20), flush=True)
    time.sleep(600)
"""
    )
    assert program.stdout is not None
    child = int(program.stdout.readline())
    assert alive(child)
    program.kill()
    eventually(lambda: not alive(child), WOKEN)
    program.communicate(timeout=SOON)


def test_an_ended_task_does_not_delay_the_end_of_a_program(script):
    _, seconds = script.run(
        """
from taskpy import ProcessTask, Task
from contract_tasks import give

if __name__ == "__main__":
    for place in (Task, ProcessTask):
        handle = place(give, 1)
        handle.start()
        handle.get(timeout=20)
    stopped = Task(give, 2)
    stopped.stop()
"""
    )
    assert seconds < WOKEN


# -- fork ---------------------------------------------------------------------------------------


def test_a_local_handle_does_not_survive_a_fork(script):
    output, _ = script.run(
        """
import os, sys, time
from taskpy import ProcessTask, Task, errors
from contract_tasks import give, until_stopped

def tried(call):
    try:
        call()
        return "no error"
    except errors.Forked as error:
        return type(error).__name__

if __name__ == "__main__":
    handles = [Task(until_stopped), ProcessTask(until_stopped)]
    for handle in handles:
        handle.start()
        handle.recv(timeout=20)
    child = os.fork()
    if child == 0:
        for handle in handles:
            print(tried(handle.stop), tried(lambda: handle.state), tried(lambda: handle.send(1)), tried(handle.recv))
        own = Task(give, "own")
        own.start()
        print(own.get(timeout=20), flush=True)
        sys.exit()
    os.waitpid(child, 0)
    print([str(handle.state) for handle in handles], [str(handle.stop(timeout=20)) for handle in handles])
"""
    )
    forked = "Forked Forked Forked Forked"
    assert output.splitlines() == [forked, forked, "own", "['running', 'running'] ['succeeded', 'succeeded']"]


@pytest.mark.parametrize("place", ["real"], indirect=True)
def test_a_remote_handle_survives_a_fork(place, real_url, script):
    output, _ = script.run(
        """
import os, sys
import taskpy
from contract_tasks import echo

client = taskpy.Client(sys.argv[1], namespace="library")
handle = client.submit(echo)
handle.send("parent")
assert handle.recv(timeout=20) == "parent"
child = os.fork()
if child == 0:
    handle.send("child")
    print(handle.recv(timeout=20), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(handle.recv(timeout=20), handle.stop(timeout=20))
""",
        real_url,
    )
    assert output.splitlines() == ["child", "child succeeded"]


# -- what a worker runs -------------------------------------------------------------------------


@remote_names
def test_the_worker_runs_in_processes_of_its_own(place):
    assert place.started(tasks.facts).get(timeout=SOON)["pid"] != os.getpid()


@remote_names
def test_an_attached_task_is_steered_from_another_process(place, real_url, script):
    handle = place.started(tasks.echo)
    output, _ = script.run(
        """
import sys
from taskpy import Client

handle = Client(sys.argv[1], namespace="library").attach(sys.argv[2])
handle.send("from outside")
print(handle.recv(timeout=20), handle.stop(timeout=20), handle.result)
""",
        real_url,
        handle.id,
    )
    assert output == "from outside succeeded over\n"
    assert handle.recv() == "from outside"
    assert handle.result == "over"


@remote_names
def test_the_default_client_comes_from_the_environment(place, real_url, script, monkeypatch):
    script._environment |= {"TASKPY_REDIS_URL": real_url, "TASKPY_NAMESPACE": "library"}
    output, _ = script.run(
        """
from taskpy import RemoteTask

handle = RemoteTask("contract_tasks.give", "by name")
handle.start()
print(handle.get(timeout=20), handle.id)
"""
    )
    text, id = output.rsplit(maxsplit=1)
    assert text == "by name"
    assert RemoteTask.attach(id).result == "by name"
    assert taskpy.default_client().attach(id).result == "by name"
