"""The slots: in their order, at most so many at once, a long one holds up nobody, and no thread too many."""

import contextvars
import threading

import pytest
from taskpy_worker import slots as slots_module
from taskpy_worker.slots import IDLE_NAME, Slots

from tests.worker.conftest import Clock
from tests.worker.waiting import until

seen = contextvars.ContextVar("seen", default="nothing")
#: The threads that were there before: those of a worker that other tests of this process share.
BESIDE = set()


class Plain:
    """A function that notes that it runs, and waits until it may end."""

    on_loop = False

    def __init__(self, id, log, *, waits=False):
        self.id = id
        self.log = log
        self.may_end = threading.Event()
        if not waits:
            self.may_end.set()

    def run(self):
        self.log.append((self.id, threading.current_thread().name, seen.get()))
        seen.set(self.id)
        assert self.may_end.wait(10)


class Coroutine:
    """What runs on the loop."""

    on_loop = True

    def __init__(self, id):
        self.id = id


@pytest.fixture
def begun():
    return []


@pytest.fixture
def make(begun):
    """Slots of a size; what begins on the loop is noted."""
    made = []
    BESIDE.update(threading.enumerate())

    def slots(size):
        made.append(Slots(size, begun.extend))
        return made[-1]

    yield slots
    for each in made:
        each.close()
    until(lambda: not threads(), "the threads of the slots to end")
    BESIDE.clear()


def threads():
    found = set(threading.enumerate()) - BESIDE
    return [thread for thread in found if thread.name == IDLE_NAME]


def ids(log):
    return [id for id, *_ in log]


def test_they_begin_in_their_order_and_at_most_so_many_at_once(make):
    log = []
    works = [Plain(str(number), log, waits=True) for number in range(5)]
    slots = make(2)

    slots.put(works)

    until(lambda: len(log) == 2, "two to begin")
    assert slots.waiting == 3
    for work in works:
        work.may_end.set()
    until(lambda: slots.left == 5, "all to end")
    assert sorted(ids(log)[:2]) == ["0", "1"]
    assert sorted(ids(log)) == ["0", "1", "2", "3", "4"]


def test_a_long_one_holds_up_nothing_that_a_free_slot_could_begin(make):
    log = []
    long = Plain("long", log, waits=True)
    slots = make(2)

    slots.put([long, *(Plain(str(number), log) for number in range(20))])

    until(lambda: slots.left == 20, "all the others to end")
    long.may_end.set()


def test_a_thread_is_named_by_its_task_and_used_again(make):
    log = []
    slots = make(3)
    for number in range(6):
        slots.put([Plain(str(number), log)])
        until(lambda ended=number + 1: slots.left == ended, "it to end")
        until(lambda: [thread.name for thread in threads()] == [IDLE_NAME], "the one thread to wait")

    assert [name for _, name, _ in log] == [f"taskpy-{number}" for number in range(6)]


def test_no_more_threads_than_slots_however_much_is_put(make):
    log, most = [], []
    slots = make(3)
    for number in range(300):
        slots.put([Plain(str(number), log)])
        most.append(
            len(threads()) + sum(thread.name.removeprefix("taskpy-").isdecimal() for thread in threading.enumerate())
        )

    until(lambda: slots.left == 300, "all to end")
    assert max(most) <= 3


def test_what_a_task_sets_in_its_context_is_not_there_for_the_next_one(make):
    log = []
    slots = make(1)

    slots.put([Plain("a", log), Plain("b", log)])

    until(lambda: slots.left == 2, "both to end")
    assert [value for *_, value in log] == ["nothing", "nothing"]


def test_who_puts_one_that_comes_alone_may_run_it(make):
    log = []
    slots = make(2)
    one = Plain("one", log)

    assert slots.put([one], here=True) is one
    assert (slots.load, slots.waiting) == (1, 0)
    slots.run(one)

    mine = threading.current_thread().name
    assert log == [("one", "taskpy-one", "nothing")]
    assert (seen.get(), slots.load, slots.left) == ("nothing", 0, 1)
    assert not mine.startswith("taskpy")
    slots.run(slots.put([Plain("two", log)], here=True))
    assert log[1] == ("two", "taskpy-two", "nothing")


@pytest.mark.parametrize("beside", ["running", "another", "coroutine"])
def test_what_does_not_come_alone_is_run_by_the_threads(make, begun, beside):
    log = []
    slots = make(3)
    running = Plain("running", log, waits=True)
    works = [Plain("a", log)]
    if beside == "running":
        slots.put([running])
        until(lambda: log, "it to run")
    elif beside == "another":
        works.append(Plain("b", log))
    else:
        works = [Coroutine("c")]

    assert slots.put(works, here=True) is None

    if beside == "coroutine":
        assert begun == works
    else:
        until(lambda: slots.left == len(works), "all to end")
    running.may_end.set()


def test_closed_they_leave_nothing_to_who_puts_it(make):
    slots = make(1)
    slots.close()

    assert slots.put([Plain("late", [])], here=True) is None


def test_closed_meanwhile_they_do_not_run_what_they_have_left_to_who_put_it(make):
    log = []
    slots = make(1)
    own = slots.put([Plain("late", log)], here=True)
    slots.close()

    slots.run(own)

    assert (log, slots.load) == ([], 0)


def test_coroutines_take_slots_too_and_begin_together(make, begun):
    slots = make(2)
    works = [Coroutine(str(number)) for number in range(4)]

    slots.put(works)
    assert begun == works[:2]

    slots.leave(works[1])
    assert begun == works[:3]
    slots.leave(works[1])  # again does nothing
    assert begun == works[:3]


def test_a_coroutine_behind_a_plain_function_begins_as_soon_as_there_is_room(make, begun):
    log = []
    first, coroutine, last = Plain("0", log, waits=True), Coroutine("1"), Plain("2", log)
    slots = make(3)

    slots.put([first, coroutine, last])

    until(lambda: len(begun) == 1 and len(log) == 2, "all to begin")
    first.may_end.set()


def test_one_that_is_given_up_frees_its_slot_though_its_thread_goes_on(make):
    log = []
    stuck, next_one = Plain("stuck", log, waits=True), Plain("next", log)
    slots = make(1)
    slots.put([stuck, next_one])
    until(lambda: ids(log) == ["stuck"], "it to begin")

    slots.leave(stuck)

    until(lambda: slots.left == 2, "the next one to end")
    stuck.may_end.set()
    until(lambda: len(threads()) == 2, "its thread to come back")
    assert slots.left == 2


def test_what_is_taken_back_never_begins(make):
    log = []
    first, second = Plain("first", log, waits=True), Plain("second", log)
    slots = make(1)
    slots.put([first, second])
    until(lambda: ids(log) == ["first"], "it to begin")

    assert slots.take_back() == [second]
    first.may_end.set()
    until(lambda: slots.left == 1, "it to end")
    assert ids(log) == ["first"]


def test_closed_they_begin_nothing_and_their_threads_end_with_what_they_run(make):
    log = []
    running, waiting = Plain("running", log, waits=True), Plain("waiting", log)
    slots = make(1)
    slots.put([running, waiting])
    until(lambda: ids(log) == ["running"], "it to begin")

    slots.close()
    slots.put([Plain("late", log)])
    running.may_end.set()

    until(lambda: not threads(), "the thread to end")
    assert ids(log) == ["running"]


def test_where_no_thread_is_to_be_had_the_next_one_to_put_something_tries_again(make, monkeypatch):
    log = []
    slots = make(2)

    def refuse(self):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as refusing:
        refusing.setattr(threading.Thread, "start", refuse)
        slots.put([Plain("first", log)])
    assert slots.waiting == 1

    slots.put([Plain("second", log)])
    until(lambda: slots.left == 2, "both to end")


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(slots_module, "time", made)
    return made


def test_what_waits_while_no_slot_becomes_free_is_stuck(make, clock):
    log = []
    works = [Plain(str(number), log, waits=True) for number in range(3)]
    slots = make(1)
    slots.put(works[:1])
    until(lambda: len(log) == 1, "it to begin")
    clock.now += 100
    assert slots.stuck_for == 0.0  # nothing waits

    slots.put(works[1:])
    assert slots.stuck_for == 0.0
    clock.now += 5
    assert slots.stuck_for == 5.0

    works[0].may_end.set()
    until(lambda: len(log) == 2, "the next one to begin")
    assert slots.stuck_for == 0.0
    clock.now += 3
    assert slots.stuck_for == 3.0
    slots.take_back()
    assert slots.stuck_for == 0.0
    works[1].may_end.set()


def test_what_is_about_to_begin_is_not_stuck(make, clock, monkeypatch):
    slots = make(1)
    monkeypatch.setattr(threading.Thread, "start", lambda self: None)  # never looks
    slots.put([Plain("0", [])])

    clock.now += 100

    assert slots.waiting == 1
    assert slots.stuck_for == 0.0
