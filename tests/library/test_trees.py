"""A tree of tasks: children that know their parent, a stop that takes all of them, and what becomes of them at an end."""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor

import places
import pytest
import tree_tasks as tasks
from places import SOON, WOKEN, eventually

import taskpy
from taskpy import Flag, Task
from taskpy.spawning import RemoteSpawner

thoroughly = pytest.mark.parametrize("place", places.THOROUGHLY, indirect=True)
plain = pytest.mark.parametrize("place", places.PLAIN, indirect=True)
remote = pytest.mark.parametrize("place", places.PLAIN_REMOTE, indirect=True)


def all_below(handle):
    """Handles of all tasks below this one."""
    found = []
    for child in handle.children():
        found += [child, *all_below(child)]
    return found


def states(handles):
    return [str(handle.state) for handle in handles]


# -- spawning -----------------------------------------------------------------------------------


@thoroughly
def test_children_are_known_in_their_order_and_know_their_parent(place):
    handle = place.started(tasks.total, 3)
    assert handle.get(SOON) == 3
    ids = handle.recv()

    children = handle.children()
    assert [child.id for child in children] == ids
    assert [child.get(SOON) for child in children] == [0, 1, 2]
    assert [child.parent for child in children] == [handle] * 3
    assert handle.parent is None
    assert all_below(handle) == children


@plain
def test_a_child_is_named_or_has_options(place):
    assert place.started(tasks.by_name).get(SOON) == 15


@plain
def test_a_task_without_children_has_none(place):
    handle = place(tasks.number, 1)
    assert handle.children() == []
    handle.start()
    handle.wait(SOON)
    assert handle.children() == []


@plain
def test_a_child_is_steered_as_any_task(place):
    handle = place.started(tasks.with_echo)
    assert handle.recv(timeout=SOON)
    [child] = handle.children()

    assert child.send("ab") == 1
    assert child.recv(timeout=SOON) == "abab"
    assert child.args == ()
    child.stop(reason="enough", timeout=SOON)
    assert child.stop_reason == "enough"
    assert child.result is None
    assert handle.state == "running"
    handle.stop(timeout=SOON)


def test_only_the_inside_spawns():
    with pytest.raises(taskpy.errors.WrongSide):
        taskpy.Task(tasks.leaf).spawn(tasks.leaf)


def test_a_child_goes_where_its_parent_is():
    elsewhere = tasks.number.options(client=taskpy.Client("redis://elsewhere"))
    spawner = RemoteSpawner("a", "w.1", "wait", None, None)
    with pytest.raises(taskpy.BadArguments, match="leave out client="):
        next(spawner.spawn(elsewhere, (1,), {}))


@pytest.mark.parametrize("place", ["thread"], indirect=True)
def test_a_name_that_nobody_knows_here_is_no_child(place):
    def misspelt(t):
        t.spawn("tree_tasks.nubmer", 7)

    handle = place.started(misspelt)
    with pytest.raises(taskpy.errors.UnknownTask, match="import the module"):
        handle.get(SOON)
    assert handle.children() == []


# -- an end -------------------------------------------------------------------------------------


@thoroughly
def test_a_task_runs_until_its_children_have_ended(place, gate):
    handle = place.started(tasks.ahead, gate.path)
    handle.recv(timeout=SOON)
    [child] = handle.children()
    assert not handle.wait(0.2)
    assert states([handle, child]) == ["running", "running"]

    gate.open()
    assert handle.get(WOKEN) == "mine"
    assert child.state == "succeeded"


@thoroughly
def test_a_task_that_waits_for_its_children_and_is_stopped_stops_them(place):
    handle = place.begun(tasks.waits_for_leaf)
    [child] = handle.children()
    assert not handle.wait(0.1)

    assert handle.stop(timeout=SOON) == "succeeded"
    assert handle.result == "mine"
    assert child.stop_reason == "its parent has ended"
    assert child.stop_reason.by == f"parent:{handle.id}"


@thoroughly
def test_the_children_of_a_task_that_has_failed_are_stopped(place):
    handle = place.started(tasks.failing)
    with pytest.raises(ValueError, match="the parent"):
        handle.get(SOON)
    [child] = handle.children()
    assert child.done
    assert child.result == "leaf, for: its parent has ended"


@thoroughly
def test_children_are_stopped_when_it_ends_where_that_is_wanted(place):
    handle = place.started(tasks.stopping)
    assert handle.get(SOON) == "mine"
    [child] = handle.children()
    assert child.wait(SOON)
    assert child.stop_reason == "its parent has ended"


@thoroughly
def test_children_are_left_alone_where_that_is_wanted(place, gate):
    handle = place.started(tasks.leaving, gate.path)
    assert handle.get(SOON) == "mine"
    [child] = handle.children()
    assert child.state in {"queued", "running"}

    gate.open()
    assert child.get(SOON) == "through"


@remote
def test_the_option_of_the_submitter_goes_before_that_of_the_task(place, gate):
    handle = place.options(children="leave").started(tasks.ahead, gate.path)
    assert handle.get(SOON) == "mine"
    gate.open()
    handle.children()[0].wait(SOON)


def test_an_unknown_word_is_refused():
    with pytest.raises(taskpy.BadArguments, match="'wait', 'stop' or 'leave'"):
        taskpy.RemoteTask.options(children="eat")


@remote
def test_a_tree_of_garbage_has_an_end(place):
    handle = place.started(tasks.number, 1)
    handle.wait(SOON)
    space = taskpy.default_client().space
    garbage = {"cn": 10**15, "c:1": handle.id, "c:2": "nobody", "c:3": handle.id}
    space.broker.redis.hset(space.keys.task(handle.id), mapping=garbage)

    assert [child.id for child in handle.children()] == [handle.id, "nobody", handle.id]
    assert handle.stop(tree=True, timeout=SOON) == "succeeded"
    assert [branch.id for branch in taskpy.default_client().tree(handle.id).walk()] == [handle.id, "nobody"]
    assert space.broker.redis.zcard(space.keys.felling()) == 0


# -- a stop of the tree -------------------------------------------------------------------------


@thoroughly
def test_a_tree_is_stopped(place):
    handle = place.begun(tasks.nested, 2)
    below = all_below(handle)
    assert len(below) == 2

    handle.stop(tree=True, reason="all of you", timeout=SOON)
    assert [one.done for one in [handle, *below]] == [True] * 3
    assert {one.stop_reason for one in [handle, *below]} == {"all of you"}


@thoroughly
def test_a_tree_stands_still_and_goes_on(place):
    handle = place.begun(tasks.nested, 2)
    all_of_it = [handle, *all_below(handle)]

    assert handle.pause(join=True, timeout=SOON, tree=True)
    eventually(lambda: [{*one.flags} for one in all_of_it] == [{Flag.PAUSED}] * 3)

    handle.resume(tree=True)
    eventually(lambda: [{*one.flags} for one in all_of_it] == [set()] * 3)
    handle.stop(tree=True, timeout=SOON)


@thoroughly
def test_a_tree_at_rest_is_stopped(place):
    handle = place.begun(tasks.nested, 1)
    handle.pause(join=True, timeout=SOON, tree=True)

    handle.stop(tree=True, timeout=SOON)
    assert [child.done for child in handle.children()] == [True]


@plain
def test_what_is_spawned_while_a_tree_is_told_to_pause_begins_at_rest(place):
    handle = place.begun(tasks.spawns_on)
    eventually(lambda: len(handle.children()) > 2)

    handle.pause(join=True, timeout=SOON, tree=True)
    eventually(lambda: handle.flags == {Flag.PAUSED})
    children = handle.children()
    for child in children:
        assert child.flags & {Flag.PAUSING, Flag.PAUSED}, f"{child} runs"
    assert len(handle.children()) == len(children)
    handle.stop(tree=True, timeout=SOON)


@thoroughly
@pytest.mark.parametrize("call", ["get", "recv"])
def test_who_waits_for_a_child_that_is_stopped_with_it_is_stopped_too(place, call):
    handle = place.begun(tasks.waits_inside, call)
    [child] = handle.children()

    assert handle.stop(tree=True, timeout=SOON) == "stopped"
    assert (child.state, handle.exception) == ("stopped", None)


@plain
def test_who_waits_for_a_child_that_is_stopped_alone_has_failed(place):
    handle = place.begun(tasks.waits_inside, "get")
    [child] = handle.children()

    child.stop(reason="only you", timeout=SOON)
    with pytest.raises(taskpy.TaskStopped, match="only you"):
        handle.get(SOON)
    assert handle.state == "failed"


@thoroughly
def test_without_tree_only_the_task_is_asked(place):
    handle = place.begun(tasks.nested, 1)
    [child] = handle.children()
    handle.stop(join=False)
    # It ends, for it looks; then its children are asked by it, in its own name.
    assert handle.wait(SOON)
    assert child.stop_reason == "its parent has ended"


@thoroughly
def test_what_follows_goes_for_all_of_the_tree(place, gate):
    handle = place.begun(tasks.with_deaf_child, gate.path)
    [child] = handle.children()
    handle.stop(tree=True, grace=0.1, then="kill", timeout=SOON)
    assert handle.done
    assert child.state == "stopped"


@thoroughly
def test_a_tree_whose_top_has_ended_is_stopped(place, gate):
    handle = place.started(tasks.leaving, gate.path)
    assert handle.get(SOON) == "mine"
    [child] = handle.children()

    assert handle.stop(tree=True, join=False, then="kill", grace=0) == "succeeded"
    assert eventually(lambda: child.stop_reason is not None)
    gate.open()


@plain
def test_nothing_is_spawned_once_the_tree_is_to_stop(place):
    handle = place.begun(tasks.spawns_on)
    eventually(lambda: len(handle.children()) > 2)

    assert handle.stop(tree=True, timeout=SOON) == "stopped"
    assert [child.done for child in handle.children()] == [True] * len(handle.children())


@pytest.mark.parametrize("place", ["process"], indirect=True)
def test_who_was_spawned_in_a_child_process_ends_with_it(place):
    handle = place.begun(tasks.nested, 2)
    below = all_below(handle)
    assert len(below) == 2

    handle.line.kill()
    with pytest.raises(taskpy.WorkerLost):
        handle.get(SOON)
    assert eventually(lambda: all(one.done for one in below))
    for one in below:
        with pytest.raises(taskpy.WorkerLost, match="has ended"):
            one.get(SOON)


@pytest.mark.parametrize("place", ["process"], indirect=True)
def test_one_child_of_a_child_process_is_killed(place, gate):
    handle = place.begun(tasks.with_deaf_child, gate.path)
    [child] = handle.children()
    assert child.stop(grace=0, then="kill", timeout=SOON) == "stopped"
    assert handle.state == "running"
    with pytest.raises(taskpy.errors.AlreadyStarted):
        child.start()


#: How many trees of threads are stopped while they grow, and how many at once.
TREES = 1000
AT_ONCE = 8


def test_no_thread_slips_through_a_stop_of_the_tree():
    seed = int(os.environ.get("TASKPY_TREES_SEED", random.randrange(10**6)))
    print(f"TASKPY_TREES_SEED={seed}")
    begun = []

    def grow(t, depth, word):
        begun.append((word.partition(".")[0], time.monotonic()))
        chance = random.Random(f"{seed}.{word}")
        for number in range(2 if depth else 0):
            t.sleep(chance.random() * 0.002)
            t.spawn(grow, depth - 1, f"{word}.{number}")
        while t.sleep(60):
            pass

    def stopped(number):
        top = Task(grow, 2, str(number))
        top.start()
        time.sleep(random.Random(f"{seed}.{number}").random() * 0.006)
        top.stop(tree=True, timeout=SOON)
        moment, below = time.monotonic(), all_below(top)
        assert states([top, *below]) == [str(one.state) for one in [top, *below] if one.done]
        return str(number), moment

    with ThreadPoolExecutor(AT_ONCE) as threads:
        ends = dict(threads.map(stopped, range(TREES)))
    assert len(begun) > TREES * 2, "hardly anything grew"
    assert [root for root, moment in begun if moment > ends[root]] == []
