"""Where it was measured, and with what."""

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path

from benchmarks.server import Server
from benchmarks.systems import ROOT


def describe(server: Server) -> dict[str, str]:
    """The machine and the versions, as words."""
    return {
        "machine": f"{os.cpu_count()} cores, {_memory_gib():.0f} GiB, {_processor()}",
        "load": " ".join(f"{value:.2f}" for value in os.getloadavg()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "server": f"{server.program.engine} {server.program.version}",
        "taskpy": f"{importlib.metadata.version('taskpy')} at {commit_of(ROOT)}",
        "redis-py": importlib.metadata.version("redis"),
        "hiredis": importlib.metadata.version("hiredis"),
    }


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def git(*arguments: str, folder: Path = ROOT) -> str:
    """What a git command prints."""
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603


def commit_of(folder: Path) -> str:
    """The commit of a checkout, with a plus when there is something that is not committed."""
    try:
        changed = "+" if git("status", "--porcelain", "--untracked-files=no", folder=folder) else ""
        return git("rev-parse", "--short", "HEAD", folder=folder) + changed
    except (OSError, subprocess.CalledProcessError):
        return "no repository"
