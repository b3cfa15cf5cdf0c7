"""The tasks of the tests of the worker's options; with hooks, which write into the ledger what they see.

JOBS_FAIL names the hook that fails: `start` or `stop`.
"""

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

from steered import note

from taskpy import on, task


@on.start
def connect():
    """Fail where told to."""
    if os.environ.get("JOBS_FAIL") == "start":
        raise ValueError("no database")
    note_process("started")


@on.stop
def disconnect():
    """Say that it is over."""
    note_process("stopped")


@on.stop
def disconnect_badly():
    """Fail where told to, before the other one: the last hook is called first."""
    if os.environ.get("JOBS_FAIL") == "stop":
        raise ValueError("no database")


@on.task
def around(t):
    """Tell what it sees of each task."""
    note(t, "before")
    try:
        yield
    finally:
        note(t, "after")


def note_process(word):
    """Append a line that belongs to no task."""
    note(SimpleNamespace(id="-", attempt=0, token="-"), word)


@task
def plain(t):
    """Begin and end."""
    note(t, "start")
    note(t, "end")


@task
async def coroutine(t):
    """The twin of `plain`."""
    note(t, "start")
    note(t, "end")


@task
def linger(t, seconds):
    """Take some time."""
    note(t, "start")
    time.sleep(seconds)
    note(t, "end")


@task
def tree(t, depth):
    """Submit two of its kind, and so on."""
    note(t, "start")
    for _ in range(2 if depth else 0):
        tree.submit(depth - 1)
    note(t, "end")


@task
def perish_late(t):
    """Kill the process that runs it as soon as another one has ended; when it is run again, end."""
    note(t, "start")
    while t.attempt == 1:
        if "stopped" in Path(os.environ["LEDGER"]).read_text():
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
    note(t, "end")


@task
def fail(t, secret):
    """Fail."""
    raise ValueError(secret)
