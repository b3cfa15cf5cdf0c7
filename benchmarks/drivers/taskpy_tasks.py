"""The tasks that a `taskpy-worker` runs here."""

import time
from typing import Any

from benchmarks import marks
from taskpy import aio, task


@task
def noop(_t: Any, value: int) -> int:
    """Return the argument."""
    marks.hit()
    return value


@task
async def noop_async(_t: aio.Task, value: int) -> int:
    """Return the argument, on the event loop."""
    marks.hit()
    return value


@task
def watch(t: Any, number: int) -> None:
    """Sleep until it is stopped."""
    marks.note(f"begun-{number}")
    t.sleep(60)
    marks.note(f"seen-{number}")


@task
def hear(t: Any) -> list[float]:
    """Receive the times at which messages were sent; the result is how long each took, in seconds."""
    return [(time.perf_counter_ns() - sent) / 1e9 for sent in t]


@task
def pour(t: Any, n: int) -> Any:
    """Stream this many messages, as fast as they go, once somebody listens."""
    t.recv()
    for number in range(n):
        yield (number, "x" * 90)


@task
async def wait_for_mail(t: aio.Task) -> int:
    """Wait until there is a message, and return it."""
    marks.hit()
    return int(await t.recv())
