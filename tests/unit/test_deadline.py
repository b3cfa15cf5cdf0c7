"""A moment after which to stop waiting."""

import pytest

from taskpy import deadline
from taskpy.deadline import Deadline


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the test moves."""
    moment = [100.0]
    monkeypatch.setattr(deadline.time, "monotonic", lambda: moment[0])
    return moment


def test_it_is_over_at_its_moment_and_stays_so(clock):
    made = Deadline(5)
    assert not made.over

    clock[0] = 104.9
    assert not made.over
    clock[0] = 105.0
    assert made.over
    clock[0] = 500.0
    assert made.over


def test_what_is_left_goes_down_to_nothing(clock):
    made = Deadline(5)

    assert made.left() == 5
    clock[0] = 103.0
    assert made.left() == 2
    clock[0] = 110.0
    assert made.left() == 0


def test_what_is_left_is_never_more_than_wanted(clock):
    made = Deadline(5)

    assert made.left(at_most=2) == 2
    assert made.left(at_most=9) == 5
    clock[0] = 104.0
    assert made.left(at_most=2) == 1


def test_none_is_never(clock):
    made = Deadline(None)
    clock[0] = 1e9

    assert not made.over
    assert made.left() is None
    assert made.left(at_most=2) == 2


@pytest.mark.parametrize("seconds", [0, -1])
def test_no_time_is_over_at_once(clock, seconds):
    assert Deadline(seconds).over
    assert Deadline(seconds).left() == 0
