"""The twins of `pausing_tasks`, as coroutine functions; and what only coroutines can do."""

import asyncio
from contextlib import suppress

from contract_tasks_async import wait_for
from pausing_tasks import tick

from taskpy import Empty, Retry, task


@task
async def ticks(t, path, at):
    await t.send("begun")
    while t.stop_reason is None:
        tick(path)
        match at:
            case "stopped":
                t.stopped()
                await t.sleep(0)
            case "sleep":
                await t.sleep(0.002)
            case "recv":
                with suppress(Empty):
                    await t.recv(timeout=0.002)
            case "checkpoint":
                await t.checkpoint("state")
            case "send":
                await t.send("more")
        await asyncio.sleep(0.002)
    return "stopped"


@task
async def yields(t, path):
    yield "begun"
    while t.stop_reason is None:
        tick(path)
        yield "more"
        await asyncio.sleep(0.002)


@task
async def looks_late(t, path, gate):
    await t.send("begun")
    await wait_for(gate)
    tick(path)
    while await t.sleep(60):
        pass
    return "stopped"


@task
async def echoes(t):
    t.answers("where", lambda: "here")
    await t.send("begun")
    async for message in t:
        await t.send(message)
    return "stopped"


@task
async def waits(t):
    await t.send("begun")
    await t.recv()


@task
async def goes_on_after_a_stop(t, gate):
    await t.send("begun")
    await t.sleep(60)
    try:
        await wait_for(gate)
    except asyncio.CancelledError:
        await t.send("raised")
        await wait_for(gate)


@task(time_limit=1.5)
async def limited(t):
    await t.send("begun")
    while await t.sleep(60):
        pass
    return str(t.stop_reason)


@task
async def fails_once(t, gate):
    await t.send("begun")
    if t.attempt == 1:
        await wait_for(gate)
        raise Retry(delay=0)
    await t.sleep(0)
    return t.attempt


@task
async def ends_soon(t):
    await t.send("begun")
    while not t.stopped():
        try:
            return await t.recv(timeout=0.01)
        except Empty:
            continue
    return "stopped"


@task
async def fails_when_told(t):
    await t.send("begun")
    raise ValueError(await t.recv())


@task
async def several(t, paths):
    """Several coroutines of one task; a question is answered by one that takes its time."""

    async def one(path):
        while t.stop_reason is None:
            tick(path)
            await t.sleep(0.002)
            await asyncio.sleep(0.002)

    async def slowly():
        await asyncio.sleep(0.1)
        return "here"

    t.answers("where", slowly)
    await t.send("begun")
    await asyncio.gather(*map(one, paths))
    return "stopped"
