"""From new to the end: start, wait, get, stop, in each state a task can be in."""

import asyncio
import concurrent.futures
import threading
import time

import anyio
import contract_tasks as tasks
import contract_tasks_async
import places
import pytest
from places import SOON, WOKEN, eventually

import taskpy
from taskpy import Task, errors
from taskpy.spec import State

thoroughly = pytest.mark.parametrize("place", places.THOROUGHLY, indirect=True)
remote = pytest.mark.parametrize("place", places.REMOTE, indirect=True)


def test_a_new_task_is_new(place):
    handle = place(tasks.give, 1)
    assert handle.state == "new"
    assert not handle.done
    assert handle.result is None
    assert handle.exception is None


def test_before_the_start_nothing_can_be_waited_for(place):
    handle = place(tasks.give, 1)
    for wait in (handle.wait, handle.get, handle.recv, lambda: next(iter(handle))):
        with pytest.raises(errors.NotStarted):
            wait()


@thoroughly
def test_a_task_that_returns_has_succeeded(place):
    handle = place.started(tasks.give, "done.")
    assert handle.get() == "done."
    assert handle.wait() is True
    assert handle.state == "succeeded"
    assert handle.state is State.SUCCEEDED
    assert handle.done
    assert handle.result == "done."
    assert handle.exception is None


def test_while_it_runs_nothing_is_known_yet(place):
    handle = place.begun(tasks.until_stopped)
    assert handle.state == "running"
    assert not handle.done
    assert handle.result is None
    assert handle.exception is None
    assert handle.wait(timeout=0.02) is False
    with pytest.raises(errors.TaskTimeout) as raised:
        handle.get(timeout=0.02)
    assert isinstance(raised.value, TimeoutError)
    assert handle.state == "running"


def test_start_only_once(place):
    handle = place.started(tasks.give)
    with pytest.raises(errors.AlreadyStarted):
        handle.start()
    handle.wait()
    with pytest.raises(errors.AlreadyStarted):
        handle.start()


def test_whoever_waits_is_woken_by_the_end(place, gate, background):
    handle = place.begun(tasks.ignore_stop, gate.path)
    waiting = background(handle.wait), background(handle.get), background(handle.stop)
    assert not any(future.done() for future in waiting)
    began = time.monotonic()
    gate.open()
    assert [future.result(SOON) for future in waiting] == [True, "ignored", "succeeded"]
    assert time.monotonic() - began < WOKEN


# -- with ---------------------------------------------------------------------------------------


@thoroughly
def test_leaving_the_block_stops_the_task_and_waits(place):
    handle = place.begun(tasks.until_stopped)
    with handle as held:
        assert held is handle
        assert handle.state == "running"
    assert handle.state == "succeeded"
    assert handle.result == "done."


@thoroughly
def test_what_the_block_raises_goes_through(place):
    handle = place.begun(tasks.take)
    with pytest.raises(KeyError, match="mine"), handle:
        raise KeyError("mine")
    assert handle.state == "stopped"


def test_leaving_the_block_waits_for_a_task_that_does_not_listen(place, gate, background):
    handle = place.begun(tasks.ignore_stop, gate.path)

    def leave():
        with handle:
            pass

    leaving = background(leave)
    with pytest.raises(TimeoutError):
        leaving.result(0.1)
    gate.open()
    leaving.result(SOON)
    assert handle.result == "ignored"


def test_the_block_starts_nothing(place):
    with place(tasks.give, 1) as handle:
        assert handle.state == "new"
    assert_stopped(handle)


def test_leaving_the_block_changes_no_end_and_raises_nothing_of_the_task(place):
    with place.started(tasks.give, 1) as handle:
        handle.wait()
    assert handle.result == 1
    with place.started(tasks.fail, "ValueError", "no") as handle:
        handle.wait()
    assert isinstance(handle.exception, ValueError)


@pytest.mark.parametrize("place", ["aio-fake-async", "aio-real"], indirect=True)
@pytest.mark.parametrize("everywhere", [False, True], ids=["once", "at every await"])
def test_a_block_that_is_cancelled_stops_its_task(place, everywhere):
    handle = place.begun(tasks.until_stopped)

    async def hold():
        await handle.task._client.close()  # so that the request has to wait for a connection
        with anyio.CancelScope() as scope:
            async with handle.task:
                if everywhere:  # as anyio, and so Starlette, does it
                    scope.cancel()
                    await anyio.sleep(SOON)
                raise asyncio.CancelledError

    try:
        handle._loop.run(hold())
    except (asyncio.CancelledError, concurrent.futures.CancelledError):
        assert handle.task.done, "cancelled once, it still waits for the end"
    assert handle.wait(timeout=SOON)
    assert handle.result == "done."


# -- stop ---------------------------------------------------------------------------------------


@thoroughly
def test_stop_before_the_start(place):
    handle = place(tasks.give, 1)
    assert handle.stop() == "stopped"
    assert_stopped(handle)
    with pytest.raises(errors.AlreadyStarted):
        handle.start()
    assert handle.stop() == "stopped"


@remote
def test_stop_while_queued(place):
    handle = place.options(queue="nobody").started(tasks.give, 1)
    assert handle.state == "queued"
    assert handle.stop() == "stopped"
    assert_stopped(handle)


@remote
def test_stop_while_delayed(place):
    handle = place.options(delay=60).started(tasks.give, 1)
    assert handle.state == "queued"
    assert handle.stop() == "stopped"
    assert_stopped(handle)


@thoroughly
def test_stop_while_running(place):
    handle = place.begun(tasks.until_stopped)
    assert handle.stop() == "succeeded"
    assert handle.done
    assert handle.result == "done."
    assert handle.exception is None
    assert handle.get() == "done."


def test_stop_right_after_the_start_is_not_lost(place):
    handle = place.started(tasks.until_stopped)
    state = handle.stop(timeout=SOON)
    assert state in ("succeeded", "stopped")
    assert handle.result == ("done." if state == "succeeded" else None)


@thoroughly
def test_a_task_that_unwinds_by_a_stop_is_stopped(place):
    handle = place.begun(tasks.take)
    assert handle.stop() == "stopped"
    assert_stopped(handle)


@thoroughly
def test_stopped_is_no_exception_that_user_code_swallows(place):
    handle = place.begun(tasks.swallow)
    assert handle.stop() == "stopped"


@thoroughly
def test_a_task_that_raises_after_the_request_has_failed(place):
    if place.remote:
        place = place.options(retries=5, backoff=0.0)
    handle = place.begun(tasks.fail_after_stop)
    assert handle.stop() == "failed"
    assert repr(handle.exception) == "ValueError('too late')"
    if place.remote:
        assert handle.state == "failed"
        with pytest.raises(ValueError, match="too late"):
            handle.get()


def test_stop_twice(place, gate):
    handle = place.begun(tasks.ignore_stop, gate.path)
    assert handle.stop(join=False) == "running"
    assert handle.stop(join=False) == "running"
    gate.open()
    assert handle.stop() == "succeeded"
    assert handle.result == "ignored"


def test_a_stop_without_join_only_asks(place, gate):
    handle = place.begun(tasks.ignore_stop, gate.path)
    assert handle.stop(join=False, reason="a test") == "running"
    assert handle.state == "running"


def test_a_stop_whose_time_is_over_says_where_the_task_stands(place, gate):
    handle = place.begun(tasks.ignore_stop, gate.path)
    assert handle.stop(timeout=0.02) == "running"
    gate.open()
    assert handle.get(timeout=SOON) == "ignored"


def test_stop_after_the_end(place):
    handle = place.started(tasks.give, 1)
    handle.wait()
    assert handle.stop() == "succeeded"
    assert handle.result == 1
    failed = place.started(tasks.fail, "ValueError", "no")
    failed.wait()
    assert failed.stop() == "failed"
    assert repr(failed.exception) == "ValueError('no')"


@remote
def test_stop_between_attempts(place):
    handle = place.options(retries=3, backoff=60.0).started(tasks.succeed_at, 2)
    handle.recv(timeout=SOON)
    eventually(lambda: handle.state == "queued")
    assert handle.stop() == "stopped"
    assert_stopped(handle)


@remote
def test_stop_from_another_handle(place):
    handle = place.begun(tasks.until_stopped)
    other = place.attach(handle.id)
    with pytest.raises(errors.AlreadyStarted):
        other.start()
    assert other.stop(reason="it is enough") == "succeeded"
    assert handle.result == "done."
    # Why it was stopped is told afterwards.
    events = taskpy.default_client().events(handle.id)
    assert "it is enough" in [event.detail for event in events]


def test_thousands_of_coroutines_at_once():
    threads = threading.active_count()
    handles = [Task(contract_tasks_async.until_stopped) for _ in range(2000)]
    for handle in handles:
        handle.start()
    for handle in handles:
        assert handle.recv(timeout=SOON) == "begun"
    assert threading.active_count() <= threads + 1
    for handle in handles:
        handle.stop(join=False)
    assert [handle.get(timeout=SOON) for handle in handles] == ["done."] * 2000


def assert_stopped(handle):
    assert handle.state == "stopped"
    assert handle.done
    assert handle.result is None
    assert handle.exception is None
    assert handle.wait() is True
    with pytest.raises(errors.TaskStopped):
        handle.get()
    with pytest.raises(errors.TaskEnded):
        handle.recv()
    with pytest.raises(errors.TaskEnded) as raised:
        handle.send("too late")
    assert raised.value.state == "stopped"
    assert list(handle) == []


# -- attempts -----------------------------------------------------------------------------------


@remote
def test_a_failed_attempt_is_retried_under_another_token(place):
    handle = place.options(retries=2, backoff=0.0).started(tasks.succeed_at, 3)
    assert handle.get(timeout=SOON) == 3
    tokens = places.messages_of(handle)
    assert len(tokens) == len(set(tokens)) == 3


@remote
def test_no_more_retries_than_given(place):
    handle = place.options(retries=1, backoff=0.0).started(tasks.succeed_at, 3)
    with pytest.raises(ValueError, match="not at attempt 2"):
        handle.get(timeout=SOON)
    assert handle.state == "failed"


@remote
def test_a_retry_that_the_task_asks_for(place):
    assert place.started(tasks.retry_until, 3).get(timeout=SOON) == 3


@remote
def test_a_discarded_task_is_not_retried(place):
    handle = place.options(retries=3, backoff=0.0).started(tasks.end_by, "Discard")
    with pytest.raises(errors.RemoteError, match=r"taskpy\.errors\.Discard"):
        handle.get(timeout=SOON)
    assert handle.state == "failed"
    assert handle.snapshot().attempt == 1


@pytest.mark.parametrize("place", places.LOCAL, indirect=True)
@pytest.mark.parametrize("signal", ["Retry", "Discard"])
def test_locally_there_is_one_attempt(place, signal):
    handle = place.started(tasks.end_by, signal)
    with pytest.raises(errors.RemoteError, match=rf"taskpy\.errors\.{signal}"):
        handle.get(timeout=SOON)
    assert handle.state == "failed"
