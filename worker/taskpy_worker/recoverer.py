"""Gives back the tasks of a worker process that was lost. Any process may; the scripts see to it that it happens once."""

import logging

from taskpy import ops
from taskpy.space import Space

logger = logging.getLogger("taskpy.worker")


class Recoverer:
    """Declares workers lost and gives their tasks back."""

    def __init__(self, space: Space, lease: float) -> None:
        self._space = space
        self._lease = lease

    def recover(self, wid: str, *, sure: bool) -> int:
        """Give back what a lost worker held; how many tasks. `sure`: its end was seen, so its lease does not matter."""
        run, keys = self._space.broker.run, self._space.keys
        recovered = 0
        while ids := run(ops.lose(keys, wid=wid, lease=self._lease, sure=sure)):
            queues = self._space.broker.run_many([ops.locate(keys, id=id) for id in ids])
            recovered += sum(
                self._space.broker.run_many(
                    [
                        ops.recover(keys, id=id, queue=queue or "", wid=wid)
                        for id, queue in zip(ids, queues, strict=True)
                    ]
                )
            )
        if recovered:
            logger.warning("a worker was lost, its tasks are given back: worker=%s tasks=%d", wid, recovered)
        return recovered
