"""The mailbox of a task that runs on a worker: its inbox and outbox are lists in Redis, its orders come by nudges.

The inbox is read at a cursor and removed only when it is acknowledged: by a checkpoint, together with its state; or, for
a task without checkpoints, by and by. So a task that is started again after its worker was lost sees what was not
acknowledged once more, in order: exactly what came after its checkpoint, or at most the last `WINDOW` and `STEP`.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from taskpy import codec, errors, flow, ops, spec
from taskpy.answers import Started
from taskpy.desk_redis import RedisDesk
from taskpy.keys import Keys
from taskpy.mailbox import ITSELF, Received, Stored
from taskpy.nudge import Nudge
from taskpy.reports import Reports
from taskpy.spec import StopReason, Wish
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
#: How many messages are kept that came along with a nudge and were not taken; the others are read.
BROUGHT_LIMIT = 100


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


class RedisMailbox:
    """The inside's end of one attempt, fenced by its token."""

    def __init__(
        self,
        keys: Keys,
        queue: str,
        started: Started,
        *,
        later: Callable[[Callable[[], flow.Flow[None]]], object] | None = None,
    ) -> None:
        """`later` drives a flow in another thread; without it, what is poured is posted."""
        self._later = later
        self._poured: deque[bytes] = deque()  # and not in the outbox yet
        self._poured_bytes = 0
        self._pouring = False  # whether a flow is to come for it
        self.nudge = Nudge()
        self.wish = started.wish
        self.draining = False
        self.lost = False
        self.reports = Reports()
        self._keys = keys
        self._queue = queue
        self._id = started.id
        self._token = started.token
        self._received = started.received  # messages ever sent to the task, as far as we know
        self._limit = None if started.wish is None else started.received  # after a stop: the last one to deliver
        self._acknowledged = Taken.load(started.acknowledged)
        self._acknowledgements = started.acknowledgements  # the number of the last acknowledgement that was tried
        self._open: deque[int] = deque()  # taken and not acknowledged, in the order in which they were taken
        self._taken = self._acknowledged.copy()
        self._cursor = self._acknowledged.upto  # the last message that was fetched
        self._fetched: deque[Fetched] = deque()  # and not taken
        self._brought: dict[int, bytes] = {}  # messages that came along with a nudge, by their numbers
        self._sent = started.sent
        self.children = started.children  # how many it has spawned, in all attempts; or may have
        self._checkpoint = started.checkpoint
        self._keeps = started.checkpoint is not None  # only checkpoints acknowledge
        self._reported = 0
        self._desk: RedisDesk | None = None
        self._orders = started.orders
        self._news = object() if started.orders else None  # another one each time that there is news at the desk
        self._taking = flow.Turn()
        self._marking = flow.Turn()

    @property
    def resumable(self) -> bool | None:
        """Whether another worker could go on just where this one is; None without a checkpoint."""
        return None if self._checkpoint is None else not self._open

    @property
    def desk(self) -> RedisDesk:
        """What others want of the task, and what it asks them. Mostly nobody does: so it is made when it is needed."""
        if self._desk is None:
            self._desk = RedisDesk(self._keys, self._id, self._token, news=lambda: self._news, lose=self.lose)
        return self._desk

    @property
    def stood(self) -> float:
        """How many seconds the task has stood still."""
        return 0.0 if self._desk is None else self._desk.standstill.seconds

    @property
    def called(self) -> bool:
        """Whether there is something at the desk for the task to attend to."""
        if self._news is None:
            return False
        desk = self.desk
        return desk.fresh or bool(desk.questions) or (desk.pausing and self.wish is None)

    @property
    def full(self) -> bool:
        """Whether nobody can send to the task before it takes, or acknowledges, what it has been sent."""
        return self._received - self._acknowledged.upto >= spec.INBOX_LIMIT

    @property
    def received(self) -> int:
        """How many messages the task was ever sent, as far as is known."""
        return self._received

    @property
    def taken(self) -> Taken:
        """Which messages the task has taken, now or in an attempt before."""
        return self._taken

    # -- what the worker hears ------------------------------------------------------------------

    def hear(self, received: int, wish: Wish | None, body: bytes | None = None, orders: int = 0) -> None:
        """Note how many messages the task was ever sent, the last one itself, a wish to stop, and how many orders it got."""
        if body is not None and len(self._brought) < BROUGHT_LIMIT:
            self._brought[received] = body  # before it may be looked for
        moved = received > self._received or (wish is not None and self.wish is None)
        self._received = max(self._received, received)
        if wish is not None and self.wish is None:
            self._limit = self._received
            self.wish = wish
        if orders and orders != self._orders:  # fewer, after a failover that has lost some
            self._orders = orders
            self._news = object()
            moved = True
        if moved:
            self.nudge.give()

    def drain(self) -> None:
        """Note that the worker shuts down."""
        self.draining = True
        self.nudge.give()

    def lose(self) -> None:
        """Note that another worker owns the task now."""
        self.lost = True
        self.nudge.give()

    def report(self) -> ops.Op[ops.Kept] | None:
        """The op that tells Redis what the task has reported since it was asked last; None: nothing."""
        progress, lines = self.reports.take()
        if progress is None and not lines:
            return None
        self._reported += 1
        return ops.report(
            self._keys,
            id=self._id,
            token=self._token,
            number=self._reported,
            progress=b"" if progress is None else codec.dump_progress(progress),
            lines=[codec.dump_line(line) for line in lines],
        )

    # -- what the task takes ----------------------------------------------------------------------

    def take(self, inbox: str | None) -> flow.Flow[Received | None]:
        """The next message, of one inbox or of all; None when there is none, or none from before the stop."""
        yield from self._taking.take()
        try:
            while (found := self._find(inbox)) is None:
                if self._cursor >= self._last():
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
            if message.number > self._last():
                return None
            if inbox in (None, message.inbox):
                return message
        return None

    def _last(self) -> int:
        return self._received if self._limit is None else self._limit

    def _fetch(self) -> flow.Flow[None]:
        """Get what follows the cursor: what a nudge has brought, else a page of the inbox."""
        number = self._cursor + 1
        if (body := self._brought.pop(number, None)) is not None:
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
        for number in [number for number in self._brought.copy() if number <= self._cursor]:
            self._brought.pop(number, None)
        if not batch:  # the inbox of an ended task is gone: this attempt no longer owns it
            self._received = self._cursor

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
            settled = 0 if self._desk is None else self._desk.settled
            yield from self._mark(acknowledged=self._taken.copy(), state=packed, messages=bodies, settled=settled)
        finally:
            self._marking.give()

    def ask_stop(self, reason: str | None) -> flow.Flow[None]:
        """Ask this very task to stop."""
        yield ops.stop(self._keys, id=self._id, queue=self._queue, reason=reason or "", by=ITSELF)
        self.hear(self._received, Wish(StopReason(reason or "", ITSELF)))

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
            self.lose()
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
