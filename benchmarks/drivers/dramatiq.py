"""dramatiq on Redis: claims many by a script, and acknowledges each. Stops come from dramatiq-abort."""

import time
from typing import Any

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend
from dramatiq_abort import Abort, Abortable, abort
from dramatiq_abort.backends import RedisBackend as AbortBackend

from benchmarks import marks
from benchmarks.drivers.driver import SAFE, URL, VARIANT, Driver

RESULT_MILLISECONDS = 60_000

# Safe: a worker is lost after 3 s, and every command looks for lost ones (of a million; the default is 1,000).
_safe = {"heartbeat_timeout": 3000, "maintenance_chance": 1_000_000} if SAFE else {}
broker = RedisBroker(url=URL, **_safe)
broker.add_middleware(Results(backend=RedisBackend(url=URL), store_results=True))
if VARIANT == "stop":  # it costs a thread that looks, so only then
    broker.add_middleware(Abortable(backend=AbortBackend(client=redis.Redis.from_url(URL))))
dramatiq.set_broker(broker)


@dramatiq.actor
def noop(value: int) -> int:
    """Return the argument."""
    marks.hit()
    return value


@dramatiq.actor(max_retries=0)
def watch(number: int) -> None:
    """Sleep in small steps: an exception that is raised from outside comes between two of them."""
    marks.note(f"begun-{number}")
    try:
        for _ in range(60_000):
            time.sleep(0.001)
    except Abort:
        marks.note(f"seen-{number}")
        raise


class DramatiqDriver(Driver):
    """The client's side."""

    async def submit(self, value: int) -> Any:
        """Send a message."""
        return noop.send(value)

    async def ready(self, handle: Any) -> bool:
        """Look, without blocking."""
        try:
            handle.get_result()
        except dramatiq.results.ResultMissing:
            return False
        return True

    async def result(self, handle: Any) -> Any:
        """Block."""
        return handle.get_result(block=True, timeout=RESULT_MILLISECONDS)

    async def watch(self, number: int) -> Any:
        """Send one that sleeps."""
        return watch.send(number)

    async def stop(self, handle: Any) -> None:
        """Abort it."""
        abort(handle.message_id)


make_driver = DramatiqDriver
