"""taskiq, on a Redis list or, acknowledged, on a stream: the variant says which. Safe: a stream, claimed again after 3 s."""

from typing import Any

from taskiq import AsyncBroker
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend, RedisStreamBroker

from benchmarks import marks
from benchmarks.drivers.driver import POLL_SECONDS, SAFE, URL, VARIANT, Driver

IDLE_MILLISECONDS = 3000


def _broker() -> AsyncBroker:
    if VARIANT == "list":
        return ListQueueBroker(URL)
    if SAFE:
        return RedisStreamBroker(URL, idle_timeout=IDLE_MILLISECONDS, unacknowledged_lock_timeout=5)
    return RedisStreamBroker(URL)


broker = _broker().with_result_backend(RedisAsyncResultBackend(URL, result_ex_time=3600))


@broker.task
async def noop(value: int) -> int:
    """Return the argument."""
    marks.hit()
    return value


class TaskiqDriver(Driver):
    """The client's side."""

    async def open(self) -> None:
        """Connect."""
        await broker.startup()

    async def close(self) -> None:
        """Disconnect."""
        await broker.shutdown()

    async def submit(self, value: int) -> Any:
        """Kick one."""
        return await noop.kiq(value)

    async def ready(self, handle: Any) -> bool:
        """Look, without waiting."""
        return bool(await handle.is_ready())

    async def result(self, handle: Any) -> Any:
        """Poll, as it does, more often."""
        return await handle.wait_result(check_interval=POLL_SECONDS)


make_driver = TaskiqDriver
