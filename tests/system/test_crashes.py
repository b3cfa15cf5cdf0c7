"""Processes and servers that die, stop and come back: every task ends exactly once, and nothing starts without need.

The ledger, which Redis knows nothing of, says what was started and what came to its end.
"""

import signal
import time

import psutil
import pytest

import taskpy
from taskpy import errors
from tests.system.daemons import outage_lines, running
from tests.system.waiting import until

TASKS = 20
#: A lease that no test waits for: what happens before it is over is the supervisor's doing.
LONG_LEASE = 60
LEASE = 1.5
#: What recovery may take on a busy machine. The figures that were seen are recorded, and are far below.
GENEROUS_SECONDS = 15.0


def started_after(fleet, tasks, moment, *, attempt=2):
    """How long after this moment the tasks began this attempt: the first and the last of them."""
    fleet.wait_for_starts(tasks, attempt=attempt)
    delays = [entry.at - moment for entry in fleet.ledger.starts(attempt=attempt)]
    return min(delays), max(delays)


def recorded(record_property, name, seconds):
    """Leave a figure in the report of the test run."""
    record_property(name, round(seconds, 3))
    print(f"{name}: {seconds:.3f} s")  # shown by -rP


def assert_each_ran_twice_and_ended_once(fleet, tasks):
    assert [task.get(30) for task in tasks] == [2] * len(tasks)
    assert len(fleet.ledger.starts()) == 2 * len(tasks)
    assert sorted(entry.id for entry in fleet.ledger.ends()) == sorted(task.id for task in tasks)


def assert_each_ran_and_ended_once(fleet, tasks):
    assert sorted(entry.id for entry in fleet.ledger.starts()) == sorted(task.id for task in tasks)
    assert sorted(entry.id for entry in fleet.ledger.ends()) == sorted(task.id for task in tasks)


# -- processes that are killed ------------------------------------------------------------------


def test_tasks_of_a_killed_child_run_at_once_on_another_worker(fleet, record_property):
    first = fleet.worker(lease=LONG_LEASE, concurrency=TASKS)
    tasks = fleet.submit_many(TASKS, "waits_once")
    fleet.wait_for_starts(tasks)
    fleet.worker(lease=LONG_LEASE, concurrency=TASKS)

    killed = time.monotonic()
    psutil.Process(first.children()[0]).kill()

    _, last = started_after(fleet, tasks, killed)
    recorded(record_property, "kill -9 of a child, all tasks begun on another worker after", last)
    assert last < GENEROUS_SECONDS
    assert_each_ran_twice_and_ended_once(fleet, tasks)


def test_tasks_of_a_killed_child_run_at_once_in_the_child_that_replaces_it(fleet, record_property):
    worker = fleet.worker(lease=LONG_LEASE, concurrency=TASKS)
    tasks = fleet.submit_many(TASKS, "waits_once")
    fleet.wait_for_starts(tasks)
    [child] = worker.children()

    killed = time.monotonic()
    psutil.Process(child).kill()

    _, last = started_after(fleet, tasks, killed)
    recorded(record_property, "kill -9 of a child, all tasks begun in the next child after", last)
    assert last < GENEROUS_SECONDS
    assert_each_ran_twice_and_ended_once(fleet, tasks)
    assert child not in worker.children()


def test_what_a_killed_child_had_reported_stays_and_the_next_one_appends(fleet):
    worker = fleet.worker(lease=LONG_LEASE)
    task = fleet.submit("reports_once")
    until(lambda: task.progress is not None and list(task.logs()), "the first attempt to report")
    [child] = worker.children()

    psutil.Process(child).kill()

    assert [line.text for line in task.logs(follow=True)] == ["attempt 1", "attempt 2"]
    assert task.progress.done == 2


def test_a_killed_child_leaves_the_other_children_alone(fleet):
    worker = fleet.worker(lease=LONG_LEASE, processes=2, concurrency=TASKS)
    tasks = fleet.submit_many(TASKS, "gated", str(fleet.folder))
    fleet.wait_for_starts(tasks)
    lost, kept = worker.children()
    lost_tasks = {entry.id for entry in fleet.ledger.starts() if entry.pid == lost}
    while not lost_tasks:  # the other child was quicker to take all of them
        lost, kept = kept, lost
        lost_tasks = {entry.id for entry in fleet.ledger.starts() if entry.pid == lost}

    psutil.Process(lost).kill()
    until(lambda: fleet.ledger.started(attempt=2) == lost_tasks, "the tasks of the killed child to start again")
    fleet.open_gate(1)
    fleet.open_gate(2)

    assert all(task.get(30) == (2 if task.id in lost_tasks else 1) for task in tasks)
    assert kept in worker.children()


@pytest.mark.parametrize("whole_tree", [True, False], ids=["the whole tree", "the supervisor alone"])
def test_tasks_of_a_killed_worker_run_on_another_after_the_lease(fleet, record_property, whole_tree):
    first = fleet.worker(lease=LEASE, concurrency=TASKS)
    tasks = fleet.submit_many(TASKS, "waits_once")
    fleet.wait_for_starts(tasks)
    fleet.worker(lease=LEASE, concurrency=TASKS)
    children = first.children()

    killed = time.monotonic()
    if whole_tree:
        first.signal_all(signal.SIGKILL)
    else:
        first.signal(signal.SIGKILL)

    earliest, last = started_after(fleet, tasks, killed)
    what = "the whole tree" if whole_tree else "a supervisor"
    recorded(record_property, f"kill -9 of {what}, lease {LEASE} s, all tasks begun elsewhere after", last)
    assert last < LEASE + GENEROUS_SECONDS
    assert earliest > LEASE / 2, "somebody took the tasks of a worker whose lease was not over"
    assert_each_ran_twice_and_ended_once(fleet, tasks)
    until(lambda: not any(map(running, children)), "the children to end with their supervisor")


def test_a_task_that_kills_its_process_fails_and_its_neighbours_do_not(fleet):
    worker = fleet.worker(lease=LONG_LEASE)
    neighbours = fleet.submit_many(4, "waits_once")
    fleet.wait_for_starts(neighbours)

    poison = fleet.submit("poison", options={"restarts": 1})

    with pytest.raises(errors.WorkerLost):
        poison.get(30)
    assert poison.state == "failed"
    assert [entry.attempt for entry in fleet.ledger.starts() if entry.id == poison.id] == [1, 2]
    assert all(neighbour.get(30) >= 2 for neighbour in neighbours)
    assert fleet.submit("echo", "still here").get(30) == ["still here"]
    assert [event.word for event in fleet.client.events(poison.id)] == ["recover", "recover"]
    assert worker.process.poll() is None


def test_a_child_that_cannot_import_its_tasks_any_more_is_tried_again(fleet, tmp_path):
    module = tmp_path / "deployed.py"
    whole = "from taskpy import task\n\n\n@task\ndef work(t):\n    return 1\n"
    module.write_text(whole)
    worker = fleet.worker(lease=LONG_LEASE, module="deployed", cwd=tmp_path)

    module.write_text("1 / 0\n")
    psutil.Process(worker.children()[0]).kill()
    until(lambda: worker.lines("cannot import the tasks, trying again"), "the new child to fail")
    module.write_text(whole)

    assert fleet.client.submit("deployed.work").get(30) == 1
    assert worker.process.poll() is None


# -- processes that are stopped -----------------------------------------------------------------


def test_a_stopped_child_loses_its_tasks_and_is_replaced(fleet, frozen, record_property):
    first = fleet.worker(lease=LEASE, concurrency=TASKS)
    tasks = fleet.submit_many(TASKS, "gated", str(fleet.folder))
    fleet.wait_for_starts(tasks)
    other = fleet.worker(lease=LEASE, concurrency=TASKS)
    [child] = first.children()

    stopped = time.monotonic()
    frozen(child)
    _, last = started_after(fleet, tasks, stopped)
    until(lambda: not running(child), "the stopped child to be killed")
    recorded(record_property, f"SIGSTOP of a child, lease {LEASE} s, killed after", time.monotonic() - stopped)
    recorded(record_property, f"SIGSTOP of a child, lease {LEASE} s, all tasks begun elsewhere after", last)
    fleet.open_gate(1)
    fleet.open_gate(2)

    assert_each_ran_twice_and_ended_once(fleet, tasks)
    until(lambda: first.children() and child not in first.children(), "another child in its place")
    assert last < LEASE + GENEROUS_SECONDS
    [lost] = first.lines("a worker was lost") + other.lines("a worker was lost")  # its own supervisor may see it first
    [killed] = first.lines("killing a child", "stopped for too long")
    assert lost < killed, "its tasks were kept from the others until it was killed"  # each line begins with its time


def test_late_results_of_a_stopped_worker_are_refused(fleet, frozen):
    first = fleet.worker(lease=LEASE, concurrency=TASKS)
    tasks = fleet.submit_many(TASKS, "gated", str(fleet.folder))
    fleet.wait_for_starts(tasks)
    fleet.worker(lease=LEASE, concurrency=TASKS)
    [child] = first.children()

    frozen(first.pid, child)
    fleet.wait_for_starts(tasks, attempt=2)
    fleet.open_gate(1)
    frozen.thaw(child)  # before its supervisor, which would kill it for its lost lease
    until(lambda: len(first.lines("late result refused")) == TASKS, lambda: f"late results;\n{first.log}")

    assert all(task.state == "running" for task in tasks)
    assert {entry.id for entry in fleet.ledger.ends(attempt=1)} == {task.id for task in tasks}
    fleet.open_gate(2)
    assert [task.get(30) for task in tasks] == [2] * TASKS
    frozen.thaw(first.pid)
    until(lambda: first.children() and child not in first.children(), "another child in its place")
    assert len(fleet.ledger.starts()) == 2 * TASKS
    assert fleet.submit("echo", 1).get(30) == [1]


def test_what_a_task_sends_after_it_was_lost_is_refused(fleet, frozen):
    first = fleet.worker(lease=LEASE)
    task = fleet.submit("chatter", str(fleet.folder))
    fleet.wait_for_starts([task])
    fleet.worker(lease=LEASE)
    [child] = first.children()
    until(lambda: task.recv(timeout=10) >= 3, "some messages of the first attempt")

    frozen(first.pid, child)
    fleet.wait_for_starts([task], attempt=2)
    frozen.thaw(child)  # before its supervisor, which would kill it for its lost lease
    until(lambda: first.lines("declared lost"), "the first attempt to learn that it was lost")
    fleet.open_gate(2)

    sent = task.get(30)
    # Both attempts count from 0. After the second one has begun, nothing of the first may stand between.
    assert list(task)[-sent:] == list(range(sent))
    assert not fleet.ledger.ends(attempt=1)


# -- processes that hang ------------------------------------------------------------------------


def test_a_task_that_holds_the_gil_for_longer_than_the_lease_keeps_it(fleet):
    worker = fleet.worker(lease=0.8)
    fleet.worker(lease=0.8)
    task = fleet.submit("holds_the_gil", 2)

    assert task.get(30) == 1
    assert len(fleet.ledger.starts()) == 1
    assert any(worker.lines("a child is silent") for worker in fleet.workers)
    assert not any(worker.lines("killing a child") for worker in fleet.workers)
    assert worker.process.poll() is None


def test_a_child_that_hangs_for_ever_is_killed_and_its_tasks_are_given_back(fleet):
    worker = fleet.worker(lease=0.8)
    hanging, neighbour = fleet.submit("waits_once"), fleet.submit("holds_the_gil", 600)

    assert neighbour.get(30) == 2
    assert hanging.get(30) == 2
    assert worker.lines("killing a child", "silent")
    assert [event.word for event in fleet.client.events(hanging.id)] == ["recover"]


# -- a server that dies, freezes, or drops its connections --------------------------------------


def test_a_killed_server_costs_nothing_that_ran(own_fleet, record_property):
    # The worst case: leases end before Redis is back, but nobody was away for longer than one. And of several workers
    # one sweeps before another one has renewed.
    lease = 2.0
    workers = [own_fleet.worker(ready=False, lease=lease, concurrency=TASKS // 4) for _ in range(4)]
    talking = own_fleet.submit_many(TASKS // 2, "chatter", str(own_fleet.folder))
    silent = own_fleet.submit_many(TASKS // 2, "gated", str(own_fleet.folder))
    tasks = talking + silent
    own_fleet.wait_for_starts(tasks)

    own_fleet.server.kill()
    time.sleep(0.9 * lease)  # the fault itself
    own_fleet.open_gate(1)  # so that half of them end while there is nobody to tell
    until(own_fleet.ledger.ends, "a task to end during the outage")
    own_fleet.server.start()
    back = time.monotonic()

    assert [task.get(30) for task in silent] == [1] * len(silent)
    recorded(record_property, "Redis is back, results are there after", time.monotonic() - back)
    for task in talking:
        assert list(task) == list(range(task.get(30)))
    assert_each_ran_and_ended_once(own_fleet, tasks)
    assert own_fleet.submit("echo", 1).get(30) == [1]
    for worker in workers:
        processes = {worker.pid, *worker.children()}
        until(lambda w=worker: len(w.lines("redis answers again")) >= 2, lambda w=worker: f"two lines;\n{w.log}")
        once = ["redis does not answer", "redis answers again"]
        assert outage_lines(worker.log) == dict.fromkeys(processes, once), worker.log


def test_a_client_waits_out_a_restart_of_the_server(own_fleet):
    own_fleet.worker(lease=LEASE)
    task = own_fleet.submit("converse")
    assert task.recv(timeout=20) == "begun"

    own_fleet.server.kill()
    impatient = taskpy.Client(own_fleet.url, namespace=own_fleet.namespace, timeout=0.3)
    with impatient, pytest.raises(errors.Unreachable, match=str(own_fleet.server.port)):
        impatient.attach(task.id).send("lost")
    own_fleet.server.start()

    task.send("hello")
    assert task.recv(timeout=20) == ["heard", "hello"]
    assert task.stop() == "succeeded"
    assert task.result == ["hello"]


def test_a_frozen_server_costs_nothing_that_ran(own_fleet):
    own_fleet.worker(lease=LEASE, concurrency=TASKS)
    tasks = own_fleet.submit_many(TASKS, "gated", str(own_fleet.folder))
    own_fleet.wait_for_starts(tasks)

    own_fleet.server.freeze()
    time.sleep(2 * LEASE)  # the fault itself
    own_fleet.server.thaw()
    own_fleet.open_gate(1)

    assert [task.get(30) for task in tasks] == [1] * TASKS
    assert_each_ran_and_ended_once(own_fleet, tasks)


def test_dropped_connections_and_forgotten_scripts_cost_nothing(own_fleet):
    worker = own_fleet.worker(lease=LEASE, concurrency=2 * TASKS)
    talking = own_fleet.submit_many(TASKS // 2, "chatter", str(own_fleet.folder))
    silent = own_fleet.submit_many(TASKS // 2, "gated", str(own_fleet.folder))
    own_fleet.wait_for_starts(talking + silent)

    late = []
    for _ in range(10):
        own_fleet.server.drop_connections()
        own_fleet.server.client.script_flush()
        late.append(own_fleet.submit("gated", str(own_fleet.folder)))
    own_fleet.wait_for_starts(late)
    own_fleet.server.drop_connections()
    own_fleet.server.client.script_flush()
    own_fleet.open_gate(1)

    assert [task.get(30) for task in silent + late] == [1] * (len(silent) + len(late))
    for task in talking:
        assert list(task) == list(range(task.get(30)))
    assert_each_ran_and_ended_once(own_fleet, talking + silent + late)
    assert worker.process.poll() is None


def test_a_stop_reaches_a_task_whose_connections_were_dropped(own_fleet, record_property):
    own_fleet.worker(lease=LEASE)
    tasks = [own_fleet.submit("deaf"), own_fleet.submit("deaf_async")]
    own_fleet.wait_for_starts(tasks)

    own_fleet.server.drop_connections()
    began = time.monotonic()
    states = [task.stop(timeout=20) for task in tasks]

    recorded(record_property, f"stop after dropped connections, lease {LEASE} s, ended after", time.monotonic() - began)
    assert states == ["succeeded", "succeeded"]
