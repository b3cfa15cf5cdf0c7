"""RQ. Fast: workers that do not fork. Safe: workers that fork for each task, and tasks that may be tried again."""

import time
from collections.abc import Sequence
from typing import Any

import redis
from rq import Queue, Retry
from rq.command import send_stop_job_command

from benchmarks import marks
from benchmarks.drivers.driver import SAFE, URL, Driver

QUEUE = "bench"


def noop(value: int) -> int:
    """Return the argument."""
    marks.hit()
    return value


def watch(number: int) -> None:
    """Sleep; a stop kills the process."""
    marks.note(f"begun-{number}")
    time.sleep(60)


class RqDriver(Driver):
    """The client's side."""

    def __init__(self) -> None:
        self._redis = redis.Redis.from_url(URL)
        self._queue = Queue(QUEUE, connection=self._redis)
        self._options: dict[str, Any] = {"retry": Retry(max=3)} if SAFE else {}

    async def submit(self, value: int) -> Any:
        """Enqueue one."""
        return self._queue.enqueue(noop, value, **self._options)

    async def submit_many(self, values: Sequence[int]) -> list[Any]:
        """Enqueue many in one pipeline."""
        return list(self._queue.enqueue_many([Queue.prepare_data(noop, (value,), **self._options) for value in values]))

    async def ready(self, handle: Any) -> bool:
        """Look at the status."""
        return bool(handle.is_finished)

    async def watch(self, number: int) -> Any:
        """Enqueue one that sleeps."""
        return self._queue.enqueue(watch, number)

    async def stop(self, handle: Any) -> None:
        """Tell its worker by pub/sub."""
        send_stop_job_command(self._redis, handle.id)

    @property
    def stop_kills(self) -> bool:
        """A stop kills the process that was forked for the task."""
        return True


make_driver = RqDriver
