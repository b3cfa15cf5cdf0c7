"""Whether a worker lives: a file that its supervisor touches, and what `--check` and `--ready` read from it.

To look whether it lives needs neither Redis nor the user's code; whether it is ready, both.
"""

import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from taskpy import errors, pages
from taskpy.space import ASK, Space
from taskpy_worker.config import WorkerConfig

#: A file that was not touched for so many seconds belongs to a supervisor that hangs or is gone.
STALE_SECONDS = 20.0
#: How long Redis may take to answer whether a worker is ready.
READY_SECONDS = 3.0


def default_file() -> Path:
    """The file of the only worker of this user on this host."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"taskpy-worker-{user}.alive"


@dataclass(frozen=True, slots=True)
class Liveness:
    """The file of one worker."""

    file: Path

    def touch(self, wids: list[str]) -> None:
        """Say that the supervisor lives, and which worker processes of it have joined."""
        fresh = self.file.with_name(f"{self.file.name}.{os.getpid()}")
        fresh.write_text(json.dumps({"pid": os.getpid(), "wids": wids}))
        fresh.replace(self.file)

    def remove(self) -> None:
        """Say that the worker has ended."""
        self.file.unlink(missing_ok=True)

    def problem(self) -> str | None:
        """Why the worker does not live; None when it does."""
        try:
            age = time.time() - self.file.stat().st_mtime
        except OSError as error:
            return f"no worker has been here: {error}"
        return None if age < STALE_SECONDS else f"the worker was last seen {age:.0f} s ago: {self.file}"

    def wids(self) -> list[str]:
        """The worker processes that have joined."""
        wids: list[str] = json.loads(self.file.read_text())["wids"]
        return wids


def not_ready(config: WorkerConfig) -> str | None:
    """Why the worker is not ready for work; None when it lives, Redis answers, and knows its processes."""
    liveness = Liveness(Path(config.alive_file) if config.alive_file else default_file())
    if problem := liveness.problem():
        return problem
    try:
        wids = liveness.wids()
    except (OSError, ValueError, LookupError, TypeError) as error:
        return f"the file of the worker cannot be read: {error}"
    space = Space(
        config.url, namespace=config.namespace, timeout=READY_SECONDS, connections=1, shards=config.shards or ASK
    )
    try:
        asked = [pages.workers(keys, wids=wids) for keys in space.shards.keys] if wids else []
        found = [worker for workers in (space.broker.run_many(asked) if asked else []) for worker in workers]
    except errors.BrokerError as error:
        return str(error)
    finally:
        space.close()
    return None if any(worker and not worker.lost for worker in found) else "no process of the worker has joined (yet)"
