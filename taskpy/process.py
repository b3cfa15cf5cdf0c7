"""`ProcessTask`: a function in a child process of this one, spoken to over a pipe. The child's end is `process_child.py`.

Frames on the pipe are msgpack tuples. To the child: ("run", id, function, spec, what becomes of its children), then ("send",
message, inbox), ("stop", reason, by), ("raise",), ("fell", reason, by, what follows, grace) for all that it has spawned, and
("for", id, frame) for one of these. From it: ("begun",), ("took", number), ("out", messages), ("stop", reason, by) where it
asks itself, ("report", progress or b"", log lines), ("child", id, spec) and ("of", id, frame) of what it spawns, and at last
("end", state, value); its children may go on.
"""

import functools
import multiprocessing
import multiprocessing.connection
import queue
import signal
import threading
import weakref
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, overload

from taskpy import call, codec, errors, life, naming, process_child, reference
from taskpy.definition import Definition, function_of, options_of
from taskpy.handle import LocalHandle
from taskpy.line_pipe import FRAME_LIMIT, RELAY_LIMIT, PipeLine, RelayedLine
from taskpy.reported import Progress
from taskpy.spec import MISSING, Children, Options, Outcome, StopReason, TaskSpec, Verdict, Wish

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


class ProcessLine(PipeLine):
    """The line to a task in a child process: a pipe, a thread here that reads it, and one that writes.

    Only that thread may wait for a child that does not read; who sends or stops never does.
    """

    def __init__(self) -> None:
        super().__init__(ProcessTask.relayed)
        self._frames: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._process: Any = None
        self._over = threading.Event()
        self.relay: Callable[[bytes], None] | None = None  # passes on what is said by it, in a child process

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

    def say(self, frame: tuple[Any, ...]) -> None:
        """Say something to the child."""
        self._frames.put(codec.dumps(frame, limit=RELAY_LIMIT))

    def ask_stop(self, wish: Wish) -> None:
        """Pass the wish to stop on to the child, and tell whoever holds its parent."""
        super().ask_stop(wish)
        if self.relay is not None:
            self.relay(codec.dumps(("stop", str(wish.reason), wish.reason.by)))

    def pass_on(self, frame: Any) -> None:
        """Do what somebody says who holds it by way of its parent."""
        match frame[0]:
            case "stop":
                self.wish(Wish(StopReason(frame[1], frame[2])))
            case "kill":
                self.kill()
            case "send":
                with self._counting:
                    self._waiting += 1
                    self._sent += 1
                    self.say(tuple(frame))
            case _:
                self.say(tuple(frame))

    def join(self, timeout: float | None) -> bool:
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
        begun = False
        try:
            # Children that it leaves alone live on in its process, and are heard, when it has ended itself.
            while not self.over or self._relayed:
                said = self._next_frame(pipe)
                frame = codec.loads(said, limit=RELAY_LIMIT)
                begun = begun or frame[0] == "begun"
                if self.relay is not None:
                    self.relay(said)
                self.hear(frame)
        except (EOFError, OSError):
            self._process.join()
            if not self.over:
                lost = self._lost(begun=begun)
                if self.relay is not None:
                    self.relay(codec.dumps(("end", *process_child.packed(lost)), limit=RELAY_LIMIT))
                self.ended(lost)
            self.lose_all()
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
        self._reference = reference.reference_of(function)
        self._process_line = ProcessLine()
        self._prev: Any = MISSING
        self._process_line.handle = weakref.ref(self)
        super().__init__(naming.new_id(), self._process_line, args=args, kwargs=kwargs, begin=self._spawn)
        self.take_options(options_of(func))
        self._order()  # whatever cannot cross is an error here, not in start()

    @classmethod
    def linked(cls, prev: Any, func: Any, /, *args: Any, **kwargs: Any) -> "ProcessTask[Any]":
        """Make a task that sees `prev` as `t.prev`: a link of a `Chain`."""
        made = cls(func, *args, **kwargs)
        made._prev = prev
        return made

    @classmethod
    def relayed(
        cls, id: str, line: RelayedLine, args: tuple[Any, ...], kwargs: Mapping[str, Any], parent: object
    ) -> "ProcessTask[Any]":
        """A task that another one has spawned in its child process."""
        made = cls.__new__(cls)
        LocalHandle.__init__(made, id, line, args=args, kwargs=kwargs, begin=lambda: None)
        line.family.parent = parent
        line.handle = weakref.ref(made)
        return made

    def take_options(self, options: Options) -> None:
        """Run it with those of these options that mean something for a local task."""
        self._limit = options.time_limit
        self._children: Children = options.children or "wait"

    def spawned_in(self, relay: Callable[[str, bytes], None]) -> Callable[[], None]:
        """What starts it as the child of the task of this child process, whose holders are told all by `relay`."""

        def start() -> None:
            relay("child", codec.dump_spec(self._spec()))
            self._process_line.relay = functools.partial(relay, "of")
            try:
                self.start()
            except Exception as error:
                lost = process_child.packed(Outcome(Verdict.FAILED, error=error))
                relay("of", codec.dumps(("end", *lost), limit=RELAY_LIMIT))
                raise

        return start

    @property
    def process_line(self) -> ProcessLine:
        """The line to it."""
        return self._process_line

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
        packed = codec.dump_spec(self._spec())
        where = found.module, found.qualname, found.depth
        return codec.dumps(("run", self.id, where, packed, self._children), limit=FRAME_LIMIT)

    def _spec(self) -> TaskSpec:
        return TaskSpec("process", self.args, self.kwargs, prev=self._prev)
