"""BullMQ's own Python port: two scripts for each task. Safe: a lock of 2 s, looked after every 2 s."""

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from typing import Any

from bullmq import Queue, Worker

from benchmarks import marks
from benchmarks.drivers.driver import CONCURRENCY, SAFE, URL, Driver

QUEUE = "bench"
CLOSE_SECONDS = 2


async def _process(job: Any, _token: str) -> int:
    marks.hit()
    return int(job.data["value"])


async def work() -> None:
    """Be a worker: it has no command of its own."""
    options: dict[str, Any] = {"connection": URL, "concurrency": CONCURRENCY}
    if SAFE:
        options |= {"lockDuration": 2000, "stalledInterval": 2000, "maxStalledCount": 5}
    worker = Worker(QUEUE, _process, options)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await worker.close(force=True)


class BullmqDriver(Driver):
    """The client's side."""

    async def open(self) -> None:
        """Connect."""
        self._queue = Queue(QUEUE, {"connection": URL})

    async def close(self) -> None:
        """Disconnect; it does not always come to an end."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._queue.close(), CLOSE_SECONDS)

    async def submit(self, value: int) -> Any:
        """Add one."""
        return await self._queue.add("noop", {"value": value})

    async def submit_many(self, values: Sequence[int]) -> list[Any]:
        """Add many in one transaction."""
        return list(await self._queue.addBulk([{"name": "noop", "data": {"value": value}} for value in values]))

    async def ready(self, handle: Any) -> bool:
        """Look, without waiting."""
        return bool(await handle.isCompleted())


make_driver = BullmqDriver
