"""Messages in both directions: delivered in order, never dropped in silence, never waited for without an end."""

import itertools
import queue
import time

import contract_tasks as tasks
import places
import pytest
from places import SOON, WOKEN, messages_of

from taskpy import errors, spec

thoroughly = pytest.mark.parametrize("place", places.THOROUGHLY, indirect=True)
remote = pytest.mark.parametrize("place", places.REMOTE, indirect=True)


# -- into the task ------------------------------------------------------------------------------


@thoroughly
def test_messages_arrive_in_order(place):
    handle = place.started(tasks.echo)
    for number in range(400):  # more than what a worker keeps for another attempt
        handle.send(number)
    assert [handle.recv(timeout=SOON) for _ in range(400)] == list(range(400))


@thoroughly
def test_what_was_sent_before_the_start_is_received_first(place):
    handle = place(tasks.take_count, 3)
    handle.send("one")
    handle.send("two")
    assert handle.state == "new"
    handle.start()
    handle.send("three")
    assert handle.get(timeout=SOON) == ["one", "two", "three"]


def test_two_directions_are_two_queues(place):
    handle = place(tasks.take)
    handle.send("to the task")
    handle.start()
    assert messages_of(handle) == ["begun"]
    assert handle.result == "to the task"


def test_whoever_waits_for_a_message_inside_is_woken_by_it(place):
    handle = place.begun(tasks.take)
    began = time.monotonic()
    handle.send("now")
    assert handle.get(timeout=SOON) == "now"
    assert time.monotonic() - began < WOKEN


@thoroughly
def test_recv_inside_raises_empty_in_time(place):
    assert place.started(tasks.take_within, 0.02).get(timeout=SOON) == "empty"
    assert place.started(tasks.take_at_once).get(timeout=SOON) == "empty"


def test_recv_inside_with_a_message_does_not_wait(place):
    handle = place(tasks.take_at_once)
    handle.send("there")
    handle.start()
    assert handle.get(timeout=SOON) == "there"


@thoroughly
def test_sleep_inside(place):
    assert place.started(tasks.nap, 0.01).get(timeout=SOON) is True


# -- a stop wakes the inside --------------------------------------------------------------------


@thoroughly
def test_a_stop_wakes_sleep(place):
    handle = place.begun(tasks.nap, 60)
    began = time.monotonic()
    assert handle.stop() == "succeeded"
    assert time.monotonic() - began < WOKEN
    assert handle.result is False


def test_a_stop_wakes_recv_without_time_out_by_stopped(place):
    handle = place.begun(tasks.take)
    began = time.monotonic()
    assert handle.stop() == "stopped"
    assert time.monotonic() - began < WOKEN


@thoroughly
def test_a_stop_wakes_recv_with_time_out_by_empty(place):
    handle = place.begun(tasks.take_within, 60)
    began = time.monotonic()
    assert handle.stop() == "succeeded"
    assert time.monotonic() - began < WOKEN
    assert handle.result == "empty"


def test_a_stop_ends_for(place):
    handle = place.begun(tasks.collect)
    assert handle.stop() == "succeeded"
    assert handle.result == []


def test_a_stop_ends_for_though_messages_keep_coming(place, background):
    handle = place.begun(tasks.collect)

    def feed():
        for number in itertools.count():
            handle.send(number)

    feeding = background(feed)
    assert handle.stop(timeout=SOON) == "succeeded"
    with pytest.raises(errors.TaskEnded):
        feeding.result(SOON)
    assert handle.result == list(range(len(handle.result)))


@thoroughly
@pytest.mark.parametrize(("how", "end"), [("for", "ended"), ("recv", "stopped"), ("timeout", "empty")])
def test_messages_accepted_before_the_stop_are_delivered_first(place, how, end):
    handle = place.begun(tasks.collect_after_stop, how)
    for number in range(5):
        handle.send(number)
    assert handle.stop() == "succeeded"
    assert handle.result == [[0, 1, 2, 3, 4], end]


def test_messages_after_the_stop_are_not_delivered(place, gate):
    handle = place.begun(tasks.collect_when_open, gate.path)
    handle.send("before")
    handle.stop(join=False)
    handle.send("after")
    gate.open()
    assert handle.wait(SOON)
    if place.remote:  # a worker may hear of the message before it hears of the stop
        assert handle.result in (["before"], ["before", "after"])
    else:
        assert handle.result == ["before"]


# -- a full inbox -------------------------------------------------------------------------------


def test_a_full_inbox_before_the_start_raises_at_once(place):
    handle = place(tasks.take_count, spec.INBOX_LIMIT)
    for number in range(spec.INBOX_LIMIT):
        handle.send(number)
    for how in ({}, {"timeout": 60}, {"block": False}):
        began = time.monotonic()
        with pytest.raises(errors.Full) as raised:
            handle.send("too much", **how)
        assert isinstance(raised.value, queue.Full)
        assert time.monotonic() - began < WOKEN
    handle.start()
    assert handle.get(timeout=SOON) == list(range(spec.INBOX_LIMIT))


@thoroughly
def test_a_full_inbox_makes_senders_wait_and_wakes_them(place, gate, background):
    handle = full(place, gate)
    with pytest.raises(errors.Full):
        handle.send("too much", timeout=0.02)
    with pytest.raises(errors.Full):
        handle.send("too much", block=False)
    sending = background(handle.send, "in the end"), background(handle.send, "in the end")
    assert not any(future.done() for future in sending)
    began = time.monotonic()
    gate.open()
    for future in sending:
        future.result(SOON)
    assert time.monotonic() - began < WOKEN
    handle.stop()
    assert handle.result[: spec.INBOX_LIMIT] == list(range(spec.INBOX_LIMIT))


def test_whoever_waits_for_room_learns_of_the_end(place, gate, background):
    handle = full(place, gate, tasks.ignore_stop)
    sending = background(handle.send, "never")
    gate.open()
    with pytest.raises(errors.TaskEnded):
        sending.result(SOON)


def full(place, gate, func=tasks.collect_when_open):
    handle = place(func, gate.path)
    for number in range(spec.INBOX_LIMIT):
        handle.send(number)
    handle.start()
    assert handle.recv(timeout=SOON) == "begun"
    return handle


# -- out of the task ----------------------------------------------------------------------------


def test_recv_outside_raises_empty_in_time(place):
    handle = place.begun(tasks.until_stopped)
    for how in ({"timeout": 0.02}, {"block": False}, {"block": False, "timeout": 60}):
        with pytest.raises(errors.Empty) as raised:
            handle.recv(**how)
        assert isinstance(raised.value, queue.Empty)


def test_whoever_waits_for_a_message_outside_is_woken_by_it(place, gate, background):
    handle = place.begun(tasks.send_when_open, gate.path)
    receiving = background(handle.recv)
    began = time.monotonic()
    gate.open()
    assert receiving.result(SOON) == "opened"
    assert time.monotonic() - began < WOKEN
    receiving = background(handle.recv)
    began = time.monotonic()
    gate.open_end()
    with pytest.raises(errors.TaskEnded):
        receiving.result(SOON)
    assert time.monotonic() - began < WOKEN


def test_after_the_last_message_the_task_has_ended(place):
    handle = place.started(tasks.send_count, 3)
    handle.wait()
    assert [handle.recv(), handle.recv(block=False), handle.recv(timeout=1)] == [0, 1, 2]
    for how in ({}, {"block": False}, {"timeout": 60}):
        with pytest.raises(errors.TaskEnded) as raised:
            handle.recv(**how)
        assert raised.value.state == "succeeded"


@thoroughly
def test_for_outside_ends_with_the_task(place):
    handle = place.started(tasks.send_count, 3)
    assert list(handle) == [0, 1, 2]
    assert list(handle) == []
    assert handle.get(timeout=SOON) == 3


def test_recv_and_for_share_their_place(place):
    handle = place.started(tasks.send_count, 4)
    assert handle.recv(timeout=SOON) == 0
    for message in handle:
        assert message == 1
        break
    assert list(handle) == [2, 3]


def test_send_to_an_ended_task(place):
    for func, state in ((tasks.give, "succeeded"), (tasks.fail_unknown, "failed")):
        handle = place.started(func)
        handle.wait()
        with pytest.raises(errors.TaskEnded) as raised:
            handle.send("too late")
        assert raised.value.state == state


def test_a_reader_that_comes_too_late_misses_messages_once(place):
    handle = place.started(tasks.send_count, spec.OUTBOX_LIMIT + 7)
    assert handle.get(timeout=SOON) == spec.OUTBOX_LIMIT + 7  # the outbox never blocks the task
    with pytest.raises(errors.MessagesMissed) as raised:
        handle.recv()
    assert raised.value.count == 7
    assert list(handle) == list(range(7, spec.OUTBOX_LIMIT + 7))
    if place.remote:
        # Who comes later has missed nothing: it begins at the oldest message kept.
        assert list(place.attach(handle.id)) == list(range(7, spec.OUTBOX_LIMIT + 7))


@remote
def test_every_handle_reads_all(place):
    handle = place.started(tasks.echo)
    other = place.attach(handle.id)
    for message in ("one", "two"):
        handle.send(message)
        other.send(message.upper())
    assert [handle.recv(timeout=SOON) for _ in range(4)] == ["one", "ONE", "two", "TWO"]
    assert [other.recv(timeout=SOON) for _ in range(4)] == ["one", "ONE", "two", "TWO"]
    handle.stop()
    assert list(place.attach(handle.id)) == ["one", "ONE", "two", "TWO"]


def test_readers_of_one_handle_share_its_messages(place, background):
    handle = place.started(tasks.send_count, 200)
    read = [background(messages_of, handle) for _ in range(3)]
    assert sorted(number for future in read for number in future.result(SOON)) == list(range(200))


def test_senders_at_once(place, background):
    handle = place.started(tasks.take_count, 60)

    def send(name):
        for number in range(20):
            handle.send([name, number])

    for sending in [background(send, name) for name in "abc"]:
        sending.result(SOON)
    received = handle.get(timeout=SOON)
    for name in "abc":
        assert [number for sender, number in received if sender == name] == list(range(20))
