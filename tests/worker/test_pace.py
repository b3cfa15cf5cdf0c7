"""The pace: what is claimed beyond the slots will begin in a moment, or goes back."""

import pytest
from taskpy_worker import pace
from taskpy_worker.pace import MOST, REST_SECONDS, STALE_SECONDS, Pace

from tests.worker.conftest import Clock


class Slots:
    """So many have left, so many wait."""

    left = 0
    stuck_for = 0.0


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(pace, "time", made)
    return made


@pytest.mark.parametrize(
    ("ended", "seconds", "ahead"), [(0, 1, 0), (10, 1, 0), (100, 0.1, 20), (50, 0.0101, 99), (900, 0.011, MOST)]
)
def test_it_claims_ahead_what_ends_in_twenty_milliseconds(clock, ended, seconds, ahead):
    slots = Slots()
    paced = Pace(slots)

    slots.left += ended
    clock.now += seconds

    assert paced.ahead == pytest.approx(ahead, abs=1)


def test_what_ends_in_a_shorter_time_is_chance(clock):
    slots = Slots()
    paced = Pace(slots)
    slots.left, clock.now = 100, clock.now + 0.05
    assert paced.ahead == pytest.approx(40, abs=1)

    clock.now += 0.001  # in which none has ended

    assert paced.ahead == pytest.approx(40, abs=1)


def test_one_end_tells_no_pace(clock):
    slots = Slots()
    paced = Pace(slots)
    slots.left, clock.now = 1, clock.now + 0.011

    assert paced.ahead == 0


def test_it_never_claims_ahead_where_it_was_told_so(clock):
    slots = Slots()
    paced = Pace(slots, never=True)
    slots.left, clock.now = 1000, clock.now + 0.1

    assert paced.ahead == 0


def test_after_a_rest_it_begins_with_nothing(clock):
    slots = Slots()
    paced = Pace(slots)
    slots.left, clock.now = 3000, clock.now + 0.1
    assert paced.ahead == MOST

    clock.now += REST_SECONDS

    assert paced.ahead == 0


def test_when_tasks_end_no_more_nothing_is_claimed_ahead_a_moment_later(clock):
    slots = Slots()
    paced = Pace(slots)
    slots.left, clock.now = 2, clock.now + 0.011
    assert paced.ahead == 3

    clock.now += 0.05

    assert paced.ahead == 0


def test_what_waits_in_vain_for_long_is_stale(clock):
    slots = Slots()
    paced = Pace(slots)

    slots.stuck_for = STALE_SECONDS * 0.9
    assert not paced.stale
    slots.stuck_for = STALE_SECONDS * 1.1
    assert paced.stale
