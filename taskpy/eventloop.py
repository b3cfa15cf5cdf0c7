"""One event loop in a thread of its own, for the `async def` tasks of this process. It starts with the first of them."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
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

    def spawn(self, coroutine: Coroutine[Any, Any, T], done: Callable[[Future[T]], None]) -> None:
        """Run the coroutine on the loop; `done` is called with its future at the end, on the loop's thread."""
        asyncio.run_coroutine_threadsafe(coroutine, self._running()).add_done_callback(done)

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
                self._loop = asyncio.new_event_loop()
                self._pid = os.getpid()
                arguments = (self._loop, self._closing)
                threading.Thread(target=_run, args=arguments, name=self._name, daemon=True).start()
            return self._loop


def outcome_in(future: Future[Outcome]) -> Outcome:
    """What came of a task's coroutine; one that was cancelled before its first step had no chance to say it."""
    return call.outcome_of(asyncio.CancelledError()) if future.cancelled() else future.result()


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
