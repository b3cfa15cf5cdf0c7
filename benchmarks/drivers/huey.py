"""huey: redis-py, BRPOP, no acknowledgement. With `notify_result` a client waits by BLPOP instead of polling."""

from typing import Any

from huey import RedisHuey

from benchmarks import marks
from benchmarks.drivers.driver import URL, VARIANT, Driver

app = RedisHuey("bench", url=URL, notify_result=VARIANT == "notify")


@app.task()
def noop(value: int) -> int:
    """Return the argument."""
    marks.hit()
    return value


class HueyDriver(Driver):
    """The client's side."""

    async def submit(self, value: int) -> Any:
        """Call the task."""
        return noop(value)

    async def ready(self, handle: Any) -> bool:
        """Look, without blocking."""
        return handle.get(preserve=True) is not None

    async def result(self, handle: Any) -> Any:
        """Block."""
        return handle.get(blocking=True)


make_driver = HueyDriver
