"""Waiting for many tasks at once: in every place, in several at the same time, and by how few words."""

import asyncio
import logging
import time

import contract_tasks as tasks
import places
import pytest
from places import SOON, WOKEN, Awaited, eventually

import taskpy
from taskpy import Client, ProcessTask, Task, aio, errors
from taskpy.nudge import Nudge

#: What no test waits for: it fails before.
NEVER = 3 * SOON


class Waiter:
    """The calls of `taskpy`, or those of `taskpy.aio` for a place whose outside is awaited."""

    def __init__(self, place, loop):
        self._loop = loop if place.name.startswith("aio") else None

    def wait(self, handles, *args, **kwargs):
        if self._loop is None:
            return taskpy.wait(handles, *args, **kwargs)
        waited = self._loop.run(aio.wait(self._plain(handles), *args, **kwargs))
        return taskpy.Waited(*([Awaited(self._loop, task) for task in part] for part in waited))

    def as_completed(self, handles, *args, **kwargs):
        if self._loop is None:
            yield from taskpy.as_completed(handles, *args, **kwargs)
            return
        ends = aio.as_completed(self._plain(handles), *args, **kwargs)
        try:
            while True:
                try:
                    yield Awaited(self._loop, self._loop.run(anext_of(ends)))
                except StopAsyncIteration:
                    return
        finally:
            self._loop.run(ends.aclose())

    @staticmethod
    def _plain(handles):
        return [handle.task if isinstance(handle, Awaited) else handle for handle in handles]


async def anext_of(iterator):
    return await anext(iterator)


@pytest.fixture
def waiter(place, loop):
    return Waiter(place, loop)


def held(place, count):
    """Tasks that run until they are sent what they will return."""
    return [place.begun(tasks.take) for _ in range(count)]


# -- in every place -----------------------------------------------------------------------------


def test_all_have_ended(place, waiter):
    handles = [place.started(tasks.give, number) for number in range(4)]

    done, pending = waiter.wait(handles)

    assert done == handles
    assert pending == []
    assert [handle.result for handle in done] == [0, 1, 2, 3]


def test_however_they_end(place, waiter):
    handles = [
        place.started(tasks.give, 1),
        place.started(tasks.fail, "ValueError", 2),
        place.begun(tasks.until_stopped),
    ]
    handles[2].stop(join=False)

    assert waiter.wait(handles) == (handles, [])
    assert handles[1].state == "failed"


def test_the_first_that_ends_is_enough(place, waiter, background):
    handles = held(place, 3)
    assert waiter.wait(handles, 0, first=True) == ([], handles)
    waiting = background(waiter.wait, handles, first=True)

    handles[1].send(1)

    assert waiting.result(SOON) == ([handles[1]], [handles[0], handles[2]])
    handles[0].send(0)
    handles[2].send(2)
    assert waiter.wait(handles, SOON) == (handles, [])


def test_the_time_is_over(place, waiter):
    handles = held(place, 2)
    handles[0].send(0)
    eventually(lambda: handles[0].done)

    began = time.monotonic()
    assert waiter.wait(handles, 0.05) == ([handles[0]], [handles[1]])
    assert time.monotonic() - began < WOKEN
    with pytest.raises(errors.TaskTimeout, match=r"1 of 2 tasks have not ended after 0.05 s"):
        list(waiter.as_completed(handles, 0.05))


def test_handles_come_in_the_order_in_which_their_tasks_end(place, waiter):
    handles = held(place, 4)
    ends = waiter.as_completed(handles)
    order = [2, 0, 3, 1]
    handles[2].send(2)
    came = [next(ends)]
    for number in order[1:]:
        handles[number].send(number)
        came.append(next(ends))

    assert came == [handles[number] for number in order]
    assert next(ends, None) is None


def test_who_waits_is_woken(place, waiter, background):
    handles = held(place, 2)
    waiting = background(lambda: (waiter.wait(handles), time.monotonic()))
    assert waiter.wait(handles, 0.1) == ([], handles)  # meanwhile it waits, too

    began = time.monotonic()
    for handle in handles:
        handle.send("end")

    assert waiting.result(SOON)[1] - began < WOKEN


def test_what_has_ended_before_comes_first_in_the_order_given(place, waiter):
    handles = [*held(place, 1), *(place.started(tasks.give, number) for number in range(3))]
    for handle in handles[1:]:
        eventually(lambda handle=handle: handle.done)
    ends = waiter.as_completed(handles)

    assert [next(ends) for _ in range(3)] == handles[1:]
    handles[0].send(0)
    assert list(ends) == handles[:1]


def test_the_same_task_counts_once(place, waiter):
    first, second = place.started(tasks.give, 1), place.started(tasks.give, 2)

    assert waiter.wait([first, second, first]) == ([first, second], [])
    assert sorted(handle.result for handle in waiter.as_completed([first, second, first])) == [1, 2]


def test_nothing_to_wait_for(place, waiter):
    assert waiter.wait([], NEVER) == ([], [])
    assert waiter.wait((), first=True) == ([], [])
    assert list(waiter.as_completed([])) == []


def test_a_new_task_is_not_waited_for(place, waiter):
    started, new = place.started(tasks.give), place(tasks.give)

    for timeout in (0, NEVER):
        with pytest.raises(errors.NotStarted, match=new.id):
            waiter.wait([started, new], timeout)
    with pytest.raises(errors.NotStarted):
        list(waiter.as_completed([new]))


def test_a_task_that_was_stopped_before_its_start_has_ended(place, waiter):
    handle = place(tasks.give)
    handle.stop()

    assert waiter.wait([handle]) == ([handle], [])


def test_a_loop_that_waits_for_the_next_each_time(place, waiter):
    pending, came = [place.started(tasks.give, number) for number in range(5)], []

    while pending:
        done, pending = waiter.wait(pending, first=True)
        came += [handle.result for handle in done]

    assert sorted(came) == [0, 1, 2, 3, 4]


# -- on workers ---------------------------------------------------------------------------------

remote = pytest.mark.parametrize("place", places.REMOTE, indirect=True)
workers = pytest.mark.parametrize("place", places.PLAIN_REMOTE, indirect=True)


@remote
def test_an_unknown_id_is_not_waited_for(place, waiter):
    handle, unknown = place.started(tasks.give), place.attach(place.unknown_id())

    for timeout in (0, NEVER):
        with pytest.raises(errors.TaskNotFound, match=unknown.id):
            waiter.wait([handle, unknown], timeout)
    with pytest.raises(errors.TaskNotFound):
        list(waiter.as_completed([unknown]))


@remote
def test_handles_of_somebody_elses_tasks(place, waiter):
    started = [place.started(tasks.give, number) for number in range(3)]
    others = [place.attach(handle.id) for handle in started]

    assert waiter.wait([*others, *started]) == (others, [])


@workers
def test_what_has_ended_is_known_without_asking(place):
    handles = [place.started(tasks.give, number) for number in range(3)]
    others = [place.attach(handle.id) for handle in handles]
    taskpy.wait(others)
    space = taskpy.default_client().space
    for handle in handles:
        space.broker.command("DEL", space.keys.task(handle.id))

    assert [handle.result for handle in others] == [0, 1, 2]
    assert [handle.get() for handle in taskpy.as_completed(others)] == [0, 1, 2]
    with pytest.raises(errors.TaskNotFound):
        taskpy.wait(place.attach(handle.id) for handle in handles)


@pytest.mark.parametrize("place", ["aio-fake-async", "aio-real"], indirect=True)
def test_properties_for_asyncio_need_no_refresh(place, waiter):
    handles = held(place, 3)
    others = [place.attach(handle.id) for handle in handles]
    handles[0].send(0)

    waiter.wait(others, first=True)

    assert (others[0].task.done, others[0].task.result) == (True, 0)
    assert [(other.task.state, other.task.result) for other in others[1:]] == [("running", None)] * 2
    for number in (1, 2):
        handles[number].send(number)
    assert [handle.task.result for handle in waiter.as_completed(others[1:])] in ([1, 2], [2, 1])


@workers
def test_a_new_task_needs_no_server(place):
    with Client("redis://127.0.0.1:1", timeout=NEVER) as nowhere, pytest.raises(errors.NotStarted):
        taskpy.wait([nowhere.task("f")])


@workers
def test_it_looks_again_though_nothing_is_heard(place, background, monkeypatch):
    handles = held(place, 3)
    for handle in handles:
        monkeypatch.setattr(handle._redis_line, "recheck", 0.05)
    subscriber = taskpy.default_client().space.broker.subscriber
    monkeypatch.setattr(subscriber, "watch_all", lambda channels: [Nudge() for _ in channels])
    monkeypatch.setattr(subscriber, "unwatch", lambda channel: None)
    ends = taskpy.as_completed(handles)
    for number in (1, 0, 2):
        waiting = background(next, ends)
        handles[number].send(number)
        assert waiting.result(SOON) == handles[number]


@workers
def test_one_lost_word_is_made_up_for_though_others_never_cease_to_speak(place, background, monkeypatch):
    chatty, lost = place.begun(tasks.chatter), place.begun(tasks.until_stopped)
    for handle in (chatty, lost):
        monkeypatch.setattr(handle._redis_line, "recheck", 0.2)
    space = taskpy.default_client().space
    watch_all, silent = space.broker.subscriber.watch_all, space.keys.task(lost.id)

    def partly_deaf(channels):
        nudges = watch_all(channels)
        return [Nudge() if channel == silent else nudge for channel, nudge in zip(channels, nudges, strict=True)]

    monkeypatch.setattr(space.broker.subscriber, "watch_all", partly_deaf)
    waiting = background(taskpy.wait, [chatty, lost], first=True)

    place.attach(lost.id).stop(join=False)

    assert waiting.result(SOON) == ([lost], [chatty])
    began = time.monotonic()
    assert taskpy.wait([chatty], 0.3) == ([], [chatty])  # however much it says
    assert time.monotonic() - began < WOKEN


@workers
def test_it_warns_once_for_each_queue_that_nobody_serves(place, caplog, background):
    handles = [place.options(queue=queue).started(tasks.give) for queue in ("nobody", "none") for _ in range(3)]
    for handle in handles:
        handle._redis_line.recheck = 0.02
    with caplog.at_level(logging.WARNING, "taskpy"):
        waiting = background(taskpy.wait, handles)
        eventually(lambda: len(caplog.records) == 2)
        assert taskpy.wait(handles, 0.2) == ([], handles)
        for handle in reversed(handles):
            handle.stop()
        assert waiting.result(SOON) == (handles, [])
    assert len(caplog.records) == 2
    assert all(any(f"queue={queue}" in r.getMessage() for r in caplog.records) for queue in ("nobody", "none"))


@workers
def test_channels_are_left_and_nothing_is_followed_afterwards(place):
    handles = held(place, 2)
    subscriber = taskpy.default_client().space.broker.subscriber
    channels = [taskpy.default_client().space.keys.task(handle.id) for handle in handles]
    taskpy.wait(handles, 0.01)
    ends = taskpy.as_completed(handles)
    handles[0].send(0)
    next(ends)
    entries = [subscriber._channels[channel] for channel in channels]
    assert [entry.watchers for entry in entries] == [1, 1]

    ends.close()

    assert [entry.watchers for entry in entries] == [0, 0]
    assert not any(entry.nudge._followers for entry in entries)


# -- in several places at once --------------------------------------------------------------------


@pytest.fixture
def everywhere(request, fake_client, real_client):
    """A started task in a thread, in a process, and on workers of two servers, all of them one."""
    made = []

    def start(func, *args):
        for make in (Task, ProcessTask, fake_client.task, real_client.task, Client.of(real_client.space).task):
            made.append(make(func, *args))
            made[-1].start()
        return made[-5:]

    yield start
    for handle in made:
        handle.stop(join=False)


def test_places_may_be_mixed(everywhere):
    handles = everywhere(tasks.give, 1)

    assert taskpy.wait(handles) == (handles, [])
    assert [handle.result for handle in taskpy.as_completed(handles)] == [1] * 5


@pytest.mark.parametrize("number", range(5))
def test_whoever_is_first_wakes(everywhere, background, number):
    handles = everywhere(tasks.until_stopped)
    for handle in handles:
        assert handle.recv(timeout=SOON) == "begun"
    waiting = background(taskpy.wait, handles, first=True)
    ends = taskpy.as_completed(handles)
    coming = background(next, ends)

    handles[number].stop(join=False)

    assert waiting.result(SOON).done == [handles[number]]
    assert coming.result(SOON) == handles[number]
    for handle in handles:
        handle.stop(join=False)
    assert sorted(handle.id for handle in ends) == sorted(h.id for n, h in enumerate(handles) if n != number)


def test_local_tasks_are_waited_for_on_a_loop_too(loop, aio_real_client, aio_fake_client):
    async def use():
        handles = [Task(tasks.give, 0), ProcessTask(tasks.give, 1)]
        for handle in handles:
            handle.start()
        handles += [
            await client.submit(tasks.give, n) for n, client in enumerate([aio_real_client, aio_fake_client], 2)
        ]
        done, pending = await aio.wait(handles)
        assert done == handles
        assert not pending
        return [handle.result async for handle in aio.as_completed(handles)]

    assert loop.run(use()) == [0, 1, 2, 3]


def awaited_by(task):
    """Where the coroutine stands, down to what it waits for; for the failure's message."""
    awaited, found = task.get_coro(), [repr(task)]
    while awaited is not None:
        found.append(repr(getattr(awaited, "cr_frame", awaited)))
        awaited = getattr(awaited, "cr_await", None)
    return "\n".join(found)


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_coroutine_that_is_cancelled_gives_everything_back(loop, aio_real_client, monkeypatch, confirmed):
    subscriber = aio_real_client.broker.subscriber
    if not confirmed:
        monkeypatch.setattr(subscriber, "_dispatch", lambda message: None)

    async def use():
        handles = await aio_real_client.submit_many(tasks.until_stopped, [((), {})] * 3)
        waiting = asyncio.create_task(aio.wait(handles))
        channels = [aio_real_client.keys.task(handle.id) for handle in handles]
        async with asyncio.timeout(SOON):
            while not all(name in subscriber._channels for name in channels):
                assert not waiting.done(), waiting
                await asyncio.sleep(0.005)
        if confirmed:
            watched = asyncio.gather(*(subscriber._channels[name].confirmed.wait() for name in channels))
            await asyncio.wait_for(watched, SOON)
        entries = [subscriber._channels[name] for name in channels]
        waiting.cancel()
        await asyncio.wait([waiting], timeout=SOON)
        assert waiting.cancelled(), awaited_by(waiting)
        for handle in handles:
            await handle.stop(join=False)
        return [entry.watchers for entry in entries], [len(entry.nudge._followers) for entry in entries]

    assert loop.run(use()) == ([0, 0, 0], [0, 0, 0])


def test_a_coroutine_is_cancelled_at_whatever_step_it_is(loop, aio_real_client):
    async def use():
        handles = await aio_real_client.submit_many(tasks.until_stopped, [((), {})] * 3)
        for steps in range(80):  # of the loop: so each moment of sending and reading has its turn
            waiting = asyncio.create_task(aio.wait(handles))
            for _ in range(steps):
                await asyncio.sleep(0)
            waiting.cancel()
            ended, _ = await asyncio.wait([waiting], timeout=WOKEN)
            waiting.cancel()
            assert ended, f"after {steps} steps it was cancelled in vain"
            assert waiting.cancelled()
        for handle in handles:
            await handle.stop(join=False)

    loop.run(use())


# -- what is no handle ------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", ["id", None, 3, object(), ["list"]])
def test_what_is_no_handle_says_what_to_give(bad, loop):
    for call in (taskpy.wait, taskpy.as_completed):
        with pytest.raises(TypeError, match=r"is not a handle.*RemoteTask\.attach"):
            call([bad])

    async def use():
        with pytest.raises(TypeError, match="is not a handle"):
            await aio.wait([bad])
        with pytest.raises(TypeError, match="is not a handle"):
            aio.as_completed([bad])

    loop.run(use())


@pytest.mark.parametrize("bad", ["id", b"id", None, 3, Task(tasks.give)])
def test_what_is_no_list_says_so(bad):
    for call in (taskpy.wait, taskpy.as_completed):
        with pytest.raises(TypeError, match=r"in a list, like \[task\]"):
            call(bad)


def test_handles_of_the_other_kind_say_which_call_takes_them(loop, aio_fake_client, fake_client):
    with pytest.raises(TypeError, match=r"taskpy\.aio\.wait takes"):
        taskpy.wait([aio_fake_client.attach("abc")])
    with pytest.raises(TypeError, match="in a list"):
        taskpy.wait(aio_fake_client.attach("abc"))

    async def use():
        with pytest.raises(TypeError, match=r"taskpy\.wait takes"):
            await aio.wait([fake_client.attach("abc")])

    loop.run(use())


def test_the_inside_of_a_task_is_no_handle():
    def wait_for_myself(t):
        taskpy.wait([t])

    handle = Task(wait_for_myself)
    handle.start()
    with pytest.raises(TypeError, match="is not a handle"):
        handle.get(timeout=SOON)
