"""Tells Redis what the running tasks report: of all of them in one call, a few times a second at most."""

import logging
import threading
from collections.abc import Iterable, Sequence

from taskpy import errors
from taskpy.nudge import Nudge
from taskpy.reports import nobody
from taskpy.space import Space
from taskpy_worker.attempt import Attempt
from taskpy_worker.executor import Executor
from taskpy_worker.settler import Settler

logger = logging.getLogger("taskpy.worker")

#: How long reports gather before they are told, in seconds.
PAUSE_SECONDS = 0.25
#: Of how many tasks one pipeline tells.
BATCH = 50

_Key = tuple[str, str]  # id and token


class Reporter:
    """Passes on progress and log lines, and makes sure that an attempt's come before its end. Silent when there are none."""

    def __init__(self, space: Space, *, executor: Executor, settler: Settler) -> None:
        self._space = space
        self._changed: dict[_Key, Attempt] = {}
        self._telling: set[_Key] = set()
        self._lock = threading.RLock()  # in the thread of a task: what is collected as garbage meanwhile may log
        self._turn = threading.Lock()  # held while Redis is told
        self._full = False
        self.nudge = Nudge()
        executor.on_entered(self.follow)
        settler.on_telling(self.flush)

    def follow(self, attempt: Attempt) -> None:
        """Hear of what this attempt reports from now on."""
        if attempt.mailbox is not None:
            attempt.mailbox.reports.on_change(lambda: self._note(attempt))

    def tick(self, block: float | None = None) -> int:
        """Tell Redis what is new, waiting at most `block` seconds for something; of how many attempts that was."""
        seen = self.nudge.count
        if not self._changed:
            self.nudge.wait(seen, block)
        return self._tell(list(self._changed))

    def flush(self, attempts: Iterable[Attempt]) -> None:
        """Tell Redis what is new of these attempts, which are about to end; says nothing when nothing is.

        What they report from then on would be refused, and is not heard.
        """
        attempts = list(attempts)
        for attempt in attempts:
            if attempt.mailbox is not None:
                attempt.mailbox.reports.on_change(nobody)  # which also unties a knot of references
        keys = [(attempt.id, attempt.token) for attempt in attempts]
        with self._lock:
            concerned = any(key in self._changed or key in self._telling for key in keys)
        if not concerned:
            return
        try:
            self._tell(keys)
        except Exception:  # whatever it is, it may not keep an end from being told
            logger.exception("reports of tasks are lost")

    def _note(self, attempt: Attempt) -> None:
        with self._lock:
            self._changed[attempt.id, attempt.token] = attempt
        self.nudge.give()

    def _tell(self, keys: Sequence[_Key]) -> int:
        told = 0
        with self._turn:  # what another thread is telling now comes first
            for first in range(0, len(keys), BATCH):
                with self._lock:
                    batch = [self._changed.pop(key) for key in keys[first : first + BATCH] if key in self._changed]
                    self._telling = {(attempt.id, attempt.token) for attempt in batch}
                try:
                    told += self._tell_batch(batch)
                finally:
                    self._telling = set()
        return told

    def _tell_batch(self, batch: Sequence[Attempt]) -> int:
        asked = [(a, op) for a in batch if a.mailbox is not None and (op := a.mailbox.report()) is not None]
        if not asked:
            return 0
        try:
            answers = self._space.broker.run_many([op for _, op in asked])
        except errors.BrokerError as error:  # a report is worth no more trouble, least of all to the end of a task
            logger.warning("reports of tasks are lost: tasks=%d error=%s", len(asked), error)
            return len(asked)
        for (attempt, _), answer in zip(asked, answers, strict=True):
            if answer == "fenced" and attempt.mailbox is not None:
                attempt.mailbox.lose()
        self._note_full("full" in answers)
        return len(asked)

    def _note_full(self, full: bool) -> None:
        if full and not self._full:
            logger.warning(
                "redis has no memory for the log lines of tasks, they are dropped: server=%s", self._space.broker.server
            )
        self._full = full
