"""The tasks of the chaos. Each writes down, in a file that Redis knows nothing of, what it does."""

import asyncio
import os
import time

from taskpy import task

PRIME = 2**61 - 1
NOTHING = {"count": 0, "fold": 0}
#: Lost workers are the order of the day here.
RESTARTS = 1000


def note(t, word):
    """Append a line to the ledger: one write, so that lines of many processes do not mix."""
    line = f"{word} {t.id} {t.attempt} {t.token} {os.getpid()} {time.monotonic()}\n"
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND)
    try:
        os.write(ledger, line.encode())
    finally:
        os.close(ledger)


def folded(state, message):
    """The state after one more message; it depends on every message, and on their order."""
    sender, number = message
    return {
        "count": state["count"] + 1,
        "fold": (state["fold"] * 31 + sender * 100_003 + number) % PRIME,
    }


@task(restarts=RESTARTS)
def fold(t, count, every):
    note(t, "start")
    state = t.state or NOTHING
    note(t, f"from-{state['count']}")
    while state["count"] < count:
        state = folded(state, t.recv())
        if state["count"] % every == 0 or state["count"] == count:
            t.checkpoint(state)
            note(t, f"stored-{state['count']}")
    note(t, "end")
    return {"attempt": t.attempt, "state": state}


@task(restarts=RESTARTS)
async def fold_async(t, count, every):
    note(t, "start")
    state = t.state or NOTHING
    note(t, f"from-{state['count']}")
    while state["count"] < count:
        state = folded(state, await t.recv())
        if state["count"] % every == 0 or state["count"] == count:
            await t.checkpoint(state)
            note(t, f"stored-{state['count']}")
    note(t, "end")
    return {"attempt": t.attempt, "state": state}


@task(restarts=RESTARTS)
def listen(t, count):
    note(t, "start")
    heard = []
    while len(heard) < count:
        heard.append(t.recv())
        note(t, "heard-{}-{}".format(*heard[-1]))
    note(t, "end")
    return {"attempt": t.attempt, "heard": heard}


@task(restarts=RESTARTS)
async def listen_async(t, count):
    note(t, "start")
    heard = []
    while len(heard) < count:
        heard.append(await t.recv())
        note(t, "heard-{}-{}".format(*heard[-1]))
    note(t, "end")
    return {"attempt": t.attempt, "heard": heard}


@task(restarts=RESTARTS)
def work(t, seconds):
    """Say nothing to Redis. Who was stopped by a signal meanwhile ends at once, though others have the task by then."""
    note(t, "start")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        time.sleep(0.01)
    note(t, "end")
    return {"attempt": t.attempt}


@task
def fragile(t, seconds):
    """As `work`, with the restarts that a task has when nobody said otherwise."""
    note(t, "start")
    time.sleep(seconds)
    note(t, "end")
    return {"attempt": t.attempt}


@task(restarts=RESTARTS, retries=2, backoff=0.1)
def flaky(t):
    note(t, "start")
    if t.attempt <= 2:
        note(t, "raise")
        raise ValueError("not yet")
    note(t, "end")
    return {"attempt": t.attempt}


@task(restarts=RESTARTS, retries=1, backoff=0.1)
def hopeless(t):
    note(t, "start")
    note(t, "raise")
    raise ValueError("never")


@task(restarts=RESTARTS)
def polite(t):
    note(t, "start")
    while t.sleep(60):
        pass
    note(t, "end")
    return {"attempt": t.attempt}


@task(restarts=RESTARTS)
async def polite_async(t):
    note(t, "start")
    while await t.sleep(60):
        pass
    note(t, "end")
    return {"attempt": t.attempt}


@task(restarts=RESTARTS)
def rude(t):
    """Never look whether a stop came, and end late when it is unwound."""
    note(t, "start")
    try:
        time.sleep(0.2)
        while True:
            time.sleep(0.02)
    finally:
        time.sleep(0.3)


@task(restarts=RESTARTS)
async def rude_async(t):
    note(t, "start")
    await asyncio.sleep(3600)


@task(restarts=RESTARTS)
def count_up(t, count, pause):
    note(t, "start")
    for number in range(count):
        yield [t.attempt, number]
        time.sleep(pause)
    note(t, "end")
    return {"attempt": t.attempt}
