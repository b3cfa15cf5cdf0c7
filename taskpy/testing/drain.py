"""Draining a session: what waits is run, what that submits is run too, until nothing is left. Bounded, and never silent."""

from collections.abc import Callable
from typing import Any

from taskpy import errors
from taskpy.client import Client
from taskpy.deadline import Deadline
from taskpy.remote import RemoteTask
from taskpy.spec import State
from taskpy.testing.duties import Duties
from taskpy.testing.whereabouts import begin_with_own, where


class DrainError(errors.TaskpyError):
    """Draining cannot come to its end."""


class DrainTimeout(DrainError, TimeoutError):
    """Draining did not come to its end in time."""


class Drain:
    """One call of `drain`, and what it has run so far."""

    def __init__(
        self,
        client: Client,
        duties: Duties,
        *,
        until: Callable[[], object] | None,
        skip: Callable[[float], None] | None,
        max_tasks: int,
        timeout: float,
        raise_on_failure: bool,
    ) -> None:
        self._client = client
        self._duties = duties
        self._until = until
        self._skip = skip
        self._max_tasks = max_tasks
        self._timeout = timeout
        self._deadline = Deadline(timeout)
        self._raise_on_failure = raise_on_failure
        self._begun = 0
        self._ran = {id: client.attach(id) for id in duties.executor.held()}

    def run(self) -> list[RemoteTask[Any]]:
        """Drain; the tasks that ran, in the order in which they began."""
        __tracebackhide__ = True
        while not (self._until and self._until()):
            soon = self._duties.promote()
            waiting = self._duties.waiting()
            if waiting and self._duties.executor.free:
                self._begin(waiting)
            elif not self._duties.executor.held():
                if soon is None or self._skip is None:
                    self._check_reached(soon)
                    break
                self._skip(soon)
                continue
            for id in self._duties.settle(self._deadline.left() or 0.0):
                self._look_at(id)
            if self._deadline.over:
                self._check_time()
        return list(self._ran.values())

    def _begin(self, waiting: dict[str, int]) -> None:
        """Begin what waits, as far as there is room."""
        if self._begun >= self._max_tasks:
            raise DrainError(
                f"{self._begun} tasks were begun, which is max_tasks, and more wait: {_counted(waiting)}. Does a task "
                f"submit itself? The last one was {self._shown(list(self._ran)[-1])}"
            )
        begun = self._duties.claim(waiting)
        self._begun += len(begun)
        self._ran |= {id: self._client.attach(id) for id in begun if id not in self._ran}
        if not begun and not self._duties.executor.held() and self._duties.waiting() == waiting:
            raise DrainError(f"tasks wait and are not given out: {_counted(waiting)}")

    def _look_at(self, id: str) -> None:
        """Look how an attempt ended, which its handle remembers; raise what the task has failed by, for good.

        That is the exception itself, with its traceback, where it is one that a caller may get.
        """
        __tracebackhide__ = True
        task = self._ran[id]
        try:
            failed = task.state is State.FAILED
        except errors.TaskNotFound:  # it was to be kept for no time at all, which a failure never is
            return
        if not failed or not self._raise_on_failure:
            return
        original = self._duties.settler.errors.get(id)
        error = original if isinstance(original, Exception) else task.exception
        assert error is not None
        error.add_note(f"raised by task {self._shown(id)} in its attempt {task.snapshot().attempt}, which was drained")
        raise error.with_traceback(begin_with_own(error.__traceback__))

    def _check_reached(self, soon: float | None) -> None:
        """With `until`, running out of tasks is an error."""
        if self._until is not None:
            hint = "" if soon is None else f"; the next delayed one is due in {soon:.1f} s, see clock.advance"
            raise DrainError(f"no task is left to run, and what was to come has not come{hint}")

    def _check_time(self) -> None:
        running, waiting = self._duties.executor.held(), self._duties.waiting()
        if not running and not waiting:
            return
        lines = [f"after {self._timeout:g} s: {len(running)} still running, {sum(waiting.values())} waiting"]
        lines += [f"  {self._shown(id)} runs {where(id, self._duties.executor.loop)}" for id in running]
        if waiting:
            lines.append(f"  waiting: {_counted(waiting)}")
        if running:
            lines.append(
                "A task that waits for a message or a stop needs session(worker=True); tasks that wait for each other "
                "need session(concurrency=...)."
            )
        raise DrainTimeout("\n".join(lines))

    def _shown(self, id: str) -> str:
        return f"{self._ran[id].name} {id}"


def _counted(waiting: dict[str, int]) -> str:
    return ", ".join(f"{size} in queue {queue!r}" for queue, size in waiting.items())
