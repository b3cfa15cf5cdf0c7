"""`ProcessTask`: a function in a child process of this one, spoken to over a pipe. The child's end is `process_child.py`.

Frames on the pipe are msgpack tuples. To the child: ("run", id, function, spec), then ("send", message, inbox), ("stop", reason,
by) and ("raise",). From it: ("begun",), ("took", number), ("out", messages), ("stop", reason, by) where it asks itself,
("report", progress or b"", log lines), and at last ("end", state, value).
"""

import multiprocessing
import multiprocessing.connection
import queue
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, overload

from taskpy import call, codec, errors, life, process_child, reference, spec
from taskpy.definition import Definition, function_of, time_limit_of
from taskpy.handle import LocalHandle
from taskpy.line import LocalLine
from taskpy.question import Question, dump_answer, dump_question, readable_reply, shown_asked
from taskpy.reported import Progress
from taskpy.spec import MISSING, Outcome, State, StopReason, TaskSpec, Verdict, Wish

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from taskpy import aio
    from taskpy.thread import Task

    R = TypeVar("R", default=Any)
    Pipe = multiprocessing.connection.Connection[bytes, bytes]
else:
    from typing import TypeVar

    R = TypeVar("R")

P = ParamSpec("P")

#: How often the reading thread makes sure that the child is alive.
ALIVE_SECONDS = 1.0


class ProcessLine(LocalLine):
    """The line to a task in a child process: a pipe, a thread here that reads it, and one that writes.

    Only that thread may wait for a child that does not read; who sends or stops never does.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counting = threading.Lock()
        self._frames: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._process: Any = None
        self._waiting = 0  # messages sent that the task has not taken
        self._sent = 0  # messages ever sent; the child counts them too
        self._over = threading.Event()

    def begin(self, order: bytes) -> None:
        """Start the child and hand it its order."""
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=process_child.main, args=(theirs,), name="taskpy-process-task")
        try:
            self._process.start()
        except BaseException:
            self._over.set()
            raise
        theirs.close()
        writer = threading.Thread(target=self._write, args=(ours, order), name="taskpy-pipe-out", daemon=True)
        writer.start()
        threading.Thread(target=self._read, args=(ours, writer), name="taskpy-pipe", daemon=True).start()

    #: A process can be ended by force.
    at_once = True

    def ask_stop(self, wish: Wish) -> None:
        """Pass the wish to stop on to the child."""
        self._frames.put(codec.dumps(("stop", str(wish.reason), wish.reason.by)))

    def strike(self) -> None:
        """Have `Stopped` raised in the child."""
        self._frames.put(codec.dumps(("raise",)))

    def deliver(self, data: Any, inbox: str | None) -> int | None:
        """Pass a message on to the child; its number, or None when too many wait there."""
        frame = codec.dumps(("send", codec.dump_message(data, inbox=inbox), inbox))
        with self._counting:
            if self._waiting >= spec.INBOX_LIMIT:
                return None
            self._waiting += 1
            self._sent += 1
            self._frames.put(frame)
            return self._sent

    def put(self, question: Question) -> None:
        """Pass a question on to the child."""
        self._frames.put(codec.dumps(("ask", question.number, question.data), limit=process_child.FRAME_LIMIT))

    def forget(self, number: int) -> None:
        """Tell the child that nobody waits for the answer to this question."""
        self._frames.put(codec.dumps(("forget", number)))

    def prepared_question(self, topic: str, data: Any) -> bytes:
        """A question, packed; raises `NotSendable` or `TooLarge`."""
        return dump_question(topic, data)

    def prepared_answer(self, value: Any) -> bytes:
        """An answer, packed; raises `NotSendable` or `TooLarge`."""
        return dump_answer(value)

    def tell(self, number: int, value: Any) -> None:
        """Pass the answer to a question of the task on to the child."""
        self._frames.put(codec.dumps(("answer", number, value), limit=process_child.FRAME_LIMIT))

    def ask_pause(self, pausing: bool, wish: int) -> None:
        """Pass the wish to pause, or to go on, on to the child."""
        self._frames.put(codec.dumps(("pause", pausing, wish)))

    def opened(self, message: bytes) -> Any:
        """A message of `read` as the task sent it; raises a `WireError` where it cannot be read."""
        return codec.load_message(message).data

    def join(self, timeout: float) -> bool:
        """Wait for the child's last word."""
        return self._over.wait(timeout)

    def kill(self) -> None:
        """End the child by force."""
        if self._process is not None and self._process.is_alive():
            self._process.kill()

    def _write(self, pipe: "Pipe", order: bytes) -> None:
        frame: bytes | None = order
        try:
            while frame is not None:
                pipe.send_bytes(frame)
                frame = self._frames.get()
        except OSError:
            return  # the child is gone; the reading thread says what became of it

    def _read(self, pipe: "Pipe", writer: threading.Thread) -> None:
        begun, outcome = False, None
        try:
            while outcome is None:
                frame = codec.loads(self._next_frame(pipe), limit=process_child.FRAME_LIMIT)
                match frame[0]:
                    case "begun":
                        begun = True
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
                            self._frames.put(codec.dumps(("withdrawn", frame[1])))
                    case "stop":
                        self.wish(Wish(StopReason(frame[1], frame[2])))
                    case "report":
                        progress = codec.load_progress(frame[1]) if frame[1] else None
                        self.reports.pass_on(progress, [codec.load_line(line) for line in frame[2]])
                    case "end":
                        outcome = _outcome(frame[1], frame[2])
                        self.ended(outcome)
        except (EOFError, OSError):
            self._process.join()
            self.ended(self._lost(begun=begun))
        self._process.join()
        self._frames.put(None)
        writer.join()
        pipe.close()
        self._over.set()

    def _next_frame(self, pipe: "Pipe") -> bytes:
        # A grandchild that was forked holds the pipe open after the child's death, so the end of it is not enough.
        while not pipe.poll(ALIVE_SECONDS):
            if not self._process.is_alive():
                raise EOFError
        return pipe.recv_bytes()

    def _lost(self, *, begun: bool) -> Outcome:
        if self._status.stop is not None:
            return Outcome(Verdict.STOPPED)
        code = self._process.exitcode
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        hint = "" if begun else " before the task began; does the script guard its start by if __name__ == '__main__'?"
        return Outcome(Verdict.FAILED, error=errors.WorkerLost(f"the child process ended by itself ({how}){hint}"))


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


class ProcessTask(LocalHandle[R]):
    """A function that runs in a child process, and a handle of it.

    Arguments, messages and the result cross the process boundary as plain values. Raises `BadArguments` when the
    function cannot be called with them, `NotSendable` for one that cannot cross, `BadName` for a function that the
    child would not find (a lambda, a closure).
    """

    @overload
    def __init__(self, func: Definition[P, R], /, *args: P.args, **kwargs: P.kwargs) -> None: ...
    @overload
    def __init__(self, func: Definition[[], R], /, *args: Any, **kwargs: Any) -> None: ...
    @overload
    def __init__(
        self,
        func: "Callable[Concatenate[aio.Task, P], Coroutine[Any, Any, R]]",
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None: ...
    @overload
    def __init__(self, func: "Callable[[aio.Task], Coroutine[Any, Any, R]]", /, *args: Any, **kwargs: Any) -> None: ...
    @overload
    def __init__(
        self, func: "Callable[Concatenate[Task[Any], P], R]", /, *args: P.args, **kwargs: P.kwargs
    ) -> None: ...
    @overload
    def __init__(self, func: "Callable[[Task[Any]], R]", /, *args: Any, **kwargs: Any) -> None: ...
    def __init__(self, func: Any, /, *args: Any, **kwargs: Any) -> None:
        function = function_of(func)
        call.check_arguments(function, args, kwargs)
        self._limit = time_limit_of(func)
        self._reference = reference.reference_of(function)
        self._process_line = ProcessLine()
        self._prev: Any = MISSING
        super().__init__(spec.new_id(), self._process_line, args=args, kwargs=kwargs, begin=self._spawn)
        self._order()  # whatever cannot cross is an error here, not in start()

    @classmethod
    def linked(cls, prev: Any, func: Any, /, *args: Any, **kwargs: Any) -> "ProcessTask[Any]":
        """Make a task that sees `prev` as `t.prev`: a link of a `Chain`."""
        made = cls(func, *args, **kwargs)
        made._prev = prev
        return made

    @property
    def progress(self) -> Progress | None:
        """How far the task says it has come; None before it has said so."""
        return self._look().progress

    def start(self) -> None:
        """Start the child process. Raises `AlreadyStarted` the second time, and after a stop."""
        if getattr(multiprocessing.current_process(), "_inheriting", False):
            raise errors.UsageError(
                "a child process is importing this script and must not start tasks itself; put the code that starts "
                "them under `if __name__ == '__main__':`"
            )
        super().start()

    def _spawn(self) -> None:
        life.track(self._process_line)
        self._process_line.begin(self._order())
        self._process_line.limit(self._limit)

    def _order(self) -> bytes:
        found = self._reference
        packed = codec.dump_spec(TaskSpec("process", self.args, self.kwargs, prev=self._prev))
        return codec.dumps(
            ("run", self.id, (found.module, found.qualname, found.depth), packed), limit=process_child.FRAME_LIMIT
        )
