"""Sees what has become due: delayed tasks, silent workers, trees that are to be stopped, dead letters that are too old. Any process may."""

import logging

from taskpy import errors, ops, tree
from taskpy.answers import Due
from taskpy.space import Space
from taskpy_worker.recoverer import Recoverer

logger = logging.getLogger("taskpy.worker")


class Promoter:
    """Moves delayed tasks into their queues, has lost workers recovered, and stops trees that nobody else stops."""

    def __init__(self, space: Space, lease: float, recoverer: Recoverer) -> None:
        self._space = space
        self._lease = lease
        self._recoverer = recoverer

    def tick(self) -> float | None:
        """Do what is due; seconds until the next delayed task is, None when there is none."""
        return self.see_to(self._space.broker.run(ops.due(self._space.keys, lease=self._lease)))

    def see_to(self, due: Due) -> float | None:
        """Do what an answer names; seconds until more is due, as `tick`."""
        run, keys = self._space.broker.run, self._space.keys
        if due.ids:
            queues = self._space.broker.run_many([ops.locate(keys, id=id) for id in due.ids])
            promoted = [ops.promote(keys, id=id, queue=queue or "") for id, queue in zip(due.ids, queues, strict=True)]
            self._space.broker.run_many(promoted)
        for id in due.felling:  # who was to do it has died
            try:
                self._space.broker.drive(tree.fell(keys, id))
            except errors.TaskpyError as error:  # one of garbage must not hold up the others
                logger.error("cannot stop all below a task: task=%s error=%s", id, error)  # noqa: TRY400 - no bug
        if due.surplus:
            run(ops.forget(keys, ids=due.surplus))
        for wid in due.wids:
            try:
                self._recoverer.recover(wid, sure=False)
            except errors.BrokerError as error:  # one that Redis refuses must not hold up the others
                logger.error("cannot recover a lost worker: worker=%s error=%s", wid, error)  # noqa: TRY400 - no bug
        return 0.0 if due.ids or due.surplus else due.next
