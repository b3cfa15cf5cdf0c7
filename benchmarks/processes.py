"""Processes of a run: each begins a group of its own, and whatever is left of that group is ended by its number."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: How long a process may take to end by itself, before it is killed.
GRACE_SECONDS = 3.0
#: How long the tail of a log may be that an error shows.
LOG_CHARACTERS = 1500


class Failed(Exception):
    """A process has not done what it was to do; the text has the end of its log."""


class Group:
    """A process and its children."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        talks: bool = False,
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - our own commands
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if talks else output,
                stderr=output,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id of the first one, which is the number of the group, too."""
        return self.process.pid

    @property
    def ended(self) -> bool:
        """Whether the first one has ended."""
        return self.process.poll() is not None

    def pids(self) -> list[int]:
        """All processes of the group that run, the first one first."""
        return pids_of_group(self.pid)

    def end(self) -> None:
        """End all of it: asked first, killed then. Returns when nothing of it is left."""
        if not self.ended:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(GRACE_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End all of it at once."""
        deadline = time.monotonic() + GRACE_SECONDS
        while self._signal(signal.SIGKILL) and (self.process.poll() is None or pids_of_group(self.pid)):
            if time.monotonic() > deadline:
                raise Failed(f"the processes {pids_of_group(self.pid)} cannot be killed")
            time.sleep(0.005)
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _signal(self, number: signal.Signals) -> bool:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def story(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-LOG_CHARACTERS:] if self.log.exists() else ""


def pids_of_group(leader: int) -> list[int]:
    """All processes of a group that run, its leader first."""
    found = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return sorted((pid for pid in found if _group_of(pid) == leader), key=lambda pid: (pid != leader, pid))


def _group_of(pid: int) -> int | None:
    try:
        group = os.getpgid(pid)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return None
    return None if state == "Z" else group


class Speaker(Group):
    """A process that says on its standard output what it has found: one JSON object a line."""

    def __init__(self, command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path, seconds: float) -> None:
        super().__init__(command, log=log, env=env, cwd=cwd, talks=True)
        self._seconds = seconds
        self._too_late = False
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True
        self._timer.start()

    def _expire(self) -> None:
        self._too_late = True
        self._signal(signal.SIGKILL)

    def hear(self) -> dict[str, Any]:
        """The next thing that it says; raises `Failed` when it ends without a word, or takes too long."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(b"{"):
                said: dict[str, Any] = json.loads(line)
                return said
        why = f"nothing after {self._seconds:g} s" if self._too_late else "it has ended"
        raise Failed(f"{why}: {self.story()}")

    def end(self) -> None:
        """End all of it; it has said what it had to say."""
        self._timer.cancel()
        self.kill()
