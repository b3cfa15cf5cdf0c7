"""Why a task may wait for ever in its queue: nobody serves that, or nobody there knows its name. As flows."""

import logging

from taskpy import flow, pages
from taskpy.info import WorkerInfo
from taskpy.keys import Keys
from taskpy.listed import Event, Namespace, Worker

logger = logging.getLogger("taskpy.remote")


def warned(keys: Keys, *, id: str, queue: str, server: str) -> flow.Flow[bool]:
    """Warn when no worker serves the queue of a task that waits, or none there knows its name; whether there was a reason."""
    happened: list[Event] = yield pages.events(keys, id=id)
    if any(event.word == "unknown" for event in happened):
        logger.warning(
            "the workers do not know this task; start one with the module that defines it: queue=%s server=%s task=%s",
            queue,
            server,
            id,
        )
        return True
    leases: list[tuple[str, float]] = yield pages.leases(keys, start=0, count=1000)
    workers: list[Worker | None] = yield pages.workers(keys, wids=[wid for wid, _ in leases])
    if any(worker and not worker.lost and queue in WorkerInfo.load(worker.info).queues for worker in workers):
        return False
    where = yield from _whereabouts(keys)
    logger.warning("no worker serves the queue%s: queue=%s server=%s task=%s", where, queue, server, id)
    return True


def _whereabouts(keys: Keys) -> flow.Flow[str]:
    """What may be wrong about where this process looks, in a namespace with shards."""
    if keys.shard is not None:
        return f" in shard {keys.shard}"
    found: Namespace = yield pages.namespace(keys)
    return "" if found.shards == 1 else f", for the namespace has {found.shards} shards (set TASKPY_SHARDS)"
