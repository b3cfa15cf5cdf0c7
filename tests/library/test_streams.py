"""Streams: what a generator yields, read from any place, by many readers, to the end."""

import places
import pytest
import steering_tasks as tasks
from places import SOON, eventually, messages_of

from taskpy import errors, spec

thoroughly = pytest.mark.parametrize("place", places.THOROUGHLY, indirect=True)


@thoroughly
def test_what_a_generator_yields_is_streamed_to_its_end(place):
    handle = place.started(tasks.count_up, 250)
    assert list(handle.stream()) == list(range(250))
    assert handle.get(timeout=SOON) is None


def test_what_a_generator_returns_is_its_result(place):
    handle = place.started(tasks.count_and_return, 3)
    assert list(handle.stream()) == [0, 1, 2]
    assert handle.get(timeout=SOON) == "counted"


@thoroughly
def test_a_stream_goes_on_from_a_position(place, gate):
    handle = place.started(tasks.count_up, 10, gate.path)
    stream = handle.stream()
    assert [next(stream) for _ in range(3)] == [0, 1, 2]
    assert stream.position == 3
    again = handle.stream(after=stream.position)
    assert [next(again), next(again)] == [3, 4]
    gate.open()
    assert list(again) == [5, 6, 7, 8, 9]
    assert list(stream) == [3, 4, 5, 6, 7, 8, 9]
    assert again.position == stream.position == 10
    assert list(handle.stream(after=10)) == []


@thoroughly
def test_a_stream_from_now(place, gate):
    handle = place.started(tasks.count_up, 10, gate.path)
    first = handle.stream()
    assert [next(first) for _ in range(5)] == [0, 1, 2, 3, 4]
    now = handle.stream(after="now", timeout=0.05)
    with pytest.raises(errors.Empty):
        next(now)
    assert now.position == 5
    gate.open()
    assert handle.wait(timeout=SOON)
    assert list(now) == [5, 6, 7, 8, 9]


def test_streams_and_recv_have_places_of_their_own(place):
    handle = place.started(tasks.count_up, 5)
    assert list(handle.stream()) == [0, 1, 2, 3, 4]
    assert messages_of(handle) == [0, 1, 2, 3, 4]
    assert list(handle.stream()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("place", places.PLAIN_REMOTE, indirect=True)
def test_a_position_is_plain_data_for_another_host(place, gate):
    handle = place.started(tasks.count_up, 10, gate.path)
    stream = handle.stream()
    assert [next(stream) for _ in range(4)] == [0, 1, 2, 3]
    other = place.attach(handle.id).stream(after=stream.position)
    gate.open()
    assert list(other) == [4, 5, 6, 7, 8, 9]


def test_who_comes_too_late_is_told_once(place):
    handle = place.started(tasks.count_up, spec.OUTBOX_LIMIT + 5)
    assert handle.wait(timeout=SOON)
    stream = handle.stream(after=2)
    with pytest.raises(errors.MessagesMissed) as caught:
        next(stream)
    assert caught.value.count == 3
    assert list(stream) == list(range(5, spec.OUTBOX_LIMIT + 5))
    assert next(handle.stream()) == 5  # the oldest kept


def test_a_stream_ends_with_a_stop(place):
    handle = place.started(tasks.count_until_stopped)
    stream = handle.stream()
    assert next(stream) == 0
    handle.stop(timeout=SOON)
    assert handle.state == "succeeded"
    rest = list(stream)
    assert rest == list(range(1, len(rest) + 1))


def test_a_generator_that_fails_has_failed(place):
    handle = place.started(tasks.yield_and_fail)
    assert list(handle.stream()) == ["one"]
    with pytest.raises(ValueError, match="no more"):
        handle.get(timeout=SOON)


@pytest.mark.parametrize("place", places.CROSSING, indirect=True)
def test_what_cannot_be_sent_is_raised_at_the_yield(place):
    handle = place.started(tasks.yield_unsendable)
    assert list(handle.stream()) == ["told"]


def test_a_place_that_is_none_is_refused(place):
    handle = place.started(tasks.count_up, 1)
    for wrong in (-1, 1.5, "then", True):
        with pytest.raises(errors.BadArguments, match="after must be"):
            handle.stream(after=wrong)
    eventually(lambda: handle.done)
