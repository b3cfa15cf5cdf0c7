"""One run of a Celery task's function: from its start in Redis to its end there, and what Celery hears of it."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from celery.exceptions import Ignore, Reject, TaskPredicate
from celery.exceptions import Retry as CeleryRetry
from taskpy_worker.attempt import Attempt
from taskpy_worker.settler import GiveBack
from taskpy_worker.worker import Worker

from taskpy import call, errors, failure, flow, logs, naming, ops, pages
from taskpy.answers import Started
from taskpy.celery_bridge import process
from taskpy.celery_bridge.process import QUEUE
from taskpy.contract import recv_order
from taskpy.inside import Inside
from taskpy.inside_flows import Run
from taskpy.mailbox import Inbox, LocalMailbox
from taskpy.mailbox_redis import RedisMailbox
from taskpy.space import Space
from taskpy.spec import Outcome, Verdict


class CeleryInside(Inside):
    """The inside of a task that Celery queues."""

    def release(self) -> NoReturn:
        """Say who can give the task back."""
        raise errors.UsageError("Celery queues this task; the Celery task's retry() gives it back")


class AloneInside(CeleryInside):
    """The inside of a task that was called like a function, or eagerly: nobody knows its id, so nobody steers it."""

    def __init__(self, request: Any) -> None:
        id = request.id or naming.new_id()
        run = Run(id=id, args=tuple(request.args or ()), kwargs=request.kwargs or {}, token=f"{id}.1")
        super().__init__(run, LocalMailbox(Inbox(), taken=lambda _: None, posted=len))

    def recv(self, *order: Any, **options: Any) -> Any:
        """Find no message; raises `UsageError` where that would take for ever."""
        inbox, block, timeout = recv_order(*order, **options)
        if block and timeout is None:
            raise errors.UsageError("called like a function, this task gets no messages; start it by delay()")
        return super().recv(inbox, block, timeout) if inbox else super().recv(block, timeout)

    def ask(self, question: Any, data: None = None, /, *, timeout: float | None = None) -> Any:
        """Get no answer; raises `UsageError` where that would take for ever."""
        if timeout is None:
            raise errors.UsageError("called like a function, this task asks nobody; start it by delay()")
        return super().ask(question, data, timeout=timeout)


class CeleryAttempt:
    """An attempt of this process, under the contract of any task on a worker."""

    def __init__(self, task: Any, request: Any, worker: Worker, started: Started) -> None:
        self._task = task
        self._request = request
        self._worker = worker
        self._again = False
        mailbox = RedisMailbox(worker.space.keys, QUEUE, started)
        self._attempt = Attempt(started.id, started.token, QUEUE, task.name, mailbox=mailbox, keep=task.keep)
        run = Run(
            id=started.id,
            args=tuple(request.args or ()),
            kwargs=request.kwargs or {},
            attempt=started.attempt,
            token=started.token,
        )
        self.inside = CeleryInside(run, mailbox, self._perform)

    def comes_again(self) -> None:
        """Note that Celery was asked to hand the task out once more: this attempt will not be its end."""
        self._again = True

    def run(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Run the function; returns and raises what Celery is to hear."""
        self._worker.executor.enter(self._attempt)
        try:
            with logs.captured(self.inside):
                value = self._called(args, kwargs)
        except BaseException as error:  # whatever a task raises is its outcome, never ours
            heard = self._raised(error)
            if heard is error:
                raise
            raise heard from error
        self._end(Outcome(Verdict.SUCCEEDED, value))
        return value

    def _called(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        try:
            return self._task.run(*args, **kwargs)
        except errors.Retry as wish:
            self._task.retry(countdown=wish.delay)  # which raises

    def _raised(self, error: BaseException) -> BaseException:
        """End the attempt in Redis as its function did; answers what Celery is to hear."""
        outcome = call.outcome_of(error)
        match error:
            case errors.LeaseLost():
                return self._lost()
            case errors.Stopped():
                self._end(outcome)
                return revoked(self._task, self._request, self._worker.space)
            case errors.TaskSignal():  # no Exception, and Celery takes no other
                self._end(outcome)
                return errors.RemoteError(type(error).__name__, str(error))
            case SystemExit() | KeyboardInterrupt() if self._task.acks_late or process.is_pool_child():
                pass  # the process ends: Celery says whether the task has failed, was terminated, or is handed out again
            case Reject() if error.requeue and self._task.acks_late:
                self._give_back(GiveBack("release"))
            case Ignore():  # Celery keeps no result of it; here it must have an end
                self._end(Outcome(Verdict.SUCCEEDED))
            case _:
                self._end(outcome)
        return error

    def _end(self, outcome: Outcome) -> None:
        if self._again:
            self._give_back(GiveBack("retry", _packed_cause(outcome.error)))
            return
        self._worker.settler.settle(self._attempt, outcome)
        self._await_settled()

    def _give_back(self, back: GiveBack) -> None:
        self._worker.settler.give_back(self._attempt, back)
        self._await_settled()

    def _await_settled(self) -> None:
        """Wait until Redis knows: when Celery has heard, it may end this process, or hand the task out again."""
        executor = self._worker.executor
        while True:
            seen = executor.freed.count
            if executor.held().get(self._attempt.id) != self._attempt.token:
                return
            executor.freed.wait(seen)

    def _lost(self) -> Exception:
        self._abandon()
        if self._task.acks_late:  # its message will find who has the task now, or its end
            heard: Exception = Reject("this attempt has lost its lease", requeue=True)
            return heard
        return errors.WorkerLost("this attempt has lost its lease")

    def _abandon(self) -> None:
        """Say nothing in Redis; who owns the task, and whether it is started again, is decided there."""
        self._worker.executor.drop(self._attempt.id, self._attempt.token)

    def _perform(self, step: flow.Step) -> Any:
        return self._worker.space.broker.run(step) if isinstance(step, ops.Op) else flow.wait_here(step)


def revoked(task: Any, request: Any, space: Space) -> Exception:
    """Have Celery call the task revoked, its word for what is not to go on; the exception to be raised then."""
    found = space.broker.run(pages.look(space.keys, id=request.id))
    reason = (found and found.reason) or "stopped"
    ignored = vars(request).get("ignore_result")
    store = not (task.ignore_result if ignored is None else ignored)
    task.backend.mark_as_revoked(request.id, reason, request=request, store_result=store)
    heard: Exception = Ignore(reason)
    return heard


def _packed_cause(error: BaseException | None) -> bytes:
    cause = error.exc if isinstance(error, CeleryRetry) else error
    if not isinstance(cause, BaseException) or isinstance(cause, TaskPredicate):
        return b""  # it asked for another run, and has not failed
    return failure.dump_exception(cause)
