"""Waiting for many tasks in a coroutine: the asyncio twin of `waiting`, which has the logic."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, TypeVar

from taskpy import flow
from taskpy.handle import LocalHandle
from taskpy.remote_aio import RemoteTask
from taskpy.status import Status
from taskpy.waiting import Waited, Waiting, checked

H = TypeVar("H", bound=RemoteTask[Any] | LocalHandle[Any])


async def wait(handles: Iterable[H], timeout: float | None = None, *, first: bool = False) -> Waited[H]:
    """Wait until all these tasks have ended, or with `first` until one has, at most `timeout` seconds.

    Takes the tasks of any clients of `taskpy.aio`, and `Task` and `ProcessTask`; all else is as for `taskpy.wait`. What
    was learnt of a task is in its properties then: they need no `refresh()`.
    """
    waiting: Waiting[H] = Waiting(checked(handles, RemoteTask, LocalHandle), timeout, _note)
    with waiting.performing(flow.wait_here_async) as perform:
        await flow.drive_async(waiting.until(first=first), perform)
    return waiting.waited()


def as_completed(handles: Iterable[H], timeout: float | None = None) -> AsyncIterator[H]:
    """The handles of these tasks, one by one, as the tasks end: for `async for`; all else as `taskpy.as_completed`."""
    return _ends(Waiting(checked(handles, RemoteTask, LocalHandle), timeout, _note))


async def _ends(waiting: Waiting[H]) -> AsyncIterator[H]:
    with waiting.performing(flow.wait_here_async) as perform:
        while waiting.pending:
            for handle in await flow.drive_async(waiting.next(), perform):
                yield handle


def _note(handle: Any, status: Status) -> None:
    if isinstance(handle, RemoteTask):
        handle._note(status)  # noqa: SLF001 - our own
