"""taskpy, by its public interface."""

from collections.abc import Sequence
from typing import Any

import taskpy
from benchmarks.drivers import taskpy_tasks
from benchmarks.drivers.driver import URL, VARIANT, Driver

NAMESPACE = "bench"


class TaskpyDriver(Driver):
    """The threaded client; the variant "async" has tasks that run on the worker's event loop."""

    def __init__(self) -> None:
        self._client = taskpy.Client(URL, namespace=NAMESPACE)
        self._noop: Any = taskpy_tasks.noop_async if VARIANT == "async" else taskpy_tasks.noop

    async def close(self) -> None:
        """Disconnect."""
        self._client.close()

    async def submit(self, value: int) -> Any:
        """Submit one."""
        return self._client.submit(self._noop, value)

    async def submit_many(self, values: Sequence[int]) -> list[Any]:
        """Submit many in few round trips."""
        return self._client.submit_many(self._noop, [((value,), {}) for value in values])

    async def ready(self, handle: Any) -> bool:
        """Look at the state."""
        return bool(handle.done)

    async def result(self, handle: Any) -> Any:
        """Wait by pub/sub."""
        return handle.get()

    async def results(self, handles: Sequence[Any]) -> None:
        """Wait for all at once, then take what each has returned."""
        for handle in taskpy.as_completed(handles):
            handle.get()

    async def watch(self, number: int) -> Any:
        """Submit one that sleeps."""
        return self._client.submit(taskpy_tasks.watch, number)

    async def stop(self, handle: Any) -> None:
        """Ask, without waiting for the end."""
        handle.stop(join=False)


make_driver = TaskpyDriver
