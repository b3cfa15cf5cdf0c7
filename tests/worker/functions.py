"""What the workers of these tests run."""

import asyncio
import logging
import sys
import threading

import taskpy
from taskpy import task

#: `waits` waits for it.
GATE = threading.Event()
#: Something that a task said is on its way to Redis.
ON_ITS_WAY = threading.Event()
#: ... and has been answered.
ANSWERED = threading.Event()
#: Who has begun, by id and attempt, in order.
BEGUN = []
#: What goes wrong next in `fails`.
FAULT = []


def forget():
    """Make everything as it was."""
    GATE.clear()
    ON_ITS_WAY.clear()
    ANSWERED.clear()
    BEGUN.clear()
    FAULT.clear()


@task(name="returns")
def returns(t, value=None):
    BEGUN.append((t.id, t.attempt))
    return value


@task(name="returns_async")
async def returns_async(t, value=None):
    BEGUN.append((t.id, t.attempt))
    return value


@task(name="waits")
def waits(t):
    """Go on, whatever happens, until the gate opens."""
    BEGUN.append((t.id, t.attempt))
    GATE.wait(30)
    return "waited"


@task(name="answers")
def answers(t):
    """Answer how often it was asked, until it is stopped; ask, when it is told to."""
    asked = []

    def count():
        asked.append(1)
        return len(asked)

    t.answers("count", count)
    BEGUN.append((t.id, t.attempt))
    return [t.ask("go on?") for _ in t]


@task(name="listens")
def listens(t):
    BEGUN.append((t.id, t.attempt))
    return list(t)


@task(name="listens_async")
async def listens_async(t):
    BEGUN.append((t.id, t.attempt))
    return [message async for message in t]


@task(name="hands_over", handover=True)
def hands_over(t):
    BEGUN.append((t.id, t.attempt))
    while t.sleep(30):
        pass


@task(name="reports")
def reports(t, count=1, last_words=True):
    """Say something of itself, wait, and say something more."""
    for number in range(count):
        t.progress(number + 1, count)
    logging.getLogger("functions").warning("begins attempt %d", t.attempt)
    BEGUN.append((t.id, t.attempt))
    GATE.wait(30)
    if not last_words:
        return
    t.progress(count, count, "at the end")
    logging.getLogger("functions").warning("ends")


@task(name="reports_and_fails", retries=1, backoff=7.0)
def reports_and_fails(t):
    t.progress(t.attempt)
    logging.getLogger("functions").warning("fails")
    raise ValueError("again")


@task(name="fails", retries=2, backoff=7.0)
def fails(t):
    BEGUN.append((t.id, t.attempt))
    if FAULT:
        raise FAULT.pop()
    raise ValueError("again")


@task(name="tuned", restarts=9, keep=77)
def tuned(t):
    return None


@task(name="retries_itself")
def retries_itself(t, delay=None):
    BEGUN.append((t.id, t.attempt))
    if t.attempt < 3:
        raise taskpy.Retry(delay=delay)
    return t.attempt


@task(name="ends_the_loop")
async def ends_the_loop(t, how):
    """Do what would end an event loop: a sub-task that exits, or a call of its `stop`."""

    async def exits():
        sys.exit("enough")

    if how == "exit":
        await asyncio.create_task(exits())
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)


@task(name="cancels_all")
async def cancels_all(t):
    """Cancel whatever else the loop has, before that has made a step when it was begun together with this."""
    BEGUN.append((t.id, t.attempt))
    for other in asyncio.all_tasks() - {asyncio.current_task()}:
        other.cancel()


@task(name="cancels_its_send")
async def cancels_its_send(t):
    """Cancel a `send` that is on its way to Redis, then send something else."""
    first = asyncio.create_task(t.send("first"))
    await asyncio.to_thread(ON_ITS_WAY.wait, 30)
    first.cancel()
    await asyncio.sleep(0)
    GATE.set()
    await asyncio.gather(first, return_exceptions=True)
    answered = ANSWERED.is_set()
    await t.send("second")
    await t.send("third")
    return first.cancelled(), answered


@task(name="cancels_its_recv")
async def cancels_its_recv(t, count):
    """Take messages until one `recv` is on its way to Redis with something to acknowledge; cancel that, take the rest."""
    heard = []
    on_its_way = asyncio.create_task(asyncio.to_thread(ON_ITS_WAY.wait, 30))
    while len(heard) < count:
        one = asyncio.create_task(t.recv(timeout=30))
        await asyncio.wait([one, on_its_way] if not GATE.is_set() else [one], return_when=asyncio.FIRST_COMPLETED)
        if not one.done():
            one.cancel()
            await asyncio.sleep(0)
            GATE.set()
        [message] = await asyncio.gather(one, return_exceptions=True)
        if not isinstance(message, BaseException):
            heard.append(message)
    return heard
