"""The task functions of the tests of pausing, as plain functions; `pausing_tasks_async` has a twin of each."""

import time
from contextlib import suppress
from pathlib import Path

from contract_tasks import wait_for

from taskpy import Empty, Retry, Stopped, task


def tick(path):
    """Leave a trace: a byte in a file, which whoever tests sees at once, wherever the task runs."""
    with Path(path).open("ab") as file:
        file.write(b".")


@task
def ticks(t, path, at):
    t.send("begun")
    while t.stop_reason is None:
        tick(path)
        match at:
            case "stopped":
                t.stopped()
            case "sleep":
                t.sleep(0.002)
            case "recv":
                with suppress(Empty):
                    t.recv(timeout=0.002)
            case "checkpoint":
                t.checkpoint("state")
            case "send":
                t.send("more")
        time.sleep(0.002)
    return "stopped"


@task
def yields(t, path):
    yield "begun"
    while t.stop_reason is None:
        tick(path)
        yield "more"
        time.sleep(0.002)


@task
def looks_late(t, path, gate):
    t.send("begun")
    wait_for(gate)
    tick(path)
    while t.sleep(60):
        pass
    return "stopped"


@task
def echoes(t):
    t.answers("where", lambda: "here")
    t.send("begun")
    for message in t:
        t.send(message)
    return "stopped"


@task
def waits(t):
    t.send("begun")
    t.recv()


@task
def goes_on_after_a_stop(t, gate):
    t.send("begun")
    t.sleep(60)
    try:
        wait_for(gate)
    except Stopped:
        t.send("raised")
        wait_for(gate)


@task(time_limit=1.5)
def limited(t):
    t.send("begun")
    while t.sleep(60):
        pass
    return str(t.stop_reason)


@task
def fails_once(t, gate):
    t.send("begun")
    if t.attempt == 1:
        wait_for(gate)
        raise Retry(delay=0)
    t.sleep(0)
    return t.attempt


@task
def ends_soon(t):
    t.send("begun")
    while not t.stopped():
        try:
            return t.recv(timeout=0.01)
        except Empty:
            continue
    return "stopped"


@task
def fails_when_told(t):
    t.send("begun")
    raise ValueError(t.recv())
