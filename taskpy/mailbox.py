"""Inbox, outbox and the wishes of others, as the inside of a running task sees them.

`Mailbox` is the contract; `LocalMailbox` serves threads and, with its hooks, the child of a `ProcessTask`. The one that
lives in Redis is in `mailbox_redis.py`.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from taskpy import codec, flow, spec
from taskpy.desk import Desk, Listening, LocalDesk, Unheard
from taskpy.nudge import Nudge
from taskpy.reports import Reports

#: Who asked for a stop when it was the task.
ITSELF = "itself"


@dataclass(frozen=True, slots=True)
class Received:
    """One message, taken from an inbox."""

    data: Any


@dataclass(frozen=True, slots=True)
class Stored:
    """What a checkpoint stored, and the version of its form."""

    data: Any
    version: int


class Mailbox(Protocol):
    """The inside's end: what a running task takes, posts, stores and is asked to do.

    `nudge` is given whenever something here changes. `wish`: it was asked to stop; `draining`: its worker shuts down;
    `lost`: another worker owns the task, or it was ended by force. `called`: there is something at its `desk`. `resumable` is None for a task that has no checkpoint;
    else whether another worker could go on just where this one is, as nothing was taken since. `reports` takes its
    progress and its log.
    """

    nudge: Nudge
    wish: spec.Wish | None
    draining: bool
    lost: bool
    reports: Reports

    @property
    def resumable(self) -> bool | None: ...

    @property
    def called(self) -> bool: ...

    @property
    def desk(self) -> Desk: ...

    @property
    def full(self) -> bool:
        """Whether nobody can send to the task before it takes, or acknowledges, what it has been sent."""

    def take(self, inbox: str | None) -> flow.Flow[Received | None]:
        """The next message, of one inbox or of all; None when there is none, or none from before the stop."""

    def post(self, data: Any) -> flow.Flow[int]:
        """Append a message to the outbox; how many it has ever been given with this one."""

    def pour(self, data: Any) -> flow.Flow[None]:
        """Append a message to the outbox, at the latest with the next `post`, `checkpoint` or `flush`."""

    def flush(self) -> flow.Flow[None]:
        """Append all that was poured."""

    def restore(self) -> Stored | None:
        """What the last checkpoint stored. From here on, what is taken is acknowledged by checkpoints only."""

    def checkpoint(self, state: Any, version: int, messages: Sequence[Any]) -> flow.Flow[None]:
        """Store the state, acknowledge what was taken, and append messages to the outbox: all of it, or nothing."""

    def ask_stop(self, reason: str | None) -> flow.Flow[None]:
        """Ask this very task to stop."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message in an inbox: its number, the inbox it is for, and what was sent."""

    number: int
    inbox: str | None
    data: Any


class Inbox:
    """Messages on their way to a task: bounded, numbered from 1, in order. A stop closes it behind the last one."""

    def __init__(self, limit: int = spec.INBOX_LIMIT) -> None:
        self._limit = limit
        self._messages: deque[Message] = deque()
        self._lock = threading.Lock()
        self._count = 0
        self._last: int | None = None  # after a stop: the number of the last message that is still delivered

    def offer(self, data: Any, inbox: str | None = None) -> int | None:
        """Append a message; its number, or None when there is no room."""
        with self._lock:
            if len(self._messages) >= self._limit:
                return None
            self._count += 1
            self._messages.append(Message(self._count, inbox, data))
            return self._count

    def take(self, inbox: str | None = None) -> Message | None:
        """The next message, of one inbox or of all, if there is one to deliver."""
        with self._lock:
            for place, message in enumerate(self._messages):
                if self._last is not None and message.number > self._last:
                    return None
                if inbox in (None, message.inbox):
                    del self._messages[place]
                    return message
            return None

    @property
    def full(self) -> bool:
        """Whether there is no room for another message."""
        return len(self._messages) >= self._limit

    def stop(self) -> None:
        """Deliver what has been accepted so far, and nothing more."""
        with self._lock:
            if self._last is None:
                self._last = self._count


@dataclass(frozen=True, slots=True)
class Page:
    """What a reader of an outbox sees: `messages`, the first of them at the absolute index `first`.

    `sent` counts all that there have ever been.
    """

    first: int
    messages: list[Any]
    sent: int


class Outbox:
    """What a task has sent: the last messages, each under the number it was sent with. Never blocks the task."""

    def __init__(self, limit: int = spec.OUTBOX_LIMIT) -> None:
        self._messages: deque[Any] = deque(maxlen=limit)
        self._sent = 0
        self._lock = threading.Lock()

    def append(self, messages: Iterable[Any]) -> int:
        """Add messages, the oldest go when there are too many; how many there have ever been."""
        with self._lock:
            for message in messages:
                self._messages.append(message)
                self._sent += 1
            return self._sent

    def read(self, index: int) -> Page:
        """The messages from an absolute index on, as far as they are kept."""
        with self._lock:
            oldest = self._sent - len(self._messages)
            first = min(max(index, oldest), self._sent)
            messages = [self._messages[i] for i in range(first - oldest, len(self._messages))]
            return Page(first, messages, self._sent)


class LocalMailbox:
    """The inside's end in this process.

    `listening` hears what is said at the desk. `taken` is called with the number of each message taken, `posted` with the messages sent, which it counts, `ask` when
    the task asks itself to stop.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        taken: Callable[[int], None],
        posted: Callable[[Sequence[Any]], int],
        ask: Callable[[spec.Wish], None] | None = None,
        reports: Reports | None = None,
        listening: Listening | None = None,
        desk: type[LocalDesk] = LocalDesk,
    ) -> None:
        self.inbox = inbox
        self.nudge = Nudge()
        self.wish: spec.Wish | None = None
        self.draining = False
        self.lost = False
        self.reports = reports or Reports()
        self._taken = taken
        self._posted = posted
        self._ask = ask or self.stop
        self._state: Stored | None = None
        self.desk = desk(self.nudge, listening or Unheard())

    @property
    def called(self) -> bool:
        """Whether there is something at the desk for the task to attend to."""
        return bool(self.desk.questions) or (self.desk.pausing and self.wish is None)

    @property
    def resumable(self) -> bool | None:
        """None: nobody but this process can go on with it."""
        return None

    @property
    def full(self) -> bool:
        """Whether nobody can send to the task before it takes what it has been sent."""
        return self.inbox.full

    def deliver(self, data: Any, inbox: str | None = None) -> int | None:
        """Put a message in; its number, or None when the inbox is full."""
        number = self.inbox.offer(data, inbox)
        self.nudge.give()
        return number

    def stop(self, wish: spec.Wish) -> None:
        """Ask the task to stop, after the messages accepted so far. The first wish says why."""
        self.inbox.stop()
        self.wish = self.wish or wish
        self.nudge.give()

    def lose(self) -> None:
        """Note that the task was ended by force: what it still does counts no more."""
        self.lost = True
        self.nudge.give()

    def take(self, inbox: str | None) -> flow.Flow[Received | None]:
        """The next message, of one inbox or of all, if there is one to deliver."""
        message = self.inbox.take(inbox)
        if message is None:
            return flow.just(None)
        self._taken(message.number)
        return flow.just(Received(message.data))

    def post(self, data: Any) -> flow.Flow[int]:
        """Append a message to the outbox."""
        return flow.just(self._posted([data]))

    def pour(self, data: Any) -> flow.Flow[None]:
        """Append a message to the outbox."""
        self._posted([data])
        return flow.just(None)

    def flush(self) -> flow.Flow[None]:
        """Do nothing: what was poured is there."""
        return flow.just(None)

    def restore(self) -> Stored | None:
        """What the last checkpoint stored."""
        return self._state

    def checkpoint(self, state: Any, version: int, messages: Sequence[Any]) -> flow.Flow[None]:
        """Keep the state, as it would come back on a worker, and append messages to the outbox."""
        kept, _ = codec.load_state(codec.dump_state(state, version))
        self._posted(messages)
        self._state = Stored(kept, version)
        return flow.just(None)

    def ask_stop(self, reason: str | None) -> flow.Flow[None]:
        """Ask this very task to stop."""
        self._ask(spec.Wish(spec.StopReason(reason or "", ITSELF)))
        return flow.just(None)
