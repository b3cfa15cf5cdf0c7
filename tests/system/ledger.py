"""The oracle outside Redis: a file to which each start and each end of a task's function appends one line."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    """What a task's function wrote down. `at` is the monotonic clock, which all processes of a host share."""

    word: str
    id: str
    attempt: int
    token: str
    pid: int
    at: float


class Ledger:
    """Reads what the tasks wrote."""

    def __init__(self, path: Path):
        self.path = path
        path.touch()

    def entries(self, word=None, *, attempt=None):
        """The lines, in the order they were written; those of one word, and of one attempt."""
        lines = [line.split() for line in self.path.read_text().splitlines()]
        found = [Entry(w, id, int(n), token, int(pid), float(at)) for w, id, n, token, pid, at in lines]
        return [e for e in found if word in {None, e.word} and attempt in {None, e.attempt}]

    def starts(self, *, attempt=None):
        """The starts of functions."""
        return self.entries("start", attempt=attempt)

    def ends(self, *, attempt=None):
        """The functions that came to their end."""
        return self.entries("end", attempt=attempt)

    def started(self, *, attempt=None):
        """The ids of what was started."""
        return {entry.id for entry in self.starts(attempt=attempt)}
