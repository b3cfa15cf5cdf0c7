"""A task is steered from any process that knows its id: one submits, another talks to it, a third waits for its result.

All of them are processes of their own, and none can import the task's code unless the test says so.
"""

import asyncio
import itertools

import pytest

from taskpy import aio
from tests.system.waiting import until

#: Every order in which a second process may send, receive and stop.
ORDERS = list(itertools.permutations(["send", "recv", "stop"]))
in_every_order = pytest.mark.parametrize("order", ORDERS, ids="-".join)
#: Plain and async functions are steered alike.
FUNCTIONS = ["converse", "converse_async"]
either = pytest.mark.parametrize("function", FUNCTIONS)


@pytest.fixture(scope="module")
def serving(module_fleet):
    """A namespace with a worker."""
    module_fleet.worker(concurrency=100)
    return module_fleet


@pytest.fixture(scope="module")
def second(module_fleet):
    """The process that steers."""
    controller = module_fleet.controller()
    assert not controller.do("knows_the_code")
    return controller


@pytest.fixture(scope="module")
def third(module_fleet):
    """The process that waits for the result."""
    controller = module_fleet.controller()
    assert not controller.do("knows_the_code")
    return controller


@pytest.fixture
def submitted(module_fleet):
    """Has a process of its own submit a task, and ends that process: nobody is left who made the task."""

    def submit(name, *args, by="name", **options):
        first = module_fleet.controller(with_code=by == "function")
        if by == "function":
            id = first.do("submit_function", name, *args, options=options)
        else:
            id = first.do("submit", f"steered.{name}", *args, options=options)
        first.leave()
        return id

    return submit


def steer(controller, id, order, *, recv_seconds=20):
    """Send, receive and stop in this order; what came of each."""
    ways = {
        "send": lambda: controller.do("send", id, "x"),
        "recv": lambda: controller.do("recv", id, timeout=recv_seconds),
        "stop": lambda: controller.do("stop", id, timeout=20),
    }
    return {step: ways[step]() for step in order}


# -- while it runs ------------------------------------------------------------------------------


@pytest.mark.usefixtures("serving")
@pytest.mark.parametrize("by", ["name", "function"])
@either
def test_three_processes_share_a_running_task(submitted, second, third, function, by):
    id = submitted(function, by=by)
    third.begin("get", id, timeout=30)

    assert second.do("recv", id, timeout=20) == "begun"
    assert second.do("state", id) == "running"
    second.do("send", id, "one")
    assert second.do("recv", id, timeout=20) == ["heard", "one"]
    second.do("send", id, {"number": 2})
    assert second.do("stop", id, reason="enough") == "succeeded"

    assert third.answer() == ["one", {"number": 2}]
    assert second.do("recv_all", id) == [["heard", {"number": 2}]]
    assert third.do("recv_all", id) == ["begun", ["heard", "one"], ["heard", {"number": 2}]]


@in_every_order
def test_a_running_task_is_steered_in_every_order(serving, submitted, second, third, order):
    id = submitted("converse")
    until(lambda: id in serving.ledger.started(), "the task to begin")
    third.begin("get", id, timeout=30)

    answers = steer(second, id, order)

    sent_in_time = order.index("send") < order.index("stop")
    assert answers["recv"] == "begun"
    assert answers["stop"] == "succeeded"
    assert answers["send"] == (None if sent_in_time else "TaskEnded")
    assert third.answer() == (["x"] if sent_in_time else [])


def test_two_who_attach_at_once_both_read_everything(serving, submitted, second, third):
    id = submitted("count", 800)
    second.begin("recv_all", id)
    third.begin("recv_all", id)
    serving.client.attach(id).send("go")

    assert second.answer() == list(range(800))
    assert third.answer() == list(range(800))


def test_two_who_send_at_once_are_both_heard_in_their_order(serving, submitted, second, third):
    id = submitted("converse")
    mine, yours = [["second", n] for n in range(200)], [["third", n] for n in range(200)]

    second.begin("send_many", id, mine)
    third.begin("send_many", id, yours)
    assert second.answer() is None
    assert third.answer() is None
    assert second.do("stop", id) == "succeeded"

    heard = third.do("get", id, timeout=30)
    assert [message for message in heard if message[0] == "second"] == mine
    assert [message for message in heard if message[0] == "third"] == yours
    assert len(heard) == 400


def test_several_may_stop_and_all_learn_the_same_end(serving, submitted, second, third):
    id = submitted("deaf")
    until(lambda: id in serving.ledger.started(), "the task to begin")

    second.begin("stop", id, timeout=20, reason="first")
    third.begin("stop", id, timeout=20, reason="second")

    assert [second.answer(), third.answer()] == ["succeeded", "succeeded"]
    assert second.do("get", id) == third.do("get", id) == "stopped"
    assert [event.word for event in serving.client.events(id)] == ["stop"]


def test_a_coroutine_steers_from_outside(serving, submitted, third):
    id = submitted("converse")
    third.begin("get", id, timeout=30)

    async def steer_it():
        async with aio.Client(serving.url, namespace=serving.namespace) as client:
            handle = client.attach(id)
            assert await handle.recv(timeout=20) == "begun"
            await handle.send("hello")
            assert await handle.recv(timeout=20) == ["heard", "hello"]
            return await handle.stop(timeout=20)

    assert asyncio.run(steer_it()) == "succeeded"
    assert third.answer() == ["hello"]


# -- before any worker --------------------------------------------------------------------------


@either
def test_what_was_said_to_a_queued_task_is_heard_when_it_runs(fleet, function):
    second, third = fleet.controller(), fleet.controller()
    id = second.do("submit", f"steered.{function}")
    assert second.do("recv", id, timeout=0.1) == "Empty"
    assert second.do("state", id) == "queued"
    second.do("send", id, "early")
    third.begin("recv", id, timeout=30)

    fleet.worker()

    assert third.answer() == "begun"
    assert third.do("recv", id, timeout=20) == ["heard", "early"]
    assert second.do("stop", id, timeout=20) == "succeeded"
    assert third.do("get", id) == ["early"]


@in_every_order
def test_a_queued_task_is_steered_in_every_order(module_fleet, submitted, second, third, order):
    id = submitted("converse", queue="nobody-serves-this")
    third.begin("get", id, timeout=30)

    answers = steer(second, id, order, recv_seconds=0.05)

    assert answers["stop"] == "stopped"
    assert third.answer() == "TaskStopped"
    after_stop = order[order.index("stop") + 1 :]
    assert answers["send"] == ("TaskEnded" if "send" in after_stop else None)
    assert answers["recv"] == ("TaskEnded" if "recv" in after_stop else "Empty")
    assert id not in module_fleet.ledger.started()


def test_a_task_stopped_in_its_queue_never_begins(fleet):
    second = fleet.controller()
    stopped, kept = second.do("submit", "steered.echo", 1), second.do("submit", "steered.echo", 2)
    assert second.do("stop", stopped) == "stopped"

    fleet.worker()

    assert second.do("get", kept, timeout=30) == [2]
    assert fleet.ledger.started() == {kept}
    assert second.do("state", stopped) == "stopped"


# -- after the end ------------------------------------------------------------------------------


@in_every_order
def test_an_ended_task_is_steered_in_every_order(serving, submitted, second, third, order):
    id = submitted("count", 2)
    serving.client.attach(id).send("go")
    assert third.do("get", id, timeout=30) == 2

    answers = steer(second, id, order)

    assert answers["send"] == "TaskEnded"
    assert answers["recv"] == 0
    assert answers["stop"] == "succeeded"
    assert second.do("recv", id) == 1
    assert second.do("recv", id) == "TaskEnded"
    assert third.do("recv_all", id) == [0, 1]
    assert second.do("get", id) == 2


def test_a_failure_is_the_same_in_every_process(serving, submitted, second, third):
    id = submitted("raises", "not today")
    third.begin("get", id, timeout=30)

    raised = third.answer()
    assert (raised.kind, raised.text) == ("ValueError", "not today")
    assert second.do("exception", id) == ["ValueError", "not today"]
    assert second.do("state", id) == "failed"
    assert second.do("stop", id) == "failed"
