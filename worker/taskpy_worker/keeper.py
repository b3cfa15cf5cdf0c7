"""The supervisor's link to Redis, in a thread of its own so that an outage does not blind the supervisor.

Makes children known, prolongs their leases, gives back the tasks of those that died, and sees what has become due.
"""

import logging
import queue
import socket
import threading
import time
from collections.abc import Callable

from taskpy import errors, ops
from taskpy.info import WorkerInfo
from taskpy.space import Space
from taskpy_worker.config import BEATS, WorkerConfig
from taskpy_worker.promoter import Promoter
from taskpy_worker.queues import Queues
from taskpy_worker.recoverer import Recoverer
from taskpy_worker.supervised import Supervised

logger = logging.getLogger("taskpy.worker")


class Keeper:
    """Carries out the supervisor's wishes one by one; a few times a lease renews all leases and sees to what is due.

    One shard has one keeper, so that a node which does not answer costs no lease elsewhere. `serves` is how many shards
    the worker serves, `shards` how many there are.
    """

    def __init__(
        self,
        config: WorkerConfig,
        space: Space,
        lease: float,
        children: Callable[[], list[Supervised]],
        *,
        serves: int = 1,
        shards: int = 1,
    ) -> None:
        self._config = config
        self._serves = serves
        self._shards = shards
        self._shard = space.keys.shard
        self._space = space
        self._lease = lease
        self._children = children
        # No SimpleQueue: its get() never returns when the process was stopped (SIGSTOP) beyond the time-out.
        self._wishes: queue.Queue[Callable[[], None]] = queue.Queue()
        self._recoverer = Recoverer(space, lease)
        self._promoter = Promoter(space, lease, self._recoverer)
        self._beat_at = time.monotonic() + lease / BEATS
        self._thread = threading.Thread(target=self._keep, name="taskpy-keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def introduce(self, child: Supervised, wid: str, tasks: int, then: Callable[[], None]) -> None:
        """Join the child under this wid and let it go; `then` is called when it may claim."""
        self._wishes.put(lambda: self._introduce(child, wid, tasks, then))

    def bury(self, child: Supervised) -> None:
        """Give back what a dead child held, if it had joined, and forget it."""
        if wid := child.wids.get(self._shard):
            self._wishes.put(lambda: self._bury(wid))

    def flush(self, seconds: float) -> bool:
        """Wait until all wishes so far are carried out; False when Redis took too long."""
        over = threading.Event()
        self._wishes.put(over.set)
        return over.wait(seconds)

    def tick(self) -> None:
        """Prolong the lease of every child that is worth it, and do what is due, for all workers.

        What becomes due between two ticks the children see, when they are told; this is the net, and finds silent workers.
        """
        self._beat_at = time.monotonic() + self._lease / BEATS
        joined = [(child, child.wids[self._shard]) for child in self._children() if self._shard in child.wids]
        worthy = [(child, wid) for child, wid in joined if self._is_worthy(child)]
        due = self._space.broker.run(ops.due(self._space.keys, lease=self._lease, renew=[wid for _, wid in worthy]))
        for (child, wid), renewed in zip(worthy, due.renewed, strict=True):
            if not renewed and not child.condemned:
                child.condemned = True
                logger.error("a child was declared lost, replacing it: pid=%d worker=%s", child.pid, wid)
                child.kill("its lease is gone")
        if self._promoter.see_to(due) == 0.0:
            self._beat_at = 0.0  # there may be more of it

    def _is_worthy(self, child: Supervised) -> bool:
        return child.worthy(self._lease) if self._serves == 1 else child.lately_worthy(self._lease)

    def _keep(self) -> None:
        while True:
            try:
                wish = self._wishes.get(timeout=max(0.0, self._beat_at - time.monotonic()))
            except queue.Empty:
                wish = self.tick
            try:
                wish()
            except Exception:  # a bug in one wish must not end all care
                logger.exception("the supervisor's keeper failed, going on")

    def _introduce(self, child: Supervised, wid: str, tasks: int, then: Callable[[], None]) -> None:
        info = WorkerInfo(
            host=socket.gethostname(),
            pid=child.pid,
            queues=Queues.of(self._config.queues).names,
            concurrency=self._config.concurrency,
            tasks=tasks,
            started=time.time(),
        )
        try:
            self._space.broker.run(ops.join(self._space.keys, wid=wid, lease=self._lease, info=info.dump()))
        except errors.BrokerError:
            child.kill("it could not join")
            raise
        child.wids[self._shard] = wid
        if child.ended:  # while it was being made known: the supervisor buried it, and could not name it
            self._bury(wid)
            return
        child.say("go", wid, self._lease, self._shard, self._serves, self._shards)
        then()

    def _bury(self, wid: str) -> None:
        began = time.monotonic()
        tasks = self._recoverer.recover(wid, sure=True)
        logger.info("a child has ended: worker=%s given_back=%d seconds=%.3f", wid, tasks, time.monotonic() - began)
