"""The child's end of a `ProcessTask`: finds the function, runs it over the pipe, sends its outcome, and ends."""

import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from taskpy import call, codec, flow
from taskpy.desk import Answer, Listening, LocalDesk
from taskpy.family import Family
from taskpy.inside import Inside
from taskpy.inside_flows import Run
from taskpy.interrupt import CoroutineInterrupt, ThreadInterrupt
from taskpy.line import as_exception
from taskpy.line_pipe import FRAME_LIMIT, RELAY_LIMIT
from taskpy.mailbox import Inbox, LocalMailbox, Received
from taskpy.nudge import Nudge
from taskpy.question import Question, Reply, dump_asked, dump_reply, load_answer, load_question
from taskpy.reference import Reference
from taskpy.reports import Reports
from taskpy.spawning import known
from taskpy.spec import Children, Outcome, State, StopReason, Verdict, Wish

if TYPE_CHECKING:
    from taskpy.process import ProcessLine

#: How long reports gather before they are passed on.
REPORT_SECONDS = 0.2


def main(pipe: "Connection[bytes, bytes]") -> None:
    """Serve one task over the pipe."""
    # Ctrl-C goes to the whole process group; it is the parent who decides what it means.
    signal.signal(signal.SIGINT, lambda *_: None)
    _, id, function, spec, children = codec.loads(pipe.recv_bytes())
    Child(pipe, id, children).serve(Reference(*function), spec)


class PipeMailbox(LocalMailbox):
    """An inbox of packed messages: they are read where the task takes them, when its own types are registered."""

    def take(self, inbox: str | None) -> flow.Flow[Received | None]:
        """The next message, if there is one to deliver; raises a `WireError` for one that cannot be read."""
        message = yield from super().take(inbox)
        return None if message is None else Received(codec.load_message(message.data).data)


class PipeDesk(LocalDesk):
    """A desk of packed questions and answers, read where the task attends to them."""

    def __init__(self, nudge: Nudge, listening: Listening) -> None:
        super().__init__(nudge, listening)
        self._withdrawn = 0

    def opened(self, question: Question) -> Question:
        """One of `questions` as it was asked; raises a `WireError` where it cannot be read."""
        return load_question(question.number, question.data)

    def answer(self, number: int) -> Answer | None:
        """The answer to the task's question of this number, where there is one; raises a `WireError` for garbage."""
        packed = super().answer(number)
        return None if packed is None else Answer(load_answer(packed.data))

    def withdraw(self, number: int) -> flow.Flow[Answer | None]:
        """Ask the other end to let the question be; an answer that it has accepted before comes."""
        self._listening.withdrew(number)
        while True:
            seen = self._nudge.count
            if (answer := self.answer(number)) is not None or self._withdrawn >= number:
                return answer
            yield flow.Wait(self._nudge, seen)

    def withdrawn(self, number: int) -> None:
        """Note that no answer comes any more."""
        self._withdrawn = number
        self._nudge.give()


class Child:
    """One task in this process, and the pipe to its handle."""

    def __init__(self, pipe: "Connection[bytes, bytes]", id: str, children: Children) -> None:
        self._pipe = pipe
        self._id = id
        self._family = Family()
        self._family.id, self._family.policy = id, children
        self._spawned: dict[str, ProcessLine] = {}
        self._writing = threading.Lock()
        self._sent = 0
        self._thread_interrupt = ThreadInterrupt()
        self._coroutine_interrupt = CoroutineInterrupt()
        self._changed = Nudge()
        self._passing_on = threading.Lock()
        self._reports = Reports(self._changed.give)
        self._mailbox = PipeMailbox(
            Inbox(),
            taken=lambda number: self._write(("took", number)),
            posted=self._posted,
            ask=self._ask,
            reports=self._reports,
            listening=self,
            desk=PipeDesk,
        )

    @property
    def _desk(self) -> PipeDesk:
        assert isinstance(self._mailbox.desk, PipeDesk)
        return self._mailbox.desk

    def serve(self, reference: Reference, order: bytes) -> None:
        """Run the task to its end, and tell the handle."""
        threading.Thread(target=self._read, name="taskpy-pipe", daemon=True).start()
        threading.Thread(target=self._report_for_ever, name="taskpy-reports", daemon=True).start()
        self._write(("begun",))
        outcome = self._outcome(reference, order)
        over = threading.Event()
        self._family.see_out(outcome, asked=lambda: self._mailbox.wish is not None, end=over.set)
        over.wait()  # for its children, where they are waited for
        self._report()
        self._write(("end", *packed(outcome)))
        self._family.bereave(outcome.verdict)
        for line in list(self._spawned.values()):
            line.join(None)  # what is left alone lives on in this process

    def _outcome(self, reference: Reference, order: bytes) -> Outcome:
        try:
            function = reference.resolve()  # before its arguments are read: its module may register their types
            spec = codec.load_spec(order)
        except Exception as error:  # importing the user's module may raise anything
            return Outcome(Verdict.FAILED, error=error)
        run = Run(
            id=self._id, args=spec.args, kwargs=spec.kwargs, prev=spec.prev, token=f"{self._id}.1", spawner=lambda: self
        )
        if not call.is_async(function):
            interrupt = self._thread_interrupt
            return call.run(function, Inside(run, self._mailbox, shield=interrupt.shield), interrupt=interrupt)
        import asyncio

        from taskpy import inside_aio

        inside = inside_aio.Task(run, self._mailbox)
        return asyncio.run(call.run_async(function, inside, interrupt=self._coroutine_interrupt))

    def spawn(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> flow.Flow[Any]:
        """Start a child in a process of its own, a child of this one; whoever holds this task reaches it over the pipe."""
        from taskpy.process import ProcessTask

        function, options = known(func)
        child = ProcessTask[Any](function, *args, **kwargs)
        child.take_options(options)
        start = child.spawned_in(lambda word, frame: self._write((word, child.id, frame)))

        def begin() -> None:
            self._spawned[child.id] = child.process_line
            start()

        self._family.spawn(child, child.line, begin)
        return flow.just(child)

    def _posted(self, messages: Sequence[Any]) -> int:
        bodies = [codec.dump_message(data) for data in messages]
        with self._writing:
            self._sent += len(bodies)
            # Each in a frame of its own: a message may be as large as a frame.
            for body in bodies:
                self._pipe.send_bytes(codec.dumps(("out", [body]), limit=FRAME_LIMIT))
            return self._sent

    def _ask(self, wish: Wish) -> None:
        self._mailbox.stop(wish)
        self._family.asked()
        self._write(("stop", str(wish.reason), wish.reason.by))

    def responded(self, number: int, reply: Reply) -> None:
        """Pass the task's answer on."""
        self._write(("replied", number, dump_reply(reply)))

    def parked(self, wish: int) -> None:
        """Say that the task stands still, for the wish of this number; 0: it goes on."""
        self._write(("parked", wish))

    def posed(self, number: int, question: Any) -> None:
        """Pass the task's question on."""
        self._write(("asks", number, dump_asked(question)))

    def withdrew(self, number: int) -> Answer | None:
        """Say that the task waits no longer; what comes of it comes by the pipe."""
        self._write(("withdrew", number))
        return None

    def _report_for_ever(self) -> None:
        seen = 0
        while True:
            self._changed.wait(seen)
            seen = self._changed.count
            try:
                self._report()
            except OSError:
                return  # the parent is gone; the reading thread ends this process
            time.sleep(REPORT_SECONDS)

    def _report(self) -> None:
        with self._passing_on:  # the last one waits for the one before it
            progress, lines = self._reports.take()
            if progress is not None or lines:
                packed = b"" if progress is None else codec.dump_progress(progress)
                self._write(("report", packed, [codec.dump_line(line) for line in lines]))

    def _write(self, frame: tuple[Any, ...]) -> None:
        with self._writing:
            self._pipe.send_bytes(codec.dumps(frame, limit=RELAY_LIMIT))

    def _read(self) -> None:
        while True:
            try:
                frame = codec.loads(self._pipe.recv_bytes(), limit=RELAY_LIMIT)
            except (EOFError, OSError):
                os._exit(1)  # the parent is gone, and this process with it
            match frame[0]:
                case "stop":
                    self._mailbox.stop(Wish(StopReason(frame[1], frame[2])))
                    self._family.asked()
                case "fell":
                    wish = Wish(StopReason(frame[1], frame[2]), frame[3], frame[4], tree=True)
                    self._family.close(wish)
                    self._mailbox.stop(wish)  # it knows before those that it may wait for
                    self._family.stop(wish)
                case "for" if frame[1] in self._spawned:
                    self._spawned[frame[1]].pass_on(codec.loads(frame[2], limit=RELAY_LIMIT))
                case "raise":
                    self._thread_interrupt.strike()
                    self._coroutine_interrupt.strike()
                case "send":
                    self._mailbox.deliver(frame[1], frame[2])
                case "ask":
                    self._mailbox.desk.put(Question(frame[1], "", frame[2]))
                case "forget":
                    self._mailbox.desk.forget(frame[1])
                case "answer":
                    self._mailbox.desk.answered(frame[1], frame[2])
                case "withdrawn":
                    self._desk.withdrawn(frame[1])
                case "pause below":
                    self._family.pause(frame[1])
                case "pause":
                    self._mailbox.desk.pause(frame[1], frame[2])


def packed(outcome: Outcome) -> tuple[str, bytes]:
    """The outcome as it crosses the pipe; a result that cannot cross is a failure."""
    try:
        if outcome.verdict is Verdict.SUCCEEDED:
            return State.SUCCEEDED.value, codec.dump_result(outcome.value)
        if outcome.verdict is Verdict.STOPPED:
            return State.STOPPED.value, b""
        error: BaseException = outcome.error or as_exception(None)
    except Exception as raised:  # NotSendable, TooLarge, or whatever a registered type's encoder raises
        error = raised
    return State.FAILED.value, codec.dump_exception(error)
