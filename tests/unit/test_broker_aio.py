"""Whoever is cancelled is cancelled, also where redis-py swallows it, as the `wait_for` of Python 3.11 makes it do."""

import asyncio
from types import SimpleNamespace

import pytest
import redis

from taskpy import ops
from taskpy.broker_aio import AsyncBroker

OP = ops.plain("ping", ["PING"], str)
#: No test waits for so long, but where a cancellation is lost.
LONG = 10


class Server:
    """A client of redis-py that is only made up: its calls wait, and the first that is cancelled ends as if it was not."""

    def __init__(self, outcome="answer"):
        self.called = asyncio.Event()
        self.waits = True
        self._outcome = outcome

    async def call(self, *args, **kwargs):
        if self.waits:
            self.called.set()
            try:
                await asyncio.sleep(LONG)
            except asyncio.CancelledError:
                self.waits = False
        else:
            await asyncio.sleep(0)
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    execute_command = call

    def pipeline(self, transaction):
        async def execute(raise_on_error):
            return [await self.call()] * 2

        return SimpleNamespace(execute_command=lambda *args: None, execute=execute)


class PubSub:
    """Likewise; what it does, the server does not wait for, but for the one call that is named."""

    def __init__(self, server, waited_for):
        self._server = server
        self._waited_for = waited_for

    def pubsub(self):
        return self

    async def subscribe(self, *channels):
        await self._perform("subscribe")

    async def get_message(self, timeout):
        await self._perform("get_message")

    async def aclose(self):
        await self._perform("aclose")

    async def _perform(self, name):
        await (self._server.call() if name == self._waited_for else asyncio.sleep(0))


def broker_of(server, client=None):
    connections = SimpleNamespace(
        address=SimpleNamespace(is_cluster=False),
        slots=asyncio.Semaphore(1),
        commands=client or server,
        rejoin=lambda: None,
        close=server.call,
    )
    return AsyncBroker(connections, timeout=None)


async def again_and_again(broker):
    def steps():
        while True:
            yield OP

    await broker.drive(steps())


async def subscribing(broker):
    broker.subscriber._pubsub = PubSub(broker._connections.commands, "subscribe")
    await broker.subscriber._send("subscribe", ["channel"])


async def dropping(broker):
    broker.subscriber._pubsub = PubSub(broker._connections.commands, "aclose")
    await broker.subscriber._drop()


CALLS = {
    "run": lambda broker: broker.run(OP),
    "run_many": lambda broker: broker.run_many([OP, OP]),
    "drive": again_and_again,
    "subscribe": subscribing,
    "drop": dropping,
    "close": AsyncBroker.close,
}


@pytest.mark.parametrize("outcome", ["answer", redis.ConnectionError("broken"), redis.ResponseError("refused")])
@pytest.mark.parametrize("call", CALLS)
def test_a_cancellation_that_redis_py_swallows_counts_all_the_same(call, outcome):
    async def main():
        server = Server(outcome)
        calling = asyncio.create_task(CALLS[call](broker_of(server)))
        await server.called.wait()
        calling.cancel()
        await asyncio.wait([calling], timeout=LONG / 2)
        return calling.cancelled()

    assert asyncio.run(main())


def test_a_time_limit_around_a_call_is_no_cancellation():
    async def main():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await broker_of(Server()).run(OP)
        return asyncio.current_task().cancelling()

    assert asyncio.run(main()) == 0


def test_who_was_cancelled_may_call_while_he_cleans_up():
    async def use(server):
        broker = broker_of(server)
        try:
            await broker.run(OP)
        finally:
            cleaned.append(await broker.run(OP))

    async def main():
        server = Server()
        using = asyncio.create_task(use(server))
        await server.called.wait()
        using.cancel()
        await asyncio.wait([using])
        return using.cancelled()

    cleaned = []
    assert asyncio.run(main())
    assert cleaned == ["answer"]


@pytest.mark.parametrize("moment", ["subscribe", "get_message"])
def test_the_task_that_reads_ends_when_the_broker_closes(moment):
    async def main():
        server = Server()
        broker = broker_of(server, PubSub(server, moment))
        watching = asyncio.create_task(broker.subscriber.watch("channel"))
        await server.called.wait()
        closing = asyncio.create_task(broker.subscriber.close())
        done, _ = await asyncio.wait([closing], timeout=LONG / 2)
        watching.cancel()
        await asyncio.wait([watching])
        return bool(done)

    assert asyncio.run(main())
