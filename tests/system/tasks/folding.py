"""Tasks whose end says which messages they were given, how often and in which order; and some that cannot be stopped."""

import asyncio
import time
from pathlib import Path

from folding_oracle import NOTHING, folded
from steered import note

from taskpy import Empty, task


@task(restarts=1000)
def fold(t, count, every):
    """Fold so many messages, with a checkpoint after so many."""
    note(t, "start")
    state = t.state or NOTHING
    while state["count"] < count:
        state = folded(state, *t.recv())
        note(t, f"message-{state['count']}")
        if state["count"] % every == 0 or state["count"] == count:
            t.checkpoint(state, send=[state["count"]])
    return state


@task(restarts=1000)
async def fold_async(t, count, every):
    """The twin of `fold`."""
    note(t, "start")
    state = t.state or NOTHING
    while state["count"] < count:
        state = folded(state, *await t.recv())
        note(t, f"message-{state['count']}")
        if state["count"] % every == 0 or state["count"] == count:
            await t.checkpoint(state, send=[state["count"]])
    return state


@task(restarts=1000)
def fold_by_inbox(t, count):
    """Fold the messages of each sender's inbox apart; whichever has one is taken from, so that they overtake each other."""
    note(t, "start")
    states = t.state or {}
    taken = sum(state["count"] for state in states.values())
    turn = taken
    while taken < count:
        turn += 1
        name = f"from-{turn % 3}"
        try:
            sender, number = t.recv(name, timeout=0.005)
        except Empty:
            continue
        taken += 1
        states[name] = folded(states.get(name, NOTHING), sender, number)
        if taken % 5 == 0 or taken == count:
            t.checkpoint(states)
    return states


@task
async def wait_and_answer(t):
    """Wait for messages, as thousands of others do; say each of them back."""
    async for message in t:
        await t.send(message)


@task
def count_slowly(t, count):
    """A stream that takes its time."""
    for number in range(count):
        yield number
        time.sleep(0.002)


@task
def cannot_be_stopped(t, gate):
    """Ignore whatever is raised, until the gate is open."""
    t.send("begun")
    while not Path(gate).exists():
        try:
            time.sleep(0.01)
        except BaseException:
            continue


@task(name="folding.versioned")
def versioned(t):
    """Store in the first version of its form, and die."""
    t.checkpoint([1, 2])
    t.send("stored")
    t.recv()


@task
async def nap(t):
    """Sleep until a stop."""
    await asyncio.sleep(3600)
