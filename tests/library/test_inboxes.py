"""Named inboxes, and receipts: which message is for what, and whether it was taken."""

import places
import pytest
import steering_tasks as tasks
from places import SOON, eventually

from taskpy import errors, spec

thoroughly = pytest.mark.parametrize("place", places.THOROUGHLY, indirect=True)


@thoroughly
def test_each_inbox_is_taken_from_in_its_own_order(place, gate):
    handle = place.started(tasks.take_from_when_open, ["b", "a", "b", "a", None], gate.path)
    for data, inbox in ((1, "a"), (2, "b"), (3, None), (4, "a"), (5, "b")):
        handle.send(data, to=inbox)
    gate.open()
    assert handle.get(timeout=SOON) == [2, 1, 5, 4, 3]


@thoroughly
def test_a_plain_recv_has_one_order_over_all(place, gate):
    handle = place.started(tasks.take_from_when_open, [None, "b", None, None], gate.path)
    for data, inbox in ((1, "a"), (2, "a"), (3, None), (4, "b")):
        handle.send(data, to=inbox)
    gate.open()
    assert handle.get(timeout=SOON) == [1, 4, 2, 3]


@thoroughly
def test_whoever_waits_for_an_inbox_is_not_woken_for_good_by_another(place):
    handle = place.begun(tasks.take_from, ["steer", None])
    handle.send("other")
    handle.send("this", to="steer")
    assert handle.get(timeout=SOON) == ["this", "other"]


def test_a_stop_ends_the_waiting_for_an_inbox(place):
    handle = place.begun(tasks.wait_in_inbox, "steer")
    handle.send("for another one")
    assert handle.stop(timeout=SOON) == "stopped"


def test_what_was_sent_to_an_inbox_before_the_start_is_there(place):
    handle = place(tasks.take_from, ["b", "a"])
    assert handle.send(1, to="a") == 1
    assert handle.send(2, to="b") == 2
    handle.start()
    assert handle.get(timeout=SOON) == [2, 1]


def test_a_name_that_cannot_be_one_is_refused(place):
    handle = place.begun(tasks.take_from, ["a"])
    if place.crosses:
        with pytest.raises(errors.BadName, match="inbox"):
            handle.send(1, to="{x}")
    handle.send(1, to="a")
    assert handle.get(timeout=SOON) == [1]


@thoroughly
def test_messages_are_numbered_and_receipted(place, gate):
    handle = place.begun(tasks.take_one_and_wait, gate.path)
    first, second = handle.send("one"), handle.send("two")
    assert (first, second) == (1, 2)
    assert handle.recv(timeout=SOON) == "taken"
    assert handle.received(first) is True
    assert handle.received(second) is False
    gate.open()
    assert handle.wait(timeout=SOON)
    assert handle.received(first) is True
    assert handle.received(second) is False


def test_out_of_order_receipts(place, gate):
    handle = place.started(tasks.take_from_when_open, ["b", "b"], gate.path)
    numbers = [handle.send(data, to=inbox) for data, inbox in ((1, "a"), (2, "b"), (3, "a"), (4, "b"))]
    gate.open()
    assert handle.get(timeout=SOON) == [2, 4]
    assert [handle.received(number) for number in numbers] == [False, True, False, True]


def test_a_receipt_before_the_start_and_for_no_number(place):
    handle = place(tasks.take_from, ["a"])
    number = handle.send(1, to="a")
    assert handle.received(number) is False
    with pytest.raises(errors.BadArguments):
        handle.received(0)
    handle.start()
    handle.get(timeout=SOON)
    assert eventually(lambda: handle.received(number))


@thoroughly
def test_who_would_wait_for_ever_for_an_inbox_is_told_so(place):
    """Nobody can send to it: the messages of another one take all the room."""
    handle = place(tasks.wait_in_inbox, "steer")
    for number in range(spec.INBOX_LIMIT):
        handle.send(number)
    handle.start()
    with pytest.raises((errors.InboxFull, errors.RemoteError), match="inbox is full"):
        handle.get(timeout=SOON)


def test_a_handle_has_one_outbox(place):
    handle = place.begun(tasks.take_from, ["a"])
    with pytest.raises((errors.WrongSide, TypeError)):
        handle.recv("a")
    handle.send(1, to="a")
    assert handle.get(timeout=SOON) == [1]
