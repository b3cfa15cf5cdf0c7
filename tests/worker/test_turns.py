"""Who claims next, where one process serves several shards: each in its turn, and nobody waits for one that is away."""

import types

import pytest
from taskpy_worker import turns
from taskpy_worker.turns import PLANNED_SECONDS, Turn, Turns


@pytest.fixture
def line():
    return Turns(3)


@pytest.fixture
def three(line):
    return [Turn(line) for _ in range(3)]


def test_who_has_claimed_goes_to_the_end_of_the_line(three):
    order = []
    for _ in range(6):
        for turn in three:
            turn.asks()
        taker = next(turn for turn in reversed(three) if turn.take(lambda: 1))  # whoever looks first
        order.append(three.index(taker))
        taker.done()

    assert order == [0, 1, 2, 0, 1, 2]


def test_the_first_keeps_its_place_while_there_is_no_room(three):
    first, second, _ = three
    assert first.asks()
    assert not second.asks()

    assert first.take(lambda: 0) == 0

    assert second.take(lambda: 1) == 0
    assert first.take(lambda: 1) == 1
    assert second.asks()


def test_who_becomes_the_first_is_told(three):
    first, second, third = three
    for turn in three:
        turn.asks()
    seen = second.nudge.count, third.nudge.count

    first.take(lambda: 1)

    assert (second.nudge.count, third.nudge.count) == (seen[0] + 1, seen[1])
    second.leave()
    assert third.asks()


def test_what_one_has_in_mind_the_others_leave(three):
    first, second, _ = three

    first.take(lambda: 4)

    assert (first.planned, second.planned) == (0, 4)
    first.done()
    assert second.planned == 0


def test_a_claim_that_is_not_answered_keeps_no_slots(three, monkeypatch):
    clock = types.SimpleNamespace(now=100.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(turns, "time", clock)
    first, second, _ = three
    first.take(lambda: 4)

    clock.now += PLANNED_SECONDS + 0.1

    assert second.planned == 0
    assert second.take(lambda: 2) == 2


def test_nothing_is_left_when_all_have_found_nothing_since_the_last_task_began(three):
    first, second, third = three

    assert not first.all_empty(5)
    assert not second.all_empty(6)  # one has begun in between
    assert not third.all_empty(6)
    assert first.all_empty(6)


def test_who_is_alone_never_waits():
    turn = Turn(Turns())

    assert turn.asks()
    assert turn.take(lambda: 3) == 3
    assert turn.planned == 0
    assert turn.all_empty(0)
