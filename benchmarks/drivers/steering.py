"""What only taskpy has: talking to a task that runs, and what many tasks cost. Verbs like those of `verbs.py`."""

import time
from collections.abc import Callable

import taskpy
from benchmarks import marks, usage
from benchmarks.drivers import taskpy_tasks
from benchmarks.drivers.driver import URL
from benchmarks.drivers.taskpy import NAMESPACE
from benchmarks.processes import pids_of_group
from benchmarks.statistics import latencies

Figures = dict[str, float]

#: Between two messages, so that each is alone.
PAUSE_SECONDS = 0.001
QUEUE = "default"
BULK = 1000
#: How long it is watched what waiting tasks say: leases are renewed every 5 s.
QUIET_SECONDS = 10.0


def _client() -> taskpy.Client:
    return taskpy.Client(URL, namespace=NAMESPACE)


def send(n: int) -> Figures:
    """One way, from the call of `send` until `recv` returns in the task."""
    with _client() as client:
        handle = client.submit(taskpy_tasks.hear)
        handle.wait_begun()
        for _ in range(n + 20):
            handle.send(time.perf_counter_ns())
            time.sleep(PAUSE_SECONDS)
        handle.stop()
        return latencies(handle.get()[20:])


def stream(n: int) -> Figures:
    """From the first message that is read to the last one; a reader that is too slow misses some."""
    with _client() as client:
        handle = client.submit(taskpy_tasks.pour, n)
        handle.wait_begun()
        reader = handle.stream(after=0, timeout=20)
        handle.send("go")
        next(reader)
        began = time.perf_counter()
        read, missed = 1, 0
        while True:
            try:
                next(reader)
            except StopIteration:
                break
            except taskpy.MessagesMissed as gap:
                missed += gap.count
            else:
                read += 1
                last = time.perf_counter()
        return {"per_second": read / (last - began), "missed_percent": 100 * missed / n}


def depth(queued: int, measured: int, worker: int, server: int) -> Figures:
    """The CPU that worker and server use for a task while about so many are queued.

    While the queue is filled it is paused, so that what filling costs is not counted.
    """
    watch = marks.Watch()
    used, done = 0.0, 0
    with _client() as client:
        _wait_for_worker(client)
        while done < measured:
            client.pause(QUEUE)
            _fill(client, taskpy_tasks.noop, queued)
            pids = [server, *pids_of_group(worker)]
            until = done + min(queued, measured)
            before = usage.cpu_seconds(pids)
            client.resume(QUEUE)
            done = _wait_for(watch, until)
            used += usage.cpu_seconds(pids) - before
    return {"cpu_us": used / done * 1e6}


def waiting(waiting: int, measured: int, worker: int, server: int) -> Figures:
    """The same for `async def` tasks while so many others wait for a message; and what those say to Redis."""
    watch = marks.Watch()
    with _client() as client:
        _fill(client, taskpy_tasks.wait_for_mail, waiting)
        _wait_for(watch, waiting)
        time.sleep(1)
        said = _commands(client)
        time.sleep(QUIET_SECONDS)
        commands = (_commands(client) - said - 1) / QUIET_SECONDS
        client.pause(QUEUE)
        _fill(client, taskpy_tasks.noop_async, measured)
        pids = [server, *pids_of_group(worker)]
        before, began = usage.cpu_seconds(pids), time.perf_counter()
        client.resume(QUEUE)
        _wait_for(watch, waiting + measured)
        used, seconds = usage.cpu_seconds(pids) - before, time.perf_counter() - began
    return {"cpu_us": used / measured * 1e6, "per_second": measured / seconds, "commands_per_second": commands}


def _wait_for_worker(client: taskpy.Client) -> None:
    while not client.workers():
        time.sleep(0.01)


def _commands(client: taskpy.Client) -> int:
    return int(client.redis.info("stats")["total_commands_processed"])


def _fill(client: taskpy.Client, function: object, n: int) -> None:
    takes_value = function is not taskpy_tasks.wait_for_mail
    for first in range(0, n, BULK):
        values = range(first, min(n, first + BULK))
        client.submit_many(function, [((value,) if takes_value else (), {}) for value in values])


def _wait_for(watch: marks.Watch, n: int) -> int:
    while (done := sum(count for count, _ in watch.look())) < n:
        time.sleep(0.002)
    return done


VERBS: dict[str, Callable[..., Figures]] = {verb.__name__: verb for verb in (send, stream, depth, waiting)}
