"""Another commit of taskpy, checked out beside this one, to be compared with it."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import machine
from benchmarks.systems import ROOT


@contextlib.contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """The folder of a commit, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="taskpy-base-") as parent:
        folder = Path(parent) / "base"
        machine.git("worktree", "add", "--detach", str(folder), commit, folder=ROOT)
        try:
            yield folder
        finally:
            machine.git("worktree", "remove", "--force", str(folder), folder=ROOT)
