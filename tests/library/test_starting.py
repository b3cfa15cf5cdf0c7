"""The moment in which a task is submitted: what others do to its handle meanwhile, and what an outage leaves open."""

import threading

import contract_tasks as tasks
import places
import pytest
from places import SOON

import taskpy
from taskpy import errors

workers = pytest.mark.parametrize("place", places.PLAIN_REMOTE, indirect=True)


@pytest.fixture
def broker(place):
    """The door to Redis, which a test may hold or break."""
    return taskpy.default_client().space.broker


@pytest.fixture
def slow_submit(broker, monkeypatch):
    """Holds each submit, once it has begun, until it is let go."""
    run, begun, let_go = broker.run, threading.Event(), threading.Event()

    def held(op):
        if op.verb == "submit":
            begun.set()
            assert let_go.wait(SOON)
        return run(op)

    monkeypatch.setattr(broker, "run", held)
    yield begun, let_go
    let_go.set()


@pytest.fixture
def broken_submit(broker, monkeypatch):
    """Loses the next submit, or its answer."""
    run, ways = broker.run, []

    def lossy(op):
        if op.verb != "submit" or not ways:
            return run(op)
        if ways.pop() == "answer":
            run(op)
        raise errors.Unreachable

    monkeypatch.setattr(broker, "run", lossy)
    return ways.append


@pytest.mark.parametrize("place", places.EVERYWHERE, indirect=True)
def test_messages_of_another_thread_at_the_start_all_arrive(place, background):
    handle = place(tasks.take_count, 400)
    some = threading.Event()

    def send():
        for number in range(400):
            handle.send(number)
            if number == 20:
                some.set()

    sending = background(send)
    assert some.wait(SOON)
    handle.start()
    sending.result(SOON)
    assert handle.get(timeout=SOON) == list(range(400))


@workers
def test_a_message_sent_while_it_starts_arrives(place, slow_submit, background):
    begun, let_go = slow_submit
    handle = place(tasks.take_count, 2)
    handle.send("before")
    starting = background(handle.start)
    assert begun.wait(SOON)
    sending = background(handle.send, "meanwhile")
    let_go.set()
    starting.result(SOON)
    sending.result(SOON)
    assert handle.get(timeout=SOON) == ["before", "meanwhile"]


@workers
def test_a_stop_while_it_starts_is_not_lost(place, slow_submit, background):
    begun, let_go = slow_submit
    handle = place(tasks.until_stopped)
    starting = background(handle.start)
    assert begun.wait(SOON)
    stopping = background(handle.stop)
    let_go.set()
    starting.result(SOON)
    assert stopping.result(SOON).done
    assert place.attach(handle.id).wait(SOON)


@workers
def test_two_starts_at_once_are_one(place, slow_submit, background):
    begun, let_go = slow_submit
    handle = place(tasks.give, 1)
    starting = background(handle.start)
    assert begun.wait(SOON)
    again = background(handle.start)
    let_go.set()
    starting.result(SOON)
    with pytest.raises(errors.AlreadyStarted):
        again.result(SOON)
    assert handle.get(timeout=SOON) == 1


@workers
@pytest.mark.parametrize("lost", ["submit", "answer"])
def test_an_uncertain_start_may_be_repeated(place, broken_submit, lost):
    handle = place(tasks.take_count, 1)
    handle.send("early")
    broken_submit(lost)
    with pytest.raises(errors.SubmitUncertain) as raised:
        handle.start()
    assert raised.value.id == handle.id
    handle.start()
    assert handle.get(timeout=SOON) == ["early"]
    assert handle.snapshot().attempt == 1


@workers
@pytest.mark.parametrize("lost", ["submit", "answer"])
def test_a_stop_after_an_uncertain_start_is_not_lost(place, broken_submit, lost):
    handle = place(tasks.until_stopped)
    broken_submit(lost)
    with pytest.raises(errors.SubmitUncertain):
        handle.start()
    assert handle.stop(timeout=SOON).done
    with pytest.raises(errors.AlreadyStarted):
        handle.start()
    if lost == "answer":
        assert place.attach(handle.id).wait(SOON)
    else:
        assert handle.state == "stopped"
        with pytest.raises(errors.TaskNotFound):
            _ = place.attach(handle.id).state


@workers
def test_a_message_after_an_uncertain_start_is_refused(place, broken_submit):
    handle = place(tasks.take_count, 2)
    handle.send("before")
    broken_submit("answer")
    with pytest.raises(errors.SubmitUncertain):
        handle.start()
    with pytest.raises(errors.SubmitUncertain, match="start"):
        handle.send("would be lost")
    handle.start()
    handle.send("after")
    assert handle.get(timeout=SOON) == ["before", "after"]
