"""What a task on a worker takes and sends: its inbox and outbox are lists in Redis, what is said there is fenced by its token.

The inbox is read at a cursor and removed only when it is acknowledged: by a checkpoint, together with its state; or, for
a task without checkpoints, by and by. So a task that is started again after its worker was lost sees what was not
acknowledged once more, in order: exactly what came after its checkpoint, or at most the last `WINDOW` and `STEP`.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from taskpy import codec, errors, flow, ops
from taskpy.answers import Started
from taskpy.keys import Keys
from taskpy.mailbox import Received, Stored
from taskpy.taken import Taken

#: How many delivered messages stay in the inbox, for the next attempt to see again. Far below half of its limit.
WINDOW = 100
#: How many more are delivered before the ones past the window are acknowledged, in one step.
STEP = 50
#: How many messages are read at once.
BATCH = 100
#: How many messages, and how many bytes, gather until a task that pours waits for Redis.
POURED_LIMIT = 500
POURED_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """A message that was read, under its number: what it carries, or why it cannot be read."""

    number: int
    inbox: str | None
    data: Any = None
    fault: errors.WireError | None = None

    @classmethod
    def of(cls, number: int, body: bytes) -> "Fetched":
        """Read the message; one that cannot be read is for whoever takes from all inboxes."""
        try:
            message = codec.load_message(body)
        except errors.WireError as fault:
            return cls(number, None, fault=fault)
        return cls(number, message.inbox, message.data)


class Known(Protocol):
    """What a mailbox knows of what others have sent: messages ever, the last one to deliver, and what came along.

    `settled` is the number of the question that a checkpoint of now is done with; 0: none.
    """

    received: int
    brought: dict[int, bytes]

    @property
    def last(self) -> int: ...

    @property
    def settled(self) -> int: ...

    def lose(self) -> None:
        """Note that another worker owns the task now."""


class RedisTraffic:
    """The messages and the checkpoints of one attempt."""

    def __init__(
        self,
        keys: Keys,
        started: Started,
        mailbox: Known,
        later: Callable[[Callable[[], flow.Flow[None]]], object] | None,
    ) -> None:
        """`later` drives a flow in another thread; without it, what is poured is posted."""
        self._keys = keys
        self._id = started.id
        self._token = started.token
        self._mailbox = mailbox
        self._later = later
        self._poured: deque[bytes] = deque()  # and not in the outbox yet
        self._poured_bytes = 0
        self._pouring = False  # whether a flow is to come for it
        self._acknowledged = Taken.load(started.acknowledged)
        self._acknowledgements = started.acknowledgements  # the number of the last acknowledgement that was tried
        self._open: deque[int] = deque()  # taken and not acknowledged, in the order in which they were taken
        self._taken = self._acknowledged.copy()
        self._cursor = self._acknowledged.upto  # the last message that was fetched
        self._fetched: deque[Fetched] = deque()  # and not taken
        self._sent = started.sent
        self._checkpoint = started.checkpoint
        self._keeps = started.checkpoint is not None  # only checkpoints acknowledge
        self._taking = flow.Turn()
        self._marking = flow.Turn()

    @property
    def resumable(self) -> bool | None:
        """Whether another worker could go on just where this one is; None without a checkpoint."""
        return None if self._checkpoint is None else not self._open

    @property
    def waiting(self) -> int:
        """How many messages of the inbox hold their room: they are not acknowledged."""
        return self._mailbox.received - self._acknowledged.upto

    @property
    def taken(self) -> Taken:
        """Which messages the task has taken, now or in an attempt before."""
        return self._taken

    # -- what the task takes ----------------------------------------------------------------------

    def take(self, inbox: str | None) -> flow.Flow[Received | None]:
        """The next message, of one inbox or of all; None when there is none, or none from before the stop."""
        yield from self._taking.take()
        try:
            while (found := self._find(inbox)) is None:
                if self._cursor >= self._mailbox.last:
                    return None
                yield from self._fetch()
            # Before a message is taken: a coroutine that is cancelled in the middle must not have it.
            if not self._keeps and len(self._open) >= WINDOW + STEP:
                yield from self._acknowledge_by_and_by()
            self._fetched.remove(found)
            self._open.append(found.number)
            self._taken.add(found.number)
        finally:
            self._taking.give()
        if found.fault is not None:
            raise found.fault
        return Received(found.data)

    def _find(self, inbox: str | None) -> Fetched | None:
        for message in self._fetched:
            if message.number > self._mailbox.last:
                return None
            if inbox in (None, message.inbox):
                return message
        return None

    def _fetch(self) -> flow.Flow[None]:
        """Get what follows the cursor: what a nudge has brought, else a page of the inbox."""
        number = self._cursor + 1
        if (body := self._mailbox.brought.pop(number, None)) is not None:
            if number not in self._acknowledged:
                self._fetched.append(Fetched.of(number, body))
            self._cursor = number
            return
        skip = self._cursor - self._acknowledged.upto
        batch: list[bytes] = yield ops.fetch(self._keys, id=self._id, skip=skip, count=BATCH)
        for number, body in enumerate(batch, self._cursor + 1):
            if number not in self._acknowledged:
                self._fetched.append(Fetched.of(number, body))
        self._cursor += len(batch)
        for number in [number for number in self._mailbox.brought.copy() if number <= self._cursor]:
            self._mailbox.brought.pop(number, None)
        if not batch:  # the inbox of an ended task is gone: this attempt no longer owns it
            self._mailbox.received = self._cursor

    # -- what the task sends and stores -----------------------------------------------------------

    def post(self, data: Any) -> flow.Flow[int]:
        """Append a message to the outbox; raises `LeaseLost` when another worker owns the task."""
        body = codec.dump_message(data)
        yield from self._marking.take()
        try:
            yield from self._append_poured()
            yield from self._mark(messages=[body])
            return self._sent
        finally:
            self._marking.give()

    def pour(self, data: Any) -> flow.Flow[None]:
        """Append a message to the outbox by and by; what gathers while others are under way goes in one step."""
        if self._later is None:
            yield from self.post(data)
            return
        body = codec.dump_message(data)
        self._poured.append(body)
        self._poured_bytes += len(body)
        if len(self._poured) >= POURED_LIMIT or self._poured_bytes >= POURED_BYTES:
            yield from self.flush()
        elif not self._pouring:
            self._pouring = True
            self._later(self._pour_on)

    def flush(self) -> flow.Flow[None]:
        """Append all that was poured."""
        yield from self._marking.take()
        try:
            yield from self._append_poured()
        finally:
            self._marking.give()

    def _pour_on(self) -> flow.Flow[None]:
        self._pouring = False  # first: what is poured from here on is appended by us, or makes another one come
        with contextlib.suppress(errors.LeaseLost):  # the task is told when it says something more
            yield from self.flush()

    def _append_poured(self) -> flow.Flow[None]:
        while self._poured:
            self._poured_bytes = 0
            bodies = [self._poured.popleft() for _ in range(min(len(self._poured), POURED_LIMIT))]
            sent = self._sent
            try:
                yield from self._mark(messages=bodies)
            except BaseException:
                if self._sent == sent:  # else: Redis has them, it is the waiting for it that was broken off
                    self._poured.extendleft(reversed(bodies))
                raise

    def restore(self) -> Stored | None:
        """What the last checkpoint stored. From here on, what is taken is acknowledged by checkpoints only."""
        self._keeps = True
        return None if self._checkpoint is None else Stored(*codec.load_state(self._checkpoint))

    def checkpoint(self, state: Any, version: int, messages: Sequence[Any]) -> flow.Flow[None]:
        """Store the state, acknowledge what was taken, and append messages to the outbox: all of it, or nothing."""
        packed = codec.dump_state(state, version)
        bodies = [codec.dump_message(data, where=f"send[{place}]") for place, data in enumerate(messages)]
        self._keeps = True
        yield from self._marking.take()
        try:
            yield from self._append_poured()
            acknowledged, settled = self._taken.copy(), self._mailbox.settled
            yield from self._mark(acknowledged=acknowledged, state=packed, messages=bodies, settled=settled)
        finally:
            self._marking.give()

    def _acknowledge_by_and_by(self) -> flow.Flow[None]:
        yield from self._marking.take()
        try:
            acknowledged = self._acknowledged.copy()
            for number in list(self._open)[:-WINDOW]:
                acknowledged.add(number)
            yield from self._mark(acknowledged=acknowledged)
        finally:
            self._marking.give()

    def _mark(
        self,
        *,
        acknowledged: Taken | None = None,
        state: bytes | None = None,
        messages: Sequence[bytes] = (),
        settled: int = 0,
    ) -> flow.Flow[None]:
        if acknowledged is not None:  # also where Redis refuses it: a late copy of it may not pass for the next one
            self._acknowledgements += 1
        op = ops.mark(
            self._keys,
            id=self._id,
            token=self._token,
            number=0 if acknowledged is None else self._acknowledgements,
            acknowledged=acknowledged or self._acknowledged,
            state=state,
            sent=self._sent,
            messages=messages,
            settled=settled,
        )
        applied: bool = yield replace(op, decode=self._noted(op.decode, acknowledged, state, len(messages)))
        if not applied:
            self._mailbox.lose()
            raise errors.LeaseLost

    def _noted(
        self, decode: Callable[[Any], bool], acknowledged: Taken | None, state: bytes | None, sent: int
    ) -> Callable[[Any], bool]:
        def noted(answer: Any) -> bool:
            # Where the answer is read, for the coroutine that asked may be cancelled: Redis has marked it all the same.
            applied = decode(answer)
            if applied:
                self._sent += sent
                self._checkpoint = self._checkpoint if state is None else state
                if acknowledged is not None:
                    self._acknowledged = acknowledged
                    self._open = deque(number for number in self._open if number not in acknowledged)
            return applied

        return noted
