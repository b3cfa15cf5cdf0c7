"""A process is killed right before or right after one call to Redis: what then becomes of the task is known for each.

`dying/sitecustomize.py` does it, from inside the process; the product knows nothing of it.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

import taskpy
from taskpy import State
from tests.system.daemons import ROOT, environment
from tests.system.waiting import until

LEASE = 1.5
MESSAGES = [1, 2, 3]
#: So many quick tasks that a worker claims them in batches; the ends of no more are remembered.
MANY = 900


class Doomed:
    """A place to die at, and the sign that it has happened."""

    def __init__(self, folder, point):
        self._witness = folder / "died"
        path = [Path(__file__).parent / "dying", ROOT, ROOT / "worker"]
        self.env = {"TASKPY_DIE_AT": point, "TASKPY_DIED": str(self._witness)}
        self.env |= {"PYTHONPATH": os.pathsep.join(map(str, path))}

    def wait(self):
        """Wait until it has happened."""
        until(self._witness.exists, f"a process to die at {self.env['TASKPY_DIE_AT']}")


def submitted(fleet, name, *args, messages=(), **options):
    task = fleet.client.options(**options).of(f"crashing.{name}").submit(*args)
    for message in messages:
        task.send(message)
    return task


def counts(fleet, task):
    """How often its function began, how often it came to its end, and how many workers it has lost, as Redis counts."""
    lost = fleet.server.client.hget(f"{{{fleet.namespace}}}:t:{task.id}", "crash")
    return len(fleet.ledger.starts()), len(fleet.ledger.ends()), int(lost or 0)


def assert_ended_once(fleet, task):
    """It has one end, and nobody holds it any more."""
    prefix, raw = f"{{{fleet.namespace}}}:", fleet.server.client
    assert task.state is State.SUCCEEDED
    assert raw.lrange(f"{prefix}recent:default", 0, -1) == [task.id.encode()]
    until(lambda: not [k for k in raw.keys(f"{prefix}held:*") if raw.hexists(k, task.id)], "nobody to hold it")
    assert raw.llen(f"{prefix}q:default") == raw.zcard(f"{prefix}later") == 0


# -- a child dies; its supervisor gives back what it held, and starts another one ----------------


@pytest.mark.parametrize(
    ("point", "expected"),
    {  # starts, ends, lost workers
        "claim.before": (1, 1, 0),  # it is in its queue still
        "claim.after": (1, 1, 0),  # claimed and not started: that does not count
        "start.before": (1, 1, 0),
        "start.after": (1, 1, 1),  # it had started for Redis
        "mark.before": (2, 1, 1),
        "mark.after": (2, 1, 1),
        "mark.before:2": (2, 1, 1),
        "mark.after:2": (2, 1, 1),
        "settle.before": (2, 2, 1),  # the work is done again, from the last checkpoint on
        "settle.after": (1, 1, 0),
    }.items(),
)
def test_a_child_dies_at_a_call_for_its_task(fleet, point, expected):
    doomed = Doomed(fleet.folder, point)
    task = submitted(fleet, "adds_up", len(MESSAGES), messages=MESSAGES)

    fleet.worker(module="crashing", lease=60, concurrency=1, env=doomed.env, ready=False)

    doomed.wait()
    assert task.get(20) == MESSAGES
    assert counts(fleet, task) == expected
    assert list(task) == MESSAGES, "what it sends with a checkpoint is sent once"
    assert_ended_once(fleet, task)


def test_a_child_dies_with_what_it_has_claimed_and_started_in_one_round_trip(fleet):
    doomed, raw = Doomed(fleet.folder, "claim.after:2"), fleet.server.client
    fleet.worker(module="crashing", lease=60, concurrency=1, env=doomed.env)
    held = f"{{{fleet.namespace}}}:held:*"
    until(lambda: any(raw.hget(key, "#") == b"1" for key in raw.keys(held)), "a claim that finds nothing")
    task = submitted(fleet, "adds_up", len(MESSAGES), messages=MESSAGES)  # the bell names it

    doomed.wait()
    assert task.get(20) == MESSAGES
    assert counts(fleet, task) == (1, 1, 1)  # it had started for Redis
    assert_ended_once(fleet, task)


@pytest.mark.parametrize("verb", ["settle", "start", "claim"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_child_dies_in_the_middle_of_many_quick_tasks(fleet, verb, moment):
    doomed = Doomed(fleet.folder, f"{verb}.{moment}:9")
    tasks = fleet.client.submit_many("crashing.is_quick", [((number,), {}) for number in range(MANY)])

    fleet.worker(module="crashing", lease=60, concurrency=2, env=doomed.env, ready=False)

    doomed.wait()
    assert [task.get(30) for task in tasks] == list(range(MANY))
    attempts = [int(fleet.server.client.hget(f"{{{fleet.namespace}}}:t:{task.id}", "att")) for task in tasks]
    assert set(attempts) <= {1, 2}, "what it held was lost once"
    ended = fleet.server.client.lrange(f"{{{fleet.namespace}}}:recent:default", 0, -1)
    assert sorted(ended) == sorted(task.id.encode() for task in tasks), "each has one end"
    assert not fleet.server.client.llen(f"{{{fleet.namespace}}}:q:default")


@pytest.mark.parametrize(
    ("point", "lost", "retries"),
    [("giveback.before", 1, None), ("giveback.after", 0, b"1")],  # the retry was not asked for, or it was
)
def test_a_child_dies_as_it_gives_back(fleet, point, lost, retries):
    doomed = Doomed(fleet.folder, point)
    task = submitted(fleet, "retries_once", retries=1)

    fleet.worker(module="crashing", lease=60, concurrency=1, env=doomed.env, ready=False)

    doomed.wait()
    assert task.get(20) == 2
    assert counts(fleet, task) == (2, 1, lost)
    assert fleet.server.client.hget(f"{{{fleet.namespace}}}:t:{task.id}", "ret") == retries
    assert_ended_once(fleet, task)


@pytest.mark.parametrize("point", ["due.before", "due.after", "promote.before", "promote.after"])
def test_a_child_dies_as_it_looks_after_delayed_tasks(fleet, point):
    doomed = Doomed(fleet.folder, point)
    task = submitted(fleet, "adds_up", len(MESSAGES), messages=MESSAGES, delay=0.05)

    fleet.worker(module="crashing", lease=60, concurrency=1, env=doomed.env, ready=False)

    doomed.wait()
    assert task.get(20) == list(task) == MESSAGES
    starts, _, lost = counts(fleet, task)
    assert starts <= 1 + lost
    assert_ended_once(fleet, task)


@pytest.mark.parametrize("point", ["heartbeat.before", "heartbeat.after"])
def test_a_child_dies_as_it_asks_how_its_task_fares(fleet, point):
    doomed = Doomed(fleet.folder, point)
    task = submitted(fleet, "adds_up", len(MESSAGES), messages=MESSAGES[:-1])

    fleet.worker(module="crashing", lease=LEASE, env=doomed.env, ready=False)

    doomed.wait()
    task.send(MESSAGES[-1])
    assert task.get(20) == list(task) == MESSAGES
    starts, ends, lost = counts(fleet, task)
    assert starts <= 1 + lost
    assert ends == 1
    assert_ended_once(fleet, task)


# -- a supervisor dies, and its child with it; another worker takes over --------------------------


@pytest.mark.parametrize(
    "point",
    ["join.before", "join.after", "due.before:2", "due.after:2"]
    + [f"{verb}.{moment}" for verb in ("lose", "recover") for moment in ("before", "after")],
)
def test_a_supervisor_dies_at_a_call_for_its_child(fleet, point):
    doomed = Doomed(fleet.folder, point)
    task = submitted(fleet, "adds_up", len(MESSAGES), messages=MESSAGES[:-1])

    first = fleet.worker(module="crashing", lease=LEASE, env=doomed.env, ready=False)
    if point.startswith(("lose", "recover")):
        fleet.wait_for_starts([task])
        psutil.Process(first.children()[0]).kill()
    doomed.wait()
    until(lambda: first.process.poll() is not None, "the supervisor to die")
    fleet.worker(module="crashing", lease=LEASE, ready=False)

    task.send(MESSAGES[-1])
    assert task.get(20) == list(task) == MESSAGES
    starts, ends, lost = counts(fleet, task)
    assert starts <= 1 + lost
    assert ends == 1
    assert_ended_once(fleet, task)
    lease = f"{{{fleet.namespace}}}:lease"
    until(lambda: fleet.server.client.zcard(lease) == 1, "the dead one to be forgotten")


# -- a client dies --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served(module_fleet):
    """A fleet with a worker that lives."""
    module_fleet.worker(lease=60, concurrency=20)
    return module_fleet


def die_in_a_client(fleet, folder, point, code, *arguments):
    """Run a client that dies; what it had said."""
    doomed = Doomed(folder, point)
    program = "import sys, taskpy\nclient = taskpy.Client(sys.argv[1], namespace=sys.argv[2])\n" + code
    ran = subprocess.run(
        [sys.executable, "-c", program, fleet.url, fleet.namespace, *arguments],
        env=environment(**doomed.env),
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL
    return ran.stdout.strip()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_client_dies_as_it_submits(served, tmp_path, moment):
    code = "task = client.options()('steered.echo', 1)\nprint(task.id, flush=True)\ntask.start()"

    id = die_in_a_client(served, tmp_path, f"submit.{moment}", code)

    task = served.client.attach(id)
    if moment == "before":
        with pytest.raises(taskpy.TaskNotFound):
            task.get(5)
    else:
        assert task.get(20) == [1]
        assert [entry.id for entry in served.ledger.starts()].count(id) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_client_dies_as_it_sends(served, tmp_path, moment):
    task = served.submit("converse")
    assert task.recv(timeout=20) == "begun"

    die_in_a_client(served, tmp_path, f"send.{moment}", "client.attach(sys.argv[3]).send('lost')", task.id)

    task.send("mine")
    answers = ["lost"] * (moment == "after") + ["mine"]
    assert [task.recv(timeout=20) for _ in answers] == [["heard", answer] for answer in answers]
    task.stop()
    assert task.wait(20)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_client_dies_as_it_stops_a_task(served, tmp_path, moment):
    task = served.submit("converse")
    assert task.recv(timeout=20) == "begun"

    die_in_a_client(served, tmp_path, f"stop.{moment}", "client.attach(sys.argv[3]).stop(reason='enough')", task.id)

    if moment == "before":
        assert task.state is State.RUNNING
        task.stop(reason="later")
    assert task.wait(20)
    assert task.stop_reason == ("later" if moment == "before" else "enough")
