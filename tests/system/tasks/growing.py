"""Trees of tasks that grow until they are stopped."""

import asyncio
import random
from pathlib import Path

from taskpy import Stopped, aio, task


@task
async def grow(t: aio.Task, depth, seed):
    """Spawn up to three children, with short pauses, each of which does so, too; then wait for the stop."""
    chance = random.Random(seed)
    for number in range(3 if depth else 0):
        await asyncio.sleep(chance.random() * 0.004)
        try:
            await t.spawn(grow, depth - 1, f"{seed}.{number}")
        except Stopped:
            break
    while await t.sleep(60):
        pass


@task
def leaf(t):
    while t.sleep(60):
        pass


@task
def square(t, number):
    t.sleep(0.05)
    return number * number


@task
def sum_of_squares(t, count):
    """Waits for its children inside, so it holds its slot."""
    return sum(child.get() for child in [t.spawn(square, number) for number in range(count)])


@task
def left_to_wait(t, count):
    """Its function is over, and it waits for its children without a slot."""
    for number in range(count):
        t.spawn(square, number)
    return "spawned"


@task(restarts=0)
def doomed(t, children):
    """A parent whose worker is killed."""
    t.send([t.spawn(leaf).id for _ in range(children)])
    t.sleep(60)


@task(children="stop")
def stops_children(t, children):
    t.send([t.spawn(leaf).id for _ in range(children)])


@task(restarts=1)
def goes_on(t, folder):
    """Is started again after its worker was lost, and spawns another child."""
    t.spawn(square, t.attempt).get()
    Path(folder, f"attempt-{t.attempt}").touch()
    if t.attempt == 1:
        t.sleep(60)
    return t.attempt


@task
def spawns_one(t):
    """Spawns one in each attempt."""
    t.spawn(square, t.attempt)
    return t.attempt


@task(children="stop")
def leaves_behind(t, folder):
    """Ends while its child runs."""
    child = t.spawn(leaf.options(queue="leaves"))
    Path(folder, "child").write_text(child.id)
    child.wait_begun()
