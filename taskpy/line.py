"""The line from a handle to its task: what the outside can ask of a task, wherever it runs.

`Line` is the contract. `LocalLine` is what the lines of `thread.py` and `process.py` share; the line through Redis is in
`line_redis.py`.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, cast

from taskpy import codec, errors, flow, ladder, naming
from taskpy.counter import Counter
from taskpy.family import Family
from taskpy.identity import who
from taskpy.mailbox import Outbox
from taskpy.nudge import Nudge
from taskpy.question import Question, Reply
from taskpy.reports import Reports
from taskpy.spec import GRACE_SECONDS, Outcome, State, StopReason, Verdict, Wish
from taskpy.status import Mail, Reported, Status
from taskpy.taken import Taken


class Full:
    """The answer of a line whose task has no room for another message, or another question."""

    def give_up(self) -> None:
        """What was refused is not offered again."""


FULL = Full()

#: An index behind every message: who reads there learns how many there are.
NOWHERE = 2**53


class Line(Protocol):
    """What a handle asks of its task. Whatever may need Redis is a flow."""

    #: How long a wait may rely on being woken, in seconds, before it looks again; None: for ever.
    recheck: float | None

    @property
    def queue(self) -> str | None:
        """The queue the task is in, where that is known without asking."""

    def look(self) -> flow.Flow[Status]:
        """Where the task stands now."""

    def look_closely(self) -> flow.Flow[Status]:
        """The same, with what stands elsewhere: whether it is delayed."""

    @property
    def fresh(self) -> bool:
        """Whether it was begun here just now, and nobody has looked since: so it has hardly ended."""

    def watch(self) -> flow.Flow[Nudge]:
        """A nudge that is given whenever the task's state, outbox or room in the inbox changes."""

    def heard(self, nudge: Nudge) -> Status | None:
        """How the task has ended and what came of it, no more, where that was said with the nudge; None: look."""

    def start(self) -> flow.Flow[None]:
        """Begin; raises `AlreadyStarted`."""

    def stop(self, wish: Wish) -> flow.Flow[None]:
        """Ask the task to stop; a task that has not begun is stopped by that. Of a tree, ask all below it, too."""

    def below(self) -> "flow.Flow[list[Line]]":
        """All tasks below this one, in any order."""

    def offer(self, data: Any, inbox: str | None, refused: Full | None = None) -> flow.Flow[int | State | Full]:
        """Put a message into the inbox: answered by its number, the final state that took nothing, or `Full`.

        Whoever has got `Full` offers the very same message again, with that answer as `refused`, or gives it up.
        """

    def received(self, number: int) -> flow.Flow[bool]:
        """Whether the task has taken the message of this number."""

    def read(self, index: int) -> flow.Flow[Mail]:
        """The outbox from an absolute index on."""

    def opened(self, message: Any) -> Any:
        """A message of `read` as the task sent it; raises a `WireError` where it cannot be read."""

    def reported(self, index: int) -> flow.Flow[Reported]:
        """The log from an absolute place on, and the progress."""

    def ask(self, topic: str, data: Any) -> flow.Flow[int | State | Full]:
        """Put a question to the task: answered by its number, the final state that takes none, or `Full`."""

    def reply(self, number: int) -> flow.Flow[Reply | State]:
        """What the task has answered to a question; else where it stands."""

    def retract(self, number: int) -> flow.Flow[None]:
        """Forget a question and its answer."""

    def answer(self, number: int | None, value: Any) -> flow.Flow[None]:
        """Answer what the task asks; without a number, what it has asked last. Raises `TaskEnded`, `NotAsked` or `AlreadyAnswered`."""

    def pause(self, pausing: bool, whole: bool = False) -> flow.Flow[bool]:
        """Ask the task to stand still at its next safe point, or to go on; whether it stands still.

        With `whole` all below it, too, also when it has ended itself. Raises `NotStarted` or `TaskEnded`.
        """

    def late(self) -> flow.Flow[None]:
        """Called when a wait was not woken for `recheck` seconds."""


def as_exception(error: BaseException | None) -> Exception:
    """The exception a handle shows: the task's own, unless raising it here could end the caller."""
    if isinstance(error, Exception):
        return error
    # As it would come back from a worker: a RemoteError, with the traceback.
    return codec.load_exception(codec.dump_exception(error or RuntimeError("the task failed without an exception")))


class LocalLine(ABC):
    """A task of this process or of its child: its state, its outbox, and the nudge for those outside."""

    recheck: float | None = None
    queue: str | None = None

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._status = Status(State.NEW)
        self._nudge = Nudge()
        self._outbox = Outbox()
        self._taken = Taken()
        self.family = Family()
        self.on_end: Callable[[], None] | None = None  # for its parent
        self.reports = Reports(self._nudge.give)
        self.counter = Counter(
            self._nudge.give, put=self.put, forget=self.forget, told=self.tell, ordered=self.ask_pause
        )

    # -- the outside ----------------------------------------------------------------------------

    def look(self) -> flow.Flow[Status]:
        """Where the task stands now."""
        status = self._status  # read first: a task that ends afterwards has reported all it will
        status = replace(status, progress=self.reports.latest)
        if status.state.done:
            return flow.just(status)
        counter = self.counter
        pausing = counter.pausing and status.stop is None  # a stop wakes it
        rests = counter.paused or self.family.awaited  # its function has returned, and only its children run
        return flow.just(replace(status, question=counter.question, pausing=pausing, paused=pausing and rests))

    def look_closely(self) -> flow.Flow[Status]:
        """The same: a local task is never delayed."""
        return self.look()

    @property
    def fresh(self) -> bool:
        """No: to look costs nothing here."""
        return False

    def heard(self, nudge: Nudge) -> Status | None:  # noqa: ARG002 - as the contract says
        """Nothing: to look costs nothing here."""
        return None

    def watch(self) -> flow.Flow[Nudge]:
        """A nudge that is given at every change."""
        return flow.just(self._nudge)

    def start(self) -> flow.Flow[None]:
        """Go from new to running; raises `AlreadyStarted` from any other state."""
        with self._lock:
            if self._status.state is not State.NEW:
                raise errors.AlreadyStarted(f"the task is {self._status.state}; make a new one")
            self._status = Status(State.RUNNING)
        return flow.just(None)

    def stop(self, wish: Wish) -> flow.Flow[None]:
        """Ask the task to stop; a new one is stopped for good."""
        self.wish(wish)
        return flow.just(None)

    def wish(self, wish: Wish) -> None:
        """Pass a wish to stop on, and plan what is to follow; of a tree, also to all below."""
        if wish.tree:
            self.family.close(wish)
        with self._lock:
            done = self._status.state.done
            if not done and self._status.stop is None:
                self._status = replace(self._status, stop=wish.reason)
            if self._status.state is State.NEW:
                self._status = replace(self._status, state=State.STOPPED)
        if not done:
            self.ask_stop(wish)
            ladder.local.plan(self, wish)
            self.family.asked()
            self._nudge.give()
        if wish.tree:
            self.stop_below(wish)  # also of a task that has ended; behind it, which may wait for one of them

    def stop_below(self, wish: Wish) -> None:
        """Ask all below to stop."""
        self.family.stop(wish)

    def below(self) -> flow.Flow[list[Line]]:
        """All tasks below this one."""
        found: list[Line] = []
        level = self.family.lines
        while level:
            found += cast("list[Line]", level)
            level = [child for line in level for child in cast("LocalLine", line).family.lines]
        return flow.just(found)

    def limit(self, seconds: float | None) -> None:
        """Stop the task after so many seconds, and see to its end."""
        if seconds is not None:
            wish = Wish(StopReason(f"time limit of {seconds:g} s", who()), "kill", GRACE_SECONDS)
            stood = self.counter.standstill
            ladder.local.limit(seconds, self, lambda: self.wish(wish), stood=lambda: stood.seconds)

    def offer(self, data: Any, inbox: str | None, refused: Full | None = None) -> flow.Flow[int | State | Full]:  # noqa: ARG002 - as the contract says
        """Put a message into the inbox."""
        with self._lock:
            if self._status.state.done:
                return flow.just(self._status.state)
            number = self.deliver(data, inbox)
        return flow.just(FULL if number is None else number)

    def received(self, number: int) -> flow.Flow[bool]:
        """Whether the task has taken the message of this number."""
        with self._lock:
            return flow.just(number in self._taken)

    def read(self, index: int) -> flow.Flow[Mail]:
        """The outbox from an absolute index on."""
        state = self._status.state  # read first: a task that ends afterwards has sent all it will
        page = self._outbox.read(index)
        return flow.just(Mail(state, page.first, page.messages, page.sent))

    def opened(self, message: Any) -> Any:
        """A message of `read` as the task sent it."""
        return message

    def reported(self, index: int) -> flow.Flow[Reported]:
        """The log from an absolute place on, and the progress."""
        state = self._status.state  # read first, as in `look`
        behind, lines = self.reports.read(index)
        return flow.just(Reported(state, self.reports.latest, behind, lines))

    # -- questions, and a pause -----------------------------------------------------------------

    def ask(self, topic: str, data: Any) -> flow.Flow[int | State | Full]:
        """Put a question to the task."""
        name, prepared = naming.checked_name(topic, "topic"), self.prepared_question(topic, data)
        with self._lock:
            if self._status.state is State.NEW:
                raise errors.NotStarted
            if self._status.state.done:
                return flow.just(self._status.state)
            number = self.counter.ask(name, prepared)
        return flow.just(FULL if number is None else number)

    def reply(self, number: int) -> flow.Flow[Reply | State]:
        """What the task has answered to a question; else where it stands."""
        state = self._status.state  # read first: a task that ends afterwards has answered all it will
        reply = self.counter.reply(number)
        return flow.just(state if reply is None else reply)

    def retract(self, number: int) -> flow.Flow[None]:
        """Forget a question and its answer."""
        self.counter.retract(number)
        return flow.just(None)

    def answer(self, number: int | None, value: Any) -> flow.Flow[None]:
        """Answer what the task asks; without a number, what it has asked last. Raises `TaskEnded`, `NotAsked` or `AlreadyAnswered`."""
        prepared = self.prepared_answer(value)
        with self._lock:
            if self._status.state is State.NEW:
                raise errors.NotStarted
            if self._status.state.done:
                raise errors.TaskEnded(self._status.state)
        counts, by = self.counter.answer(number, prepared)
        if by:
            raise errors.AlreadyAnswered(by)
        if not counts:
            raise errors.NotAsked
        return flow.just(None)

    def pause(self, pausing: bool, whole: bool = False) -> flow.Flow[bool]:
        """Ask the task to stand still at its next safe point, or to go on; whether it stands still.

        With `whole` all below it, too, also when it has ended itself. Raises `NotStarted` or `TaskEnded`.
        """
        with self._lock:
            status = self._status
        if status.state is State.NEW:
            raise errors.NotStarted
        if status.state.done and not whole:
            raise errors.TaskEnded(status.state)
        if whole:
            self.pause_tree(pausing)
        else:
            self.counter.pause(pausing)
        return flow.just(self.counter.paused and status.stop is None and not self.over)

    def pause_tree(self, pausing: bool) -> None:
        """Have the task and all below it stand still, or go on."""
        self.family.pause(pausing)  # first: what it spawns from here on does as it is told
        self.counter.pause(pausing)

    def late(self) -> flow.Flow[None]:
        """Never called: a local nudge is never lost."""
        return flow.just(None)

    # -- the task's own side --------------------------------------------------------------------

    #: Whether force can end it without raising anything in it first.
    at_once = False

    @property
    def over(self) -> bool:
        """Whether the task has ended."""
        return self._status.state.done

    @abstractmethod
    def ask_stop(self, wish: Wish) -> None:
        """Pass the wish to stop on to the inside."""

    @abstractmethod
    def put(self, question: Question) -> None:
        """Pass a question on to the inside."""

    @abstractmethod
    def forget(self, number: int) -> None:
        """Tell the inside that nobody waits for the answer to this question."""

    def prepared_question(self, topic: str, data: Any) -> Any:
        """What comes with a question, as `put` passes it on; raises `NotSendable` or `TooLarge` where it cannot."""
        del topic
        return data

    def prepared_answer(self, value: Any) -> Any:
        """An answer, as `tell` passes it on; raises `NotSendable` or `TooLarge` where it cannot."""
        return value

    @abstractmethod
    def tell(self, number: int, value: Any) -> None:
        """Pass the answer to a question of the task on to the inside."""

    @abstractmethod
    def ask_pause(self, pausing: bool, wish: int) -> None:
        """Pass the wish to pause, or to go on, on to the inside."""

    @abstractmethod
    def strike(self) -> None:
        """Raise `Stopped` inside the function."""

    @abstractmethod
    def kill(self) -> None:
        """End the task by force, as far as that can be done."""

    @abstractmethod
    def deliver(self, data: Any, inbox: str | None) -> int | None:
        """Pass a message on to the inside; its number, or None when there is no room."""

    def posted(self, messages: Sequence[Any]) -> int:
        """Take messages from the inside; how many there have ever been."""
        sent = self._outbox.append(messages)
        self._nudge.give()
        return sent

    def taken(self, number: int) -> None:
        """Note that the inside took a message: those who wait to send have room."""
        with self._lock:
            self._taken.add(number)
        self._nudge.give()

    def came_out(self, outcome: Outcome) -> None:
        """Note how the function came out: the task ends so, at once or when its children have ended."""
        self.family.see_out(outcome, asked=lambda: self._status.stop is not None, end=lambda: self.ended(outcome))

    def ended(self, outcome: Outcome) -> None:
        """Note how the task has ended. The first outcome stays."""
        if outcome.verdict is Verdict.SUCCEEDED:
            status = Status(State.SUCCEEDED, value=outcome.value)
        elif outcome.verdict is Verdict.STOPPED:
            status = Status(State.STOPPED, note=outcome.note)
        else:
            status = Status(State.FAILED, error=as_exception(outcome.error))
        with self._lock:
            first = not self._status.state.done
            if first:
                self._status = replace(status, stop=self._status.stop)
        ladder.local.forget(self)
        self._nudge.give()
        self.family.bereave(outcome.verdict)
        if first and self.on_end is not None:
            self.on_end()
