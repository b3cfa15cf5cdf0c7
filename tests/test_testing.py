"""What users test with: sessions, drains, the clock, stand-ins, and the pytest plugin."""

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
import tomllib
import traceback
from pathlib import Path
from unittest.mock import ANY

import fakeredis
import pytest
from taskpy_worker import pace
from taskpy_worker.claimer import Claimer
from taskpy_worker.listener import Listener

import taskpy
from taskpy import Client, aio, errors, line_redis, memory, on, ops, task, testing
from taskpy.eventloop import EventLoop
from taskpy.settings import Settings
from taskpy.testing import AsyncStandIn, DrainError, DrainTimeout, StandIn, crew

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
#: How long anything may take that should happen at once.
SOON = 10.0
#: What takes less was woken; who was not looks after a third of a lease, 5 seconds.
WOKEN = 4.0


class OwnError(Exception):
    pass


RAN = []
GO = threading.Event()


@pytest.fixture(autouse=True)
def _clean():
    RAN.clear()
    GO.clear()
    yield
    GO.set()


@pytest.fixture
def checkout(monkeypatch):
    """Child processes import what is here, not what may be installed."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "worker")]))


@pytest.fixture
def s():
    with testing.session() as made:
        yield made


@pytest.fixture
def working():
    with testing.session(worker=True) as made:
        yield made


@task
def has_children(t):
    for word in ("one", "two"):
        t.spawn(notes, word)
    return "mine"


@task
def notes(t, what):
    RAN.append(what)
    return what


@task
def notes_what_waits(t):
    return Client().queues().get("default", 0)


@task(queue="bulk")
def in_bulk(t, *what, **more):
    return what, more


@task
def submits(t, count):
    RAN.append("parent")
    for number in range(count):
        notes.submit(number)


@task
def submits_itself(t):
    submits_itself.submit()


@task(retries=2, backoff=30)
def fails(t, times=3):
    RAN.append(t.attempt)
    if t.attempt <= times:
        raise OwnError(f"attempt {t.attempt}")
    return "at last"


@task
def exits(t):
    raise SystemExit("enough")


@task
def returns_a_lock(t):
    return threading.Lock()


@task
def waits_for_another(t):
    return notes.submit("another").get(timeout=SOON)


@task
def takes(t, count):
    return [t.recv() for _ in range(count)]


@task
def listens(t):
    t.send("begun")
    for message in t:
        t.send(message.upper())
    return "heard"


@task
async def listens_async(t):
    await t.send("begun")
    async for message in t:
        await t.send(message.upper())
    return "heard"


@task
def is_deaf(t):
    RAN.append("deaf")
    GO.wait(SOON)


# -- a session ----------------------------------------------------------------------------------


def test_it_is_the_default_server_meanwhile():
    outer = Client("memory://outer")
    taskpy.set_default_client(outer)
    try:
        with testing.session() as s:
            inside = notes.submit(1)
            assert taskpy.default_client().space is s.client.space
            assert Client().attach(inside.id).state == "queued"
            assert Client(s.url).attach(inside.id).state == "queued"
            taskpy.set_default_client(Client("memory://other"))  # as an app may, when it starts

        assert taskpy.default_client().space is outer.space
        outside = notes.submit(2)
        assert outer.attach(outside.id).state == "queued"
        with pytest.raises(taskpy.TaskNotFound):
            outer.attach(inside.id).snapshot()
    finally:
        taskpy.set_default_client(None)
        memory.forget("memory://outer")


def test_it_is_restored_after_a_failure():
    before = taskpy.space._default, Settings.from_env()

    with pytest.raises(ZeroDivisionError), testing.session():
        raise ZeroDivisionError

    assert (taskpy.space._default, Settings.from_env()) == before
    assert line_redis.observers == []


def test_each_has_a_server_of_its_own():
    with testing.session() as one:
        handle = notes.submit(1)
        with testing.session() as other:
            assert other.client.queues() == {}
            with pytest.raises(taskpy.TaskNotFound):
                other.client.attach(handle.id).snapshot()
            other.refute_submitted()
            notes.submit(2)
            one.client.submit(notes, 3)
            assert [found.args for found in other.submitted()] == [(2,)]
        assert [found.args for found in one.submitted()] == [(1,), (3,)]
        assert one.client.queues() == {"default": 2}


def test_the_environment_of_child_processes_is_left_alone(s):
    assert s.url not in os.environ.values()


def test_a_namespace_of_its_own():
    with testing.session(namespace="shop") as s:
        assert taskpy.default_client().space.keys.namespace == "shop"
        assert Client().space.keys.namespace == "shop"
        Client(namespace="another").submit(notes, 1)
        s.refute_submitted()

        assert Client().submit(notes, 2) in s.drain()


def test_coroutines_use_it_too(s):
    async def main():
        async with aio.Client() as client:
            one = await client.submit(notes, 1)
            two, three = await client.submit_many(notes, [((2,), {}), ((3,), {})])
            assert [found.args for found in s.submitted(notes)] == [(1,), (2,), (3,)]
            await asyncio.to_thread(s.drain)
            return [await each.get(timeout=SOON) for each in (one, two, three)]

    assert asyncio.run(main()) == [1, 2, 3]


# -- what was submitted -------------------------------------------------------------------------


def test_what_was_submitted_is_read_in_order(s):
    notes.submit(1)
    in_bulk.options(delay=30).submit("a", depth=(1, 2))
    s.client.submit("some.name", when=None)
    s.client.task(notes, "not started")

    one, two, three = s.submitted()

    assert (one.name, one.args, one.queue, one.delay) == (notes.name, (1,), "default", 0.0)
    assert (two.args, two.kwargs, two.queue, two.delay) == (("a",), {"depth": (1, 2)}, "bulk", 30)
    assert (three.name, three.kwargs, three.options.retries) == ("some.name", {"when": None}, None)
    assert [found.id for found in s.submitted(in_bulk)] == [two.id]


def test_arguments_are_those_that_a_worker_gets(s):
    items = [1]
    notes.submit(items)
    items.append(2)

    s.assert_submitted(notes, args=[[1]])


@pytest.mark.parametrize("name", [in_bulk, in_bulk.function, in_bulk.name], ids=["task", "function", "name"])
def test_a_task_is_named_in_three_ways(s, name):
    handle = in_bulk.submit(1)

    assert s.assert_submitted(name) == handle
    with pytest.raises(AssertionError):
        s.refute_submitted(name)
    s.refute_submitted(notes)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, True),
        ({"args": (1, "b")}, True),
        ({"args": [1, "b"]}, True),
        ({"args": (1, ANY)}, True),
        ({"args": (1,)}, False),
        ({"args": ()}, False),
        ({"kwargs": {"c": 3}}, True),
        ({"kwargs": {"c": ANY}}, True),
        ({"kwargs": {}}, False),
        ({"queue": "bulk"}, True),
        ({"queue": "default"}, False),
        ({"delay": 9}, True),
        ({"delay": 0}, False),
        ({"args": (1, "b"), "kwargs": {"c": 3}, "queue": "bulk", "delay": 9.0}, True),
        ({"args": (1, "b"), "kwargs": {"c": 4}, "queue": "bulk", "delay": 9.0}, False),
    ],
)
def test_what_is_asked_for_is_what_counts(s, asked, found):
    notes.submit(1)
    handle = in_bulk.options(delay=9).submit(1, "b", c=3)

    assert bool(s.submitted(in_bulk, **asked)) is found
    if found:
        assert s.assert_submitted(in_bulk, **asked) == handle
        with pytest.raises(AssertionError, match="was submitted"):
            s.refute_submitted(in_bulk, **asked)
    else:
        s.refute_submitted(in_bulk, **asked)
        with pytest.raises(AssertionError, match="was not submitted"):
            s.assert_submitted(in_bulk, **asked)


def test_the_last_one_is_answered(s):
    notes.submit(1)
    last = notes.submit(1)

    assert s.assert_submitted(notes, args=(1,)) == last


def test_a_failure_lists_what_was_submitted(s):
    in_bulk.options(delay=9).submit(1, c="x" * 500)
    notes.submit(2)

    with pytest.raises(AssertionError) as failure:
        s.assert_submitted("shop.mail", args=(7,), queue="bulk")

    assert str(failure.value).splitlines() == [
        "shop.mail with args=(7,), queue='bulk' was not submitted. Submitted so far (2):",
        f"  {in_bulk.name}(1, c='{'x' * 119}...) queue='bulk' delay=9",
        f"  {notes.name}(2) queue='default'",
    ]
    with pytest.raises(AssertionError, match=r"^task was submitted. Submitted so far \(2\)"):
        s.refute_submitted()


def test_a_long_list_is_cut_and_an_empty_one_says_so(s):
    with pytest.raises(AssertionError, match=r"was not submitted\. Nothing was submitted\.$"):
        s.assert_submitted(notes)

    notes.options().submit_many([((number,), {}) for number in range(25)])

    with pytest.raises(AssertionError, match=r"\(19\) queue='default'\n  ... and 5 more$"):
        s.assert_submitted(in_bulk)


# -- drain --------------------------------------------------------------------------------------


def test_what_waits_is_run_and_what_that_submits(s):
    parent = submits.submit(3)
    last = notes.options(queue="other").submit("last")
    stopped = notes.submit("stopped")
    stopped.stop()

    ran = s.drain()

    assert RAN == ["parent", 0, 1, 2, "last"]
    assert ran[0] == parent
    assert {each.state for each in ran} == {"succeeded"}
    assert len(ran) == 5
    assert last.result == "last"
    assert s.drain() == []


def test_one_after_the_other_in_the_order_of_the_queue(s):
    handles = [notes.submit(number) for number in range(40)]

    assert s.drain() == handles
    assert list(range(40)) == RAN


def test_messages_from_before_are_there(s):
    handle = takes.submit(2)
    handle.send("a")
    handle.send("b")

    s.drain()

    assert handle.result == ["a", "b"]


def test_the_first_failure_is_raised_as_it_was(s):
    failed, waiting = fails.options(retries=0).submit(), notes.submit("waits")

    with pytest.raises(OwnError, match="attempt 1") as failure:
        s.drain()

    assert failure.value.__notes__ == [f"raised by task {fails.name} {failed.id} in its attempt 1, which was drained"]
    assert [frame.name for frame in traceback.extract_tb(failure.value.__traceback__)][-1] == "fails"
    assert failed.state == "failed"
    assert waiting.state == "queued"
    assert s.drain() == [waiting]


def test_failures_can_be_left_to_the_test(s):
    failed, other = fails.options(retries=0).submit(), notes.submit("runs")

    assert s.drain(raise_on_failure=False) == [failed, other]

    assert isinstance(failed.exception, taskpy.RemoteError)
    assert RAN == [1, "runs"]


@pytest.mark.parametrize(
    ("function", "kind", "text"),
    [(exits, taskpy.RemoteError, "SystemExit: enough"), (returns_a_lock, taskpy.NotSendable, "lock")],
    ids=["no Exception", "result that cannot be sent"],
)
def test_what_no_caller_may_get_is_raised_as_get_would(s, function, kind, text):
    function.submit()

    with pytest.raises(kind, match=text) as failure:
        s.drain()

    assert function.name in failure.value.__notes__[0]


def test_an_unknown_name_fails_at_once(s):
    s.client.submit("nobody.knows")

    with pytest.raises(taskpy.UnknownTask, match=r"nobody\.knows"):
        s.drain()


def test_an_error_of_an_attempt_before_is_not_taken_for_the_last_one(s):
    @task(name="tests.two_ends", retries=1, backoff=0)
    def two_ends(t):
        if t.attempt == 1:
            raise OwnError
        return threading.Lock()

    two_ends.submit()

    with pytest.raises(taskpy.NotSendable):
        s.drain()


def test_retries_run_when_they_are_due(s):
    handle = fails.submit(2)

    assert s.drain() == [handle]
    assert s.drain() == []
    s.clock.advance(29)
    assert s.drain() == []
    s.clock.advance(1.001)
    assert s.drain() == [handle]
    assert handle.state == "queued"
    s.clock.advance(31)
    s.drain()

    assert handle.result == "at last"
    assert RAN == [1, 2, 3]


def test_delays_can_be_skipped(s):
    retried = fails.submit(2)
    delayed = notes.options(delay=7 * 24 * 3600).submit("late")
    began = time.monotonic()

    ran = s.drain(skip_delays=True)

    assert ran == [retried, delayed]
    assert [handle.result for handle in ran] == ["at last", "late"]
    assert time.monotonic() - began < SOON
    with pytest.raises(taskpy.TaskNotFound):  # kept for an hour, which is over long since
        s.client.attach(retried.id).snapshot()


def test_skipping_delays_ends_with_the_last_attempt(s):
    fails.submit(3)

    with pytest.raises(OwnError, match="attempt 3"):
        s.drain(skip_delays=True)


def test_until(s):
    one, two = notes.submit(1), notes.submit(2)

    assert s.drain(until=lambda: one.done) == [one]
    assert s.drain(until=lambda: True) == []
    assert s.drain() == [two]


def test_until_what_never_comes(s):
    notes.submit(1)
    notes.options(delay=60).submit(2)

    with pytest.raises(DrainError, match=r"no task is left to run.* due in (60|59)"):
        s.drain(until=lambda: False)


def test_a_running_task_is_carried_over_to_the_next_drain(s):
    handle = listens.submit()
    s.drain(until=lambda: handle.state == "running")

    handle.send("a")
    handle.stop(join=False)

    assert s.drain() == [handle]
    assert [*handle] == ["begun", "A"]
    assert handle.result == "heard"


def test_a_task_that_submits_itself_is_noticed(s):
    first = submits_itself.submit()

    with pytest.raises(
        DrainError, match=rf"20 tasks were begun.* 1 in queue 'default'.*submit itself.*{submits_itself.name}"
    ):
        s.drain(max_tasks=20)

    assert first.done
    assert len(s.drain(max_tasks=1, until=lambda: len(s.submitted()) > 21)) == 1


def test_as_many_tasks_as_are_allowed(s):
    notes.submit(1)
    notes.submit(2)

    assert len(s.drain(max_tasks=2)) == 2


def test_it_says_what_does_not_end_and_where_it_stands():
    with testing.session(concurrency=2) as s:
        plain, coroutine = listens.submit(), listens_async.submit()
        s.drain(until=lambda: plain.state == coroutine.state == "running")
        notes.submit(1)
        deadline = time.monotonic() + SOON
        lines = []
        while not all("for message in t" in line for line in lines[1:3]) or not lines:
            assert time.monotonic() < deadline, lines
            with pytest.raises(DrainTimeout) as failure:
                s.drain(timeout=0.05)
            lines = str(failure.value).splitlines()

    assert lines[0] == "after 0.05 s: 2 still running, 1 waiting"
    assert lines[1].startswith(f"  {listens.name} {plain.id} runs in listens, test_testing.py line ")
    assert lines[1].endswith(": for message in t:")
    assert lines[2].startswith(f"  {listens_async.name} {coroutine.id} runs in listens_async, test_testing.py line ")
    assert lines[2].endswith(": async for message in t:")
    assert lines[3] == "  waiting: 1 in queue 'default'"
    assert "session(worker=True)" in lines[4]
    assert isinstance(failure.value, TimeoutError)


def test_tasks_that_wait_for_each_other():
    with testing.session() as s:
        waits_for_another.submit()
        with pytest.raises(DrainTimeout, match=r"waiting: 1 in queue 'default'\n.*session\(concurrency=...\)"):
            s.drain(timeout=0.1)
        [inner] = s.submitted(notes)
        s.client.attach(inner.id).stop()

    with testing.session(concurrency=2) as s:
        handle = waits_for_another.submit()
        s.drain()
        assert handle.result == "another"


def test_what_waits_in_a_paused_queue_stays_there(s):
    paused, other = in_bulk.submit(1), notes.submit(1)
    s.client.pause("bulk")

    assert s.drain() == [other]
    with pytest.raises(DrainError, match="no task is left to run"):
        s.drain(until=lambda: paused.done)

    s.client.resume("bulk")
    assert s.drain() == [paused]


def test_what_is_not_given_out_is_no_end(s, monkeypatch):
    notes.submit(1)
    monkeypatch.setattr(Claimer, "tick", lambda *_: 0.0)

    with pytest.raises(DrainError, match=r"not given out.*1 in queue 'default'"):
        s.drain()


def test_wrong_uses(s, working):
    with pytest.raises(errors.UsageError, match="get"):
        working.drain()
    with pytest.raises(errors.BadArguments, match="max_tasks"):
        s.drain(max_tasks=0)

    @task(name="tests.drains")
    def drains(t):
        s.drain()

    s.client.submit(drains)
    with pytest.raises(errors.UsageError, match="drained already"):
        s.drain()


def test_hooks_run_as_on_a_worker(monkeypatch):
    def around(t):
        RAN.append("before")
        yield
        RAN.append("after")

    for name in ("_starts", "_stops", "_arounds"):
        monkeypatch.setattr(on, name, [])
    on.start(lambda: RAN.append("start"))
    on.stop(lambda: RAN.append("stop"))
    on.stop(lambda: 1 / 0)
    on.task(around)

    with testing.session():
        notes.submit("nobody runs it")
    assert RAN == []

    with testing.session() as s:
        notes.submit("task")
        s.drain()
        s.drain()
    assert RAN == ["start", "before", "task", "after", "stop"]

    RAN.clear()
    with testing.session(worker=True):
        notes.submit("task").get(timeout=SOON)
    assert RAN == ["start", "before", "task", "after", "stop"]


# -- the clock ----------------------------------------------------------------------------------


def test_it_is_redis_clock_and_no_other(s):
    raw = fakeredis.FakeRedis()
    before = time.time()

    s.clock.advance(3600)
    s.clock.advance(0.5)

    assert s.clock.time() == pytest.approx(before + 3600.5, abs=SOON)
    assert raw.time()[0] == pytest.approx(before + 3600, abs=SOON)
    assert time.time() == pytest.approx(before, abs=SOON)
    assert "3600.5 s ahead" in repr(s.clock)


def test_it_is_right_again_afterwards():
    with testing.session() as outer:
        outer.clock.advance(100)
        with testing.session() as inner:
            inner.clock.advance(1000)
            assert memory.ahead() == 1100
        assert memory.ahead() == 100

    assert memory.ahead() == 0
    assert fakeredis.FakeRedis().time()[0] == pytest.approx(time.time(), abs=SOON)
    patched = [name for name, module in sys.modules.items() if vars(module).get("time") is memory._clock]
    assert patched == []


def test_results_expire(s):
    kept, short = notes.submit(1), notes.options(keep=60).submit(2)
    s.drain()

    s.clock.advance(61)
    with pytest.raises(taskpy.TaskNotFound):
        s.client.attach(short.id).snapshot()
    assert s.client.attach(kept.id).result == 1

    s.clock.advance(3600)
    with pytest.raises(taskpy.TaskNotFound):
        s.client.attach(kept.id).snapshot()


@pytest.mark.parametrize("seconds", [-1, float("nan")])
def test_it_goes_ahead_only(s, seconds):
    with pytest.raises(errors.BadArguments, match="ahead only"):
        s.clock.advance(seconds)


def test_a_fakeredis_with_another_clock_is_not_trusted(monkeypatch):
    with testing.session() as s:
        monkeypatch.setattr(memory, "_told_time", time.time)
        with pytest.raises(errors.ServerError, match="cannot be moved"):
            s.clock.advance(1)


@pytest.mark.parametrize("seconds", [10, 1000])
def test_a_worker_keeps_its_tasks_however_long_it_was(seconds):
    with testing.session(worker=True) as s:
        handle = listens.submit()
        assert handle.recv(timeout=SOON) == "begun"
        for _ in range(3):
            delayed = notes.options(delay=5).submit("due")
            s.clock.advance(seconds)
            delayed.get(timeout=SOON)  # so somebody has looked what is due, and who is silent
        handle.send("still here")

        assert handle.recv(timeout=SOON) == "STILL HERE"
        assert [worker.lost for worker in s.client.workers()] == [False]
        assert handle.stop(timeout=SOON) == "succeeded"
        assert handle.snapshot().attempt == 1


def test_a_drained_task_keeps_its_worker_too(s):
    handle = listens.submit()
    s.drain(until=lambda: handle.state == "running")
    for _ in range(3):
        s.clock.advance(10)
        with pytest.raises(DrainTimeout):
            s.drain(timeout=0.01)  # which looks who is silent

    handle.stop(join=False)
    s.drain()

    assert (handle.snapshot().attempt, handle.snapshot().lost) == (1, 0)


# -- a worker beside the test -------------------------------------------------------------------


@pytest.mark.parametrize("function", [listens, listens_async], ids=["plain", "async"])
def test_a_running_task_is_steered(working, function):
    handle = function.submit()
    handle.send("one")

    assert [handle.recv(timeout=SOON) for _ in range(2)] == ["begun", "ONE"]
    handle.send("two")
    assert handle.recv(timeout=SOON) == "TWO"
    assert handle.stop(timeout=SOON) == "succeeded"
    assert handle.result == "heard"


def test_it_serves_every_queue_and_says_so(working):
    assert in_bulk.submit(1).get(timeout=SOON) == ((1,), {})
    assert notes.options(queue="another").submit(2).get(timeout=SOON) == 2

    [known] = working.client.workers()
    assert known.info.queues == ("default", "bulk", "another")


def test_a_delay_passes_with_the_clock(working):
    handle = notes.options(delay=3600).submit("late")
    assert not handle.wait(0.05)
    began = time.monotonic()

    working.clock.advance(3600)

    assert handle.get(timeout=SOON) == "late"
    assert time.monotonic() - began < WOKEN


def test_tasks_may_wait_for_each_other_there(working):
    assert waits_for_another.submit().get(timeout=SOON) == "another"


def test_the_news_between_the_start_in_redis_and_here_is_not_lost(monkeypatch):
    monkeypatch.setattr(Listener, "start", lambda _: None)  # it hears when the test says so
    monkeypatch.setattr(Listener, "stop", lambda _: None)
    with testing.session() as s:
        handle = listens.submit()
        duties = s._crew.duties()
        run, keys, wid = s.client.space.broker.run, s.client.space.keys, s._crew._wid
        [id] = run(ops.claim(keys, wid=wid, number=1, count=1, queues=["default"]))
        duties.executor.hold([id], ops.token_of(wid, 1))
        [started] = run(ops.start(keys, wid=wid, number=1, ids=[id]))

        handle.send("early")
        handle.stop(join=False)
        duties._listener.tick(f"{id} 1 stop - 0 - ".encode())
        duties.executor.execute([started])
        assert duties.settler.tick(SOON) == 1, "it waits for the next heartbeat"

        assert [*handle] == ["begun", "EARLY"]
        assert handle.state == "succeeded"


def test_what_runs_on_is_named(monkeypatch):
    monkeypatch.setattr(crew, "END_SECONDS", 0.05)

    def runs_on():
        with testing.session() as s:
            is_deaf.submit()
            s.drain(until=lambda: RAN)

    with pytest.warns(ResourceWarning, match=r"runs on after its session: .*is_deaf .*line \d+: GO.wait") as warned:
        runs_on()

    assert warned[0].filename == __file__


def test_a_failing_test_is_not_hidden_by_it(monkeypatch):
    monkeypatch.setattr(crew, "END_SECONDS", 0.05)

    with pytest.raises(DrainTimeout), testing.session() as s:
        is_deaf.submit()
        s.drain(timeout=0.05)


@pytest.mark.parametrize("worker", [True, False])
def test_it_leaves_nothing_behind(worker):
    def once():
        with testing.session(worker=worker, concurrency=3) as s:
            handles = [listens.submit(), listens_async.submit()]
            if worker:
                for handle in handles:
                    handle.recv(timeout=SOON)
            else:
                s.drain(until=lambda: all(handle.state == "running" for handle in handles))

    def left():
        return threading.active_count(), len([*Path("/dev/fd").iterdir()])

    once()
    deadline = time.monotonic() + SOON
    before = left()
    for _ in range(5):
        once()
    while (now := left()) > before:
        assert time.monotonic() < deadline, f"{before} threads and files have become {now}"
        time.sleep(0.005)
    assert not [url for url in memory._servers if "session-" in url]


def test_a_coroutine_that_will_not_end_does_not_hold_up_its_loop(monkeypatch, caplog):
    monkeypatch.setattr("taskpy.eventloop.CLOSE_SECONDS", 0.05)
    loop, begun, ended = EventLoop("tests-loop"), threading.Event(), threading.Event()

    async def stubborn():
        begun.set()
        while not GO.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                RAN.append("cancelled")

    loop.spawn(stubborn(), lambda _: ended.set())
    assert begun.wait(SOON)
    [pending] = loop.pending()
    loop.close()

    assert RAN == ["cancelled"]
    assert "does not end though it was cancelled" in caplog.text
    assert loop.pending() == set()
    assert not pending.done()
    loop.close()


# -- stand-ins ----------------------------------------------------------------------------------


def talks(t):
    for message in t:
        t.send(message * 2)
    return "done"


def works(t, unit, *, pause=1):
    done = 0
    while not t.stopped():
        t.send(f"{unit} {done}")
        done += 1
        t.sleep(pause)
    return done


async def talks_async(t, greeting):
    await t.send(greeting)
    async for message in t:
        await t.send(message * 2)
    return await t.sleep(1000)


def approves(t, files):
    """Asks before it deletes; can be asked how far it is."""
    deleted = []
    t.answers("deleted", lambda: deleted)
    t.answers("count", len)
    for file in files:
        if t.ask({"delete": file}) == "yes":
            deleted.append(file)
        t.sleep(1)
    return deleted


async def approves_async(t):
    async def double(number):
        return 2 * number

    t.answers("double", double)
    t.answers("plain", lambda: "plain")
    return await t.ask("go on?", timeout=5)


def test_a_stand_in_answers_what_the_function_asks():
    t = StandIn(answers=["yes", "no", ("yes",)])

    assert approves(t, ["a", "b", "c"]) == ["a"]
    assert t.asked == [{"delete": "a"}, {"delete": "b"}, {"delete": "c"}]
    with pytest.raises(errors.UsageError, match=r"asks {'delete': 'd'}, and the test has no answer.*answers="):
        approves(t, ["d"])


def test_a_stand_in_asks_the_function():
    t = StandIn(answers=["yes"])
    with pytest.raises(errors.UnknownTopic, match=r"'deleted'.*answers nothing"):
        t.put("deleted")
    approves(t, ["a"])

    assert t.put("deleted") == ["a"]
    assert t.put("count", [1, 2]) == 2
    with pytest.raises(errors.BadArguments):
        t.put("deleted", "data")
    with pytest.raises(TypeError):
        t.put("count", 7)
    with pytest.raises(errors.NotSendable):
        t.put("count", threading.Lock())


def test_a_stand_in_raises_what_stands_among_the_answers():
    with pytest.raises(errors.NoAnswer):
        approves(StandIn(answers=[errors.NoAnswer]), ["a"])
    with pytest.raises(errors.Stopped):
        approves(StandIn(answers=[errors.Stopped("now")]), ["a"])
    with pytest.raises(errors.NotSendable):
        StandIn(answers=[threading.Lock()])


def test_a_stand_in_that_was_stopped_has_no_answer():
    t = StandIn(stop_after=0)
    assert t.stopped()

    with pytest.raises(errors.Stopped):
        t.ask("go on?")
    with pytest.raises(errors.NoAnswer):
        t.ask("go on?", timeout=5)


def test_an_async_stand_in_asks_and_answers():
    async def main():
        t = AsyncStandIn(answers=["yes"])
        assert await approves_async(t) == "yes"
        return t.asked, await t.put("double", 4), await t.put("plain")

    assert asyncio.run(main()) == (["go on?"], 8, "plain")


def test_the_function_is_called_with_a_stand_in():
    t = StandIn(inbox=[1, 2, 3])

    assert talks(t) == "done"
    assert t.sent == [2, 4, 6]
    assert isinstance(t, taskpy.Task)


def test_a_coroutine_function_too():
    t = AsyncStandIn(inbox=["a"])

    assert asyncio.run(talks_async(t, "hello")) is False
    assert t.sent == ["hello", "aa"]
    assert isinstance(t, taskpy.Task)


def test_nothing_sleeps():
    began = time.monotonic()

    assert works(StandIn(stop_after=4), "page", pause=1000) == 2
    assert works(StandIn(stop_after=0), "page") == 0
    assert StandIn().sleep(1000) is True
    assert asyncio.run(AsyncStandIn().sleep(1000)) is True

    assert time.monotonic() - began < SOON


def test_after_the_last_message_it_is_to_stop():
    t = StandIn(inbox=["a"])
    assert not t.stopped()
    assert t.recv() == "a"
    assert not t.stopped()

    with pytest.raises(taskpy.Empty):
        t.recv(timeout=1000)
    assert t.stopped()
    with pytest.raises(taskpy.Stopped):
        t.recv()
    assert t.sleep(1) is False


def test_it_stops_itself():
    t = StandIn()
    t.stop()

    assert t.stopped()


def test_a_loop_for_ever_is_noticed(monkeypatch):
    monkeypatch.setattr("taskpy.testing.stand_in.LOOKS_LIMIT", 50)
    t = StandIn()

    with pytest.raises(errors.UsageError, match=r"50 times.*stop_after="):
        works(t, "page")

    assert len(t.sent) == 25


def test_what_cannot_be_sent_is_noticed():
    with pytest.raises(taskpy.NotSendable):
        StandIn().send(threading.Lock())
    with pytest.raises(taskpy.NotSendable):
        StandIn(inbox=[threading.Lock()])


def test_what_was_sent_is_what_it_was_then():
    t, pages = StandIn(), [1]
    t.send(pages)
    pages.append(2)

    assert t.sent == [[1]]


def test_what_a_task_knows_of_itself():
    t = StandIn(args=["a"], kwargs={"b": 1}, attempt=2, prev="before")

    assert (t.args, t.kwargs, t.attempt, t.prev) == (("a",), {"b": 1}, 2, "before")
    assert t.token.startswith(t.id)
    assert not t.draining
    with pytest.raises(taskpy.Released):
        t.release()
    with pytest.raises(AttributeError):
        _ = StandIn().prev


# -- the pytest plugin --------------------------------------------------------------------------

PLUGIN = ("-p", "no:taskpy", "-p", "taskpy.pytest_plugin", "-p", "no:cacheprovider", "--strict-markers", "-W", "error")


def test_fixtures(pytester):
    pytester.makepyfile(
        """
        import pytest
        import taskpy
        from taskpy import task

        SEEN = []

        @task(name="plugin.double")
        def double(t, x):
            return 2 * x

        @task(name="plugin.echo")
        def echo(t):
            for message in t:
                t.send(message)

        @task(name="plugin.outer")
        def outer(t):
            return double.submit(4).get(timeout=10)

        @pytest.mark.parametrize("number", range(3))
        def test_session(taskpy_session, number):
            handle = double.submit(number)
            assert taskpy_session.client.queues() == {"default": 1}  # nothing is left of the test before
            assert taskpy_session.drain() == [handle]
            assert handle.result == 2 * number
            taskpy_session.clock.advance(3600)

        def test_worker(taskpy_worker):
            handle = echo.submit()
            handle.send("hello")
            assert handle.recv(timeout=10) == "hello"
            handle.stop(timeout=10)

        @pytest.mark.taskpy(concurrency=2, namespace="marked")
        def test_marker(taskpy_session):
            handle = outer.submit()
            taskpy_session.drain()
            assert handle.result == 8
            assert taskpy_session.client.space.keys.namespace == "marked"
        """
    )

    pytester.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=5)


def test_failures_point_to_the_test_and_to_the_task(pytester):
    pytester.makepyfile(
        """
        from taskpy import task

        @task(name="plugin.fails")
        def fails(t):
            wanted = 41
            assert wanted == 42

        def test_assertion(taskpy_session):
            fails.submit()
            taskpy_session.refute_submitted(fails)

        def test_drain(taskpy_session):
            fails.submit()
            taskpy_session.drain()
        """
    )

    result = pytester.runpytest_inprocess(*PLUGIN)

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            ">       taskpy_session.refute_submitted(fails)",
            "E       AssertionError: plugin.fails was submitted. Submitted so far (1):",
            "E * plugin.fails() queue='default'",
            ">       taskpy_session.drain()",
            ">       assert wanted == 42",
            "E       assert 41 == 42",
            "E       raised by task plugin.fails * in its attempt 1, which was drained",
        ]
    )
    for file in ("drain.py", "sessions.py", "call.py"):
        result.stdout.no_fnmatch_line(f"*{file}:*")


def test_the_marker_explains_itself(pytester):
    pytester.runpytest_inprocess(*PLUGIN, "--markers").stdout.fnmatch_lines(["@pytest.mark.taskpy(?*options): *"])


def test_without_fakeredis_it_harms_nobody(pytester, checkout):
    pytester.makeconftest("import sys; sys.modules['fakeredis'] = None")
    pytester.makepyfile(
        """
        import sys

        def test_nothing_heavy_is_loaded():
            assert not {"redis", "taskpy.space", "taskpy.testing", "taskpy_worker"} & sys.modules.keys()

        def test_that_uses_it(taskpy_session):
            pass
        """
    )

    result = pytester.runpytest_subprocess(*PLUGIN)

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ServerError: memory:// needs fakeredis: pip install 'taskpy?test?'"])


def test_the_tests_on_the_page_pass(pytester, checkout):
    files = re.findall(r"```python\n# (\w+)\.py\n(.*?)```", (ROOT / "docs" / "testing.md").read_text(), re.DOTALL)
    pytester.makepyfile(**dict(files))

    assert len(files) == 5
    pytester.runpytest_inprocess(*PLUGIN).assert_outcomes(passed=8)


def test_pytest_finds_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["entry-points"]["pytest11"] == {"taskpy": "taskpy.pytest_plugin"}
    assert any(package.startswith("fakeredis[lua]") for package in project["optional-dependencies"]["test"])


# -- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["REDIS_URL", None])
def test_a_worker_of_several_processes_refuses_memory(checkout, variable):
    environment = {name: value for name, value in os.environ.items() if name != "TASKPY_REDIS_URL"}
    environment |= {variable: "memory://"} if variable else {}
    command = [sys.executable, "-m", "taskpy_worker", "os:getcwd", *(() if variable else ("--url", "memory://x"))]

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "memory:// is a server inside one process" in said
    assert "taskpy.testing.session(worker=True)" in said


def test_a_drain_runs_the_children_of_a_task_and_then_ends_it():
    with testing.session(concurrency=1) as s:
        handle = has_children.submit()
        ran = s.drain()

        assert handle.result == "mine"
        assert RAN == ["one", "two"]
        assert ran == [handle, *handle.children()]


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_drain_claims_no_more_than_it_begins_however_quick_the_last_ones_were(monkeypatch, concurrency):
    monkeypatch.setattr(pace, "AHEAD_SECONDS", 1000.0)  # a worker in threads would claim all there is
    monkeypatch.setattr(pace, "REST_SECONDS", SOON)
    with testing.session(concurrency=concurrency) as s:
        for _ in range(3):
            notes.submit("quick")
            s.drain(timeout=SOON)
        held = [notes_what_waits.submit() for _ in range(6)]

        s.drain(timeout=SOON)

        assert [handle.state for handle in held] == ["succeeded"] * 6
        assert min(handle.result for handle in held) == 0
        assert max(handle.result for handle in held) >= 6 - concurrency


def test_a_stand_in_says_that_it_spawns_nothing():
    with pytest.raises(errors.UsageError, match="cannot spawn"):
        has_children(StandIn())
