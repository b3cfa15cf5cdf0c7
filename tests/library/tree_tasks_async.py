"""The twins of `tree_tasks`, as coroutine functions."""

import asyncio

from contract_tasks_async import wait_for

from taskpy import aio, task
from taskpy.handle import LocalHandle


async def _of(child, call, *args):
    """What a call of a handle answers, which blocks where it is local."""
    method = getattr(child, call)
    return await (asyncio.to_thread(method, *args) if isinstance(child, LocalHandle) else method(*args))


@task
async def number(t: aio.Task, value):
    return value


@task
async def leaf(t: aio.Task, word="leaf"):
    await t.send("begun")
    while await t.sleep(60):
        pass
    return f"{word}, for: {t.stop_reason}"


@task
async def abrupt(t: aio.Task):
    await t.send("begun")
    await t.recv()


@task
async def deaf(t: aio.Task, gate):
    await t.send("begun")
    await wait_for(gate)


@task
async def at_gate(t: aio.Task, gate):
    await wait_for(gate)
    return "through"


@task
async def total(t: aio.Task, count):
    children = [await t.spawn(number, value) for value in range(count)]
    await t.send([child.id for child in children])
    return sum([await _of(child, "get") for child in children])


@task
async def ahead(t: aio.Task, gate):
    await t.send((await t.spawn(at_gate, gate)).id)
    return "mine"


@task(children="stop")
async def stopping(t: aio.Task):
    await _of(await t.spawn(leaf), "recv")
    return "mine"


@task(children="leave")
async def leaving(t: aio.Task, gate):
    await t.spawn(at_gate, gate)
    return "mine"


@task
async def failing(t: aio.Task):
    await _of(await t.spawn(leaf), "recv")
    raise ValueError("the parent")


@task
async def waits_for_leaf(t: aio.Task):
    await _of(await t.spawn(leaf), "recv")
    await t.send("begun")
    return "mine"


@task
async def waits_inside(t: aio.Task, call):
    child = await t.spawn(abrupt)
    await _of(child, "recv")
    await t.send("begun")
    await _of(child, call)


@task
async def nested(t: aio.Task, depth):
    if depth:
        await _of(await t.spawn(nested, depth - 1), "recv")
    await t.send("begun")
    while await t.sleep(60):
        pass


@task
async def with_deaf_child(t: aio.Task, gate):
    await _of(await t.spawn(deaf, gate), "recv")
    await t.send("begun")
    while await t.sleep(60):
        pass


@task
async def spawns_on(t: aio.Task):
    await t.send("begun")
    while True:
        await t.spawn(leaf)


@task
async def echo(t: aio.Task):
    async for message in t:
        await t.send(message * 2)


@task
async def with_echo(t: aio.Task):
    await t.send((await t.spawn(echo)).id)
    while await t.sleep(60):
        pass


@task
async def by_name(t: aio.Task):
    first = await t.spawn("tree_tasks.number", 7)
    second = await t.spawn(number.options(time_limit=60), 8)
    return await _of(first, "get") + await _of(second, "get")
