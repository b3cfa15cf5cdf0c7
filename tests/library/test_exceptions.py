"""What a handle says of a task that raised: the exception itself, one like it, or a RemoteError; never a surprise."""

import traceback

import contract_tasks as tasks
import places
import pytest
from places import SOON

import taskpy
from taskpy import errors

thoroughly = pytest.mark.parametrize("place", places.THOROUGHLY, indirect=True)
crossing = pytest.mark.parametrize("place", places.CROSSING, indirect=True)
threads = pytest.mark.parametrize("place", ["thread", "thread-async"], indirect=True)


@thoroughly
def test_a_builtin_exception(place):
    handle = place.started(tasks.fail, "ValueError", "no", 1)
    with pytest.raises(ValueError, match="no") as raised:
        handle.get(timeout=SOON)
    assert raised.value.args == ("no", 1)
    assert handle.state == "failed"
    assert handle.result is None
    assert repr(handle.exception) == "ValueError('no', 1)"
    assert handle.wait() is True


@pytest.mark.parametrize("place", places.PLAIN, indirect=True)
def test_an_oserror_keeps_its_parts(place):
    handle = place.started(tasks.fail, "FileNotFoundError", 2, "No such file", "name")
    handle.wait()
    assert (handle.exception.errno, handle.exception.filename) == (2, "name")


@threads
def test_in_a_thread_it_is_the_object_itself(place):
    handle = place.started(tasks.fail_unknown)
    with pytest.raises(tasks.UnknownError) as raised:
        handle.get(timeout=SOON)
    assert handle.exception is raised.value
    with pytest.raises(tasks.UnknownError) as again:
        handle.get()
    assert again.value is raised.value


def test_a_registered_exception(place):
    handle = place.started(tasks.fail_known)
    with pytest.raises(tasks.KnownError) as raised:
        handle.get(timeout=SOON)
    assert raised.value.args == ("this", 1)


@crossing
def test_an_unknown_exception_is_a_remote_error(place):
    handle = place.started(tasks.fail_unknown)
    with pytest.raises(errors.RemoteError) as raised:
        handle.get(timeout=SOON)
    assert raised.value.type_name == "contract_tasks.UnknownError"
    assert raised.value.text == "that"
    assert str(raised.value) == "contract_tasks.UnknownError: that"
    assert 'raise UnknownError("that")' in raised.value.traceback


@crossing
def test_a_builtin_exception_without_plain_arguments_is_a_remote_error(place):
    handle = place.started(tasks.fail_with_object)
    with pytest.raises(errors.RemoteError) as raised:
        handle.get(timeout=SOON)
    assert raised.value.type_name == "ValueError"
    assert raised.value.text.startswith("<object object")


def test_the_traceback_shows_the_line_of_the_task(place):
    handle = place.started(tasks.fail, "ValueError", "no")
    handle.wait()
    assert "getattr(builtins, kind)" in "".join(traceback.format_exception(handle.exception))


@thoroughly
def test_what_could_end_the_caller_is_a_remote_error(place):
    is_remote_error(place, "SystemExit")


@pytest.mark.parametrize("place", ["thread", "thread-async", "process", "fake", "fake-async"], indirect=True)
@pytest.mark.parametrize("kind", ["KeyboardInterrupt", "GeneratorExit"])
def test_no_other_base_exception_comes_back_as_itself(place, kind):
    is_remote_error(place, kind)


def is_remote_error(place, kind):
    handle = place.started(tasks.fail, kind, 3)
    with pytest.raises(errors.RemoteError) as raised:
        handle.get(timeout=SOON)
    assert handle.state == "failed"
    assert isinstance(handle.exception, errors.RemoteError)
    assert (raised.value.type_name, raised.value.text) == (kind, "3")
    assert "getattr(builtins, kind)" in raised.value.traceback


def test_a_task_can_only_be_released_to_a_queue(place):
    handle = place.started(tasks.release)
    if place.remote:
        eventually_again(place, handle)
        return
    with pytest.raises(errors.UsageError, match="runs locally"):
        handle.get(timeout=SOON)


def eventually_again(place, handle):
    """It goes back to its queue, and is begun again, until it is stopped."""
    places.eventually(lambda: taskpy.RemoteTask.attach(handle.id).snapshot().attempt > 1)
    assert handle.stop(timeout=SOON) == "stopped"


@pytest.mark.parametrize("place", places.LOCAL, indirect=True)
@pytest.mark.parametrize("signal", ["Released", "LeaseLost"])
def test_signals_of_workers_mean_failure_locally(place, signal):
    handle = place.started(tasks.end_by, signal)
    with pytest.raises(errors.RemoteError) as raised:
        handle.get(timeout=SOON)
    assert raised.value.type_name == f"taskpy.errors.{signal}"


def test_a_task_that_raises_stopped_by_itself_is_stopped(place):
    handle = place.started(tasks.end_by, "Stopped")
    handle.wait()
    assert handle.state == "stopped"


@crossing
def test_a_result_that_cannot_cross_is_a_failure(place):
    handle = place.started(tasks.unsendable)
    with pytest.raises(errors.NotSendable, match=r"result\['model'\]"):
        handle.get(timeout=SOON)
    assert handle.state == "failed"


@crossing
def test_a_message_that_cannot_cross_is_an_error_inside(place):
    handle = place.started(tasks.send_unsendable)
    with pytest.raises(errors.NotSendable, match=r"message\[1\]"):
        handle.get(timeout=SOON)


def test_signals_are_no_exceptions():
    for signal in (errors.Stopped, errors.Released, errors.LeaseLost, errors.Retry, errors.Discard):
        assert issubclass(signal, errors.TaskSignal)
        assert not issubclass(signal, Exception)
