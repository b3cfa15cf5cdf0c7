"""What a handle is, and what it asks of Redis: equal by id, no I/O where none is needed, no wait without a net."""

import logging
import time

import contract_tasks as tasks
import places
import pytest
from places import SOON, eventually

import taskpy
from taskpy import Client, RemoteTask, Task, aio, errors, naming
from taskpy.nudge import Nudge

remote = pytest.mark.parametrize("place", places.REMOTE, indirect=True)
workers = pytest.mark.parametrize("place", places.PLAIN_REMOTE, indirect=True)


@pytest.fixture
def far_client():
    """A client of a server that does not answer."""
    with Client("unix:///nowhere/at/all", timeout=0.05) as client:
        yield client


# -- identity -----------------------------------------------------------------------------------


def test_a_handle_is_equal_by_id(place):
    handle, other = place(tasks.give), place(tasks.give)
    assert handle == handle  # noqa: PLR0124 - the point
    assert handle != other
    assert handle != handle.id
    assert hash(handle) == hash(handle.id)
    assert len({handle, other}) == 2
    assert handle.id in repr(handle)
    assert naming.checked_id(handle.id) == handle.id


@remote
def test_two_handles_of_a_task_are_equal(place):
    handle = place.started(tasks.give)
    other = place.attach(handle.id)
    assert handle is not other
    assert handle == other
    assert other == handle
    assert len({handle, other}) == 1


@pytest.mark.parametrize("place", ["aio-real"], indirect=True)
def test_a_handle_and_its_twin_are_equal(place):
    twin = place(tasks.give).task
    handle = RemoteTask.attach(twin.id)
    assert twin == handle
    assert handle == twin
    assert len({twin, handle}) == 1


@pytest.mark.parametrize("place", ["thread", "thread-async"], indirect=True)
def test_the_inside_is_the_same_task_seen_from_the_inside(place):
    seen = []

    def look(t):
        seen.append(t)

    async def look_async(t):
        seen.append(t)

    handle = Task(look if place.plain else look_async)
    handle.start()
    handle.wait()
    [inside] = seen
    assert inside is not handle
    assert isinstance(inside, Task)
    assert inside == handle
    assert handle == inside
    assert hash(inside) == hash(handle)
    assert handle.id in repr(inside)


def test_what_the_inside_knows(place):
    handle = place.started(tasks.facts, 1, two=2)
    facts = handle.get(timeout=SOON)
    token = facts.pop("token")
    pid = facts.pop("pid")
    assert isinstance(token, str)
    assert isinstance(pid, int)
    assert facts == {
        "id": handle.id,
        "args": (1,),
        "kwargs": {"two": 2},
        "attempt": 1,
        "draining": False,
        "stopped": False,
        "state": "None",  # that of its last checkpoint
        "done": False,
        "result": None,
        "exception": None,
        "has prev": False,
        "is a task": True,
        "equal": True,
    }


def test_from_inside_stop_only_asks(place):
    handle = place.started(tasks.stop_myself)
    assert handle.get(timeout=SOON) == ["running", True, False, "running"]
    unwound = place.started(tasks.wait_after_stopping_myself)
    assert unwound.wait(SOON)
    assert unwound.state == "stopped"


INSIDE_ONLY = ["stopped", "sleep", "release", "attempt", "token", "prev", "draining"]


@pytest.mark.parametrize("place", places.PLAIN, indirect=True)
def test_what_belongs_to_the_inside_says_so_outside(place):
    handle = place(tasks.give)
    for name in INSIDE_ONLY:
        with pytest.raises(errors.WrongSide, match="belongs to the task itself"):
            getattr(handle, name)(*[1] * (name == "sleep"))


def test_what_belongs_to_a_handle_says_so_inside():
    def call(t):
        for name in ("start", "wait", "get"):
            with pytest.raises(errors.WrongSide, match="belongs to a handle"):
                getattr(t, name)()
        with pytest.raises(errors.WrongSide, match="belongs to a handle"), t:
            pass
        return "all of them"

    handle = Task(call)
    handle.start()
    assert handle.get(timeout=SOON) == "all of them"


# -- what a handle asks of Redis ----------------------------------------------------------------


def test_attach_and_looks_do_no_io(far_client):
    handle, other = far_client.attach("abc"), far_client.attach("abc")
    assert handle == other
    assert hash(handle) == hash("abc")
    assert "abc" in repr(handle)
    twin = aio.Client("unix:///nowhere/at/all").attach("abc")
    assert twin == handle
    assert "abc" in repr(twin)
    assert (twin.state, twin.done, twin.result, twin.exception) == ("queued", False, None, None)
    with pytest.raises(errors.Unreachable):
        _ = handle.state


def test_a_new_task_needs_no_server(far_client):
    handle = far_client.task(tasks.give, 1)
    handle.send("early")
    assert (handle.state, handle.args, handle.done) == ("new", (1,), False)
    assert handle.stop() == "stopped"
    assert handle.state == "stopped"


def test_a_bad_id_is_an_error_at_once():
    for id in ("", "a b", "a" * 65, "x:y"):
        with pytest.raises(errors.BadName):
            RemoteTask.attach(id)


@remote
@pytest.mark.parametrize(
    "use",
    [
        lambda handle: handle.state,
        lambda handle: handle.done,
        lambda handle: handle.result,
        lambda handle: handle.exception,
        lambda handle: handle.wait(),
        lambda handle: handle.get(),
        lambda handle: handle.recv(),
        lambda handle: handle.send(1),
        lambda handle: handle.stop(),
    ],
)
def test_an_unknown_id_shows_at_the_first_use(place, use):
    handle = place.attach(place.unknown_id())
    with pytest.raises(errors.TaskNotFound) as raised:
        use(handle)
    assert isinstance(raised.value, LookupError)


@workers
def test_arguments_of_somebody_elses_task(place):
    handle = place.started(tasks.give_all, 1, b=2)
    other = place.attach(handle.id)
    assert (other.args, dict(other.kwargs), other.name) == ((1,), {"b": 2}, "contract_tasks.give_all")
    with pytest.raises(errors.TaskNotFound):
        _ = place.attach(place.unknown_id()).args


@pytest.mark.parametrize("place", ["aio-fake-async", "aio-real"], indirect=True)
def test_arguments_of_somebody_elses_task_for_asyncio(place):
    other = place.attach(place.started(tasks.give_all, 1, b=2).id)
    with pytest.raises(errors.UsageError, match="snapshot"):
        _ = other.args
    assert other.snapshot().id == other.id
    assert (other.args, dict(other.kwargs)) == ((1,), {"b": 2})
    assert other.task.name.endswith(".give_all")
    with pytest.raises(errors.TaskNotFound):
        place.attach(place.unknown_id()).snapshot()


@workers
def test_a_final_state_is_remembered(place):
    handle = place.started(tasks.give, "result")
    other = place.attach(handle.id)
    handle.wait()
    assert other.result == "result"
    space = taskpy.default_client().space
    space.broker.command("DEL", space.keys.task(handle.id))
    for known in (handle, other):
        assert (known.state, known.done, known.result, known.exception) == ("succeeded", True, "result", None)
        assert known.get() == "result"
        assert known.stop() == "succeeded"
    with pytest.raises(errors.TaskNotFound):
        _ = place.attach(handle.id).state


@workers
def test_before_the_end_redis_is_asked_each_time(place):
    handle = place.begun(tasks.until_stopped)
    assert handle.state == "running"
    place.attach(handle.id).stop()
    assert handle.state == "succeeded"


@workers
def test_waiters_look_again_though_nothing_is_heard(place, gate, background, monkeypatch):
    handle = place.begun(tasks.send_when_open, gate.path)
    monkeypatch.setattr(handle._redis_line, "recheck", 0.05)
    subscriber = taskpy.default_client().space.broker.subscriber
    monkeypatch.setattr(subscriber, "watch", lambda channel: Nudge())
    monkeypatch.setattr(subscriber, "unwatch", lambda channel: None)
    waiting, receiving = background(handle.wait), background(handle.recv)
    gate.open()
    assert receiving.result(SOON) == "opened"
    gate.open_end()
    assert waiting.result(SOON) is True


def test_the_net_is_five_seconds_wide():
    assert Client("memory://other").attach("abc")._redis_line.recheck == 5.0


@workers
def test_waiters_warn_once_that_no_worker_serves_the_queue(place, caplog, background):
    handle = place.options(queue="nobody").started(tasks.give)
    handle._redis_line.recheck = 0.02
    with caplog.at_level(logging.WARNING, "taskpy"):
        waiting = background(handle.wait)
        warning = eventually(lambda: [record.getMessage() for record in caplog.records])[0]
        assert handle.wait(timeout=0.2) is False
        assert handle.stop() == "stopped"
        assert waiting.result(SOON) is True
    assert len(caplog.records) == 1
    assert "queue=nobody" in warning
    assert f"server={taskpy.default_client().space.server}" in warning


@workers
def test_nobody_warns_where_a_worker_serves_the_queue(place, caplog):
    # It waits in its queue, not for a worker: it is delayed.
    handle = place.options(delay=60).started(tasks.give)
    handle._redis_line.recheck = 0.02
    with caplog.at_level(logging.WARNING, "taskpy"):
        assert handle.wait(timeout=0.1) is False
    assert caplog.records == []


# -- the default client -------------------------------------------------------------------------


@workers
def test_the_default_client_is_used_where_none_is_named(place):
    handle = RemoteTask(tasks.give, 1)
    handle.start()
    assert handle.get(timeout=SOON) == 1
    assert RemoteTask.attach(handle.id).result == 1
    assert tasks.give.submit(2).get(timeout=SOON) == 2
    assert tasks.give.options(delay=0.01).submit(3).get(timeout=SOON) == 3
    by_name = RemoteTask("contract_tasks.give", 4)
    by_name.start()
    assert by_name.get(timeout=SOON) == 4


@workers
def test_a_task_that_submits_lands_in_the_same_place(place):
    assert place.started(tasks.submit_another, "there").get(timeout=SOON) == "there"


@workers
def test_many_tasks_at_once(place):
    handles = taskpy.default_client().submit_many(tasks.give, (((number,), {}) for number in range(30)))
    assert [handle.get(timeout=SOON) for handle in handles] == list(range(30))


def test_the_outside_for_asyncio(loop, aio_real_client):
    async def use():
        handle = aio_real_client.task(tasks.echo)
        assert handle.state == "new"
        await handle.send("one")
        await handle.start()
        assert handle.state == "queued"
        assert await handle.recv(timeout=SOON) == "one"
        assert (await handle.refresh()).state == "running"
        assert handle.state == "running"
        await aio_real_client.attach(handle.id).stop()
        assert handle.state == "running"  # the last known snapshot
        assert await handle.get() == "over"
        assert (handle.state, handle.done, handle.result, handle.exception) == ("succeeded", True, "over", None)
        return [message async for message in aio_real_client.attach(handle.id)]

    assert loop.run(use()) == ["one"]


def test_many_coroutines_share_the_client(loop, aio_real_client):
    async def use():
        handles = await aio_real_client.submit_many(tasks.give, [((number,), {}) for number in range(50)])
        return [await handle.get(timeout=SOON) for handle in handles]

    began = time.monotonic()
    assert loop.run(use()) == list(range(50))
    assert time.monotonic() - began < SOON
