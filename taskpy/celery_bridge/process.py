"""The worker in a process that runs Celery's tasks: one wid, one lease, one subscription, however many tasks run.

It never claims: Celery hands out the tasks. It begins when the process does, so that others see it, and so that what a
killed neighbour ran is recovered.
"""

import os
import threading

from billiard import current_process
from taskpy_worker.config import WorkerConfig
from taskpy_worker.supervised import new_wid
from taskpy_worker.worker import Worker, running_here

from taskpy import space, spec

#: The queue that Celery's tasks stand in until they begin. No worker of taskpy may serve it.
QUEUE = "celery"
#: Connections for commands, for all tasks of a process; one for pub/sub beside them.
COMMAND_CONNECTIONS = 2
#: How long a process that ends waits for Redis to hear of it, in seconds; later the lease says it.
LEAVE_SECONDS = 2.0

_lock = threading.Lock()
_worker: Worker | None = None


def worker_here() -> Worker:
    """The worker in this process. It joins at the first call, and anew, under another wid, after it was declared lost."""
    global _worker  # noqa: PLW0603 - a process has one
    with _lock:
        if _worker is not None and _worker.lost:
            threading.Thread(target=_close, args=(_worker,), name="taskpy-close", daemon=True).start()
            _worker = None
        if _worker is None:
            here = space.default().with_patience(None, connections=COMMAND_CONNECTIONS)
            config = WorkerConfig(queues=(QUEUE,), namespace=here.keys.namespace)
            _worker = running_here(config, here, wid=new_wid(os.getpid()), lease=spec.LEASE_SECONDS, claims=False)
        return _worker


def join() -> None:
    """Begin soon: whoever starts this process may not have to wait for Redis."""
    threading.Thread(target=worker_here, name="taskpy-join", daemon=True).start()


def leave() -> None:
    """End what was begun here, unless a task is cut off by it: then the lease, or Celery, tells what becomes of that."""
    if _worker is not None and not _worker.executor.held():
        leaving = threading.Thread(target=_worker.leave, name="taskpy-leave", daemon=True)
        leaving.start()
        leaving.join(LEAVE_SECONDS)


def is_pool_child() -> bool:
    """Whether this process runs tasks for Celery's main process, which notices its end."""
    return bool(current_process().name != "MainProcess")


def _close(worker: Worker) -> None:
    worker.await_empty()  # its attempts are fenced, and end when they notice
    worker.close()


def _forget() -> None:
    global _lock, _worker
    _lock, _worker = threading.Lock(), None  # those were the parent's


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
