"""Who runs the tasks of a session: the duties of a worker, turned by a drain, or a whole worker in threads beside the test."""

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence

from taskpy_worker.attempt import Attempt
from taskpy_worker.config import WorkerConfig
from taskpy_worker.worker import Worker, running_here

from taskpy import naming, on, ops, spec
from taskpy.deadline import Deadline
from taskpy.info import WorkerInfo
from taskpy.space import Space
from taskpy.testing.duties import Duties
from taskpy.testing.whereabouts import where

logger = logging.getLogger("taskpy.testing")

#: How long the worker of a session waits for a bell, in seconds: so long its end may take.
BLOCK_SECONDS = 0.05
#: How long tasks may take to end when their session does, in seconds.
END_SECONDS = 1.0


class Crew:
    """The one worker of a session, in one of its two forms. It begins when it is needed."""

    def __init__(self, space: Space, *, concurrency: int) -> None:
        self._space = space
        # A name that is not known here will not be known to others: nobody deploys in a test.
        self._config = WorkerConfig(concurrency=concurrency, block=BLOCK_SECONDS, unknown_limit=0)
        self._wid = f"session-{naming.new_id()}"
        self._lock = threading.Lock()
        self._queues = self._config.queues
        self._duties: Duties | None = None
        self._worker: Worker | None = None
        space.broker.run(ops.agree(space.keys, version=ops.VERSION, lease=spec.LEASE_SECONDS))

    @property
    def works(self) -> bool:
        """Whether it runs tasks by itself."""
        return self._worker is not None

    def start(self) -> None:
        """Run tasks from now on, in threads."""
        on.starting()
        self._worker = running_here(self._config, self._space, wid=self._wid, lease=spec.LEASE_SECONDS)

    def duties(self) -> Duties:
        """The duties, to be turned by hand."""
        if self._duties is None:
            on.starting()
            self._duties = Duties(self._space, self._config, wid=self._wid, lease=spec.LEASE_SECONDS)
        return self._duties

    def serve(self, queue: str) -> None:
        """Take from this queue, too."""
        with self._lock:
            if self._worker is None or queue in self._queues:
                return
            self._queues = (*self._queues, queue)
            self._worker.claimer.serve(self._queues)
        info = WorkerInfo(
            pid=os.getpid(), queues=self._queues, concurrency=self._config.concurrency, started=time.time()
        )
        self._renew(spec.LEASE_SECONDS, info.dump())

    def outlive(self, seconds: float) -> None:
        """Get a lease that is as long as ever when so many seconds have passed at once."""
        self._renew(seconds + spec.LEASE_SECONDS)

    def wake(self) -> None:
        """Look whether something has become due."""
        self._space.broker.command("PUBLISH", self._space.keys.later(), 0)

    def close(self) -> list[str]:
        """Run nothing more; answers which tasks do not end, and where they stand."""
        parts = [part for part in (self._duties, self._worker) if part is not None]
        self._duties = self._worker = None
        stuck = []
        for part in parts:
            running = part.executor.running()
            part.close()
            stuck += [f"{each.name} {each.id}, {where(each.id, part.executor.loop)}" for each in _stuck(running)]
            _call_stop_hooks()
        return stuck

    def _renew(self, lease: float, info: bytes = b"") -> None:
        self._space.broker.run(ops.renew(self._space.keys, wid=self._wid, lease=lease, info=info))


def _stuck(attempts: Sequence[Attempt]) -> Iterator[Attempt]:
    """Wait for the threads of attempts that were fenced; those that do not look whether they are to end."""
    deadline = Deadline(END_SECONDS)
    threads = {thread.name: thread for thread in threading.enumerate()}
    for attempt in attempts:
        if thread := threads.get(f"taskpy-{attempt.id}"):
            thread.join(deadline.left())
            if thread.is_alive():
                yield attempt


def _call_stop_hooks() -> None:
    for hook in on.stops():
        try:
            hook()
        except Exception:  # as on a worker: the other hooks have a right to run
            logger.exception("a stop hook failed: hook=%s", hook)
