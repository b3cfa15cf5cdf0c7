"""Reading an outbox: one reader's place in it, and what is fetched and not handed out yet.

The calls are flows over a line, as in `outside.py`.
"""

import threading
from collections import deque
from typing import Any, Literal

from taskpy import errors, flow
from taskpy.deadline import Deadline
from taskpy.line import NOWHERE, Line
from taskpy.nudge import Nudge
from taskpy.spec import MISSING, State

#: Where a reader begins: behind so many messages; at the oldest one kept (None); or behind all that there are.
Place = int | Literal["now"] | None


class Reader:
    """One place in the outbox of a task. Several threads may share it: each message goes to one of them.

    A reader that begins at a number is told of every message it misses, by `MessagesMissed`, once.
    """

    def __init__(self, line: Line, after: Place) -> None:
        if not (after is None or after == "now" or (type(after) is int and after >= 0)):
            raise errors.BadArguments(f"after must be a number of messages, 'now' or None, not {after!r}")
        self._line = line
        self._lock = threading.Lock()
        self._messages: deque[Any] = deque()
        self._fetched = after if isinstance(after, int) else None
        self._from_now = after == "now"
        self.position = self._fetched or 0  # how many messages of the task lie behind this reader

    def recv(self, block: bool, timeout: float | None) -> flow.Flow[Any]:
        """Take the next message.

        Raises `Empty` when none comes in time, `TaskEnded` after the last one, `NotStarted` for a new task.
        """
        deadline = Deadline(timeout if block else 0)
        nudge: Nudge | None = None
        seen = 0
        while True:
            if (message := self.at_hand()) is not MISSING:
                return message
            state = yield from self._fetch()
            if state is None or self._messages:
                continue  # there is something, or another thread of this process was faster
            if state.done:
                raise errors.TaskEnded(state)
            if state is State.NEW:
                raise errors.NotStarted
            if deadline.over:
                raise errors.Empty
            if nudge is None:
                nudge = yield from self._line.watch()
                seen = nudge.count
                continue  # a message may have come before we began to watch
            yield from flow.pause(self._line, nudge, seen, deadline)
            seen = nudge.count

    def at_hand(self) -> Any:
        """The next message, where it was fetched already; else `MISSING`. Needs nobody to drive it."""
        with self._lock:
            if not self._messages:
                return MISSING
            message = self._messages.popleft()
            self.position += 1
        return self._line.opened(message)

    def settle(self) -> flow.Flow[None]:
        """Find the place to begin at now, not at the first message: what is sent from here on is not missed."""
        if self._from_now:
            mail = yield from self._line.read(NOWHERE)
            self._fetched = self.position = mail.sent
            self._from_now = False

    def _fetch(self) -> flow.Flow[State | None]:
        yield from self.settle()
        index = self._fetched
        mail = yield from self._line.read(index or 0)
        with self._lock:
            if self._fetched != index:
                return None
            self._messages.extend(mail.messages)
            self._fetched = mail.first + len(mail.messages)
            self.position = self._fetched - len(self._messages)
        if index is not None and mail.first > index:
            raise errors.MessagesMissed(mail.first - index)
        return State.RUNNING if mail.messages else mail.state
