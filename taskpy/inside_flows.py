"""The calls of the inside of a task as flows over its mailbox, for a thread or a coroutine to drive."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from taskpy import errors, flow
from taskpy.attention import Attention
from taskpy.checkpoint import StateForm
from taskpy.deadline import Deadline
from taskpy.mailbox import Mailbox
from taskpy.spawning import Spawner
from taskpy.spec import MISSING, OUTBOX_LIMIT, State


@dataclass(slots=True, kw_only=True)
class Run:
    """One start of a task's function: which task, with what, the how-manieth, and by whom it may be taken over.

    `handover` says that a drain may unwind it; `releasable` that it can be given back at all (on a worker it can). `form` is
    the form of the states that its checkpoints store, `spawner` makes what starts its children.
    """

    id: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    prev: Any = MISSING
    attempt: int = 1
    token: str
    handover: bool = False
    releasable: bool = False
    form: StateForm = field(default_factory=StateForm)
    spawner: Callable[[], Spawner] | None = None


class InsideFlows:
    """The inside's calls as flows, for a thread or a coroutine to drive."""

    def __init__(self, run: Run, mailbox: Mailbox) -> None:
        self._run = run
        self._mailbox = mailbox
        self._restored: tuple[Any] | None = None
        self.here: Callable[[], bool] | None = None  # whether this is the task's own thread
        self._attention: Attention | None = None
        self._asking: flow.Turn | None = None

    def check(self) -> None:
        """The safe point: where a task that lost its lease, or is to be handed over, is unwound."""
        if self._mailbox.lost:
            raise errors.LeaseLost
        if self._mailbox.draining and self._mailbox.wish is None and self._may_leave():
            raise errors.Released

    def attend(self) -> flow.Flow[None]:
        """The whole of a safe point: what `check` does, then answer what was asked, and stand still while paused."""
        self.check()
        if self.called:
            yield from self.attention.pay()

    @property
    def attention(self) -> Attention:
        """What the task does with what others want of it. Mostly nobody does: so it is made when it is needed."""
        if self._attention is None:
            self._attention = Attention(self._mailbox, self.check)
            if self.here is not None:
                self._attention.here = self.here
        return self._attention

    @property
    def called(self) -> bool:
        """Whether there is something to attend to, here and now."""
        return self._mailbox.called and self.attention.due

    def _may_leave(self) -> bool:
        # A task with a checkpoint leaves where nothing that it has taken would come again.
        resumable = self._mailbox.resumable
        return self._run.handover if resumable is None else resumable

    def recv(self, inbox: str | None, block: bool, timeout: float | None) -> flow.Flow[Any]:
        """Take the next message, of one inbox or of all; `Stopped` or `Empty` when none is to come, or none in time."""
        deadline = Deadline(timeout if block else 0)
        while True:
            seen = self._mailbox.nudge.count
            yield from self.attend()
            # Read first: what was accepted before the stop is delivered before it.
            stopping = self._mailbox.wish is not None
            message = yield from self._mailbox.take(inbox)
            if message is not None:
                return message.data
            if stopping and block and timeout is None:
                raise errors.Stopped
            if stopping or deadline.over:
                raise errors.Empty
            if self._mailbox.full and timeout is None:
                raise errors.InboxFull
            yield flow.Wait(self._mailbox.nudge, seen, deadline.left())

    def send(self, data: Any) -> flow.Flow[int]:
        """Append a message to the outbox."""
        yield from self.attend()
        return (yield from self._mailbox.post(data))

    def pour(self, data: Any) -> flow.Flow[None]:
        """Append a message to the outbox, soon."""
        yield from self.attend()
        yield from self._mailbox.pour(data)

    def flush(self) -> flow.Flow[None]:
        """Append what was poured; a task that was lost has nothing more to say."""
        if not self._mailbox.lost:
            yield from self._mailbox.flush()

    def checkpoint(self, state: Any, messages: Sequence[Any]) -> flow.Flow[None]:
        """Store the state, acknowledge what was taken, append messages to the outbox; then a drain hands over."""
        if self._mailbox.lost:
            raise errors.LeaseLost
        if len(messages) > OUTBOX_LIMIT:
            raise errors.TooLarge(
                f"a checkpoint sends at most {OUTBOX_LIMIT:,} messages at once, not {len(messages):,}"
            )
        yield from self._mailbox.checkpoint(state, self._run.form.version, messages)
        self._restored = None
        yield from self.attend()

    def restore(self) -> Any:
        """What the last checkpoint stored, in the form that the task knows."""
        if self._restored is None:
            stored = self._mailbox.restore()
            self._restored = (None if stored is None else self._run.form.read(stored.data, stored.version),)
        return self._restored[0]

    def sleep(self, seconds: float) -> flow.Flow[bool]:
        """Sleep until the time is over (True) or a stop comes (False)."""
        deadline = Deadline(seconds)
        while True:
            seen = self._mailbox.nudge.count
            yield from self.attend()
            if self._mailbox.wish is not None:
                return False
            if deadline.over:
                return True
            yield flow.Wait(self._mailbox.nudge, seen, deadline.left())

    def spawn(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> flow.Flow[Any]:
        """Start a child of this task; its handle."""
        yield from self.attend()
        if self._run.spawner is None:
            raise errors.UsageError("this task cannot spawn others here; submit them, then they are nobody's children")
        return (yield from self._run.spawner().spawn(func, args, kwargs))

    def ask(self, question: Any, data: Any, timeout: float | None, standing: list[int]) -> flow.Flow[Any]:
        """Ask whoever is there, and wait for the answer; `Stopped` or `NoAnswer` when none is to come, or none in time.

        `standing` holds the number of the question as long as somebody may answer it.
        """
        if data is not None:
            raise errors.BadArguments("a task asks one thing: what comes with the question belongs into it")
        if self.attention.nested:
            raise errors.UsageError("a function that answers a question cannot ask: the task waits for it")
        deadline = Deadline(timeout)
        self._asking = asking = self._asking or flow.Turn()
        yield from asking.take()  # one question at a time: another coroutine's waits here
        try:
            self.check()
            desk = self._mailbox.desk
            number = yield from desk.pose(question)
            standing.append(number)
            while True:
                seen = self._mailbox.nudge.count
                yield from self.attend()
                yield from self.attention.look()
                stopping = self._mailbox.wish is not None
                answer = desk.answer(number)
                if answer is None and (stopping or deadline.over):
                    answer = yield from desk.withdraw(number)
                    if answer is None:
                        standing.clear()
                        raise errors.Stopped if stopping and timeout is None else errors.NoAnswer
                if answer is not None:
                    standing.clear()
                    return answer.data
                yield flow.Wait(self._mailbox.nudge, seen, deadline.left())
        finally:
            asking.give()

    def withdraw(self, number: int) -> flow.Flow[None]:
        """Let a question be that nobody waits for any more."""
        yield from self._mailbox.desk.withdraw(number)

    def stop(self, reason: str | None) -> flow.Flow[State]:
        """Ask this very task to stop; it goes on until it looks."""
        yield from self._mailbox.ask_stop(reason)
        return State.RUNNING
