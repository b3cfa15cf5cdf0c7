"""Checkpoints: state, what was taken and what is sent, in one step. What a lost worker makes of them is in tests/system."""

import places
import pytest
import steering_tasks as tasks
from places import SOON, messages_of

from taskpy import errors, spec

thoroughly = pytest.mark.parametrize("place", places.THOROUGHLY, indirect=True)


@thoroughly
def test_a_state_comes_back_as_it_was_stored(place):
    state = {"step": 3, "seen": {1, 2}, "best": (0.5, None), b"k": [True]}
    assert place.started(tasks.store, state).get(timeout=SOON) == [None, state]


@thoroughly
def test_the_documented_loop(place):
    handle = place.started(tasks.add_up)
    for number in range(1, 6):
        handle.send(number)
    assert [handle.recv(timeout=SOON) for _ in range(5)] == [1, 3, 6, 10, 15]
    handle.stop(timeout=SOON)
    assert handle.result == [15, 15]


def test_a_long_conversation_with_checkpoints(place):
    handle = place.started(tasks.add_up)
    count = spec.INBOX_LIMIT + 200
    totals = []
    for _ in range(count):
        handle.send(1, timeout=SOON)
        totals.append(handle.recv(timeout=SOON))
    assert totals == list(range(1, count + 1))


def test_what_cannot_be_stored_stores_nothing(place):
    handle = place.started(tasks.store_unsendable)
    if place.crosses:  # within a process a message is handed over as it is
        assert handle.get(timeout=SOON) == "good"
        messages = messages_of(handle)
        assert len(messages) == 2
        assert "state" in messages[0]
        assert "cannot be sent" in messages[1]
    else:
        assert handle.get(timeout=SOON) == "bad"
        assert "state" in handle.recv(timeout=SOON)


def test_a_state_that_is_too_large_is_refused(place):
    handle = place.started(tasks.store, "x" * 300_000)
    with pytest.raises((errors.TooLarge, errors.RemoteError), match="state is"):
        handle.get(timeout=SOON)


@pytest.mark.parametrize("place", places.REMOTE, indirect=True)
def test_a_task_that_never_acknowledges_is_told_so(place):
    handle = place.started(tasks.take_too_many)
    for number in range(spec.INBOX_LIMIT):
        handle.send(number, timeout=SOON)
    with pytest.raises((errors.InboxFull, errors.RemoteError), match="checkpoint"):
        handle.get(timeout=SOON)


def test_a_checkpoint_with_too_many_messages_stores_nothing(place):
    handle = place.started(tasks.store_with_many, spec.OUTBOX_LIMIT + 1)
    assert handle.get(timeout=SOON) == ["a checkpoint sends at most 1,000 messages at once, not 1,001", None]
    assert messages_of(handle) == []
    assert place.started(tasks.store_with_many, spec.OUTBOX_LIMIT).get(timeout=SOON) == ["stored", "state"]
