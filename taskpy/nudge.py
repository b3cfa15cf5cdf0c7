"""Waking whoever waits, in a thread or on an event loop. Carries no data: who is woken looks again for himself."""

import asyncio
import threading
from collections.abc import Callable


class Nudge:
    """A count that only grows, and a way to wait until it has grown.

    Read `count`, look at what you wait for, then `wait(seen)`: a nudge given in between is not missed.
    """

    __slots__ = ("_condition", "_count", "_wakers")

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0
        self._wakers: set[Callable[[], None]] = set()

    @property
    def count(self) -> int:
        """How often a nudge was given."""
        return self._count

    def give(self) -> None:
        """Wake all who wait, in threads and on event loops."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()
            wakers, self._wakers = self._wakers, set()
        for wake in wakers:
            wake()

    def wait(self, seen: int, seconds: float | None = None) -> bool:
        """Wait until the count is no longer `seen`, at most so many seconds; False when time ran out."""
        with self._condition:
            return self._condition.wait_for(lambda: self._count != seen, seconds)

    async def wait_async(self, seen: int, seconds: float | None = None) -> bool:
        """The twin of `wait` for a coroutine: the event loop goes on."""
        loop = asyncio.get_running_loop()
        given: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            # A loop that was closed meanwhile has nobody left to wake.
            if not loop.is_closed():
                loop.call_soon_threadsafe(_give, given)

        with self._condition:
            if self._count != seen:
                return True
            self._wakers.add(wake)
        try:
            await asyncio.wait_for(given, seconds)
        except TimeoutError:
            return False
        finally:
            with self._condition:
                self._wakers.discard(wake)
        return True


def _give(given: asyncio.Future[None]) -> None:
    if not given.done():
        given.set_result(None)
