"""Raising `Stopped` inside a running task from outside its thread: at its next bytecode, or where its coroutine waits.

Python delivers such an exception between any two steps. So taskpy's own calls are shielded from it, and so is everything
after the function's end: what comes then comes at the end of the shield, or not at all.
"""

import contextlib
import ctypes
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from taskpy import errors

if TYPE_CHECKING:
    import asyncio


class Interrupt(Protocol):
    """A running function that can be interrupted."""

    def strike(self) -> None:
        """Raise `Stopped` inside it, unless it is over; in any thread."""


class ThreadInterrupt:
    """The function of a thread: it runs within `with interrupt:`, and its calls of taskpy within `with interrupt.shield:`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thread: int | None = None  # while it may be interrupted
        self._over = False
        self._shielded = False
        self._due = False  # struck before it began, or while shielded

    @property
    def shield(self) -> "Shield":
        """The context in which nothing is raised from outside."""
        return Shield(self)  # made anew: kept here, the two would hold each other, one more piece of garbage a task

    def strike(self) -> None:
        """Raise `Stopped` at the thread's next bytecode; a call into C must return first."""
        with self._lock:
            if self._shielded or self._thread is None:
                self._due = not self._over
            else:
                thread, signal = ctypes.c_ulong(self._thread), ctypes.py_object(errors.Stopped)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, signal)

    @property
    def inside(self) -> bool:
        """Whether this is the thread that runs the function, and it has not ended."""
        return self._thread == threading.get_ident()

    def __enter__(self) -> None:
        with self._lock:
            if self._due:
                raise errors.Stopped
            self._thread = threading.get_ident()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let nothing be raised in this thread from here on; what was on its way is dropped."""
        while True:
            try:
                with self._lock:
                    self._thread, self._over = None, True
                _let_it_come()
            except errors.Stopped:  # it came too late: the function has ended
                continue
            return

    def begin_shield(self) -> None:
        """Hold back what is raised; what was on its way is raised here."""
        try:
            with self._lock:
                self._shielded = True
            _let_it_come()
        except errors.Stopped:
            self._shielded = False
            raise

    def end_shield(self) -> bool:
        """Hold nothing back any more; whether something was."""
        with self._lock:
            self._shielded = False
            due, self._due = self._due, False
        return due


class Shield:
    """The context in which nothing is raised from outside."""

    def __init__(self, interrupt: ThreadInterrupt) -> None:
        self._interrupt = interrupt

    def __enter__(self) -> None:
        self._interrupt.begin_shield()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._interrupt.end_shield() and not isinstance(error, errors.TaskSignal):
            raise errors.Stopped

    def here(self) -> bool:
        """Whether this is the thread that it shields."""
        return self._interrupt.inside

    @property
    def lifted(self) -> "_Lifted":
        """Within the shield: the context in which something may be raised all the same, for the user's code in it."""
        return _Lifted(self._interrupt)


class _Lifted:
    """A gap in a shield."""

    def __init__(self, interrupt: ThreadInterrupt) -> None:
        self._interrupt = interrupt

    def __enter__(self) -> None:
        if self._interrupt.end_shield():
            self._interrupt.begin_shield()
            raise errors.Stopped

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._interrupt.begin_shield()


class NoShield:
    """Where nothing is ever raised from outside."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def here(self) -> bool:
        """Yes: there is one thread."""
        return True

    @property
    def lifted(self) -> "NoShield":
        """The same."""
        return self


def _let_it_come() -> None:
    """Do nothing: at a call Python raises what another thread has asked for."""


class CoroutineInterrupt:
    """The coroutine of a task: cancelled where it waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._task: asyncio.Task[object] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = False  # struck before it began
        self.struck = False

    def enter(self) -> None:
        """Note which asyncio task runs the coroutine: this one. Raises `Stopped` when it was struck before."""
        import asyncio

        with self._lock:
            if self._due:
                raise errors.Stopped
            self._loop = asyncio.get_running_loop()
            self._task = asyncio.current_task()

    def strike(self) -> None:
        """Cancel the coroutine, which ends as stopped."""
        with self._lock:
            loop, self._due = self._loop, self._loop is None
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the coroutine has ended with it
                loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None and not self._task.done():
            self.struck = True
            self._task.cancel()
