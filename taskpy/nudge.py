"""Waking whoever waits, in a thread or on an event loop. Who is woken looks again for himself.

A nudge is no data. What was `said` with the last one may spare the looking, where it says enough.
"""

import asyncio
import functools
import threading
from collections.abc import Callable, Hashable

#: Threads cannot wait for much longer at once: three centuries would be an OverflowError.
_LONGEST_SECONDS = 1e9


class Nudge:
    """A count that only grows, and a way to wait until it has grown.

    Read `count`, look at what you wait for, then `wait(seen)`: a nudge given in between is not missed.
    """

    __slots__ = ("_count", "_followers", "_lock", "_wakers", "said")

    def __init__(self) -> None:
        # A lock and no condition: each running task has a few of these, and most are never waited for.
        self._lock = threading.RLock()  # what is collected as garbage meanwhile may give a nudge
        self._count = 0
        self.said = b""
        self._wakers: set[Callable[[], object]] = set()
        self._followers: set[Callable[[], None]] = set()

    @property
    def count(self) -> int:
        """How often a nudge was given."""
        return self._count

    def give(self) -> None:
        """Wake all who wait, in threads and on event loops."""
        with self._lock:
            self._count += 1
            if not (self._wakers or self._followers):
                return
            wakers, self._wakers = self._wakers, set()
            followers = list(self._followers)
        for wake in wakers:
            wake()
        for tell in followers:
            tell()

    def follow(self, tell: Callable[[], None]) -> None:
        """Call `tell` at each nudge from now on, in the thread that gives it."""
        with self._lock:
            self._followers.add(tell)

    def unfollow(self, tell: Callable[[], None]) -> None:
        """Call it no more."""
        with self._lock:
            self._followers.discard(tell)

    def wait(self, seen: int, seconds: float | None = None) -> bool:
        """Wait until the count is no longer `seen`, at most so many seconds; False when time ran out."""
        given = threading.Lock()
        given.acquire()
        wake = given.release
        with self._lock:
            if self._count != seen:
                return True
            self._wakers.add(wake)
        if given.acquire(timeout=-1 if seconds is None else min(max(seconds, 0.0), _LONGEST_SECONDS)):
            return True
        with self._lock:
            self._wakers.discard(wake)
            return self._count != seen

    async def wait_async(self, seen: int, seconds: float | None = None) -> bool:
        """The twin of `wait` for a coroutine: the event loop goes on."""
        loop = asyncio.get_running_loop()
        given: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            # A loop that was closed meanwhile has nobody left to wake.
            if not loop.is_closed():
                loop.call_soon_threadsafe(_give, given)

        with self._lock:
            if self._count != seen:
                return True
            self._wakers.add(wake)
        try:
            async with asyncio.timeout(seconds):  # the wait_for of Python 3.11 may swallow a cancellation
                await given
        except TimeoutError:
            return False
        finally:
            with self._lock:
                self._wakers.discard(wake)
        return True


class Gathered(Nudge):
    """One nudge for many: given when one of those is that it gathers, and it remembers which."""

    __slots__ = ("_sources", "_spoke")

    def __init__(self) -> None:
        super().__init__()
        self._sources: list[tuple[Nudge, Callable[[], None]]] = []
        self._spoke: dict[Hashable, None] = {}

    def gather(self, nudge: Nudge, name: Hashable) -> None:
        """Be given whenever `nudge` is, and remember this name of it."""
        tell = functools.partial(self._hear, name)
        self._sources.append((nudge, tell))
        nudge.follow(tell)

    def take(self) -> list[Hashable]:
        """The names of those that spoke since this was last asked, in the order in which they spoke last."""
        with self._lock:
            spoke, self._spoke = self._spoke, {}
        return list(spoke)

    def leave(self) -> None:
        """Gather no more."""
        sources, self._sources = self._sources, []
        for nudge, tell in sources:
            nudge.unfollow(tell)

    def _hear(self, name: Hashable) -> None:
        with self._lock:
            self._spoke.pop(name, None)  # so that the last to speak stands last
            self._spoke[name] = None
        self.give()


def _give(given: asyncio.Future[None]) -> None:
    if not given.done():
        given.set_result(None)
