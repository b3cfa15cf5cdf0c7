"""A stop that always lands: asked for, then raised inside, then by force; with its reason, and whoever gave it."""

import time

import places
import pytest
import steering_tasks as tasks
from places import SOON, WOKEN, eventually, messages_of

import taskpy
from taskpy import errors

thoroughly = pytest.mark.parametrize("place", places.THOROUGHLY, indirect=True)
plain = pytest.mark.parametrize("place", places.PLAIN, indirect=True)


@thoroughly
def test_a_task_that_does_not_look_is_unwound_by_raise(place):
    handle = place.begun(tasks.busy)
    assert handle.stop(grace=0.05, then="raise", timeout=SOON) == "stopped"


@thoroughly
def test_raise_waits_for_the_grace_time(place):
    handle = place.begun(tasks.busy)
    began = time.monotonic()
    assert handle.stop(grace=0.4, then="raise", timeout=SOON) == "stopped"
    assert time.monotonic() - began >= 0.39


def test_what_the_function_does_at_its_end_is_done(place):
    handle = place.begun(tasks.busy_with_an_end)
    assert handle.stop(grace=0.3, then="raise", timeout=SOON) == "stopped"
    assert messages_of(handle) == ["cleaned"]


def test_a_function_that_returns_after_it_was_raised_has_succeeded(place):
    handle = place.begun(tasks.ends_well_when_raised)
    assert handle.stop(grace=0.3, then="raise", timeout=SOON) == "succeeded"
    assert handle.result == "well"


@plain
def test_what_is_said_to_the_outside_is_not_broken_off(place):
    for _ in range(5):
        handle = place.begun(tasks.talk_without_end)
        assert handle.stop(grace=0, then="raise", timeout=SOON) == "stopped"


@thoroughly
def test_kill_ends_what_ignores_everything(place, gate):
    handle = place.begun(tasks.stubborn, gate.path)
    began = time.monotonic()
    assert handle.stop(grace=0.1, then="kill", timeout=SOON, reason="enough") == "stopped"
    assert time.monotonic() - began < WOKEN
    with pytest.raises(taskpy.TaskStopped, match="enough"):
        handle.get(timeout=SOON)


def test_of_a_thread_that_goes_on_it_is_said(place, gate):
    handle = place.begun(tasks.stubborn, gate.path)
    handle.stop(grace=0.2, then="kill", timeout=SOON)
    killed = "process" in place.name
    with pytest.raises(taskpy.TaskStopped) as caught:
        handle.get(timeout=SOON)
    assert ("still runs" in str(caught.value)) is not killed


def test_what_it_does_after_that_counts_no_more(place, gate):
    handle = place.begun(tasks.stubborn_and_talking, gate.path)
    assert handle.stop(grace=0.2, then="kill", timeout=SOON) == "stopped"
    gate.open()
    assert messages_of(handle) == []
    assert handle.state == "stopped"


def test_a_stop_can_become_stricter(place):
    handle = place.begun(tasks.busy)
    assert handle.stop(join=False, reason="please") == "running"
    assert handle.stop(join=False, grace=60, then="raise") == "running"
    assert handle.stop(grace=0.1, then="kill", reason="now", timeout=SOON) == "stopped"
    assert handle.stop_reason == "please"


def test_a_stop_never_becomes_milder(place):
    handle = place.begun(tasks.busy)
    handle.stop(join=False, grace=0.5, then="raise")
    handle.stop(join=False, grace=60, then="raise")
    handle.stop(join=False)
    assert handle.wait(timeout=SOON)
    assert handle.state == "stopped"


@thoroughly
def test_asked_for_and_done_are_two_things(place):
    handle = place.started(tasks.tell_reason)
    assert handle.recv(timeout=SOON) is None
    assert handle.stop_reason is None
    handle.stop(reason="seen enough", timeout=SOON)
    reason, by = handle.result
    assert reason == "seen enough"
    assert "@" in by
    assert handle.stop_reason == "seen enough"
    assert handle.stop_reason.by == by


def test_requested_is_seen_before_it_is_done(place, gate):
    handle = place.begun(tasks.stubborn, gate.path)
    assert handle.stop(join=False, reason="soon") == "running"
    eventually(lambda: handle.stop_reason == "soon")
    assert not handle.done
    gate.open()
    assert handle.get(timeout=SOON) == "at last"
    assert handle.stop_reason == "soon"


def test_a_task_that_never_began_says_why(place):
    handle = place(tasks.tell_reason)
    assert handle.stop(reason="not needed", grace=0, then="kill") == "stopped"
    assert handle.stop_reason == "not needed"


@thoroughly
def test_a_time_limit_stops_the_task(place):
    handle = place.started(tasks.limited)
    reason, by = handle.get(timeout=SOON)
    assert reason == "time limit of 0.2 s"
    assert by


@plain
def test_what_cannot_follow_is_refused(place):
    handle = place.begun(tasks.busy)
    with pytest.raises(errors.BadArguments, match="then must be"):
        handle.stop(then="shout")
    with pytest.raises(errors.BadArguments, match="grace must be"):
        handle.stop(grace=-1, then="raise")
    assert handle.stop_reason is None
    handle.stop(grace=0, then="raise", timeout=SOON)


@pytest.mark.parametrize(
    "place", ["thread", "thread-async", "process", "process-async", "fake", "fake-async"], indirect=True
)
def test_what_is_raised_before_the_function_has_begun_is_raised_in_it(place):
    for _ in range(3):
        handle = place.started(tasks.busy)
        assert handle.stop(grace=0, then="raise", timeout=SOON) == "stopped"
