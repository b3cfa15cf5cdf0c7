"""Hooks of a worker: what is done in each of its processes at the start and at the end, and around each task.

@on.start
def connect(): ...                  # once in each child process, before it takes tasks

@on.task
def timed(t):                       # around each task; `t` is the task, as its function sees it
    began = time.monotonic()
    yield                           # here the function runs; what it raises is raised here
    print(t.id, time.monotonic() - began)

@on.stop
def disconnect(): ...               # once, after the last task
"""

import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

Plain = TypeVar("Plain", bound=Callable[[], object])
Around = TypeVar("Around", bound=Callable[[Any], Generator[None, None, None]])

_starts: list[Callable[[], object]] = []
_stops: list[Callable[[], object]] = []
_arounds: list[Callable[[Any], contextlib.AbstractContextManager[None]]] = []


def start(hook: Plain) -> Plain:
    """Call this in each child process of a worker, before it takes tasks. What it raises ends the worker."""
    _starts.append(hook)
    return hook


def stop(hook: Plain) -> Plain:
    """Call this in each child process of a worker, after its last task. What it raises is logged."""
    _stops.append(hook)
    return hook


def task(hook: Around) -> Around:
    """Run this generator around each task on a worker: to its `yield` before, from there after.

    The first hook is the outermost. What a hook raises is the task's failure; what the function raises is raised at
    the `yield`, in plain functions as in coroutines.
    """
    _arounds.append(contextlib.contextmanager(hook))
    return hook


def starting() -> None:
    """Call the start hooks, in their order."""
    for hook in _starts:
        hook()


def stops() -> Iterator[Callable[[], object]]:
    """The stop hooks, the last one first."""
    return reversed(_stops)


_nothing = contextlib.nullcontext()


def around(task: Any) -> contextlib.AbstractContextManager[None]:
    """Run the task hooks around what is done inside."""
    return _around(task) if _arounds else _nothing


@contextlib.contextmanager
def _around(task: Any) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for hook in _arounds:
            stack.enter_context(hook(task))
        yield
