"""Trees of tasks on real daemons: a stop races with spawning, workers are killed, slots are few."""

import os
import random
import signal
import threading
import time

import pytest

import taskpy
from taskpy import ops
from tests.system.test_crash_points import Doomed
from tests.system.waiting import until

TREES = 1000
#: How many trees grow at once.
AT_ONCE = 16


def everything(fleet):
    """Every task of the namespace, as the fields of its hash."""
    raw, prefix = fleet.server.client, f"{{{fleet.namespace}}}:t:"
    keys = [key for key in raw.scan_iter(f"{prefix}*", count=1000) if key.decode().count(":") == 2]
    with raw.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.hgetall(key)
        return dict(zip([key.decode().rpartition(":")[2] for key in keys], pipe.execute(), strict=True))


def felling(fleet):
    """The trees that are still to be stopped."""
    return fleet.server.client.zrange(f"{{{fleet.namespace}}}:felling", 0, -1)


def states(fleet, ids):
    return {str(fleet.client.attach(id).state) for id in ids}


# -- the race -----------------------------------------------------------------------------------


def test_no_child_slips_through_a_stop_of_the_tree(fleet):
    seed = int(os.environ.get("TASKPY_TREES_SEED", random.randrange(10**6)))
    print(f"TASKPY_TREES_SEED={seed}")
    fleet.worker(module="growing", concurrency=400, grace=0)
    numbers, stopped, errors = iter(range(TREES)), {}, []
    lock = threading.Lock()

    def stop_trees():
        try:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                chance = random.Random(f"{seed}.{number}")
                root = fleet.client.submit("growing.grow", 2, f"{seed}.{number}")
                time.sleep(chance.random() * 0.03)
                root.stop(tree=True, timeout=60, then="kill", grace=20)
                seconds, micros = fleet.server.client.time()
                stopped[root.id] = seconds * 1000 + micros // 1000
        except BaseException as error:  # the test wants to see it
            errors.append(error)

    threads = [threading.Thread(target=stop_trees) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)

    assert not errors
    assert len(stopped) == TREES
    tasks = everything(fleet)
    root_of = {}
    for id, fields in tasks.items():
        top = id
        while parent := tasks[top].get(b"parent"):
            top = parent.decode()
        root_of[id] = top
        assert fields[b"st"] == b"stopped" or fields[b"st"] == b"succeeded", f"{id} of {top} lives: {fields}"
        late = int(fields.get(b"started", 0)) - stopped[top]
        assert late <= 0, f"{id} of {top} was started {late} ms after its tree was stopped"
    assert len(tasks) > TREES * 2, "hardly anything grew"
    assert felling(fleet) == []


# -- who dies -----------------------------------------------------------------------------------


def test_a_parent_that_is_lost_for_good_takes_its_children_along(fleet):
    doomed = fleet.worker(module="growing", queue="one", concurrency=1)
    fleet.worker(module="growing")
    task = fleet.client.options(queue="one").of("growing.doomed").submit(3)
    children = task.recv(timeout=20)
    until(lambda: states(fleet, children) == {"running"}, fleet.logs)

    os.kill(doomed.pid, signal.SIGKILL)
    until(lambda: states(fleet, children) == {"succeeded"}, fleet.logs)
    assert isinstance(task.exception, taskpy.WorkerLost)
    assert fleet.client.attach(children[0]).stop_reason == "its parent has ended"
    until(lambda: not felling(fleet), fleet.logs)


def test_a_stop_of_the_tree_goes_on_when_who_asked_for_it_dies(fleet):
    fleet.worker(module="growing")
    task = fleet.client.submit("growing.doomed", 3)
    children = task.recv(timeout=20)
    until(lambda: states(fleet, children) == {"running"}, fleet.logs)

    # All that it has said before it died.
    keys, run = fleet.client.space.keys, fleet.client.space.broker.run
    run(ops.stop(keys, id=task.id, queue="default", reason="all of you", tree=True))
    assert task.wait(20)
    until(lambda: states(fleet, children) == {"succeeded"}, fleet.logs)
    assert fleet.client.attach(children[0]).stop_reason == "all of you"


def test_children_of_all_attempts_are_waited_for(fleet):
    first = fleet.worker(module="growing")
    task = fleet.client.submit("growing.goes_on", str(fleet.folder))
    until((fleet.folder / "attempt-1").exists, fleet.logs)
    os.kill(first.pid, signal.SIGKILL)
    fleet.worker(module="growing")

    assert task.get(30) == 2
    assert [child.get(20) for child in task.children()] == [1, 4]


@pytest.mark.parametrize(("point", "numbers"), [("spawn.before", [4]), ("spawn.after", [1, 4])])
def test_a_child_of_a_worker_dies_at_a_spawn(fleet, point, numbers):
    doomed = Doomed(fleet.folder, point)
    task = fleet.client.submit("growing.spawns_one")
    fleet.worker(module="growing", lease=60, env=doomed.env, ready=False)

    doomed.wait()
    assert task.get(30) == 2
    assert [child.get(20) for child in task.children()] == numbers


@pytest.mark.parametrize("point", ["settle.before", "settle.after", "children.before", "felled.before", "felled.after"])
def test_a_child_of_a_worker_dies_as_it_ends_a_parent(fleet, point):
    doomed = Doomed(fleet.folder, point)
    fleet.worker(module="growing", queue="leaves")  # where the child lives on
    task = fleet.client.options(queue="doomed").of("growing.leaves_behind").submit(str(fleet.folder))
    fleet.worker(module="growing", queue="doomed", env=doomed.env, ready=False)

    doomed.wait()
    assert task.wait(30)
    children = task.children()
    for child in children:
        assert child.wait(30)
        assert child.stop_reason == "its parent has ended"
    assert (fleet.folder / "child").read_text() == children[-1].id
    until(lambda: not felling(fleet), fleet.logs)


# -- slots --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sum_of_squares", "left_to_wait"])
def test_a_parent_of_more_children_than_slots_comes_to_its_end(fleet, name):
    fleet.worker(module="growing", concurrency=10)
    task = fleet.client.submit(f"growing.{name}", 50)
    assert task.get(30) == {"sum_of_squares": 40425, "left_to_wait": "spawned"}[name]
    assert len(task.children()) == 50
    assert {child.state for child in task.children()} == {"succeeded"}


def test_a_parent_that_waits_after_its_function_needs_no_slot(fleet):
    fleet.worker(module="growing", concurrency=1)
    tasks = [fleet.client.submit("growing.left_to_wait", 3) for _ in range(3)]
    assert [task.get(30) for task in tasks] == ["spawned"] * 3
