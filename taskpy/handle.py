"""The handle: the outside of a task for threads. `Task`, `ProcessTask` and `RemoteTask` differ in their line only."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from taskpy import errors, flow
from taskpy.contract import Contract
from taskpy.line import Line, LocalLine, Status
from taskpy.outside import OutsideFlows, result_of
from taskpy.spec import Outcome, State, Verdict

R = TypeVar("R")
T = TypeVar("T")


class Handle(Contract[R]):
    """One task, held from the outside. Every call is safe in any thread."""

    def __init__(
        self,
        id: str,
        line: Line,
        *,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        attached: bool = False,
    ) -> None:
        self.id = id
        self._args = args
        self._kwargs = kwargs or {}
        self._flows = OutsideFlows(line, attached=attached)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    def _drive(self, steps: flow.Flow[T]) -> T:
        return flow.drive(steps, flow.wait_here)

    def _source(self) -> tuple[Line, Any]:
        """The line to the task, and whose broker its flows need, for who waits for many."""
        return self._flows.line, None

    # -- life -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Run the function in the background. Raises `AlreadyStarted` the second time, and after a stop."""
        raise NotImplementedError

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most `timeout` seconds; whether it has come. Raises `NotStarted` for a new task."""
        return self._drive(self._flows.wait(timeout)).state.done

    def wait_begun(self, timeout: float | None = None) -> bool:
        """Wait until the function has begun, at most `timeout` seconds; whether it has, or the task has ended."""
        return self._drive(self._flows.wait_begun(timeout))

    def get(self, timeout: float | None = None) -> R:
        """Wait for the end, at most `timeout` seconds, and return the result.

        Raises the task's exception when it failed, `TaskStopped` when it was stopped, `TaskTimeout` when it has not
        ended in time, `NotStarted` for a new task.
        """
        result: R = result_of(self._drive(self._flows.wait(timeout)), timeout)
        return result

    def stop(self, join: bool = True, *, timeout: float | None = None, reason: str | None = None) -> State:
        """Ask the task to stop, and with `join` wait for its end, at most `timeout` seconds.

        Returns the state by then. A task that has not begun never will; one that has ended stays as it is.
        """
        return self._drive(self._flows.stop(join, timeout, reason)).state

    # -- mail -----------------------------------------------------------------------------------

    def send(self, data: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put a message into the task's inbox, waiting for room at most `timeout` seconds.

        A message sent before the start waits for it. Raises `Full` when there is no room in time (at once before the
        start), `TaskEnded` after the end.
        """
        self._drive(self._flows.send(data, block, timeout))

    def recv(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the next message that the task sent, waiting at most `timeout` seconds.

        Every handle reads for itself, from the oldest message kept. Raises `Empty` when none comes in time,
        `TaskEnded` after the last one, `MessagesMissed` once when this handle came too late for some.
        """
        return self._drive(self._flows.recv(block, timeout))

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                message = self.recv()
            except errors.TaskEnded:
                return
            yield message

    # -- what is known --------------------------------------------------------------------------

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments of the function."""
        return self._args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments of the function."""
        return self._kwargs

    @property
    def state(self) -> State:
        """Where the task stands now."""
        return self._look().state

    @property
    def done(self) -> bool:
        """Whether the task has ended."""
        return self._look().state.done

    @property
    def result(self) -> R | None:
        """What the function returned; None before the end, and when it failed or was stopped."""
        value: R | None = self._look().result()
        return value

    @property
    def exception(self) -> Exception | None:
        """What the function raised; None before the end, and when it succeeded or was stopped."""
        return self._look().error

    def _look(self) -> Status:
        return self._drive(self._flows.look())


class LocalHandle(Handle[R]):
    """A task of this process or of its child: it does not survive a fork."""

    def __init__(
        self,
        id: str,
        line: LocalLine,
        *,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        begin: Callable[[], None],
    ) -> None:
        super().__init__(id, line, args=args, kwargs=kwargs)
        self._line = line
        self._begin = begin
        self._pid = os.getpid()

    def start(self) -> None:
        """Run the function in the background. Raises `AlreadyStarted` the second time, and after a stop."""
        self._drive(self._line.start())
        try:
            self._begin()
        except BaseException as error:
            self._line.ended(Outcome(Verdict.FAILED, error=error))
            raise

    def _drive(self, steps: flow.Flow[T]) -> T:
        self._check_process()
        return super()._drive(steps)

    def _source(self) -> tuple[Line, Any]:
        self._check_process()
        return super()._source()

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise errors.Forked
