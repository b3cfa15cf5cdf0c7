"""The mailbox of a task that runs on a worker: its inbox and outbox are lists in Redis, its orders come by nudges.

The inbox is read at a cursor and removed only when it is acknowledged. So a task that is started again after its worker
was lost sees the last messages once more: at most `WINDOW`, in order.
"""

from collections import deque
from dataclasses import replace
from typing import Any

from taskpy import codec, errors, flow, ops, spec
from taskpy.answers import Started
from taskpy.keys import Keys
from taskpy.mailbox import Received
from taskpy.nudge import Nudge
from taskpy.reports import Reports

#: How many delivered messages stay in the inbox, for the next attempt to see again. Far below half of its limit.
WINDOW = 100
#: How many more are delivered before the ones past the window are acknowledged, in one step.
STEP = 50
#: How many messages are read at once.
BATCH = 100


class RedisMailbox:
    """The inside's end of one attempt, fenced by its token."""

    def __init__(self, keys: Keys, queue: str, started: Started) -> None:
        self.nudge = Nudge()
        self.stopping = started.stopping
        self.draining = False
        self.lost = False
        self.reports = Reports()
        self._keys = keys
        self._queue = queue
        self._id = started.id
        self._token = started.token
        self._received = started.received  # messages ever sent to the task, as far as we know
        self._limit = started.received if started.stopping else None  # after a stop: the last one to deliver
        self._acknowledged = started.acknowledged
        self._cursor = started.acknowledged  # the next message to deliver
        self._fetched: deque[bytes] = deque()
        self._sent = started.sent
        self._reported = 0
        self._taking = flow.Turn()
        self._posting = flow.Turn()

    # -- what the worker hears ------------------------------------------------------------------

    def hear(self, received: int, *, stopping: bool) -> None:
        """Note how many messages the task was ever sent, and whether it was asked to stop."""
        moved = received > self._received or (stopping and not self.stopping)
        self._received = max(self._received, received)
        if stopping and not self.stopping:
            self._limit = self._received
            self.stopping = True
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

    # -- what the task does ---------------------------------------------------------------------

    def take(self) -> flow.Flow[Received | None]:
        """The next message; None when there is none, or none of those accepted before the stop."""
        yield from self._taking.take()
        try:
            if not self._fetched and self._cursor < self._last():
                yield from self._fetch()
            if not self._fetched or self._cursor >= self._last():
                return None
            # Before a message is taken: a coroutine that is cancelled in the middle must not have it.
            if self._cursor - self._acknowledged >= WINDOW + STEP:
                yield from self._mark(self._cursor - WINDOW, [])
            body = self._fetched.popleft()
            self._cursor += 1
        finally:
            self._taking.give()
        return Received(codec.load_message(body).data)

    def post(self, data: Any) -> flow.Flow[None]:
        """Append a message to the outbox; raises `LeaseLost` when another worker owns the task."""
        body = codec.dump_message(data)
        yield from self._posting.take()
        try:
            yield from self._mark(self._acknowledged, [body])
        finally:
            self._posting.give()

    def ask_stop(self, reason: str | None) -> flow.Flow[None]:
        """Ask this very task to stop."""
        yield ops.stop(self._keys, id=self._id, queue=self._queue, reason=reason or "")
        self.hear(self._received, stopping=True)

    def _last(self) -> int:
        return self._received if self._limit is None else self._limit

    def _fetch(self) -> flow.Flow[None]:
        skip = self._cursor - self._acknowledged
        batch: list[bytes] = yield ops.fetch(self._keys, id=self._id, skip=skip, count=BATCH)
        self._fetched.extend(batch)
        if not batch:  # the inbox of an ended task is gone: this attempt no longer owns it
            self._received = self._cursor

    def _mark(self, acknowledged: int, messages: list[bytes]) -> flow.Flow[None]:
        op = ops.mark(
            self._keys,
            id=self._id,
            token=self._token,
            acknowledged=acknowledged,
            sent=self._sent,
            messages=messages,
            limit=spec.OUTBOX_LIMIT,
        )

        def noted(answer: Any) -> bool:
            # Where the answer is read, for the coroutine that asked may be cancelled: Redis has marked it all the same.
            applied = op.decode(answer)
            if applied:
                self._acknowledged = max(self._acknowledged, acknowledged)
                self._sent += len(messages)
            return applied

        applied: bool = yield replace(op, decode=noted)
        if not applied:
            self.lose()
            raise errors.LeaseLost
