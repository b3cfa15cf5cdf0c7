"""Where the function of a running task stands: the line of the user's code that it does not get beyond."""

import linecache
import os
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import taskpy_worker

import taskpy
from taskpy.eventloop import EventLoop

#: Code in these folders is not the user's: ours, the standard library, what was installed.
_FOREIGN = tuple(
    f"{folder}{os.sep}"
    for folder in (
        Path(taskpy.__file__).parent,
        Path(taskpy_worker.__file__).parent,
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("purelib"),
    )
)


def where(id: str, loop: EventLoop) -> str:
    """The place, for a message: `in crawl, myapp.py line 12: page = t.recv()`."""
    frames = [*_frames_of_thread(id), *_frames_of_coroutine(id, loop)]
    if not frames:
        return "out of sight"
    own = (frame for frame in frames if not frame.f_code.co_filename.startswith(_FOREIGN))
    code, line = (frame := next(own, frames[0])).f_code, frame.f_lineno
    text = linecache.getline(code.co_filename, line).strip()
    return f"in {code.co_name}, {Path(code.co_filename).name} line {line}: {text}"


def begin_with_own(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback from the user's code on, where there is any: what called that was the worker, which is no news."""
    own = traceback
    while own is not None and own.tb_frame.f_code.co_filename.startswith(_FOREIGN):
        own = own.tb_next
    return own or traceback


def _frames_of_thread(id: str) -> Iterator[FrameType]:
    """The frames of the thread that runs the task, innermost first."""
    idents = [thread.ident for thread in threading.enumerate() if thread.name == f"taskpy-{id}"]
    frame = sys._current_frames().get(idents[0] or 0) if idents else None  # noqa: SLF001 - documented, for this
    while frame is not None:
        yield frame
        frame = frame.f_back


def _frames_of_coroutine(id: str, loop: EventLoop) -> list[FrameType]:
    """The frames of the coroutine that runs the task, innermost first."""
    for task in loop.pending():
        frames = list(_awaited(task.get_coro()))
        if frames and getattr(frames[0].f_locals.get("task"), "id", None) == id:
            return frames[::-1]
    return []


def _awaited(coroutine: Any) -> Iterator[FrameType]:
    """The frames of a suspended coroutine, and of what it waits for."""
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield frame
        coroutine = coroutine.cr_await
