"""A waiter for a thousand tasks: one subscription, a few pipelines, no polling, counted on the wire; and broken lines."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import Future

import pytest

import taskpy
from taskpy import aio, retry
from tests.system.conftest import Fleet
from tests.system.proxy import CountingProxy
from tests.system.waiting import until

MANY = 1000
#: What a new connection says of itself.
GREETINGS = {"HELLO", "CLIENT", "SELECT"}
#: The net under pub/sub, so wide that no test is caught by it.
FAR = 600.0
#: Who is woken comes back in less; who was not, after FAR.
WOKEN = 60.0


@pytest.fixture
def proxied(own_server, tmp_path):
    """A namespace behind a proxy that counts; only who waits goes through it."""
    proxy = CountingProxy(own_server.port)
    made = Fleet(own_server, tmp_path)
    made.proxy = proxy
    yield made
    made.close()
    proxy.close()


def count_watched(subscriber):
    """How many channels are subscribed for sure, and have somebody who waits."""
    channels = dict(subscriber._channels).values()
    return sum(bool(channel.confirmed.is_set() and channel.nudge._followers) for channel in channels)


class Threaded:
    """A client behind the proxy, and who waits in a thread."""

    def __init__(self, fleet):
        self.client = taskpy.Client(fleet.proxy.url, namespace=fleet.namespace)
        self.handles = []

    def attach(self, tasks):
        self.handles = [self.client.attach(task.id) for task in tasks]
        for handle in self.handles:
            handle._redis_line.recheck = FAR

    def wait(self, timeout=None):
        return taskpy.wait(self.handles, timeout)

    def ends(self, came):
        for handle in taskpy.as_completed(self.handles):
            came.append(handle.id)

    def watched(self):
        return count_watched(self.client.space.broker.subscriber)

    def close(self):
        self.client.close()


class Looping:
    """A client of `taskpy.aio` behind the proxy, and who waits on its loop."""

    def __init__(self, fleet):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.client = aio.Client(fleet.proxy.url, namespace=fleet.namespace)
        self.handles = []

    def attach(self, tasks):
        self.handles = [self.client.attach(task.id) for task in tasks]
        for handle in self.handles:
            handle._line.recheck = FAR

    def wait(self, timeout=None):
        return self._run(aio.wait(self.handles, timeout))

    def ends(self, came):
        async def use():
            async for handle in aio.as_completed(self.handles):
                came.append(handle.id)

        self._run(use())

    def watched(self):
        async def count():  # on the loop, to which the client belongs
            return count_watched(self.client.broker.subscriber)

        return self._run(count())

    def close(self):
        self._run(self.client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(2 * WOKEN)


@pytest.fixture(params=[Threaded, Looping])
def waiter(proxied, request):
    """Who waits."""
    made = request.param(proxied)
    yield made
    made.close()


def in_background(call, *args):
    """Call it in a thread of its own; the answer is a future."""
    future = Future()

    def run():
        try:
            future.set_result(call(*args))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def test_a_thousand_tasks_are_one_subscription_and_two_looks_each(proxied, waiter):
    tasks = proxied.submit_many(MANY, "echo")  # and nobody works
    waiter.attach(tasks)
    before = proxied.server.client.info("clients")["connected_clients"]

    came = []
    waiting = in_background(waiter.ends, came)
    until(lambda: waiter.watched() == MANY, "all to be watched")
    for task in tasks:
        task.stop(join=False)
    waiting.result(2 * WOKEN)

    assert came == [task.id for task in tasks]  # in the order in which they ended
    assert proxied.server.client.info("clients")["connected_clients"] - before <= 2  # for commands and for pub/sub
    assert len({command.connection for command in proxied.proxy.commands}) <= 2
    words = proxied.proxy.words()
    assert words["SUBSCRIBE"] == 1
    assert MANY < words["HMGET"] <= 2 * MANY
    assert words.keys() <= {"SUBSCRIBE", "HMGET", "UNSUBSCRIBE"} | GREETINGS
    until(lambda: proxied.proxy.words()["UNSUBSCRIBE"], "the channels to be left")


def test_who_waits_for_many_says_nothing_until_it_is_woken(proxied, waiter):
    tasks = proxied.submit_many(MANY, "echo")
    waiter.attach(tasks)

    assert waiter.wait(0.01).pending == waiter.handles
    before = len(proxied.proxy.commands)
    waiting = in_background(waiter.wait, 1.0)
    until(lambda: waiter.watched() == MANY, "all to be watched")
    tasks[7].stop()
    done, pending = waiting.result(WOKEN)

    assert [handle.id for handle in done] == [tasks[7].id]
    assert len(pending) == MANY - 1
    said = Counter(command.word for command in proxied.proxy.commands[before:])
    assert said.keys() <= {"HMGET", "SUBSCRIBE", "UNSUBSCRIBE"} | GREETINGS
    assert MANY <= said["HMGET"] <= MANY + 1  # the first look, and one at the task that spoke


def test_a_look_without_waiting_subscribes_nothing(proxied, waiter):
    tasks = proxied.submit_many(MANY, "echo")
    waiter.attach(tasks)
    tasks[3].stop()

    done, pending = waiter.wait(0)

    assert ([handle.id for handle in done], len(pending)) == ([tasks[3].id], MANY - 1)
    assert proxied.proxy.words()["SUBSCRIBE"] == 0
    assert proxied.proxy.words()["HMGET"] == MANY


def test_what_ended_while_the_line_was_cut_is_seen_when_it_is_whole_again(proxied, waiter, monkeypatch):
    tasks = proxied.submit_many(20, "echo")
    waiter.attach(tasks)
    waiting = in_background(waiter.wait)
    until(lambda: waiter.watched() == 20 and proxied.proxy.words()["HMGET"] == 20, "all to be watched and looked at")
    may_reconnect = threading.Event()
    delay = retry.reconnect_delay
    monkeypatch.setattr(
        retry, "reconnect_delay", lambda failures: 0.5 if not may_reconnect.is_set() else delay(failures)
    )

    proxied.server.drop_connections()
    for task in tasks:
        task.stop(join=False)
    may_reconnect.set()

    assert waiting.result(WOKEN) == (waiter.handles, [])
