"""`controller`: a task as a plain blocking call, wherever it runs, and the three controllers that taskpy brings."""

import queue
import threading
import time
import uuid

import contract_tasks as tasks
import places
import pytest
from places import SOON, WOKEN, eventually

import taskpy
from taskpy import ProcessTask, Task, controller, errors, redis_brpop, redis_pubsub, wait_until_done

everywhere = pytest.mark.parametrize("place", places.PLAIN, indirect=True)


@pytest.fixture
def server(place, request):
    """The default client's server, whose lists and channels the controllers read; a function that runs a command."""
    if not place.remote:
        taskpy.set_default_client(request.getfixturevalue("real_client"))
    return taskpy.default_client().space.broker.command


@pytest.fixture
def key():
    """A list or channel of nobody else."""
    return f"library:{uuid.uuid4().hex}"


# -- any controller -----------------------------------------------------------------------------


@everywhere
def test_a_controlled_function_is_a_plain_call(place):
    call = controller(wait_until_done)(tasks.give_all).using(place.make)
    assert call(1, two=2) == [(1,), {"two": 2}]
    assert call(func=1, self=2) == [(), {"func": 1, "self": 2}]


@everywhere
def test_a_controlled_call_raises_the_exception_of_its_task(place):
    call = controller(wait_until_done)(tasks.fail).using(place.make)
    with pytest.raises(ValueError, match="no"):
        call("ValueError", "no")


@everywhere
def test_the_task_is_stopped_when_its_controller_is_done(place):
    seen = []

    def steer(t, first, *, second):
        seen.append((t.state, first, second))
        assert t.recv(timeout=SOON) == "begun"

    call = controller(steer, 1, second=2)(tasks.until_stopped).using(place.make)
    assert call() == "done."
    assert seen == [("running", 1, 2)]


@everywhere
def test_a_controller_begins_when_the_task_is_running(place):
    states = []
    call = controller(lambda t: states.append(t.state))(tasks.take).using(place.make)
    with pytest.raises(errors.TaskStopped):
        call()
    assert states == ["running"]


@everywhere
def test_what_a_controller_raises_stops_the_task(place):
    handles = []

    def steer(t):
        handles.append(t)
        assert t.recv(timeout=SOON) == "begun"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        controller(steer)(tasks.until_stopped).using(place.make)()
    assert handles[0].state == "succeeded"


@everywhere
def test_a_controller_may_feed_its_task(place):
    def steer(t):
        for number in range(3):
            t.send(number)
        assert [t.recv(timeout=SOON) for _ in range(3)] == [0, 1, 2]

    assert controller(steer)(tasks.echo).using(place.make)() == "over"


@everywhere
def test_bad_arguments_of_a_controlled_call(place):
    with pytest.raises(errors.BadArguments):
        controller(wait_until_done)(tasks.strict).using(place.make)()


def test_a_controlled_function_looks_like_the_function():
    assert tasks.controlled.__name__ == "controlled"
    assert tasks.controlled.__module__ == "contract_tasks"
    assert tasks.controlled.__wrapped__.function.__name__ == "controlled"


def test_task_under_controller_runs_in_every_place(real_client):
    assert tasks.controlled("thread") == "thread"
    assert tasks.controlled.using(ProcessTask)("process") == "process"
    assert tasks.controlled.using(taskpy.RemoteTask.options(client=real_client))("worker") == "worker"
    taskpy.set_default_client(real_client)
    try:
        assert tasks.controlled.using(taskpy.RemoteTask)("default") == "default"
    finally:
        taskpy.set_default_client(None)


def test_a_task_above_a_controller_says_what_to_do():
    with pytest.raises(TypeError, match=r"nap is no task: @controller .* put @task below @controller"):

        @taskpy.task
        @controller(wait_until_done)
        def nap(t):
            t.sleep(0.01)


@pytest.mark.parametrize("make", [Task, ProcessTask, taskpy.RemoteTask, taskpy.RemoteTask.options(queue="q")])
def test_a_plain_call_is_no_task(make):
    with pytest.raises(TypeError, match=r"controlled is no task: .* the function that stands below @controller"):
        make(tasks.controlled, "value")


def test_async_functions_have_controllers_too():
    @controller(wait_until_done)
    async def nap(t, seconds):
        return await t.sleep(seconds)

    assert nap(0.01) is True


def test_poll_every_is_taken_and_nothing_is_polled():
    began = time.monotonic()
    call = controller(wait_until_done, poll_every=60)(tasks.give)
    assert call("at once") == "at once"
    assert time.monotonic() - began < WOKEN


# -- redis_brpop --------------------------------------------------------------------------------


@everywhere
def test_brpop_feeds_the_items_of_a_list(place, server, key):
    server("LPUSH", key, b"\x00one")
    call = controller(redis_brpop, key, timeout=0.1)(tasks.receive_one).using(place.make)
    assert call() == (key, b"\x00one")
    assert server("LLEN", key) == 0


@everywhere
def test_brpop_waits_for_items(place, server, key, background):
    calling = background(controller(redis_brpop, key, timeout=0.1)(tasks.receive_one).using(place.make))
    server("LPUSH", key, "later")
    assert calling.result(SOON) == (key, b"later")


@everywhere
def test_brpop_keeps_the_order(place, server, key):
    for number in range(5):
        server("LPUSH", key, number)
    call = controller(redis_brpop, key, timeout=0.1)(tasks.take_count).using(place.make)
    assert call(5) == [(key, b"%d" % number) for number in range(5)]


@everywhere
def test_brpop_notices_the_end_within_its_time_out(place, server, key):
    began = time.monotonic()
    assert controller(redis_brpop, key, timeout=0.1)(tasks.give).using(place.make)("over") == "over"
    assert time.monotonic() - began < WOKEN


class Late:
    """A handle whose task has just ended, which its controller does not know yet."""

    def __init__(self, handle):
        self.send = handle.send
        self.done = False


@everywhere
def test_brpop_pushes_back_what_cannot_be_delivered(place, server, key):
    handle = place.started(tasks.give)
    handle.wait()
    server("LPUSH", key, "first", "second")
    redis_brpop(Late(handle), key)
    assert server("LRANGE", key, 0, -1) == [b"second", b"first"]


@pytest.mark.parametrize("place", ["process", "fake", "real"], indirect=True)
def test_brpop_does_not_lose_an_item_that_is_too_large(place, server, key):
    large = b"x" * (2 * 2**20)
    server("LPUSH", key, large)
    with pytest.raises(errors.TooLarge):
        controller(redis_brpop, key, timeout=0.1)(tasks.receive_one).using(place.make)()
    assert server("RPOP", key) == large


# -- redis_pubsub -------------------------------------------------------------------------------


@everywhere
def test_pubsub_feeds_the_messages_of_a_channel(place, server, key, background):
    calling = background(controller(redis_pubsub, key)(tasks.receive_one).using(place.make))
    eventually(lambda: server("PUBLISH", key, b"\xffdata"))
    assert calling.result(SOON) == {
        "type": "message",
        "pattern": None,
        "channel": key.encode(),
        "data": b"\xffdata",
    }


@everywhere
def test_pubsub_notices_the_end_at_once(place, server, key, gate, background):
    call = controller(redis_pubsub, key)(tasks.receive_one_and_hold).using(place.make)
    calling = background(call, gate.path)
    eventually(lambda: server("PUBLISH", key, "data"))
    assert not calling.done()
    began = time.monotonic()
    gate.open()
    assert calling.result(SOON)["data"] == b"data"
    assert time.monotonic() - began < WOKEN


@everywhere
def test_pubsub_is_as_fast_as_its_messages(place, server, key, background):
    calling = background(controller(redis_pubsub, key)(tasks.take_count).using(place.make), 100)
    eventually(lambda: server("PUBLISH", key, -1))
    began = time.monotonic()
    for number in range(200):
        server("PUBLISH", key, number)
    received = [int(message["data"]) for message in calling.result(SOON)]
    assert time.monotonic() - began < WOKEN  # the ancestor slept 0.1 s for each
    numbers = [number for number in received if number >= 0]
    assert numbers == list(range(len(numbers)))


@everywhere
def test_pubsub_leaves_nothing_behind(place, server, key):
    before = threading.active_count()
    call = controller(redis_pubsub, key)(tasks.give).using(place.make)
    for number in range(3):
        assert call(number) == number
    entry = taskpy.default_client().space.broker.subscriber._channels.get(key)
    assert entry is None or entry.callbacks == []
    eventually(lambda: threading.active_count() <= before + 1)


class Unreachable:
    """A handle whose server has gone."""

    def wait(self):
        raise errors.Unreachable


@pytest.mark.parametrize("place", ["fake"], indirect=True)
def test_pubsub_ends_when_the_task_cannot_be_reached(place, server, key):
    redis_pubsub(Unreachable(), key)


def test_the_errors_of_the_queue_are_those_of_the_ancestor():
    handle = Task(tasks.take_within, 0.01)
    handle.start()
    assert handle.get(timeout=SOON) == "empty"  # the task caught queue.Empty
    assert issubclass(taskpy.Empty, queue.Empty)
    assert issubclass(taskpy.Full, queue.Full)
