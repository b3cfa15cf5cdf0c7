"""saq: asyncio. Fast: one try. Safe: five, with a timeout of 3 s and a sweep every second."""

import asyncio
from typing import Any

from saq import Queue
from saq.job import TERMINAL_STATUSES

from benchmarks import marks
from benchmarks.drivers.driver import CONCURRENCY, SAFE, URL, VARIANT, Driver, use_uvloop

queue = Queue.from_url(URL, name="bench")
_options: dict[str, Any] = {"retries": 5, "timeout": 3} if SAFE else {}


async def noop(_context: Any, *, value: int) -> int:
    """Return the argument."""
    marks.hit()
    return value


async def watch(_context: Any, *, number: int) -> None:
    """Sleep until it is cancelled."""
    marks.note(f"begun-{number}")
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        marks.note(f"seen-{number}")
        raise


def _timers() -> dict[str, float]:
    if SAFE:
        return {"sweep": 1}
    return {"abort": 0.05} if VARIANT == "stop" else {}


FUNCTIONS: list[Any] = [noop, watch]
#: What its worker reads.
settings = {"queue": queue, "functions": FUNCTIONS, "concurrency": CONCURRENCY, "timers": _timers()}


class SaqDriver(Driver):
    """The client's side."""

    async def open(self) -> None:
        """Connect."""
        await queue.connect()

    async def close(self) -> None:
        """Disconnect."""
        await queue.disconnect()

    async def submit(self, value: int) -> Any:
        """Enqueue one."""
        return await queue.enqueue("noop", value=value, **_options)

    async def ready(self, handle: Any) -> bool:
        """Read the task again, as `queue.apply` does."""
        await handle.refresh()
        return handle.status in TERMINAL_STATUSES

    async def watch(self, number: int) -> Any:
        """Enqueue one that sleeps."""
        return await queue.enqueue("watch", number=number, timeout=60)

    async def stop(self, handle: Any) -> None:
        """Abort it."""
        await handle.abort("stop")


use_uvloop()
make_driver = SaqDriver
