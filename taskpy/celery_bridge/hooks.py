"""What Celery says by its signals: a process begins or ends, and a task is over whose process cannot say so itself."""

import contextlib
from typing import Any

from celery import signals
from celery.concurrency.prefork import TaskPool as ProcessPool
from celery.exceptions import TimeLimitExceeded, WorkerLostError

from taskpy import errors, failure, ops, pages, space
from taskpy.celery_bridge import process
from taskpy.celery_bridge.process import QUEUE
from taskpy.celery_bridge.steerable import Steerable
from taskpy.spec import State

#: How long Celery's main process may be held up by Redis, in seconds; later the lease tells of the task.
BRIEF_SECONDS = 2.0


def connect() -> None:
    """Listen to Celery's signals, in this process and those that it forks."""
    signals.worker_process_init.connect(_process_begins)
    signals.worker_ready.connect(_worker_begins)
    signals.worker_process_shutdown.connect(_process_ends)
    signals.worker_shutdown.connect(_process_ends)
    signals.task_failure.connect(_task_failed)
    signals.task_revoked.connect(_task_revoked)


def _process_begins(**_: Any) -> None:
    process.join()


def _worker_begins(sender: Any, **_: Any) -> None:
    if not isinstance(sender.pool, ProcessPool):  # the tasks run in Celery's main process
        process.join()


def _process_ends(**_: Any) -> None:
    process.leave()


def _task_failed(sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
    if isinstance(sender, Steerable) and isinstance(exception, WorkerLostError | TimeLimitExceeded):
        lost = errors.WorkerLost(str(exception)) if isinstance(exception, WorkerLostError) else exception
        _conclude(task_id, lost, reason=str(exception))


def _task_revoked(sender: Any, request: Any, terminated: bool, expired: bool, **_: Any) -> None:
    if isinstance(sender, Steerable):
        _conclude(request.id, None, reason="expired" if expired else "terminated" if terminated else "revoked")


def _conclude(id: str, error: BaseException | None, *, reason: str) -> None:
    """End a task whose process is gone, or never had it: by this error, without one as stopped."""
    with contextlib.closing(space.default().with_patience(BRIEF_SECONDS, connections=1)) as here:
        run, keys = here.broker.run, here.whole("the bridge to Celery")
        run(ops.purge(keys, queue=QUEUE, ids=[id], reason=reason))
        if error is None:
            run(ops.stop(keys, id=id, queue=QUEUE, reason=reason))
        found = run(pages.look(keys, id=id))
        if found is None or found.state is not State.RUNNING or found.token is None or found.worker is None:
            return
        ending = ops.Ending(id, QUEUE, found.token, State.STOPPED, b"")
        if error is not None and not found.stopping:
            ending = ops.Ending(id, QUEUE, found.token, State.FAILED, failure.dump_exception(error))
        run(ops.settle(keys, wid=found.worker, endings=[ending]))
