"""Two threads for one duty: one has it, the other is in reserve, and takes it over where the first is held up.

So whoever has the duty may run a task in its own thread, which spares waking another: a fifth of the time from a submission
to its result. Mostly the task is over in a moment; where it is not, the reserve goes on with the duty.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

#: Who is held up for so many seconds is relieved. The reserve looks so often, so it may be twice as long.
PATIENCE_SECONDS = 0.002
#: When nobody has stepped aside for so many seconds the reserve sleeps until somebody does.
REST_SECONDS = 0.02


class Relay:
    """Has `turn` called again and again, by one at a time of the two threads that `serve`, until `closing` is set."""

    def __init__(self, turn: Callable[[], object], closing: threading.Event) -> None:
        self._turn = turn
        self._closing = closing
        self._changed = threading.Condition(threading.Lock())
        self._on_duty: int | None = None  # the thread that has the duty
        self._aside = 0.0  # since when (monotonic) that one does something else; 0: it does not
        self._last = 0.0  # when that began last
        self._reserve: threading.Lock | None = None  # wakes the other thread, where that is in reserve
        self._asleep = False
        self._here: set[int] = set()  # the threads that serve, and are not aside

    def is_covered(self) -> bool:
        """Whether the other thread could go on with the duty."""
        return self._reserve is not None

    def serve(self) -> None:
        """Be one of the two threads, until the end."""
        woken = threading.Lock()
        woken.acquire()
        self._here.add(threading.get_ident())
        while not self._closing.is_set():
            if self._has_it(woken):
                self._turn()
            else:
                woken.acquire(timeout=-1 if self._asleep else PATIENCE_SECONDS)
        with self._changed:
            self._here.discard(threading.get_ident())
            self._changed.notify_all()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Do in here, within a turn, what may take long: the other thread goes on with the duty then."""
        with self._changed:
            self._aside = self._last = time.monotonic()
            self._wake_reserve()
            self._here.discard(threading.get_ident())
            if self._closing.is_set():
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._here.add(threading.get_ident())
                if self._on_duty == threading.get_ident():
                    self._aside = 0.0

    def close(self, seconds: float) -> None:
        """Wait at most so long until both threads have ended, or are aside. For when `closing` is set."""
        with self._changed:
            self._wake_reserve()
            self._changed.wait_for(lambda: not self._here, seconds)

    def _has_it(self, woken: threading.Lock) -> bool:
        """Whether this thread has the duty, or takes it over; else it is in reserve from now on."""
        me, now = threading.get_ident(), time.monotonic()
        with self._changed:
            if self._on_duty in {me, None} or (self._aside and now - self._aside >= PATIENCE_SECONDS):
                if self._on_duty != me:
                    self._on_duty, self._aside, self._reserve = me, 0.0, None
                return True
            self._reserve = woken
            self._asleep = not (self._closing.is_set() or self._aside or now - self._last < REST_SECONDS)
        return False

    def _wake_reserve(self) -> None:
        if self._asleep and self._reserve is not None:
            self._asleep = False
            self._reserve.release()
