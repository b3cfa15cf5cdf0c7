"""arq: asyncio, a sorted set that is polled. Its polling is set as short as makes it fast."""

import asyncio
from typing import Any, ClassVar

from arq import create_pool
from arq.connections import RedisSettings
from arq.jobs import JobStatus

from benchmarks import marks
from benchmarks.drivers.driver import CONCURRENCY, POLL_SECONDS, SAFE, URL, VARIANT, Driver, use_uvloop

SETTINGS = RedisSettings.from_dsn(URL)
#: Its log has two lines for each task, unless it is told not to.
QUIET = {"version": 1, "disable_existing_loggers": False}


async def noop(_context: Any, value: int) -> int:
    """Return the argument."""
    marks.hit()
    return value


async def watch(_context: Any, number: int) -> None:
    """Sleep until it is cancelled."""
    marks.note(f"begun-{number}")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        marks.note(f"seen-{number}")
        raise


class WorkerSettings:
    """What its worker reads."""

    functions: ClassVar = [noop, watch]
    redis_settings = SETTINGS
    max_jobs = CONCURRENCY
    poll_delay = 0.005
    # A task that is lost comes back this and 10 s later.
    job_timeout = 1 if SAFE else 300
    allow_abort_jobs = VARIANT == "stop"


class ArqDriver(Driver):
    """The client's side."""

    def __init__(self) -> None:
        self._aborts: set[asyncio.Task[bool]] = set()

    async def open(self) -> None:
        """Connect."""
        self._pool = await create_pool(SETTINGS)

    async def close(self) -> None:
        """Disconnect."""
        await asyncio.gather(*self._aborts, return_exceptions=True)
        await self._pool.aclose()

    async def submit(self, value: int) -> Any:
        """Enqueue one."""
        return await self._pool.enqueue_job("noop", value)

    async def ready(self, handle: Any) -> bool:
        """Look at the status."""
        return bool(await handle.status() == JobStatus.complete)

    async def result(self, handle: Any) -> Any:
        """Poll, as it does, more often."""
        return await handle.result(poll_delay=POLL_SECONDS)

    async def watch(self, number: int) -> Any:
        """Enqueue one that sleeps."""
        return await self._pool.enqueue_job("watch", number)

    async def stop(self, handle: Any) -> None:
        """Abort it; its call waits for the end, so it is not waited for."""
        self._aborts.add(asyncio.create_task(handle.abort(poll_delay=0.01)))


use_uvloop()
make_driver = ArqDriver
