"""The shards that one process serves: a worker for each, over one workshop. With one shard it is that worker, and no more.

Each has connections of its own, so that a node which does not answer holds up only what is there.
"""

import threading
from collections.abc import Callable

from taskpy.deadline import Deadline
from taskpy.space import Space
from taskpy_worker.config import WorkerConfig
from taskpy_worker.worker import Worker, wait_until
from taskpy_worker.workshop import Workshop


class Served:
    """The workers of a process that serves `shards` shards. They begin one by one, as each has joined."""

    def __init__(self, config: WorkerConfig, *, shards: int = 1) -> None:
        self._config = config
        self._workshop = Workshop(config.concurrency, max_tasks=config.max_tasks, shards=shards)
        self._lock = threading.Lock()
        self._ending = False
        self.workers: list[Worker] = []

    def start(self, space: Space, *, wid: str, lease: float, renews: bool = False) -> None:
        """Begin the duties for the shard of this space, which the worker has joined."""
        worker = Worker(self._config, space, wid=wid, lease=lease, renews=renews, workshop=self._workshop)
        with self._lock:
            if self._ending:
                return
            self.workers.append(worker)
        worker.start()

    @property
    def overrun(self) -> bool:
        """Whether too many functions go on here whose tasks were stopped."""
        return any(worker.executor.enforcer.spent for worker in self.workers)

    @property
    def spent(self) -> bool:
        """Whether this process has claimed its share of tasks."""
        return self._workshop.left == 0

    def await_finish(self) -> None:
        """Wait until the claimers have done what they were to do."""
        self._workshop.finished.wait()

    def await_empty(self) -> None:
        """Wait until nothing runs any more, however long it takes."""
        wait_until(self._holds_nothing, self._workshop.freed, Deadline(None))

    def drain(self, grace: float) -> None:
        """Claim nothing more, let what can be handed over go, wait for the rest, and give back what remains."""
        with self._lock:
            self._ending = True
        for worker in self.workers:
            worker.claimer.pause()
        for worker in self.workers:
            worker.executor.drain()
        wait_until(self._holds_nothing, self._workshop.freed, Deadline(grace))
        self._each_at_once(Worker.give_back_all)

    def close(self) -> None:
        """End the duties' threads; tasks that still run are fenced."""
        with self._lock:
            self._ending = True
        for worker in self.workers:
            worker.claimer.pause()
        self._each_at_once(Worker.close)

    def _holds_nothing(self) -> bool:
        return all(worker.holds_nothing for worker in self.workers)

    def _each_at_once(self, call: Callable[[Worker], None]) -> None:
        """Call this of each worker, side by side: one may wait long for a node that does not answer."""
        if len(self.workers) == 1:
            call(self.workers[0])
            return
        threads = [threading.Thread(target=call, args=(worker,), daemon=True) for worker in self.workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
