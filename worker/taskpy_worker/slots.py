"""The slots of a worker process: at most so many functions at once, plain ones in threads, coroutines on the event loop.

What is put here begins in its order. Threads are used again, and are woken one by one: the one that is woken wakes the
next, before it runs what it has taken. So a batch of tasks that do next to nothing is mostly run by one thread, without a
hand-over for each, and a long task holds up nothing that a free slot could begin.
"""

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

#: What a thread is called between two tasks; in a task by the task's id.
IDLE_NAME = "taskpy-slot"


class Work(Protocol):
    """A function that is ready to run. `on_loop`: it is a coroutine."""

    id: str

    @property
    def on_loop(self) -> bool: ...

    def run(self) -> None:
        """Run the function to its end, in this thread."""


W = TypeVar("W", bound=Work)


class Slots(Generic[W]):
    """Who runs now, and what waits for a slot; `begin_on_loop` begins coroutines, which then `leave`, in any thread."""

    def __init__(self, size: int, begin_on_loop: Callable[[list[W]], None]) -> None:
        self._size = size
        self._begin_on_loop = begin_on_loop
        self._lock = threading.Lock()
        self._waiting: deque[W] = deque()
        self._busy: set[W | None] = set()
        self._idle: list[threading.Lock] = []  # each wakes a thread; the last to fall asleep is woken first
        self._waking = False  # a thread was woken and has not looked yet
        self._closed = False
        self._moved = time.monotonic()  # when a slot became free last, or something began to wait
        self.left = 0  # how many have ever left their slot

    @property
    def waiting(self) -> int:
        """How many wait for a slot."""
        return len(self._waiting)

    @property
    def load(self) -> int:
        """How many wait for a slot or have one."""
        return len(self._waiting) + len(self._busy)

    @property
    def stuck_for(self) -> float:
        """For how long what waits here has waited in vain, in seconds: no slot has become free, or was."""
        with self._lock:
            full = bool(self._waiting) and len(self._busy) >= self._size
            return time.monotonic() - self._moved if full else 0.0

    def put(self, works: Sequence[W], *, here: bool = False) -> W | None:
        """Begin these, in their order, as slots are free.

        `here`: a plain function that comes alone, while nothing else runs or waits, is given its slot and returned: this
        thread is to `run` it.
        """
        with self._lock:
            if self._closed:
                return None
            if here and len(works) == 1 and not (works[0].on_loop or self._waiting or self._busy):
                self._busy.add(works[0])
                return works[0]
            if not self._waiting:
                self._moved = time.monotonic()
            self._waiting.extend(works)
        self._spread()
        return None

    def run(self, work: W) -> None:
        """Run in this thread what `put` has returned, unless these were closed meanwhile."""
        name = threading.current_thread().name
        try:
            if not self._closed:
                _run(work)
        finally:
            threading.current_thread().name = name
            self.leave(work)

    def leave(self, work: W) -> None:
        """Free the slot of this one; again does nothing."""
        with self._lock:
            freed = self._free(work)
        if freed:
            self._spread()

    def take_back(self) -> list[W]:
        """What has not begun, and will not any more."""
        with self._lock:
            waiting, self._waiting = list(self._waiting), deque()
        return waiting

    def close(self) -> None:
        """Begin nothing more, and let the threads end: those that run a function, with it."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
            idle, self._idle = self._idle, []
        for wake in idle:
            wake.release()

    def _spread(self) -> None:
        """Begin the coroutines that are next, and wake a thread for the plain function behind them."""
        on_loop: list[W] = []
        wake: threading.Lock | None = None
        with self._lock:
            while self._may_begin() and self._waiting[0].on_loop:
                on_loop.append(self._begin_next())
            wakes = self._may_begin() and not self._waking
            if wakes:
                self._waking = True
                wake = self._idle.pop() if self._idle else None
        if on_loop:
            self._begin_on_loop(on_loop)
        if wake is not None:
            wake.release()
        elif wakes:
            self._start_thread()

    def _may_begin(self) -> bool:
        return bool(self._waiting) and len(self._busy) < self._size

    def _begin_next(self) -> W:
        work = self._waiting.popleft()
        self._busy.add(work)
        return work

    def _start_thread(self) -> None:
        try:
            threading.Thread(target=self._serve, name=IDLE_NAME, daemon=True).start()
        except RuntimeError:  # no thread to be had: the threads there are go on, and the next one to leave tries again
            self._waking = False

    def _serve(self) -> None:
        woken = threading.Lock()
        woken.acquire()
        work: W | None = None
        while not self._closed:
            work = self._next(work, woken)
            if work is not None and not self._closed:
                self._spread()
                _run(work)
                threading.current_thread().name = IDLE_NAME
            elif not self._closed:
                woken.acquire()

    def _next(self, done: W | None, woken: threading.Lock) -> W | None:
        """Free the slot of what this thread has done, and take the next plain function.

        Without one the thread may be woken from now on. In one step: it never looks idle, nor like one too many.
        """
        on_loop: list[W] = []
        work: W | None = None
        with self._lock:
            self._waking = self._waking and done is not None  # it was this thread that was woken
            self._free(done)
            while work is None and self._may_begin():
                work = self._begin_next()
                if work.on_loop:
                    on_loop.append(work)
                    work = None
            if work is None and not self._closed:
                self._idle.append(woken)
        if on_loop:
            self._begin_on_loop(on_loop)
        return work

    def _free(self, work: W | None) -> bool:
        if work not in self._busy:
            return False
        self._busy.discard(work)
        self._moved = time.monotonic()
        self.left += 1
        return True


def _run(work: Work) -> None:
    threading.current_thread().name = f"taskpy-{work.id}"
    contextvars.Context().run(work.run)  # what a task sets is not there for the next one
