"""The tasks of the system tests. Nothing but the workers imports this: whoever steers them knows their names only.

Each function writes its start and its end into the ledger, a file that Redis knows nothing of.
"""

import asyncio
import ctypes
import logging
import os
import signal
import sys
import time
from pathlib import Path

import taskpy
from taskpy import task


def note(t, word):
    """Append a line to the ledger: one write, so that lines of many processes do not mix."""
    line = f"{word} {t.id} {t.attempt} {t.token} {os.getpid()} {time.monotonic()}\n"
    ledger = os.open(os.environ["LEDGER"], os.O_WRONLY | os.O_APPEND)
    try:
        os.write(ledger, line.encode())
    finally:
        os.close(ledger)


# -- talking --------------------------------------------------------------------------------------


@task
def converse(t):
    """Say that it begins, answer each message, return all of them."""
    note(t, "start")
    t.send("begun")
    heard = []
    for message in t:
        heard.append(message)
        t.send(["heard", message])
    note(t, "end")
    return heard


@task
async def converse_async(t):
    """The twin of `converse`."""
    note(t, "start")
    await t.send("begun")
    heard = []
    async for message in t:
        heard.append(message)
        await t.send(["heard", message])
    note(t, "end")
    return heard


@task
def echo(t, value, *, times=1):
    """Return what it was given."""
    note(t, "start")
    note(t, "end")
    return [value] * times


@task
def count(t, numbers):
    """Send this many numbers, when it is told to."""
    note(t, "start")
    t.recv()
    for number in range(numbers):
        t.send(number)
    note(t, "end")
    return numbers


@task
def deaf(t):
    """Take nothing from its inbox until the stop."""
    note(t, "start")
    while t.sleep(60):
        pass
    note(t, "end")
    return "stopped"


@task
async def deaf_async(t):
    """The twin of `deaf`."""
    note(t, "start")
    while await t.sleep(60):
        pass
    note(t, "end")
    return "stopped"


# -- crashing -------------------------------------------------------------------------------------


@task
def waits_once(t):
    """Wait for ever at the first start; every later one ends at once."""
    note(t, "start")
    if t.attempt == 1:
        t.recv()
    note(t, "end")
    return t.attempt


@task
def reports_once(t):
    """Report, and wait for ever at the first start; every later one reports, and ends."""
    logging.getLogger("steered").warning("attempt %d", t.attempt)
    t.progress(t.attempt, 2)
    if t.attempt == 1:
        t.recv()


@task
def gated(t, folder):
    """End when there is a gate for this attempt; only the file system is asked, so that an outage does not matter."""
    note(t, "start")
    while not (Path(folder) / f"gate-{t.attempt}").exists():
        time.sleep(0.02)
    note(t, "end")
    return t.attempt


@task
def chatter(t, folder):
    """Send numbers until there is a gate; return how many."""
    note(t, "start")
    sent = 0
    while not (Path(folder) / f"gate-{t.attempt}").exists():
        t.send(sent)
        sent += 1
        time.sleep(0.02)
    note(t, "end")
    return sent


@task
def holds_the_gil(t, seconds):
    """Sleep in C with the GIL held at the first start: no other thread of the process can do anything."""
    note(t, "start")
    if t.attempt == 1:
        ctypes.PyDLL(None).sleep(seconds)
    note(t, "end")
    return t.attempt


@task
def poison(t):
    """Kill the process that runs it."""
    note(t, "start")
    os.kill(os.getpid(), signal.SIGKILL)


# -- draining -------------------------------------------------------------------------------------


@task(handover=True)
def handed_over(t):
    """Never end at the first start: it must be handed over. Every later one ends at once."""
    note(t, "start")
    while t.attempt == 1:
        t.stopped()
        time.sleep(0.02)
    note(t, "end")
    return t.attempt


@task(handover=True)
async def handed_over_async(t):
    """The twin of `handed_over`."""
    note(t, "start")
    while t.attempt == 1:
        await t.sleep(60)
    note(t, "end")
    return t.attempt


@task(handover=True)
def pausable(t):
    """Tell the attempt that ends; it may be handed over."""
    note(t, "start")
    while t.sleep(60):
        pass
    note(t, "end")
    return t.attempt


@task
def kept(t):
    """As `pausable`, for the worker that begins it."""
    note(t, "start")
    while t.sleep(60):
        pass
    note(t, "end")
    return t.attempt


@task
def finishes(t):
    """Tell how it looks from the inside when the worker drains, then come to a proper end."""
    note(t, "start")
    while not t.draining:
        time.sleep(0.01)
    note(t, "draining")
    stopped = t.stopped()
    t.sleep(0.2)
    note(t, "end")
    return {"stopped": stopped, "attempt": t.attempt}


@task
def stubborn(t):
    """Go on through a drain at the first start, until the stop. Every later start ends at once."""
    note(t, "start")
    while t.attempt == 1 and not t.stopped():
        if t.draining:
            t.send("draining")
            t.sleep(60)
        time.sleep(0.02)
    note(t, "end")
    return t.attempt


@task
async def stubborn_async(t):
    """The twin of `stubborn`."""
    note(t, "start")
    while t.attempt == 1 and not t.stopped():
        if t.draining:
            await t.send("draining")
            await t.sleep(60)
        await asyncio.sleep(0.02)
    note(t, "end")
    return t.attempt


@task
def releases(t):
    """Give itself back when it is told to."""
    note(t, "start")
    if t.attempt == 1:
        t.recv()
        return t.release()
    note(t, "end")
    return t.attempt


# -- failing --------------------------------------------------------------------------------------


class Unknowable(Exception):
    """An exception that nobody else can import, and that cannot be built from its arguments."""

    def __init__(self, first, second):
        super().__init__("the text of it")
        self.first, self.second = first, second


@task
def returns_what_cannot_be_sent(t):
    return {"fine": 1, "bad": [object()]}


@task
def raises_what_cannot_be_rebuilt(t):
    raise Unknowable(object(), lambda: None)


@task
def raises(t, text):
    raise ValueError(text)


@task
def exits(t):
    sys.exit("enough")


@task
def exits_by_signal(t):
    raise KeyboardInterrupt


@task
async def exits_async(t):
    sys.exit("enough")


@task
def discards(t):
    raise taskpy.Discard("not again")


@task
def takes_two(t, first, *, second):
    return [first, second]
