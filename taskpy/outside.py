"""The outside of a task, written once: what a handle's calls mean, as flows over its line.

A thread drives them in `handle.py`, a coroutine in `aio.py`.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from taskpy import errors, flow
from taskpy.deadline import Deadline
from taskpy.line import FULL, Line, Reported, Status
from taskpy.nudge import Nudge
from taskpy.spec import State


class OutsideFlows:
    """The calls of one handle, and its place in the outbox.

    `attached`: the handle came later, so it reads from the oldest message kept; the handle that made the task is told
    of every message it misses.
    """

    def __init__(self, line: Line, *, attached: bool) -> None:
        self.line = line
        self._reading = threading.Lock()
        self._messages: deque[Any] = deque()
        self._next: int | None = None if attached else 0

    def look(self) -> flow.Flow[Status]:
        """Where the task stands now."""
        return (yield from self.line.look())

    def wait(self, timeout: float | None) -> flow.Flow[Status]:
        """Wait for the end; how the task stands then, or when the time is over. `NotStarted` for a new task."""
        return (yield from self._until(lambda state: state.done, Deadline(timeout)))

    def wait_begun(self, timeout: float | None) -> flow.Flow[bool]:
        """Wait until the function has begun, or never will; False when the time is over before."""
        status = yield from self._until(lambda state: state is not State.QUEUED, Deadline(timeout))
        return status.state is not State.QUEUED

    def stop(self, join: bool, timeout: float | None, reason: str | None) -> flow.Flow[Status]:
        """Ask the task to stop; with `join` wait for the end. How the task stands by then."""
        deadline = Deadline(timeout)
        yield from self.line.stop(reason)
        return (yield from self._until(lambda state: state.done, deadline) if join else self.line.look())

    def send(self, data: Any, block: bool, timeout: float | None) -> flow.Flow[None]:
        """Put a message into the inbox; `TaskEnded` after the end, `Full` when there is no room in time."""
        deadline = Deadline(timeout if block else 0)
        nudge: Nudge | None = None
        seen = 0
        while (answer := (yield from self.line.offer(data))) is FULL:
            if deadline.over:
                raise errors.Full
            if nudge is None:
                if (yield from self.line.look()).state is State.NEW:
                    raise errors.Full("the inbox is full, and nobody takes from it before start()")
                nudge = yield from self.line.watch()
                seen = nudge.count
                continue  # room may have come before we began to watch
            yield from self._pause(nudge, seen, deadline)
            seen = nudge.count
        if isinstance(answer, State) and answer.done:
            raise errors.TaskEnded(answer)

    def recv(self, block: bool, timeout: float | None) -> flow.Flow[Any]:
        """Take the next message of the outbox.

        Raises `Empty` when none comes in time, `TaskEnded` after the last one, `NotStarted` for a new task,
        `MessagesMissed` once when messages were dropped before this handle read them.
        """
        deadline = Deadline(timeout if block else 0)
        nudge: Nudge | None = None
        seen = 0
        while True:
            with self._reading:
                if self._messages:
                    return self.line.opened(self._messages.popleft())
            state = yield from self._fetch()
            if self._messages:
                continue
            if state.done:
                raise errors.TaskEnded(state)
            if state is State.NEW:
                raise errors.NotStarted
            if deadline.over:
                raise errors.Empty
            if nudge is None:
                nudge = yield from self.line.watch()
                seen = nudge.count
                continue  # a message may have come before we began to watch
            yield from self._pause(nudge, seen, deadline)
            seen = nudge.count

    def reported(self, last: Reported | None, follow: bool) -> flow.Flow[Reported | None]:
        """The page of the log behind the `last` one, or the first; with `follow` waits for a line or another progress.

        None behind the end. Raises `NotStarted` where a new task would be waited for.
        """
        index, progress = (0, None) if last is None else (last.next, last.progress)
        nudge: Nudge | None = None
        seen = 0
        while True:
            page = yield from self.line.reported(index)
            if page.next > index or page.progress != progress:
                return page
            if page.state.done or not follow:
                return None
            if page.state is State.NEW:
                raise errors.NotStarted
            if nudge is None:
                nudge = yield from self.line.watch()
                seen = nudge.count
                continue  # something may have come before we began to watch
            yield from self._pause(nudge, seen, Deadline(None))
            seen = nudge.count

    def _fetch(self) -> flow.Flow[State]:
        index = self._next
        mail = yield from self.line.read(index or 0)
        with self._reading:
            if self._next != index:
                return State.RUNNING  # another thread of this process read with the same handle: look again
            self._messages.extend(mail.messages)
            self._next = mail.first + len(mail.messages)
        if index is not None and mail.first > index:
            raise errors.MessagesMissed(mail.first - index)
        return State.RUNNING if mail.messages else mail.state

    def _until(self, reached: Callable[[State], bool], deadline: Deadline) -> flow.Flow[Status]:
        status = yield from self.line.look()
        if status.state is State.NEW:
            raise errors.NotStarted
        if reached(status.state) or deadline.over:
            return status
        nudge = yield from self.line.watch()
        while True:
            seen = nudge.count
            status = yield from self.line.look()
            if reached(status.state) or deadline.over:
                return status
            yield from self._pause(nudge, seen, deadline)

    def _pause(self, nudge: Nudge, seen: int, deadline: Deadline) -> flow.Flow[None]:
        moved = yield flow.Wait(nudge, seen, deadline.left(self.line.recheck))
        if not moved and not deadline.over:
            yield from self.line.late()


def result_of(status: Status, timeout: float | None) -> Any:
    """What `get` returns of a task that stands so after `timeout`, or raises."""
    match status.state:
        case State.SUCCEEDED:
            return status.result()
        case State.STOPPED:
            raise errors.TaskStopped
        case State.FAILED:
            raise status.error or errors.RemoteError("unknown")
    raise errors.TaskTimeout(f"the task is {status.state} after {timeout:g} s; it goes on")
