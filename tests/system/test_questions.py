"""Questions over real daemons: they outlive whoever runs the task, and whoever has asked."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from taskpy import State
from tests.system.daemons import environment
from tests.system.test_crash_points import Doomed
from tests.system.waiting import until

LONG_LEASE = 60


def asked(fleet, task):
    """What the task asks, as soon as it does."""
    return until(lambda: task.question, fleet.logs)


def begun(fleet, task, attempt=1):
    """Wait for the start of this attempt; who runs it."""
    until(lambda: task.id in fleet.ledger.started(attempt=attempt), fleet.logs)
    return next(entry.pid for entry in fleet.ledger.starts(attempt=attempt) if entry.id == task.id)


# -- a task that waits for an answer --------------------------------------------------------------


@pytest.mark.parametrize("name", ["approve", "approve_async"])
def test_a_question_outlives_the_workers_and_is_answered_while_nobody_runs_it(fleet, name):
    worker = fleet.worker(module="asking")
    task = fleet.client.submit(f"asking.{name}")
    before = asked(fleet, task)

    worker.signal_all(signal.SIGKILL)
    worker.ended()

    assert task.question == before
    task.answer("yes")
    assert task.question is None
    began = time.monotonic()
    fleet.worker(module="asking")
    assert task.get(30) == [2, "yes"]
    assert time.monotonic() - began < 30
    assert len(fleet.ledger.starts()) == 2


def test_a_child_that_is_killed_while_it_waits_asks_the_same_again(fleet):
    fleet.worker(module="asking", lease=LONG_LEASE)
    task = fleet.client.submit("asking.approve")
    number = asked(fleet, task).number

    os.kill(begun(fleet, task), signal.SIGKILL)
    begun(fleet, task, attempt=2)

    assert asked(fleet, task).number == number, "it is the same question"
    task.answer("yes", number=number)
    assert task.get(30) == [2, "yes"]


def test_a_drain_takes_the_question_elsewhere(fleet):
    draining = fleet.worker(module="asking", lease=LONG_LEASE, grace=LONG_LEASE)
    task = fleet.client.submit("asking.approve_elsewhere")
    number = asked(fleet, task).number
    draining.signal(signal.SIGTERM)
    assert draining.ended() == 0

    assert (task.state, asked(fleet, task).number) == (State.QUEUED, number)
    fleet.worker(module="asking", lease=LONG_LEASE)
    begun(fleet, task, attempt=2)
    task.answer("elsewhere", number=number)
    assert task.get(30) == [2, "elsewhere"]
    assert task.snapshot().lost == 0


def test_what_was_answered_before_a_checkpoint_is_not_asked_again(fleet):
    fleet.worker(module="asking", lease=LONG_LEASE)
    task = fleet.client.submit("asking.approve_step_by_step")
    first = asked(fleet, task)
    task.answer("one", number=first.number)
    second = until(lambda: (now := task.question) and now.number > first.number and now, fleet.logs)
    assert second.data == first.data

    os.kill(begun(fleet, task), signal.SIGKILL)
    begun(fleet, task, attempt=2)

    assert asked(fleet, task).number == second.number
    task.answer("two", number=second.number)
    assert task.get(30) == [2, "one", "two"]


def test_the_wait_for_an_answer_outlives_an_outage(own_fleet):
    own_fleet.worker(module="asking", lease=LONG_LEASE)
    task = own_fleet.client.submit("asking.approve")
    asked(own_fleet, task)

    own_fleet.server.freeze()
    time.sleep(3)  # an outage has a length; that is no waiting for a condition
    own_fleet.server.thaw()
    task.answer("after all")

    assert task.get(30) == [1, "after all"]


# -- a task that is asked -------------------------------------------------------------------------


def test_whoever_waits_for_an_answer_gets_it_from_the_next_attempt(fleet, frozen):
    worker = fleet.worker(module="asking")
    task = fleet.client.submit("asking.status")
    pid = begun(fleet, task)
    frozen(worker.pid, *worker.children())
    found = []
    asking = threading.Thread(target=lambda: found.append(task.ask("status", timeout=60)), daemon=True)
    asking.start()
    until(lambda: fleet.server.client.hget(f"{{{fleet.namespace}}}:t:{task.id}", "qo"), "the question to be there")

    fleet.worker(module="asking")

    asking.join(60)
    [[attempt, answering]] = found
    assert attempt == 2
    assert answering != pid
    task.stop()


# -- whoever dies at a call -----------------------------------------------------------------------


@pytest.mark.parametrize("point", ["pose.before", "pose.after", "orders.before", "orders.after"])
def test_a_child_dies_as_it_asks(fleet, point):
    doomed = Doomed(fleet.folder, point)
    fleet.worker(module="asking", env=doomed.env, ready=False)
    task = fleet.client.submit("asking.approve")
    if point.startswith("orders"):
        asked(fleet, task)
        task.answer("yes")
        doomed.wait()
    else:
        doomed.wait()
        asked(fleet, task)
        task.answer("yes")

    assert task.get(30) == [2, "yes"]
    assert len(fleet.ledger.starts()) == 2


@pytest.mark.parametrize("point", ["withdraw.before", "withdraw.after"])
def test_a_child_dies_as_it_gives_up(fleet, point):
    doomed = Doomed(fleet.folder, point)
    fleet.worker(module="asking", env=doomed.env, ready=False)
    task = fleet.client.submit("asking.gives_up")

    assert task.get(30) == [2, "nobody"]
    assert doomed.wait() is None


@pytest.mark.parametrize("point", ["respond.before", "respond.after"])
def test_a_child_dies_as_it_answers(fleet, point):
    doomed = Doomed(fleet.folder, point)
    fleet.worker(module="asking", env=doomed.env, ready=False)
    task = fleet.client.submit("asking.status")
    begun(fleet, task)

    attempt, _ = task.ask("status", timeout=30)

    doomed.wait()
    assert attempt == (1 if point == "respond.after" else 2)
    begun(fleet, task, attempt=2)
    task.stop()


def die_in_a_client(fleet, point, code, id):
    """Run a client that dies."""
    doomed = Doomed(fleet.folder, point)
    program = "import sys, taskpy\ntask = taskpy.Client(sys.argv[1], namespace=sys.argv[2]).attach(sys.argv[3])\n"
    command = [sys.executable, "-c", program + code, fleet.url, fleet.namespace, id]
    ran = subprocess.run(command, env=environment(**doomed.env), timeout=30, check=False)
    assert ran.returncode == -signal.SIGKILL


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_client_dies_as_it_answers(fleet, moment):
    fleet.worker(module="asking", lease=LONG_LEASE)
    task = fleet.client.submit("asking.approve")
    number = asked(fleet, task).number

    die_in_a_client(fleet, f"answer.{moment}", f"task.answer('mine', number={number})", task.id)

    if moment == "before":
        task.answer("another's", number=number)
    assert task.get(30) == [1, "mine" if moment == "after" else "another's"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_client_dies_as_it_asks(fleet, moment):
    fleet.worker(module="asking", lease=LONG_LEASE)
    task = fleet.client.submit("asking.status")
    pid = begun(fleet, task)

    die_in_a_client(fleet, f"ask.{moment}", "task.ask('status')", task.id)

    assert task.ask("status", timeout=20) == [1, pid]
    task.stop()
