"""Inbox, outbox and the wishes of others, as the inside of a running task sees them.

`Mailbox` is the contract; `LocalMailbox` serves threads and, with its hooks, the child of a `ProcessTask`. The one that
lives in Redis is in `mailbox_redis.py`.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from taskpy import flow, spec
from taskpy.nudge import Nudge
from taskpy.reports import Reports


@dataclass(frozen=True, slots=True)
class Received:
    """One message, taken from an inbox."""

    data: Any


class Mailbox(Protocol):
    """The inside's end: what a running task takes, posts and is asked to do.

    `nudge` is given whenever something here changes. `stopping`: it was asked to stop; `draining`: its worker shuts
    down; `lost`: another worker owns the task. `reports` takes its progress and its log.
    """

    nudge: Nudge
    stopping: bool
    draining: bool
    lost: bool
    reports: Reports

    def take(self) -> flow.Flow[Received | None]:
        """The next message; None when there is none, or none of those accepted before the stop."""

    def post(self, data: Any) -> flow.Flow[None]:
        """Append a message to the outbox."""

    def ask_stop(self, reason: str | None) -> flow.Flow[None]:
        """Ask this very task to stop."""


class Inbox:
    """Messages on their way to a task: bounded, in order, and closed for good after the last one taken by a stop."""

    def __init__(self, limit: int = spec.INBOX_LIMIT) -> None:
        self._limit = limit
        self._messages: deque[Any] = deque()
        self._lock = threading.Lock()
        self._left: int | None = None  # after a stop: how many of the waiting messages are still delivered

    def offer(self, data: Any) -> bool:
        """Append a message; False when there is no room."""
        with self._lock:
            if len(self._messages) >= self._limit:
                return False
            self._messages.append(data)
            return True

    def take(self) -> Received | None:
        """The next message, if there is one to deliver."""
        with self._lock:
            if not self._messages or self._left == 0:
                return None
            if self._left is not None:
                self._left -= 1
            return Received(self._messages.popleft())

    def stop(self) -> None:
        """Deliver what has been accepted so far, and nothing more."""
        with self._lock:
            if self._left is None:
                self._left = len(self._messages)


@dataclass(frozen=True, slots=True)
class Page:
    """What a reader of an outbox sees: `messages`, the first of them at the absolute index `first`."""

    first: int
    messages: list[Any]


class Outbox:
    """What a task has sent: the last messages, each under the number it was sent with. Never blocks the task."""

    def __init__(self, limit: int = spec.OUTBOX_LIMIT) -> None:
        self._messages: deque[Any] = deque(maxlen=limit)
        self._sent = 0
        self._lock = threading.Lock()

    def append(self, data: Any) -> None:
        """Add a message; the oldest goes when there are too many."""
        with self._lock:
            self._messages.append(data)
            self._sent += 1

    def read(self, index: int) -> Page:
        """The messages from an absolute index on, as far as they are kept."""
        with self._lock:
            oldest = self._sent - len(self._messages)
            first = min(max(index, oldest), self._sent)
            return Page(first, [self._messages[i] for i in range(first - oldest, len(self._messages))])


class LocalMailbox:
    """The inside's end in this process: `taken` is called for each message taken, `posted` with each one sent."""

    def __init__(
        self,
        inbox: Inbox,
        *,
        taken: Callable[[], None],
        posted: Callable[[Any], None],
        reports: Reports | None = None,
    ) -> None:
        self.inbox = inbox
        self.nudge = Nudge()
        self.stopping = False
        self.draining = False
        self.lost = False
        self.reports = reports or Reports()
        self._taken = taken
        self._posted = posted

    def deliver(self, data: Any) -> bool:
        """Put a message in; False when the inbox is full."""
        accepted = self.inbox.offer(data)
        self.nudge.give()
        return accepted

    def stop(self) -> None:
        """Ask the task to stop, after the messages accepted so far."""
        self.inbox.stop()
        self.stopping = True
        self.nudge.give()

    def take(self) -> flow.Flow[Received | None]:
        """The next message, if there is one to deliver."""
        message = self.inbox.take()
        if message is not None:
            self._taken()
        return flow.just(message)

    def post(self, data: Any) -> flow.Flow[None]:
        """Append a message to the outbox."""
        self._posted(data)
        return flow.just(None)

    def ask_stop(self, reason: str | None) -> flow.Flow[None]:
        """Ask this very task to stop."""
        del reason  # known to whoever asked; a local task has no one else to tell
        self.stop()
        return flow.just(None)
