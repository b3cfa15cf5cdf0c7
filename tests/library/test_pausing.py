"""A task pauses where it looks next, can be stopped, asked and sent to meanwhile, and goes on when it is let."""

import time
from pathlib import Path

import pausing_tasks as tasks
import pausing_tasks_async
import places
import pytest
from places import SOON, eventually, messages_of

from taskpy import errors
from taskpy.spec import Flag

thoroughly = pytest.mark.parametrize("place", places.THOROUGHLY, indirect=True)
plain = pytest.mark.parametrize("place", places.PLAIN, indirect=True)
remote = pytest.mark.parametrize("place", places.PLAIN_REMOTE, indirect=True)
coroutines = pytest.mark.parametrize("place", ["thread-async", "process-async", "real-async"], indirect=True)

#: In this time a task that does not stand still would have left a trace.
WHILE = 0.1


def traces(path):
    return Path(path).stat().st_size if Path(path).exists() else 0


def stands_still(path):
    before = traces(path)
    time.sleep(WHILE)
    return traces(path) == before


def goes_on(path):
    before = traces(path)
    return eventually(lambda: traces(path) > before)


@thoroughly
@pytest.mark.parametrize("at", ["stopped", "sleep", "recv", "checkpoint", "send"])
def test_it_stands_still_where_it_looks(place, tmp_path, at):
    path = str(tmp_path / "traces")
    handle = place.begun(tasks.ticks, path, at)
    goes_on(path)

    assert handle.pause(join=True, timeout=SOON) is True
    assert stands_still(path)
    assert (handle.state, handle.flags) == ("running", {Flag.PAUSED})
    handle.resume()
    assert Flag.PAUSED not in handle.flags
    goes_on(path)
    assert handle.stop(timeout=SOON) == "succeeded"
    assert handle.result == "stopped"


@thoroughly
def test_one_that_yields_stands_still_there(place, tmp_path):
    path = str(tmp_path / "traces")
    handle = place.begun(tasks.yields, path)

    assert handle.pause(join=True, timeout=SOON) is True
    assert stands_still(path)
    handle.resume()
    goes_on(path)
    assert handle.stop(timeout=SOON) == "succeeded"


def test_requested_and_paused_are_two_flags(place, gate, tmp_path):
    handle = place.begun(tasks.looks_late, str(tmp_path / "traces"), gate.path)

    assert handle.pause() is False
    assert handle.flags == {Flag.PAUSING}
    assert handle.pause(join=True, timeout=0.05) is False
    gate.open()
    assert handle.pause(join=True, timeout=SOON) is True
    assert handle.flags == {Flag.PAUSED}
    handle.resume()
    assert handle.flags == set()


@thoroughly
def test_a_paused_task_is_asked_and_sent_to(place):
    handle = place.begun(tasks.echoes)
    assert handle.pause(join=True, timeout=SOON) is True

    for number in range(3):
        assert handle.ask("where", timeout=SOON) == "here"
        handle.send(number)
    assert handle.pause(join=True, timeout=SOON) is True
    with pytest.raises(errors.Empty):
        handle.recv(timeout=WHILE)
    handle.resume()
    assert [handle.recv(timeout=SOON) for _ in range(3)] == [0, 1, 2]


@thoroughly
def test_a_paused_task_is_stopped(place):
    handle = place.begun(tasks.waits)
    assert handle.pause(join=True, timeout=SOON) is True

    assert handle.stop(timeout=SOON, reason="enough") == "stopped"
    assert handle.flags == set()
    assert handle.stop_reason == "enough"


@plain
def test_a_stop_takes_the_flags_of_a_pause_away(place, gate, tmp_path):
    handle = place.begun(tasks.looks_late, str(tmp_path / "traces"), gate.path)
    handle.pause()
    handle.stop(join=False)

    assert handle.flags == {Flag.STOPPING}
    assert handle.pause(join=True, timeout=SOON) is False  # at once: it pauses no more
    handle.resume()
    gate.open()
    assert handle.get(timeout=SOON) == "stopped"


@thoroughly
def test_what_follows_a_stop_follows_a_paused_task_too(place, gate):
    handle = place.begun(tasks.goes_on_after_a_stop, gate.path)
    assert handle.pause(join=True, timeout=SOON) is True

    assert handle.stop(grace=0.3, then="kill", timeout=SOON) == "stopped"


def test_once_and_twice_are_the_same(place, tmp_path):
    path = str(tmp_path / "traces")
    handle = place.begun(tasks.ticks, path, "sleep")
    handle.resume()  # nobody has paused it

    assert handle.pause(join=True, timeout=SOON) is True
    assert handle.pause() is True
    assert handle.pause(join=True, timeout=SOON) is True
    handle.resume()
    handle.resume()
    goes_on(path)
    assert handle.flags == set()


def test_one_that_has_ended_is_neither_paused_nor_resumed(place):
    handle = place.begun(tasks.waits)
    handle.stop(timeout=SOON)

    for call in handle.pause, handle.resume:
        with pytest.raises(errors.TaskEnded) as caught:
            call()
        assert caught.value.state == "stopped"


def test_one_that_was_not_started_is_neither_paused_nor_resumed(place):
    handle = place(tasks.waits)

    with pytest.raises(errors.NotStarted):
        handle.pause()
    with pytest.raises(errors.NotStarted):
        handle.resume()


def test_who_waits_for_a_pause_is_told_of_the_end(place, gate, tmp_path, background):
    handle = place.begun(tasks.looks_late, str(tmp_path / "traces"), gate.path)
    waiting = background(handle.pause, join=True, timeout=SOON)
    eventually(lambda: Flag.PAUSING in handle.flags)

    handle.stop(join=False)
    assert waiting.result(SOON) is False
    gate.open()


def test_who_waits_for_a_pause_is_told_of_a_resume(place, gate, tmp_path, background):
    handle = place.begun(tasks.looks_late, str(tmp_path / "traces"), gate.path)
    waiting = background(handle.pause, join=True, timeout=SOON)
    eventually(lambda: Flag.PAUSING in handle.flags)

    handle.resume()
    assert waiting.result(SOON) is False
    gate.open()


@pytest.mark.parametrize("place", [*places.PLAIN, "thread-async", "real-async"], indirect=True)
def test_a_pause_does_not_count_for_the_time_limit(place):
    handle = place.begun(tasks.limited)
    assert handle.pause(join=True, timeout=SOON) is True

    time.sleep(1.7)  # the clock stands still, so there is nothing to wait for
    assert (handle.flags, handle.stop_reason) == ({Flag.PAUSED}, None)
    handle.resume()
    assert handle.get(timeout=SOON) == "time limit of 1.5 s"


# -- on a worker --------------------------------------------------------------------------------


@remote
def test_a_task_that_waits_is_paused_at_its_first_safe_point(place):
    handle = place.options(delay=0.5).started(tasks.echoes)
    assert handle.flags == {Flag.DELAYED}
    assert handle.pause() is False
    assert handle.flags == {Flag.DELAYED, Flag.PAUSING}

    assert handle.pause(join=True, timeout=SOON) is True
    assert handle.state == "running"
    with pytest.raises(errors.Empty):  # to send is a safe point, too
        handle.recv(timeout=WHILE)
    handle.resume()
    assert handle.recv(timeout=SOON) == "begun"


@remote
def test_a_pause_holds_for_another_attempt(place, gate):
    handle = place.begun(tasks.fails_once, gate.path)
    handle.pause()
    gate.open()

    assert handle.pause(join=True, timeout=SOON) is True
    assert handle.state == "running"
    handle.resume()
    assert handle.get(timeout=SOON) == 2


@remote
def test_any_handle_pauses_and_resumes(place, tmp_path):
    path = str(tmp_path / "traces")
    handle = place.begun(tasks.ticks, path, "sleep")
    other = place.attach(handle.id)

    assert other.pause(join=True, timeout=SOON) is True
    assert handle.flags == {Flag.PAUSED}
    handle.resume()
    goes_on(path)
    assert other.flags == set()


# -- coroutines ---------------------------------------------------------------------------------


@coroutines
def test_all_coroutines_of_a_task_stand_still(place, tmp_path):
    paths = [str(tmp_path / name) for name in "abc"]
    handle = place._keep(place.make(pausing_tasks_async.several, paths))
    handle.start()
    for path in paths:
        eventually(Path(path).exists)

    assert handle.pause(join=True, timeout=SOON) is True
    eventually(lambda: all(map(stands_still, paths)))
    assert handle.ask("where", timeout=SOON) == "here"  # though this takes a while
    assert all(map(stands_still, paths))
    handle.resume()
    for path in paths:
        goes_on(path)
    assert handle.stop(timeout=SOON) == "succeeded"
    assert messages_of(handle) == ["begun"]
