"""The README of task.py (2014) and its examples, statement by statement, in every place. Only the waits are shorter.

Every `place` here is what a user writes: `Task`, `ProcessTask`, `RemoteTask` with the default client.
"""

import contextlib
import queue
import threading
import uuid

import ancestor_tasks
import contract_tasks as tasks
import pytest
from places import SOON, WOKEN, eventually

import taskpy
from taskpy import (
    Chain,
    Pool,
    ProcessTask,
    RemoteTask,
    Task,
    controller,
    redis_brpop,
    redis_pubsub,
    wait_until_done,
)


@pytest.fixture(autouse=True)
def default_client(request):
    """Redis is where the example's Redis was: the default."""
    client = request.getfixturevalue("real_client")
    taskpy.set_default_client(client)
    yield client
    taskpy.set_default_client(None)


@pytest.fixture
def redis(default_client):
    """The other shell, where the examples say `redis-cli`."""
    return default_client.space.broker.command


@pytest.fixture
def key():
    """`redis_brpop` and `redis_pubsub` in the examples."""
    return f"ancestor:{uuid.uuid4().hex}"


everywhere = pytest.mark.parametrize("place", [Task, ProcessTask, RemoteTask])


# -- README: Usage ------------------------------------------------------------------------------


@everywhere
def test_a_task_is_started_stopped_and_asked_for_its_result(place):
    t1 = place(ancestor_tasks.simple_task, "hello", world="world")
    t1.start()
    t1.wait_begun(SOON)
    assert t1.done is False
    t1.stop()
    assert t1.done is True
    assert t1.result == "done."
    assert t1.exception == None  # noqa: E711 - as in the README


@everywhere
def test_a_task_without_its_arguments_fails(place):
    t2 = place(ancestor_tasks.simple_task)
    t2.start()
    eventually(lambda: t2.done)
    assert t2.done is True
    assert t2.result == None  # noqa: E711 - as in the README
    assert repr(t2.exception) == "IndexError('tuple index out of range')"


@everywhere
def test_a_task_receives_what_others_send(place):
    t3 = place(ancestor_tasks.sleep_task)
    t3.start()
    assert t3.done is False
    t3.send(0)
    eventually(lambda: t3.done)
    assert t3.done is True
    assert t3.exception is None


# -- what its tests show ------------------------------------------------------------------------


@everywhere
def test_what_is_sent_before_the_task_runs_is_received(place):
    t = place(tasks.take)
    t.send("early")
    t.start()
    assert t.get(timeout=SOON) == "early"


@everywhere
def test_an_exception_ends_up_in_the_task(place):
    t = place(ancestor_tasks.exception_task, "what went wrong")
    t.start()
    eventually(lambda: t.done)
    assert repr(t.exception) == "Exception('what went wrong')"


@everywhere
def test_recv_raises_the_queues_empty(place):
    t = place(tasks.take_within, 0.01)
    t.start()
    assert t.get(timeout=SOON) == "empty"


# -- the examples -------------------------------------------------------------------------------


@everywhere
def test_example_wait_until_done(place):
    call = controller(wait_until_done)(ancestor_tasks.delayed_task).using(place)
    assert call(delay=0.05) == "done."


@everywhere
def test_example_exception(place):
    call = controller(wait_until_done)(ancestor_tasks.exception_task).using(place)
    caught = None
    try:
        call("this is an exception")
    except Exception as error:
        caught = error
    assert str(caught) == "this is an exception"


@everywhere
def test_example_redis_brpop(place, redis, key, background):
    waiting = background(controller(redis_brpop, key, timeout=0.1)(tasks.receive_one).using(place))
    redis("RPUSH", key, "data")
    assert waiting.result(SOON) == (key, b"data")


@everywhere
def test_example_redis_pubsub(place, redis, key, background):
    waiting = background(controller(redis_pubsub, key)(tasks.receive_one).using(place))
    eventually(lambda: redis("PUBLISH", key, "data"))
    message = waiting.result(SOON)
    assert message["data"] == b"data"
    assert message["type"] == "message"


def inputs(size):
    for number in range(size):
        yield (number,), {}


def test_example_task_pool():
    results = []
    Pool(1000, 100, lambda t: t.args[0], inputs(1000), lambda t: results.append(t.result)).run()
    assert sorted(results) == list(range(1000))


def test_example_task_pool_on_workers():
    results = []
    pool = Pool(200, 50, tasks.give, inputs(200), lambda t: results.append(t.result), task=RemoteTask)
    pool.run()
    assert sorted(results) == list(range(200))


def test_example_task_chain():
    assert Chain(5, lambda t: t.prev + 1, 1).run() == 6


@pytest.mark.parametrize("place", [ProcessTask, RemoteTask])
def test_example_task_chain_elsewhere(place):
    assert Chain(5, tasks.add_to_prev, 1, task=place).run() == 6


def test_example_celery_task(redis, key, background):
    registered = []

    def celery_task(function):
        """What Celery's decorator needs of a function: to be called, and a name."""
        registered.append(function.__name__)
        return lambda *args: background(function, *args)

    @celery_task
    @controller(redis_brpop, key, timeout=0.1)
    def celery_job(t):
        received = None
        while not (received or t.stopped()):
            with contextlib.suppress(queue.Empty):
                received = t.recv(timeout=0.1)[1]
        return received

    assert registered == ["celery_job"]
    delayed = celery_job()
    redis("RPUSH", key, "data")
    assert delayed.result(SOON) == b"data"


@everywhere
def test_a_function_of_ones_own_is_a_controller(place):
    def say_hello(t, *names, greeting):
        for name in names:
            t.send(f"{greeting} {name}")

    call = controller(say_hello, "you", "world", greeting="hello")(tasks.collect).using(place)
    assert call() == ["hello you", "hello world"]


# -- what it did badly --------------------------------------------------------------------------


def test_a_task_does_not_read_back_what_it_sent():
    def talk_to_oneself(t):
        t.send("hello?")
        return t.recv(timeout=0.01)

    t = Task(talk_to_oneself)
    t.start()
    with pytest.raises(queue.Empty):
        t.get(timeout=SOON)
    assert t.recv() == "hello?"


def test_a_task_is_a_daemon_thread_by_name():
    t = Task(tasks.until_stopped)
    t.start()
    t.recv(timeout=WOKEN)
    [thread] = [thread for thread in threading.enumerate() if thread.name == f"taskpy-{t.id}"]
    assert thread.daemon
    t.stop()
