"""A coroutine that is cancelled ends, though redis-py should swallow that: with the wait_for of Python 3.11 it may."""

import asyncio
import contextlib

import pytest

from taskpy.address import Address
from taskpy.broker_aio import AsyncBroker
from taskpy.connection import AsyncConnections
from taskpy.ops import Op

PING: "Op[bytes]" = Op("ping", ("PING",), None, (), (), lambda reply: reply)


class Swallowing:
    """A call that goes on as if nothing had been when it is cancelled, and is answered."""

    def __init__(self, answered):
        self._answered = answered
        self.under_way = asyncio.Event()

    async def __call__(self, *args, **kwargs):
        self.under_way.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        return await self._answered(*args, **kwargs)


@pytest.fixture
def broker(server):
    return AsyncBroker(AsyncConnections(Address(f"unix://{server}", "test")))


async def assert_cancelled(task, call):
    await asyncio.wait_for(call.under_way.wait(), 10)
    task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.cancelled(), task


@pytest.mark.parametrize("many", [False, True])
def test_a_call_that_is_cancelled_as_it_is_sent_ends(broker, monkeypatch, many):
    async def use():
        sent = Swallowing(broker._send_many if many else broker._send)
        monkeypatch.setattr(broker, "_send_many" if many else "_send", sent)
        call = asyncio.create_task(broker.run_many([PING]) if many else broker.run(PING))
        await assert_cancelled(call, sent)
        await broker.close()

    asyncio.run(use())


def test_a_coroutine_that_was_cancelled_may_still_tidy_up(broker):
    async def tidy():
        try:
            await asyncio.sleep(60)
        finally:
            assert await broker.run(PING)
            assert await broker.subscriber.watch_all(["a", "b"])

    async def use():
        tidying = asyncio.create_task(tidy())
        await asyncio.sleep(0)
        tidying.cancel()
        await asyncio.wait([tidying], timeout=10)
        assert tidying.cancelled(), tidying
        await broker.close()

    asyncio.run(use())


def test_a_subscription_that_is_cancelled_as_it_is_sent_ends(broker, monkeypatch):
    async def use():
        await broker.subscriber.watch("first")
        sent = Swallowing(broker.subscriber._pubsub.subscribe)
        monkeypatch.setattr(broker.subscriber._pubsub, "subscribe", sent)
        watching = asyncio.create_task(broker.subscriber.watch("second"))
        await assert_cancelled(watching, sent)
        await broker.close()

    asyncio.run(use())


def test_a_client_is_closed_while_its_subscriber_reads(broker, monkeypatch):
    async def use():
        await broker.subscriber.watch("first")
        read = Swallowing(broker.subscriber._pubsub.get_message)
        monkeypatch.setattr(broker.subscriber._pubsub, "get_message", read)
        await asyncio.wait_for(read.under_way.wait(), 10)
        await asyncio.wait_for(broker.close(), 10)

    asyncio.run(use())
