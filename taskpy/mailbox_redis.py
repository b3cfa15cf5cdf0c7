"""The mailbox of a task that runs on a worker: what others want of it comes by nudges, its lists are in Redis.

Most tasks are quick and say nothing: what they do not use is not made.
"""

from collections.abc import Callable, Sequence
from typing import Any

from taskpy import codec, flow, ops, spec
from taskpy.answers import Started
from taskpy.desk_redis import RedisDesk
from taskpy.keys import Keys
from taskpy.mailbox import ITSELF, Received, Stored
from taskpy.nudge import Nudge
from taskpy.reports import Reports
from taskpy.spec import StopReason, Wish
from taskpy.taken import Taken
from taskpy.traffic_redis import RedisTraffic

#: How many messages are kept that came along with a nudge and were not taken; the others are read.
BROUGHT_LIMIT = 100


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
        self._keys = keys
        self._queue = queue
        self._started = started
        self._later = later
        self.nudge = Nudge()
        self.wish = started.wish
        self.draining = False
        self.lost = False
        self.reports = Reports()
        self.received = started.received  # messages ever sent to the task, as far as we know
        self.brought: dict[int, bytes] = {}  # messages that came along with a nudge, by their numbers
        self._limit = None if started.wish is None else started.received  # after a stop: the last one to deliver
        self.children = started.children  # how many it has spawned, in all attempts; or may have
        self._reported = 0
        self._used: RedisTraffic | None = None
        self._desk: RedisDesk | None = None
        self._orders = started.orders
        self._news = object() if started.orders else None  # another one each time that there is news at the desk

    @property
    def _traffic(self) -> RedisTraffic:
        if self._used is None:
            made = RedisTraffic(self._keys, self._started, self, self._later)
            # In one step: whoever asks which messages were taken may do so at this very moment.
            self._used = self.__dict__.setdefault("_first", made)
        return self._used

    @property
    def last(self) -> int:
        """The number of the last message to deliver, as far as is known."""
        return self.received if self._limit is None else self._limit

    @property
    def settled(self) -> int:
        """The number of the question that a checkpoint of now is done with; 0: none."""
        return 0 if self._desk is None else self._desk.settled

    @property
    def resumable(self) -> bool | None:
        """Whether another worker could go on just where this one is; None without a checkpoint."""
        return self._traffic.resumable

    @property
    def desk(self) -> RedisDesk:
        """What others want of the task, and what it asks them. Mostly nobody does: so it is made when it is needed."""
        if self._desk is None:
            self._desk = RedisDesk(
                self._keys, self._started.id, self._started.token, news=lambda: self._news, lose=self.lose
            )
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
        return self._traffic.waiting >= spec.INBOX_LIMIT

    @property
    def taken(self) -> Taken:
        """Which messages the task has taken, now or in an attempt before."""
        return self._traffic.taken

    # -- what the worker hears ------------------------------------------------------------------

    def hear(self, received: int, wish: Wish | None, body: bytes | None = None, orders: int = 0) -> None:
        """Note how many messages the task was ever sent, the last one itself, a wish to stop, and how many orders it got."""
        if body is not None and len(self.brought) < BROUGHT_LIMIT:
            self.brought[received] = body  # before it may be looked for
        moved = received > self.received or (wish is not None and self.wish is None)
        self.received = max(self.received, received)
        if wish is not None and self.wish is None:
            self._limit = self.received
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
            id=self._started.id,
            token=self._started.token,
            number=self._reported,
            progress=b"" if progress is None else codec.dump_progress(progress),
            lines=[codec.dump_line(line) for line in lines],
        )

    # -- what the task takes, sends and stores ------------------------------------------------------

    def take(self, inbox: str | None) -> flow.Flow[Received | None]:
        """The next message, of one inbox or of all; None when there is none, or none from before the stop."""
        return self._traffic.take(inbox)

    def post(self, data: Any) -> flow.Flow[int]:
        """Append a message to the outbox; raises `LeaseLost` when another worker owns the task."""
        return self._traffic.post(data)

    def pour(self, data: Any) -> flow.Flow[None]:
        """Append a message to the outbox by and by; what gathers while others are under way goes in one step."""
        return self._traffic.pour(data)

    def flush(self) -> flow.Flow[None]:
        """Append all that was poured."""
        return self._traffic.flush()

    def restore(self) -> Stored | None:
        """What the last checkpoint stored. From here on, what is taken is acknowledged by checkpoints only."""
        return self._traffic.restore()

    def checkpoint(self, state: Any, version: int, messages: Sequence[Any]) -> flow.Flow[None]:
        """Store the state, acknowledge what was taken, and append messages to the outbox: all of it, or nothing."""
        return self._traffic.checkpoint(state, version, messages)

    def ask_stop(self, reason: str | None) -> flow.Flow[None]:
        """Ask this very task to stop."""
        yield ops.stop(self._keys, id=self._started.id, queue=self._queue, reason=reason or "", by=ITSELF)
        self.hear(self.received, Wish(StopReason(reason or "", ITSELF)))
