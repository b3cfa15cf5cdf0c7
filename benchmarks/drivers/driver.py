"""What every system is asked to do. A driver is the client's side; tasks run wherever the system's workers run."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

#: Where the Redis of this run is, and how this system is set up: "fast", or "safe" from crashes.
URL = os.environ.get("BENCH_URL", "")
VARIANT = os.environ.get("BENCH_VARIANT", "fast")
SAFE = VARIANT == "safe"
#: How many tasks a worker process runs at once, where the system takes that from its code.
CONCURRENCY = int(os.environ.get("BENCH_CONCURRENCY", "10"))
#: How long to look away between two looks at a result, where looking is all there is.
POLL_SECONDS = 0.001


class Driver:
    """A client of one system. What a system does not have stays as it is here."""

    async def open(self) -> None:
        """Connect."""

    async def close(self) -> None:
        """Disconnect."""

    async def submit(self, value: int) -> Any:
        """Enqueue a task that returns this value, by the call that users make; the handle."""
        raise NotImplementedError

    async def submit_many(self, values: Sequence[int]) -> list[Any]:
        """Enqueue one task for each value by the API for many, where there is one."""
        raise NotImplementedError

    async def ready(self, handle: Any) -> bool:
        """Whether the result of a task is there, without waiting."""
        raise NotImplementedError

    async def result(self, handle: Any) -> Any:
        """The result of a task, waited for in the fastest sensible way."""
        while not await self.ready(handle):
            await asyncio.sleep(POLL_SECONDS)

    async def results(self, handles: Sequence[Any]) -> None:
        """Wait for all these tasks."""
        for handle in handles:
            await self.result(handle)

    async def watch(self, number: int) -> Any:
        """Enqueue a task that notes `begun-<number>`, and `seen-<number>` when it sees that it is to stop."""
        raise NotImplementedError

    async def stop(self, handle: Any) -> None:
        """Ask a running task to stop."""
        raise NotImplementedError

    @property
    def stop_kills(self) -> bool:
        """Whether a stop kills the task's process, so that its code sees nothing."""
        return False

    @property
    def has_bulk(self) -> bool:
        """Whether there is an API for many."""
        return type(self).submit_many is not Driver.submit_many


def use_uvloop() -> None:
    """Have the event loop of a worker be uvloop, where the system does not see to that."""
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
