"""What follows a stop, and when: `Stopped` is raised, then force; each in its time, and nothing for who has ended."""

import threading
import time
import types

import pytest

from taskpy import ladder
from taskpy.ladder import UNWIND_SECONDS, Ladder, LocalLadder
from taskpy.spec import StopReason, Wish
from tests.unit.waiting import until


class Clock:
    """The time of the ladder, which passes when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def passes(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(ladder, "time", types.SimpleNamespace(monotonic=lambda: made.now))
    return made


class Task:
    def __init__(self, *, at_once=False):
        self.at_once = at_once
        self.over = False
        self.met = []

    def strike(self):
        self.met.append("raise")

    def kill(self):
        self.met.append("kill")


def wish(follows, grace):
    return Wish(StopReason("why"), follows, grace)


def climb(stairs, clock, seconds, *, step=0.25):
    """Let the time pass in small steps, and tick at each."""
    end = clock.now + seconds
    while clock.now < end:
        clock.passes(min(step, end - clock.now))
        stairs.tick()


def test_without_a_plan_there_is_nothing_to_do(clock):
    assert Ladder().tick() is None


def test_a_stop_that_is_only_asked_for_has_no_consequence(clock):
    stairs, task = Ladder(), Task()
    stairs.plan(task, wish(None, 0.0))

    climb(stairs, clock, 100)

    assert task.met == []
    assert stairs.tick() is None


def test_it_is_raised_when_the_grace_time_is_over(clock):
    stairs, task = Ladder(), Task()
    stairs.plan(task, wish("raise", 10.0))

    assert stairs.tick() == pytest.approx(10.0)
    clock.passes(9.9)
    assert stairs.tick() == pytest.approx(0.1)
    assert task.met == []
    clock.passes(0.1)
    assert stairs.tick() is None
    assert task.met == ["raise"]
    climb(stairs, clock, 100)
    assert task.met == ["raise"]


def test_force_comes_a_second_after_raising(clock):
    stairs, task = Ladder(), Task()
    stairs.plan(task, wish("kill", 10.0))

    clock.passes(10.0)
    assert stairs.tick() == pytest.approx(UNWIND_SECONDS)
    assert task.met == ["raise"]
    clock.passes(UNWIND_SECONDS)
    assert stairs.tick() is None
    assert task.met == ["raise", "kill"]


def test_where_force_needs_no_raising_it_comes_at_once(clock):
    stairs, task = Ladder(), Task(at_once=True)
    stairs.plan(task, wish("kill", 10.0))

    clock.passes(9.9)
    stairs.tick()
    assert task.met == []
    clock.passes(0.1)
    assert stairs.tick() is None
    assert task.met == ["kill"]


def test_without_grace_it_is_due_now(clock):
    stairs, task = Ladder(), Task()
    stairs.plan(task, wish("kill", 0.0))

    stairs.tick()
    assert task.met == ["raise"]
    clock.passes(UNWIND_SECONDS)
    stairs.tick()
    assert task.met == ["raise", "kill"]


def test_who_ticks_late_meets_all_in_order(clock):
    stairs, task = Ladder(), Task()
    stairs.plan(task, wish("kill", 10.0))

    clock.passes(100)
    stairs.tick()

    assert task.met == ["raise", "kill"]


def test_a_task_that_has_ended_is_left_alone(clock):
    stairs, task = Ladder(), Task()
    stairs.plan(task, wish("kill", 10.0))
    task.over = True

    climb(stairs, clock, 20)

    assert task.met == []


def test_a_task_that_ends_by_what_is_raised_meets_no_force(clock):
    stairs, task = Ladder(), Task()
    task.strike = lambda: setattr(task, "over", True)
    stairs.plan(task, wish("kill", 10.0))

    climb(stairs, clock, 20)

    assert task.met == []


@pytest.mark.parametrize(
    ("first", "second", "met"),
    [
        (("raise", 10.0), ("raise", 5.0), {5.0: "raise"}),
        (("raise", 10.0), ("kill", 10.0), {10.0: "raise", 11.0: "kill"}),
        (("raise", 10.0), ("kill", 5.0), {5.0: "raise", 6.0: "kill"}),
        (("kill", 10.0), ("raise", 10.0), {10.0: "raise", 11.0: "kill"}),
        (("kill", 10.0), ("raise", 20.0), {10.0: "raise", 11.0: "kill"}),
        (("kill", 10.0), ("kill", 20.0), {10.0: "raise", 11.0: "kill"}),
        (("kill", 10.0), (None, 0.0), {10.0: "raise", 11.0: "kill"}),
        (("raise", 10.0), ("raise", 20.0), {10.0: "raise"}),
    ],
)
def test_asked_again_it_can_only_become_stricter(clock, first, second, met):
    """When each thing is first met, in seconds from the plan."""
    stairs, task, found = Ladder(), Task(), {}
    began = clock.now
    task.strike = lambda: found.setdefault("raise", clock.now - began)
    task.kill = lambda: found.setdefault("kill", clock.now - began)
    stairs.plan(task, wish(*first))
    stairs.plan(task, wish(*second))

    climb(stairs, clock, 30)

    assert {round(at, 3): what for what, at in found.items()} == met


def test_each_heartbeat_tells_it_again_and_it_is_planned_once(clock):
    stairs, task = Ladder(), Task()
    for tenth in range(200):  # the grace time that is left, which is 0 after its end
        stairs.plan(task, wish("kill", max(0.0, 10.0 - tenth / 10 + 0.02 * (tenth % 3))))
        clock.passes(0.1)
        stairs.tick()

    assert task.met == ["raise", "kill"]


def test_what_is_forgotten_is_not_met(clock):
    stairs, one, other = Ladder(), Task(), Task()
    stairs.plan(one, wish("kill", 10.0))
    stairs.plan(other, wish("kill", 10.0))

    one.over = True
    stairs.forget(one)
    stairs.forget(one)
    climb(stairs, clock, 20)

    assert (one.met, other.met) == ([], ["raise", "kill"])
    assert stairs.tick() is None


def test_other_things_can_be_planned_too(clock):
    stairs, task, done = Ladder(), Task(), []
    began = clock.now
    stairs.at(began + 5, task, lambda: done.append(clock.now - began))
    stairs.plan(task, wish("raise", 10.0))

    climb(stairs, clock, 20)

    assert done == [5.0]
    assert task.met == ["raise"]


def test_an_action_may_plan_the_next(clock):
    """As a time limit does: it asks to stop, and plans what is to follow."""
    stairs, task = Ladder(), Task()
    stairs.at(clock.now + 5, task, lambda: stairs.plan(task, wish("kill", 10.0)))

    climb(stairs, clock, 14.9)
    assert task.met == []
    climb(stairs, clock, 2)
    assert task.met == ["raise", "kill"]


def test_the_time_limit_of_a_task_that_has_ended_is_none(clock):
    stairs, task, done = Ladder(), Task(), []
    stairs.at(clock.now + 5, task, lambda: done.append(1))
    task.over = True
    stairs.forget(task)

    climb(stairs, clock, 10)

    assert done == []
    assert stairs.tick() is None


def test_what_is_due_first_is_done_first(clock):
    stairs, done = Ladder(), []
    for number in (3, 1, 2, 5, 4):
        stairs.at(clock.now + number, Task(), lambda number=number: done.append(number))
    for number in (6, 7, 8):  # at the same moment: in the order in which they were planned
        stairs.at(clock.now + 6, Task(), lambda number=number: done.append(number))

    clock.passes(10)
    stairs.tick()

    assert done == [1, 2, 3, 4, 5, 6, 7, 8]


def test_whoever_waits_is_woken_by_a_plan(clock):
    stairs = Ladder()
    seen = stairs.nudge.count

    stairs.plan(Task(), wish("raise", 10.0))

    assert stairs.nudge.count > seen


@pytest.mark.parametrize("order", ["the oldest first", "the newest first"])
def test_ten_thousand_that_end_in_time_cost_next_to_nothing(clock, order):
    """Each running task with a time limit has an entry, and mostly ends long before."""
    stairs = Ladder()
    began = time.process_time()
    for _ in range(10):
        tasks = [Task() for _ in range(1000)]
        for task in tasks:
            stairs.at(clock.now + 3600, task, task.kill)
            stairs.plan(task, wish("kill", 60.0))
        for task in tasks if order == "the oldest first" else reversed(tasks):
            stairs.forget(task)
            stairs.tick()

    assert time.process_time() - began < 2.0
    assert stairs.tick() is None
    assert not stairs._due, "the entries of ended tasks stay for an hour"
    assert not stairs._planned
    assert not stairs._entries


def test_entries_of_ended_tasks_are_fewer_than_the_others(clock):
    stairs = Ladder()
    tasks = [Task() for _ in range(10_000)]
    for task in tasks:
        stairs.at(clock.now + 3600, task, task.kill)
    for task in tasks[:9_000]:
        task.over = True
        stairs.forget(task)

    assert len(stairs._due) <= 2 * 1000 + 1
    clock.passes(3600)
    stairs.tick()
    assert [task.met for task in tasks] == [[]] * 9000 + [["kill"]] * 1000
    assert stairs._stale == 0


# -- the ladder of local tasks ------------------------------------------------------------------


def test_the_local_ladder_has_a_thread_from_the_first_plan_on():
    def threads():
        return [thread for thread in threading.enumerate() if thread.name == "taskpy-ladder"]

    before, stairs = len(threads()), LocalLadder()
    assert len(threads()) == before
    tasks = [Task() for _ in range(20)]
    for task in tasks:
        stairs.plan(task, wish("raise", 0.05))

    until(lambda: all(task.met for task in tasks), "all to be struck")

    assert [task.met for task in tasks] == [["raise"]] * 20
    assert len(threads()) == before + 1


def test_a_shorter_plan_wakes_the_local_ladder():
    stairs, late, soon = LocalLadder(), Task(), Task()
    stairs.plan(late, wish("raise", 3600.0))
    time.sleep(0.05)  # so that it sleeps for an hour
    stairs.plan(soon, wish("raise", 0.0))

    until(lambda: soon.met, "the second to be struck")

    assert late.met == []


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_one_that_cannot_be_struck_does_not_hold_up_the_others():
    stairs, faulty, other = LocalLadder(), Task(), Task()

    def fails():
        raise RuntimeError("Event loop is closed")  # between a look at the loop and a call of it

    faulty.strike = fails
    stairs.plan(faulty, wish("raise", 0.0))
    stairs.plan(other, wish("raise", 0.1))

    until(lambda: other.met, "the other one to be struck")
