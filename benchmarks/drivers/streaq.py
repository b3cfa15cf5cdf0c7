"""streaq: asyncio on Redis streams. Safe: what a worker has not renewed for 3 s is taken by another."""

import asyncio
from collections.abc import Sequence
from typing import Any

from streaq import TaskStatus, Worker

from benchmarks import marks
from benchmarks.drivers.driver import CONCURRENCY, SAFE, URL, Driver

worker: Any = Worker(
    redis_url=URL,
    concurrency=CONCURRENCY,
    idle_timeout=3 if SAFE else 60,
    anyio_kwargs={"use_uvloop": True},
)


@worker.task(silent=True)
async def noop(value: int) -> int:
    """Return the argument."""
    marks.hit()
    return value


@worker.task(silent=True)
async def watch(number: int) -> None:
    """Sleep until it is cancelled."""
    marks.note(f"begun-{number}")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        marks.note(f"seen-{number}")
        raise


class StreaqDriver(Driver):
    """The client's side."""

    async def open(self) -> None:
        """Connect."""
        await worker.__aenter__()

    async def close(self) -> None:
        """Disconnect."""
        await worker.__aexit__(None, None, None)

    async def submit(self, value: int) -> Any:
        """Enqueue one."""
        return await noop.enqueue(value)

    async def submit_many(self, values: Sequence[int]) -> list[Any]:
        """Enqueue many in one pipeline."""
        made = [noop.enqueue(value) for value in values]
        await worker.enqueue_many(made)
        return made

    async def ready(self, handle: Any) -> bool:
        """Look at the status; `handle.result()` takes 100 ms longer."""
        return bool(await handle.status() == TaskStatus.DONE)

    async def watch(self, number: int) -> Any:
        """Enqueue one that sleeps."""
        return await watch.enqueue(number)

    async def stop(self, handle: Any) -> None:
        """Abort it, without waiting."""
        await handle.abort(timeout=0)


make_driver = StreaqDriver
