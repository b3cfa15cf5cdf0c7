"""What a running task has reported: its latest progress and the last lines of its log, until somebody takes them along.

The inside writes, in any thread, and never waits. A task in a thread of this process is read where it stands; what a
child process or a worker passes on, it takes away.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from taskpy import reported, spec
from taskpy.reported import LogLine, Progress


def nobody() -> None:
    """Tell nobody: there is no one to whom a change matters (any more)."""


class Reports:
    """The reports of one task, bounded; `changed` is called when there is something new.

    It is called for each line, and for the first progress after somebody has looked: before that only the latest counts.
    """

    def __init__(self, changed: Callable[[], None] = nobody, *, limit: int = spec.LOG_LIMIT) -> None:
        self._changed = changed
        self._latest: tuple[float, float | None, str | None] | None = None
        self._taken: tuple[float, float | None, str | None] | None = None
        self._lines: deque[LogLine] = deque(maxlen=limit)
        self._logged = 0  # lines ever
        self._dropped = 0  # since they were taken last
        self._dirty = False
        self._lock = threading.RLock()  # what is collected as garbage meanwhile may log

    def on_change(self, changed: Callable[[], None]) -> None:
        """Call this from now on, and at once when there is something already."""
        self._changed = changed
        if self._dirty:
            changed()

    # -- the inside -----------------------------------------------------------------------------

    def progress(self, done: float, total: float | None, note: str | None) -> None:
        """Note how far the task has come; raises `BadArguments`. Cheap: it is called in the innermost loops."""
        done = reported.checked_number(done, "done")
        if total is not None:
            total = reported.checked_number(total, "total")
        if note is not None:
            note = reported.checked_note(note)
        self._latest = (done, total, note)
        if not self._dirty:
            self._dirty = True
            self._changed()

    def log(self, line: LogLine) -> None:
        """Add a line; the oldest one goes when there are too many."""
        with self._lock:
            self._append(line)
            self._dirty = True
        self._changed()

    def pass_on(self, progress: Progress | None, lines: Sequence[LogLine]) -> None:
        """Add what was taken elsewhere."""
        with self._lock:
            if progress is not None:
                self._latest = (progress.done, progress.total, progress.note)
            for line in lines:
                self._append(line)
            self._dirty = True
        self._changed()

    def _append(self, line: LogLine) -> None:
        if len(self._lines) == self._lines.maxlen:
            self._dropped += 1
        self._lines.append(line)
        self._logged += 1

    # -- who reads, and who takes along ---------------------------------------------------------

    @property
    def latest(self) -> Progress | None:
        """How far the task has come; None when it has not said so."""
        return None if self._latest is None else Progress(*self._latest)

    def read(self, index: int) -> tuple[int, list[LogLine]]:
        """The place behind the last line, and the lines from an absolute place on, as far as they are kept."""
        with self._lock:
            self._dirty = False  # as in `take`: who follows wants to hear of what comes
            oldest = self._logged - len(self._lines)
            first = min(max(index, oldest), self._logged)
            return self._logged, [self._lines[place] for place in range(first - oldest, len(self._lines))]

    def take(self) -> tuple[Progress | None, list[LogLine]]:
        """Take away what was not taken before: the progress, where it is new, and the lines.

        One line says how many were dropped, where they came faster than they were taken.
        """
        with self._lock:
            self._dirty = False  # first: what is noted from here on makes it dirty again
            latest, before, self._taken = self._latest, self._taken, self._latest
            lines, dropped = list(self._lines), self._dropped
            self._lines.clear()
            self._dropped = 0
        if dropped:
            text = f"{dropped + 1} lines were dropped here: they came faster than they could be passed on"
            lines[0] = LogLine(time.time(), "WARNING", "taskpy.logs", text)
        return (None if latest is None or latest is before else Progress(*latest)), lines
