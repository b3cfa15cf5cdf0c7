"""`Stopped` raised in a running function from outside: at once, never inside a shield, never after the end."""

import asyncio
import contextlib
import ctypes
import itertools
import random
import sys
import threading
import time

import pytest

from taskpy import call, errors, interrupt
from taskpy.interrupt import CoroutineInterrupt, ThreadInterrupt
from taskpy.spec import Verdict
from tests.unit.waiting import until

SECONDS = 10.0


class Running:
    """A function that runs in a thread of its own, with its interrupt; how it came out."""

    def __init__(self, function, *, interrupt=None, around=None):
        self.interrupt = interrupt or ThreadInterrupt()
        self.outcome = None
        self.leaked = None
        self.begun = threading.Event()
        self._function = function
        self._around = {} if around is None else {"around": around}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            self.outcome = call.run(self._call, self, interrupt=self.interrupt, **self._around)
            for _ in range(100):  # whatever is raised now comes from outside
                _pass()
        except BaseException as error:
            self.leaked = error

    def _call(self, running):
        return self._function(running)

    def end(self):
        """Wait for the end; what the function returned, or the verdict."""
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), "it goes on"
        assert self.leaked is None, f"raised after the end: {self.leaked!r}"
        return self.outcome.value if self.outcome.verdict is Verdict.SUCCEEDED else self.outcome.verdict


def _pass():
    pass


def strike_here():
    """What another thread's strike does, at this very place."""
    thread = ctypes.c_ulong(threading.get_ident())
    assert ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(errors.Stopped)) == 1


def computes(running):
    running.begun.set()
    while True:
        _pass()


# -- a thread -----------------------------------------------------------------------------------


def test_a_busy_loop_is_interrupted():
    running = Running(computes)
    running.begun.wait(SECONDS)

    running.interrupt.strike()

    assert running.end() is Verdict.STOPPED


def test_a_function_may_clean_up():
    cleaned = []

    def cleans_up(running):
        try:
            computes(running)
        finally:
            cleaned.append(1)

    running = Running(cleans_up)
    running.begun.wait(SECONDS)
    running.interrupt.strike()

    assert running.end() is Verdict.STOPPED
    assert cleaned == [1]


def test_who_catches_every_exception_is_interrupted_all_the_same():
    def catches(running):
        while True:
            with contextlib.suppress(Exception):  # as careless functions do
                computes(running)

    running = Running(catches)
    running.begun.wait(SECONDS)
    running.interrupt.strike()

    assert running.end() is Verdict.STOPPED


def test_who_catches_it_can_be_struck_again():
    caught = []

    def catches(running):
        for _ in range(2):
            try:
                computes(running)
            except errors.Stopped:
                caught.append(1)
                running.begun.clear()
        return "at last"

    running = Running(catches)
    for times in (1, 2):
        until(running.begun.is_set, "the loop to begin")
        running.interrupt.strike()
        until(lambda times=times: len(caught) == times, "it to be caught")

    assert running.end() == "at last"


def test_a_strike_before_the_beginning_comes_at_the_beginning():
    """A stop may come while the thread of a task is being started."""
    struck = ThreadInterrupt()
    struck.strike()

    def until_told(running):
        while not over.is_set():
            _pass()
        return "it was never raised"

    over = threading.Event()
    running = Running(until_told, interrupt=struck)
    running._thread.join(1.0)
    over.set()

    assert running.end() is Verdict.STOPPED


def test_the_shield_holds_it_back_until_its_end():
    struck, steps = threading.Event(), []

    def shielded(running):
        with running.interrupt.shield:
            running.begun.set()
            struck.wait(SECONDS)
            for _ in range(1000):
                _pass()
            steps.append("inside")
        steps.append("behind")

    running = Running(shielded)
    running.begun.wait(SECONDS)
    running.interrupt.strike()
    running.interrupt.strike()
    struck.set()

    assert running.end() is Verdict.STOPPED
    assert steps == ["inside"]


def test_what_was_on_its_way_is_raised_in_front_of_the_shield():
    steps = []

    def shielded(running):
        try:
            interrupt_of = running.interrupt
            original = interrupt_of.begin_shield

            def begin_shield():
                strike_here()
                original()

            interrupt_of.begin_shield = begin_shield
            with interrupt_of.shield:
                steps.append("inside")
        except errors.Stopped:
            interrupt_of.begin_shield = original
            with interrupt_of.shield:  # it holds nothing back that was raised already
                steps.append("inside again")
            return "caught"

    assert Running(shielded).end() == "caught"
    assert steps == ["inside again"]


@pytest.mark.parametrize("signal", [errors.LeaseLost, errors.Released, errors.Stopped])
def test_a_signal_out_of_the_shield_is_not_replaced(signal):
    caught = []

    def shielded(running):
        try:
            with running.interrupt.shield:
                running.interrupt.strike()
                raise signal
        except errors.TaskSignal as error:
            caught.append(type(error))

    Running(shielded).end()

    assert caught == [signal]


def test_an_error_out_of_the_shield_gives_way():
    def shielded(running):
        with running.interrupt.shield:
            running.interrupt.strike()
            raise errors.Empty

    assert Running(shielded).end() is Verdict.STOPPED


def test_a_shield_without_a_strike_changes_nothing():
    def shielded(running):
        with running.interrupt.shield:
            pass
        with pytest.raises(errors.Empty), running.interrupt.shield:
            raise errors.Empty
        return "value"

    assert Running(shielded).end() == "value"


def test_a_strike_after_the_end_is_nothing():
    running = Running(lambda running: "value")
    assert running.end() == "value"

    running.interrupt.strike()

    for _ in range(1000):
        _pass()
    assert running.end() == "value"


def test_a_thread_that_got_the_number_of_an_ended_one_is_left_alone():
    """Numbers of threads are used again."""
    for _ in range(50):
        first = Running(lambda running: threading.get_ident())
        number = first.end()
        second = Running(lambda running: (running.begun.set(), time.sleep(0.002), threading.get_ident())[2])
        second.begun.wait(SECONDS)
        first.interrupt.strike()
        assert isinstance(second.end(), int)
        assert isinstance(number, int)


def test_what_comes_while_it_closes_is_dropped_and_the_value_kept(monkeypatch):
    """The function has returned: its value is not thrown away for a stop that came too late."""
    left = [3]

    def comes_late():
        if left[0]:
            left[0] -= 1
            strike_here()
            _pass()

    def returns(running):
        monkeypatch.setattr(interrupt, "_let_it_come", comes_late)
        return "value"

    assert Running(returns).end() == "value"
    assert left == [0]


def test_what_comes_while_it_closes_after_an_error_is_dropped(monkeypatch):
    left = [3]

    def comes_late():
        if left[0]:
            left[0] -= 1
            strike_here()
            _pass()

    def fails(running):
        monkeypatch.setattr(interrupt, "_let_it_come", comes_late)
        raise ValueError

    running = Running(fails)

    assert running.end() is Verdict.FAILED
    assert isinstance(running.outcome.error, ValueError)


@pytest.fixture
def _hasty(monkeypatch):
    """Threads take turns all the time. What strikes a callback of the gc is passed over: a strike may hit its report, too."""
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_hasty")
@pytest.mark.parametrize("strikes", [1, 2])
def test_strikes_at_any_moment_leave_nothing_behind(strikes):
    """Many threads, many times: no lock stays held, nothing is raised after the end, and each comes to one end."""
    seed = random.randrange(10**6)
    print(f"seed={seed}")
    chance = random.Random(seed)
    ends = {"returned": 0, "stopped": 0}
    barrier = threading.Barrier(9)
    rounds = 150

    def one_thread(function_rounds):
        """One thread of a worker: functions that shield, compute and return, one after the other."""
        for made in function_rounds:
            barrier.wait(SECONDS)
            made.run()
            for _ in range(50):
                _pass()
            barrier.wait(SECONDS)

    class Made:
        def __init__(self):
            self.interrupt = ThreadInterrupt()
            self.outcome = self.leaked = None
            self.length = chance.randint(0, 40)

        def run(self):
            try:
                self.outcome = call.run(self.function, self, interrupt=self.interrupt)
            except BaseException as error:
                self.leaked = error

        def function(self, _):
            for _ in range(self.length):
                with self.interrupt.shield:
                    _pass()
                _pass()
            return "value"

    made = [[Made() for _ in range(rounds)] for _ in range(8)]
    threads = [threading.Thread(target=one_thread, args=(mine,), daemon=True) for mine in made]
    for thread in threads:
        thread.start()
    for now in zip(*made, strict=True):
        order = list(now) * strikes
        chance.shuffle(order)
        barrier.wait(SECONDS)
        for one in order:
            for _ in range(chance.randint(0, 100)):
                _pass()
            one.interrupt.strike()
        barrier.wait(SECONDS)
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()

    for one in itertools.chain(*made):
        assert one.leaked is None, f"raised after the end: {one.leaked!r}"
        assert one.interrupt._lock.acquire(timeout=1), "a lock stays held"
        assert one.outcome.verdict in (Verdict.SUCCEEDED, Verdict.STOPPED)
        assert one.outcome.value == ("value" if one.outcome.verdict is Verdict.SUCCEEDED else None)
        ends["returned" if one.outcome.verdict is Verdict.SUCCEEDED else "stopped"] += 1
    print(ends)
    assert min(ends.values()) > 0, f"all came out alike, which tests nothing: {ends}"


# -- a coroutine --------------------------------------------------------------------------------


async def run_struck(function, *, strikes=1, before=None):
    """Run the coroutine function, and strike it once it waits."""
    struck = CoroutineInterrupt()
    if before is not None:
        before(struck)
    running = asyncio.ensure_future(call.run_async(function, None, interrupt=struck))
    for _ in range(strikes):
        await asyncio.sleep(0.01)
        await asyncio.to_thread(struck.strike)
    return await asyncio.wait_for(running, SECONDS)


def test_a_coroutine_is_interrupted_where_it_waits():
    async def waits(_):
        await asyncio.sleep(60)

    assert asyncio.run(run_struck(waits)).verdict is Verdict.STOPPED


def test_a_coroutine_may_clean_up_and_wait_for_that():
    cleaned = []

    async def waits(_):
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(1)

    assert asyncio.run(run_struck(waits)).verdict is Verdict.STOPPED
    assert cleaned == [1]


def test_a_coroutine_that_cares_may_return_a_value():
    async def catches(_):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "value"

    outcome = asyncio.run(run_struck(catches))

    assert (outcome.verdict, outcome.value) == (Verdict.SUCCEEDED, "value")


def test_a_coroutine_that_fails_on_its_way_out_has_failed():
    async def fails(_):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError from None

    outcome = asyncio.run(run_struck(fails))

    assert outcome.verdict is Verdict.FAILED
    assert isinstance(outcome.error, ValueError)


def test_a_cancellation_by_somebody_else_is_no_stop():
    async def cancels_itself(_):
        raise asyncio.CancelledError

    assert asyncio.run(call.run_async(cancels_itself, None)).verdict is Verdict.FAILED


def test_a_coroutine_that_has_ended_is_left_alone():
    async def ends_then_is_struck():
        struck = CoroutineInterrupt()

        async def returns(_):
            return "value"

        running = asyncio.ensure_future(call.run_async(returns, None, interrupt=struck))
        outcome = await running
        struck.strike()
        await asyncio.sleep(0.01)  # where a cancellation that came too late would arrive
        return outcome, struck.struck

    outcome, struck = asyncio.run(ends_then_is_struck())
    assert (outcome.value, struck) == ("value", False)


def test_a_strike_before_a_coroutine_begins_comes_at_the_beginning():
    """Its loop may be busy with others for a while."""

    async def goes_on(_):
        await asyncio.sleep(0.5)
        return "it was never raised"

    outcome = asyncio.run(run_struck(goes_on, strikes=0, before=lambda struck: struck.strike()))

    assert outcome.verdict is Verdict.STOPPED


def test_a_loop_that_was_closed_is_no_error():
    struck = CoroutineInterrupt()

    async def returns(_):
        return "value"

    asyncio.run(call.run_async(returns, None, interrupt=struck))

    struck.strike()
