"""What is measured at a driver: the same for every system. Each verb returns its figures."""

import asyncio
import json
import os
import random
import time
from pathlib import Path
from typing import Any

from benchmarks import marks
from benchmarks.drivers.driver import Driver
from benchmarks.statistics import latencies

Figures = dict[str, float]

WARM_UP = 50
#: How many of the last results must be there before a drain counts as done.
LAST = 100
#: How often is looked how many tasks of a drain have run; who looks takes CPU from those who are measured.
LOOK_SECONDS = 0.01
#: How many tasks go into one call of the API for many.
BULK = 1000
#: A task has run for so long when it is stopped. Those who look for stops once a second have looked by then at times, and
#: nobody is in step with them.
BEFORE_STOP_SECONDS = (0.2, 1.2)
#: How many sequential round trips are not counted at the beginning.
FIRST_TRIPS = 20


def say(**said: Any) -> None:
    """Tell the harness."""
    print(json.dumps(said), flush=True)


async def enqueue(driver: Driver, n: int) -> Figures:
    """One call after the other, without a worker."""
    for value in range(WARM_UP):
        await driver.submit(value)
    began = time.perf_counter()
    for value in range(n):
        await driver.submit(value)
    return {"per_second": n / (time.perf_counter() - began)}


async def bulk(driver: Driver, n: int) -> Figures:
    """The API for many, without a worker."""
    await driver.submit_many(range(WARM_UP))
    began = time.perf_counter()
    await _fill(driver, n)
    return {"per_second": n / (time.perf_counter() - began)}


async def fill(driver: Driver, n: int) -> Figures:
    """Put this many tasks into the queue, whatever that takes."""
    await _fill(driver, n)
    return {"queued": n}


async def _fill(driver: Driver, n: int) -> list[Any]:
    if not driver.has_bulk:
        return [await driver.submit(value) for value in range(n)]
    last: list[Any] = []
    for first in range(0, n, BULK):
        last = await driver.submit_many(range(first, min(n, first + BULK)))
    return last


async def drain(driver: Driver, n: int, processes: int = 1) -> Figures:
    """Have workers empty a full queue: tasks a second, from when each of the processes runs, to the last results."""
    handles = await _fill(driver, n)
    say(filled=n)
    watch = marks.Watch()
    while not (found := watch.look()):
        await asyncio.sleep(LOOK_SECONDS)
    began, before = min(first for _, first in found), 0
    waits = processes > 1
    while (done := sum(count for count, _ in found)) < n:
        if waits and len(found) >= processes and done < n // 2:
            began, before, waits = time.perf_counter(), done, False
        await asyncio.sleep(LOOK_SECONDS)
        found = watch.look()
    await driver.results(handles[-LAST:])
    return {"per_second": (n - before) / (time.perf_counter() - began)}


async def reading(driver: Driver, n: int) -> Figures:
    """The same, with somebody who reads all the results meanwhile."""
    handles = [handle for _ in range(0, n, BULK) for handle in await driver.submit_many(range(min(n, BULK)))]
    say(filled=len(handles))
    watch = marks.Watch()
    while not (found := watch.look()):
        await asyncio.sleep(0.002)
    await driver.results(handles)
    return {"per_second": len(handles) / (time.perf_counter() - min(first for _, first in found))}


async def roundtrip(driver: Driver, n: int) -> Figures:
    """Submit one, wait for its result, and again."""
    for value in range(FIRST_TRIPS):
        await driver.result(await driver.submit(value))
    seconds = []
    for value in range(n):
        began = time.perf_counter()
        await driver.result(await driver.submit(value))
        seconds.append(time.perf_counter() - began)
    return latencies(seconds)


async def stop(driver: Driver, n: int) -> Figures:
    """Ask a running task to stop, until its code sees that (or, where it is killed, until its process is gone)."""
    seconds = []
    for number in range(n + 1):
        handle = await driver.watch(number)
        _, pid = await _noted(f"begun-{number}")
        await asyncio.sleep(random.uniform(*BEFORE_STOP_SECONDS))
        asked = time.perf_counter()
        await driver.stop(handle)
        seen = await _gone(pid) if driver.stop_kills else (await _noted(f"seen-{number}"))[0]
        if number:  # the first one warms up
            seconds.append(seen - asked)
    return latencies(seconds)


async def _noted(name: str) -> tuple[float, int]:
    while (found := marks.noted(name)) is None:
        await asyncio.sleep(0.0002)
    return found


async def _gone(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat")
    while True:
        try:
            os.kill(pid, 0)
            if stat.read_text().rpartition(")")[2].split()[0] == "Z":
                return time.perf_counter()
        except (ProcessLookupError, FileNotFoundError):
            return time.perf_counter()
        await asyncio.sleep(0.0002)


VERBS = {verb.__name__: verb for verb in (enqueue, bulk, fill, drain, reading, roundtrip, stop)}
