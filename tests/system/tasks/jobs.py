"""The tasks of the tests of the worker's options; with hooks, which write into the ledger what they see.

JOBS_FAIL names the hook that fails: `start` or `stop`.
"""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
from steered import note

from taskpy import on, task

#: Which a child takes care of.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)


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


@task
def surroundings(t):
    """What a task finds in its process."""
    main = sys.modules["__main__"]
    return {
        "pid": os.getpid(),
        "stdin": str(Path("/proc/self/fd/0").readlink()),
        "sockets": len(psutil.Process().net_connections("unix")),  # the one to the supervisor
        "arguments": [Path(sys.argv[0]).name, len(sys.argv)],
        "main": main.__spec__.name if main.__spec__ else main.__name__,
        "process": multiprocessing.current_process().name,
        "handlers": {number.name: str(signal.getsignal(number)).split(" at ")[0] for number in SIGNALS},
    }


@task
def vanish(t):
    """End the process that runs it; once."""
    if t.attempt == 1:
        os._exit(7)
