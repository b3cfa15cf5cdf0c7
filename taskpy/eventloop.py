"""One event loop in a thread of its own, for the `async def` tasks of this process. It starts with the first of them."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from taskpy import call
from taskpy.spec import Outcome

logger = logging.getLogger("taskpy.task")

T = TypeVar("T")

#: How long coroutines may take to end when their loop is closed, in seconds.
CLOSE_SECONDS = 1.0


class EventLoop:
    """An asyncio loop in a daemon thread."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = threading.Event()
        self._pid = 0
        self._thread: threading.Thread | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, T], done: Callable[["asyncio.Task[T]"], None]) -> None:
        """Run the coroutine on the loop; `done` is called with its asyncio task at the end, on the loop's thread."""
        self.call(lambda: self.begin(coroutine, done))

    def call(self, function: Callable[[], object]) -> None:
        """Call this on the loop's thread, soon; where that is this thread, at once."""
        loop = self._running()
        if self._thread is threading.current_thread():
            function()
        else:
            loop.call_soon_threadsafe(function)

    def begin(self, coroutine: Coroutine[Any, Any, T], done: Callable[["asyncio.Task[T]"], None]) -> None:
        """As `spawn`, from the loop's own thread."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)  # the loop itself would let it be collected as garbage
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(done)

    def pending(self) -> "set[asyncio.Task[Any]]":
        """What runs on the loop now."""
        loop = self._loop
        return set() if loop is None else asyncio.all_tasks(loop)

    def close(self) -> None:
        """Cancel what runs on the loop, then end it and its thread. The next coroutine gets a new one."""
        with self._lock:
            loop, self._loop = self._loop, None
            closing, self._closing = self._closing, threading.Event()
        if loop is None or loop.is_closed() or self._pid != os.getpid():
            return
        try:
            asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result(CLOSE_SECONDS)
        except TimeoutError:
            logger.warning("a coroutine does not end though it was cancelled; its event loop ends without it")
        closing.set()
        loop.call_soon_threadsafe(loop.stop)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            # A forked child inherits the loop but not the thread that runs it.
            if self._loop is None or self._loop.is_closed() or self._pid != os.getpid():
                self._loop = _new_loop()
                self._pid = os.getpid()
                arguments = (self._loop, self._closing)
                self._thread = threading.Thread(target=_run, args=arguments, name=self._name, daemon=True)
                self._thread.start()
            return self._loop


def outcome_in(task: "asyncio.Task[Outcome]") -> Outcome:
    """What came of a task's coroutine; one that was cancelled before its first step had no chance to say it."""
    return call.outcome_of(asyncio.CancelledError()) if task.cancelled() else task.result()


def _new_loop() -> asyncio.AbstractEventLoop:
    """A loop of uvloop where that is installed, which is faster; else the standard library's."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _run(loop: asyncio.AbstractEventLoop, closing: threading.Event) -> None:
    # One coroutine must not end the loop of all others, by its `stop` or by SystemExit in a sub-task of its own.
    while not (closing.is_set() or loop.is_closed()):
        try:
            loop.run_forever()
        except BaseException as error:
            logger.warning("a sub-task would have ended the event loop: error=%r", error)
    loop.close()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


#: The loop of the local `async def` tasks of this process.
local = EventLoop("taskpy-loop")
