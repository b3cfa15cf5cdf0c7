"""What Redis hears of Celery's messages: a task is published, and handed out, perhaps more than once."""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from taskpy_worker.attempt import Attempt
from taskpy_worker.worker import Worker

from taskpy import codec, errors, naming, ops, spec
from taskpy.answers import Started
from taskpy.celery_bridge import process
from taskpy.keys import Keys
from taskpy.line_redis import RECHECK_SECONDS
from taskpy.space import Space
from taskpy.spec import Options, Outcome, State, TaskSpec, Verdict

logger = logging.getLogger("taskpy.celery")

#: How often a task may be started again after its process was lost, where that is for Celery to decide.
CELERY_DECIDES = 1_000_000


def submission(keys: Keys, id: str, name: str, args: Any, kwargs: Any, *, wait: float = 0.0) -> ops.Op[str]:
    """The op that makes a task known, which may be sent at any time. `wait`: in how many seconds it is to begin.

    One that is stopped before is kept for long after that, for Celery still comes with it.
    """
    task = TaskSpec(name, tuple(args or ()), dict(kwargs or {}), Options(queue=process.QUEUE))
    try:
        packed = codec.dump_spec(task)
    except errors.SpecError:  # Celery has them; here they are only shown
        packed = codec.dump_spec(replace(task, args=(), kwargs={}))
    keep = spec.KEEP_DEAD_SECONDS + wait
    return ops.submit(keys, id=id, queue=process.QUEUE, name=name, spec=packed, restarts=0, keep=keep)


def wait_of(options: Mapping[str, Any]) -> float:
    """In how many seconds the task is to begin, by the options of `apply_async`."""
    eta = options.get("eta")
    wait = eta.timestamp() - time.time() if isinstance(eta, datetime) else options.get("countdown")
    return max(0.0, float(wait or 0.0))


def taken(task: Any, request: Any) -> tuple[Worker, Started | State]:
    """Start the task in Redis as an attempt of this process, or find how it has ended.

    Celery hands a task out again when it takes the first one for lost. While that one runs, this one waits.
    """
    id = naming.checked_id(request.id)
    while True:
        worker = process.worker_here()
        match _tried(task, id, worker):
            case Started() as started:
                return worker, started
            case "unknown":  # published by its name alone
                run = worker.space.broker.run
                run(submission(worker.space.keys, id, task.name, request.args, request.kwargs))
            case State.RUNNING:
                logger.info("another attempt runs, waiting for its end: task=%s name=%s", id, task.name)
                _await_change(worker.space, id)
            case State.SUCCEEDED | State.FAILED | State.STOPPED as ended:
                return worker, State(ended)


def _tried(task: Any, id: str, worker: Worker) -> Started | str:
    comes_again = task.acks_late or getattr(task, "retry_on_worker_lost", False)
    try:
        return worker.claimer.take(id, process.QUEUE, restarts=CELERY_DECIDES if comes_again else 0)
    except BaseException as error:  # a soft time limit, say, and Redis may have started it
        token = ops.token_of(worker.wid, worker.claimer.number)
        attempt = Attempt(id, token, process.QUEUE, task.name, keep=task.keep)
        worker.settler.settle(attempt, Outcome(Verdict.FAILED, error=error))
        raise


def _await_change(space: Space, id: str) -> None:
    channel, subscriber = space.keys.task(id), space.broker.subscriber
    nudge = subscriber.watch(channel)
    try:
        seen = nudge.count
        found = space.broker.run(ops.status(space.keys, id=id))
        if found is not None and found.state is State.RUNNING:
            nudge.wait(seen, RECHECK_SECONDS)
    finally:
        subscriber.unwatch(channel)
