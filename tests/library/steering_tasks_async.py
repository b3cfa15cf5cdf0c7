"""The twins of the functions of `steering_tasks`, as `async def`."""

import asyncio

from contract_tasks import is_open
from contract_tasks_async import wait_for

from taskpy import NotSendable, TooLarge, aio, task

# -- stopping -----------------------------------------------------------------------------------


@task
async def busy(t):
    await t.send("begun")
    await asyncio.sleep(3600)


@task
async def busy_with_an_end(t):
    await t.send("begun")
    try:
        await asyncio.sleep(3600)
    finally:
        await t.send("cleaned")
        await t.checkpoint("cleaned")


@task
async def ends_well_when_raised(t):
    await t.send("begun")
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        return "well"


@task
async def stubborn(t, gate):
    await t.send("begun")
    while not is_open(gate):
        try:
            await wait_for(gate)
        except BaseException:
            continue
    return "at last"


@task
async def stubborn_and_talking(t, gate):
    await t.send("begun")
    try:
        await wait_for(gate)
    except asyncio.CancelledError:
        await wait_for(gate)
    await t.send("never heard")


@task
async def tell_reason(t: aio.Task):
    await t.send(t.stop_reason)
    while not t.stopped():
        await t.sleep(60)
    return [str(t.stop_reason), t.stop_reason.by]


@task
async def talk_without_end(t):
    await t.send("begun")
    while True:
        await t.checkpoint("more")


@task(time_limit=0.2)
async def limited(t):
    while await t.sleep(60):
        pass
    return [str(t.stop_reason), t.stop_reason.by]


# -- checkpoints --------------------------------------------------------------------------------


@task
async def add_up(t):
    total = t.state or 0
    async for number in t:
        total += number
        await t.checkpoint(total, send=[total])
    return [total, t.state]


@task
async def store(t, state):
    before = t.state
    await t.checkpoint(state)
    return [before, t.state]


@task
async def store_unsendable(t):
    await t.checkpoint("good")
    for bad in (lambda: t.checkpoint(object()), lambda: t.checkpoint("bad", send=[object()])):
        try:
            await bad()
        except NotSendable as error:
            await t.send(str(error))
    return t.state


@task
async def store_with_many(t, count):
    try:
        await t.checkpoint("state", send=[0] * count)
    except TooLarge as error:
        return [str(error), t.state]
    return ["stored", t.state]


@task
async def take_too_many(t):
    assert t.state is None
    while True:
        await t.recv()


# -- inboxes ------------------------------------------------------------------------------------


@task
async def take_from(t, inboxes):
    await t.send("begun")
    return [await (t.recv(name, timeout=20) if name else t.recv(timeout=20)) for name in inboxes]


@task
async def take_from_when_open(t, inboxes, gate):
    await wait_for(gate)
    return [await (t.recv(name, timeout=20) if name else t.recv(timeout=20)) for name in inboxes]


@task
async def wait_in_inbox(t, name):
    await t.send("begun")
    return await t.recv(name)


@task
async def take_one_and_wait(t, gate):
    await t.send("begun")
    await t.recv()
    await t.send("taken")
    await wait_for(gate)


# -- streams ------------------------------------------------------------------------------------


@task
async def count_up(t, count, gate=None):
    for number in range(count):
        if gate and number == count // 2:
            await wait_for(gate)
        yield number


@task
async def count_and_return(t, count):
    for number in range(count):
        await t.send(number)
    return "counted"


@task
async def count_until_stopped(t):
    number = 0
    while not t.stopped():
        yield number
        number += 1
        await t.sleep(0.01)


@task
async def yield_unsendable(t):
    try:
        yield object()
    except NotSendable:
        yield "told"


@task
async def yield_and_fail(t):
    yield "one"
    raise ValueError("no more")
