"""The relay: one of two threads has the duty, and who is held up is relieved by the other."""

import threading

import pytest
from taskpy_worker.relay import Relay

from tests.worker.waiting import DEADLINE_SECONDS, until


class Duty:
    """A turn waits until it is told what to do; who took it is noted."""

    def __init__(self):
        self.closing = threading.Event()
        self.relay = Relay(self._turn, self.closing)
        self.taken = []  # the thread of each turn that has begun
        self.told = []  # for turns to come, what to step aside for; None: nothing
        self.failures = []
        self.news = threading.Condition()
        self.threads = [threading.Thread(target=self.relay.serve, name=name) for name in ("a", "b")]
        for thread in self.threads:
            thread.start()

    def tell(self, what=None):
        with self.news:
            self.told.append(what)
            self.news.notify_all()

    def end(self):
        self.closing.set()
        with self.news:
            self.news.notify_all()
        self.relay.close(DEADLINE_SECONDS)

    def _turn(self):
        self.taken.append(threading.current_thread())
        with self.news:
            self.news.wait_for(lambda: self.told or self.closing.is_set())
            if not self.told:
                return
            what = self.told.pop(0)
        if what is None:
            return
        try:
            with self.relay.aside():
                what()
        except ValueError as error:
            self.failures.append(error)


@pytest.fixture
def duty():
    made = Duty()
    until(lambda: made.taken and made.relay.is_covered(), "one to have the duty, and the other to be in reserve")
    yield made
    made.end()
    for thread in made.threads:
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()


def test_one_has_the_duty_and_keeps_it(duty):
    for turns in range(2, 20):
        duty.tell()
        until(lambda turns=turns: len(duty.taken) == turns, "the next turn")

    assert len(set(duty.taken)) == 1


def test_who_is_held_up_is_relieved_and_is_then_in_reserve(duty):
    may_end = threading.Event()
    duty.tell(may_end.wait)
    until(lambda: len(duty.taken) == 2, "the other to take the next turn")
    first, second = duty.taken
    assert first is not second
    assert not duty.relay.is_covered()  # so this one may not step aside

    may_end.set()
    until(duty.relay.is_covered, "the first to be in reserve")
    duty.tell()
    until(lambda: len(duty.taken) == 3, "the next turn")
    assert duty.taken[2] is second


def test_they_relieve_each_other_again_and_again(duty):
    for turns in range(2, 12):
        until(duty.relay.is_covered, "the other to be in reserve")
        may_end = threading.Event()
        duty.tell(may_end.wait)
        until(lambda turns=turns: len(duty.taken) == turns, "the other to take the next turn")
        may_end.set()

    assert all(one is not other for one, other in zip(duty.taken, duty.taken[1:], strict=False))


def test_a_reserve_that_has_slept_is_woken(duty):
    until(lambda: duty.relay._asleep, "the reserve to sleep")
    may_end = threading.Event()

    duty.tell(may_end.wait)

    until(lambda: len(duty.taken) == 2, "the other to take the next turn")
    may_end.set()
    until(lambda: duty.relay.is_covered() and duty.relay._asleep, "the first to sleep in reserve")


def test_what_fails_aside_fails_the_turn_and_the_duty_goes_on(duty):
    def fails():
        raise ValueError("on purpose")

    duty.tell(fails)
    until(lambda: len(duty.taken) == 2, "the next turn")

    assert [str(error) for error in duty.failures] == ["on purpose"]
    assert duty.relay.is_covered()
    may_end = threading.Event()
    duty.tell(may_end.wait)
    until(lambda: len(duty.taken) == 3, "the other to take the next turn")
    may_end.set()


def test_the_end_does_not_wait_for_what_is_done_aside(duty):
    may_end, begun = threading.Event(), threading.Event()

    def long():
        begun.set()
        may_end.wait()

    for thread in range(2):  # the second has nobody in reserve
        duty.tell(long)
        assert begun.wait(DEADLINE_SECONDS)
        begun.clear()
        if not thread:
            until(lambda: len(duty.taken) == 2, "the other to take the next turn")

    duty.end()

    assert all(thread.is_alive() for thread in duty.threads)
    may_end.set()
