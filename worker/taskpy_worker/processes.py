"""What the operating system says of a process: stopped, busy or asleep. Linux reads /proc, other systems ask ps."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProcessState:
    """Whether a process was stopped by a signal, and how many CPU seconds it has used."""

    stopped: bool
    cpu: float


def state_of(pid: int) -> ProcessState | None:
    """The state of a process; None when there is none, or nobody can tell."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        # The name, in parentheses, may itself hold spaces and parentheses.
        fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return _state_by_ps(pid)
    ticks = os.sysconf("SC_CLK_TCK")
    return ProcessState(stopped=fields[0] in "Tt", cpu=(int(fields[11]) + int(fields[12])) / ticks)


def _state_by_ps(pid: int) -> ProcessState | None:
    try:
        command = ["ps", "-o", "state=,time=", "-p", str(pid)]
        out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.split()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    seconds = 0.0
    for part in out[1].replace("-", ":").split(":"):
        seconds = seconds * 60 + float(part)
    return ProcessState(stopped=out[0].startswith("T"), cpu=seconds)
