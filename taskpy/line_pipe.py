"""The line to a task at the far end of a pipe: what is said as frames, both ways.

`PipeLine` is what a task in a child process shares with those that are spawned there: `RelayedLine` is the line to one of
these, whose frames the child process passes on in frames of its own, however deep the tree is.
"""

import threading
import weakref
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from taskpy import codec, errors, flow, spec
from taskpy.line import Full, LocalLine
from taskpy.question import Question, dump_answer, dump_question, readable_reply, shown_asked
from taskpy.spec import Outcome, State, StopReason, Verdict, Wish

#: What a frame adds to the values in it, all of which have limits of their own.
FRAME_LIMIT = codec.RESULT_LIMIT + 4096
#: ... and one that passes on another, which may do so too.
RELAY_LIMIT = FRAME_LIMIT + 256 * 1024

_NOT_FROM_HERE = "a task that was spawned in a child process is asked, answered and paused there, by the handle that `spawn` has returned"

#: Makes a handle of a task that was spawned at the far end: its id, line, arguments, and the handle of its parent.
MakeHandle = Callable[[str, "RelayedLine", tuple[Any, ...], Mapping[str, Any], object], object]


class PipeLine(LocalLine):
    """A task at the far end of a pipe. Whoever sends or stops never waits."""

    #: A process can be ended by force.
    at_once = True

    def __init__(self, make_handle: MakeHandle) -> None:
        super().__init__()
        self.family.policy = "leave"  # it is the far end that deals with what becomes of its children
        self.handle: weakref.ref[Any] | None = None
        self._make_handle = make_handle
        self._counting = threading.Lock()
        self._waiting = 0  # messages sent that the task has not taken
        self._sent = 0  # messages ever sent; the child counts them too
        self._relayed: dict[str, RelayedLine] = {}
        self._rests_below = False  # all that is spawned there is to stand still

    @abstractmethod
    def say(self, frame: tuple[Any, ...]) -> None:
        """Say something to the task."""

    def ask_stop(self, wish: Wish) -> None:
        """Pass the wish to stop on to the task; before it ends by that, it knows what those below are to hear."""
        if wish.tree:
            self.stop_below(wish)
        self.say(("stop", str(wish.reason), wish.reason.by))

    def stop_below(self, wish: Wish) -> None:
        """Ask all to stop that were spawned there; from then on nothing is."""
        self.say(("fell", str(wish.reason), wish.reason.by, wish.follows, wish.grace))

    def pause_tree(self, pausing: bool) -> None:
        """Have the task, and all that were spawned there, stand still, or go on."""
        self.say(("pause below", pausing))
        self.counter.pause(pausing)
        self._rests_below = pausing
        for line in list(self._relayed.values()):
            line.expect(pausing)

    def strike(self) -> None:
        """Have `Stopped` raised in the task."""
        self.say(("raise",))

    def deliver(self, data: Any, inbox: str | None) -> int | None:
        """Pass a message on to the task; its number, or None when too many wait there."""
        body = codec.dump_message(data, inbox=inbox)
        with self._counting:
            if self._waiting >= spec.INBOX_LIMIT:
                return None
            self._waiting += 1
            self._sent += 1
            self.say(("send", body, inbox))
            return self._sent

    def put(self, question: Question) -> None:
        """Pass a question on to the task."""
        self.say(("ask", question.number, question.data))

    def forget(self, number: int) -> None:
        """Tell the task that nobody waits for the answer to this question."""
        self.say(("forget", number))

    def prepared_question(self, topic: str, data: Any) -> bytes:
        """A question, packed; raises `NotSendable` or `TooLarge`."""
        return dump_question(topic, data)

    def prepared_answer(self, value: Any) -> bytes:
        """An answer, packed; raises `NotSendable` or `TooLarge`."""
        return dump_answer(value)

    def tell(self, number: int, value: Any) -> None:
        """Pass the answer to a question of the task on to it."""
        self.say(("answer", number, value))

    def ask_pause(self, pausing: bool, wish: int) -> None:
        """Pass the wish to pause, or to go on, on to the task."""
        self.say(("pause", pausing, wish))

    def opened(self, message: bytes) -> Any:
        """A message of `read` as the task sent it; raises a `WireError` where it cannot be read."""
        return codec.load_message(message).data

    def hear(self, frame: Any) -> None:
        """Take what the task says."""
        match frame[0]:
            case "took":
                with self._counting:
                    self._waiting -= 1
                self.taken(frame[1])
            case "out":
                self.posted(frame[1])
            case "replied":
                self.counter.responded(frame[1], readable_reply(frame[2]))
            case "parked":
                self.counter.parked(frame[1])
            case "asks":
                self.counter.posed(frame[1], shown_asked(frame[2]))
            case "withdrew":
                if self.counter.withdrew(frame[1]) is None:  # else: the answer is on its way
                    self.say(("withdrawn", frame[1]))
            case "stop" if self._status.stop is None:
                self.wish(Wish(StopReason(frame[1], frame[2])))
            case "report":
                progress = codec.load_progress(frame[1]) if frame[1] else None
                self.reports.pass_on(progress, [codec.load_line(line) for line in frame[2]])
            case "child":
                self._adopt(frame[1], frame[2])
            case "of":
                if (line := self._relayed.get(frame[1])) is not None:
                    line.hear(codec.loads(frame[2], limit=RELAY_LIMIT))
            case "end":
                self.ended(_outcome(frame[1], frame[2]))

    def lose_all(self) -> None:
        """Note that those are gone that were spawned there and have not said how they ended."""
        for line in self._relayed.values():
            if not line.over:
                stopped = line.asked
                error = errors.WorkerLost("the child process in which it was spawned has ended")
                line.ended(Outcome(Verdict.STOPPED) if stopped else Outcome(Verdict.FAILED, error=error))
            line.lose_all()

    def _adopt(self, id: str, packed: bytes) -> None:
        try:
            task = codec.load_spec(packed)
        except errors.WireError:  # with arguments of a type that only the child has registered
            task = spec.TaskSpec("process")
        line = self._relayed[id] = RelayedLine(self, id)
        parent = None if self.handle is None else self.handle()
        handle = self._make_handle(id, line, task.args, task.kwargs, parent)
        if self._rests_below:
            line.expect(True)
        self.family.adopt(handle, line)


class RelayedLine(PipeLine):
    """The line to a task that was spawned at the far end of another one."""

    def __init__(self, carrier: PipeLine, id: str) -> None:
        super().__init__(carrier._make_handle)  # noqa: SLF001 - our own
        self.start()
        self._carrier = carrier
        self._id = id

    @property
    def asked(self) -> bool:
        """Whether it was asked to stop."""
        return self._status.stop is not None

    def expect(self, pausing: bool) -> None:
        """Note that it is to stand still, or to go on, with all below it; its parent tells it so."""
        self.counter.mirror(pausing=pausing, paused=False)
        self._rests_below = pausing
        for line in list(self._relayed.values()):
            line.expect(pausing)

    def hear(self, frame: Any) -> None:
        """Take what the task says."""
        if frame[0] == "parked":  # for a wish of its parent's
            self.counter.mirror(pausing=bool(frame[1]), paused=bool(frame[1]))
        else:
            super().hear(frame)

    def say(self, frame: tuple[Any, ...]) -> None:
        """Say something to the task, by way of its parent."""
        self._carrier.say(("for", self._id, codec.dumps(frame, limit=RELAY_LIMIT)))

    def ask(self, topic: str, data: Any) -> flow.Flow[int | State | Full]:  # noqa: ARG002 - as the contract says
        """Raise `UsageError`: its questions are numbered by the handle in the process that has spawned it."""
        raise errors.UsageError(_NOT_FROM_HERE)

    def answer(self, number: int | None, value: Any) -> flow.Flow[None]:  # noqa: ARG002
        """Raise `UsageError`: which answer is the first is known in the process that has spawned it."""
        raise errors.UsageError(_NOT_FROM_HERE)

    def pause(self, pausing: bool, whole: bool = False) -> flow.Flow[bool]:  # noqa: ARG002
        """Raise `UsageError`: who wants what is known in the process that has spawned it."""
        raise errors.UsageError(_NOT_FROM_HERE)

    def kill(self) -> None:
        """Have the process ended in which it runs."""
        self.say(("kill",))


def _outcome(state: str, value: bytes) -> Outcome:
    match state:
        case State.SUCCEEDED:
            try:
                return Outcome(Verdict.SUCCEEDED, codec.load_result(value))
            except errors.WireError as error:  # of a type that only the child has registered
                return Outcome(Verdict.FAILED, error=error)
        case State.STOPPED:
            return Outcome(Verdict.STOPPED)
    return Outcome(Verdict.FAILED, error=codec.load_exception(value))
