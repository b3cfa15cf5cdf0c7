"""Celery on Redis. Fast: acknowledged when claimed, four prefetched for each slot. Safe: acknowledged late."""

import time
from typing import Any

from celery import Celery

from benchmarks import marks
from benchmarks.drivers.driver import SAFE, URL, Driver

app = Celery("bench", broker=URL, backend=URL)
app.conf.update(broker_connection_retry_on_startup=True, worker_prefetch_multiplier=1 if SAFE else 4)
if SAFE:
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # The first is the time after which a lost task comes back, the others how often that is looked for.
        broker_transport_options={
            "visibility_timeout": 5,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
        },
    )


@app.task
def noop(value: int) -> int:
    """Return the argument."""
    marks.hit()
    return value


@app.task
def watch(number: int) -> None:
    """Sleep; a stop kills the process."""
    marks.note(f"begun-{number}")
    time.sleep(60)


class CeleryDriver(Driver):
    """The client's side."""

    async def submit(self, value: int) -> Any:
        """Delay a task."""
        return noop.delay(value)

    async def ready(self, handle: Any) -> bool:
        """Look, without blocking."""
        return bool(handle.ready())

    async def result(self, handle: Any) -> Any:
        """Wait by pub/sub."""
        return handle.get()

    async def watch(self, number: int) -> Any:
        """Delay one that sleeps."""
        return watch.delay(number)

    async def stop(self, handle: Any) -> None:
        """Revoke it."""
        handle.revoke(terminate=True, signal="SIGTERM")

    @property
    def stop_kills(self) -> bool:
        """A stop is a signal to the child process."""
        return True


make_driver = CeleryDriver
