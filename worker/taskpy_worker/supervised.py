"""One child process as its supervisor sees it: alive or not, heard or silent, worth its lease or hopeless."""

import logging
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from taskpy import wire
from taskpy_worker import forked
from taskpy_worker.config import WorkerConfig
from taskpy_worker.forked import Forked
from taskpy_worker.processes import state_of

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

logger = logging.getLogger("taskpy.worker")

#: A child that was stopped (SIGSTOP) for so many leases is killed: its tasks have gone to others.
STOPPED_LEASES = 2
#: A child that is silent and uses no CPU for so many leases is killed: it can be neither steered nor stopped.
SILENT_LEASES = 4
#: Where the keepers of several shards ask, a child is looked at so many times a lease at most.
JUDGEMENTS = 6
#: How long a child may take to end after it has closed its pipe.
END_SECONDS = 1.0
#: A silent child that uses more than this share of a CPU is computing, with the GIL held.
BUSY_SHARE = 0.05


def new_wid(pid: int) -> str:
    """An id for the worker in this process, used once in history."""
    host = "".join(c if c.isalnum() or c == "-" else "-" for c in socket.gethostname())[:40] or "host"
    return f"{host}-{pid}-{os.urandom(5).hex()}"


def _started(fd: int) -> "Forked | subprocess.Popen[bytes]":
    """A child that talks over this pipe: the first ones by fork, in one's place by exec, for by then we have threads."""
    if forked.is_safe():
        from taskpy_worker import child  # which has imported all that children need

        child.prepare()
        return Forked(lambda: child.serve(fd), keep=fd)
    command = [sys.executable, "-m", "taskpy_worker.child", str(fd)]
    return subprocess.Popen(command, pass_fds=[fd], stdin=subprocess.DEVNULL)  # noqa: S603 - our own


class Supervised:
    """A child process, its pipe, and what is known of it."""

    def __init__(self, config: WorkerConfig) -> None:
        ours, theirs = multiprocessing.Pipe()
        self.process = _started(theirs.fileno())
        theirs.close()
        self.pipe: Connection[Any, Any] = ours
        self.born = time.monotonic()
        self.wids: dict[int | None, str] = {}  # by shard, once it has joined there: the same in all
        self.condemned = False  # its lease is gone: it must be replaced
        self.retiring = False  # it takes no more tasks, and ends after those that run
        self.burst_over = False  # it ends because the queues were empty and nothing ran in it
        self._heard = self.born
        self._judging = threading.Lock()
        self._judged: tuple[float, bool] | None = None  # when, and whether it was worthy
        self._stopped_since: float | None = None
        self._cpu = (self.born, 0.0)
        self.say("config", config.dump(), sys.path)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def ended(self) -> bool:
        """Whether its process has ended."""
        return self.process.poll() is not None

    @property
    def wid(self) -> str | None:
        """The id of its worker, once it has joined in some shard."""
        return next(iter(list(self.wids.values())), None)

    def new_wid(self) -> str:
        """A worker id, used once in history."""
        return new_wid(self.pid)

    def say(self, *frame: Any) -> None:
        """Send a frame; a child that is gone is noticed by its exit."""
        try:
            self.pipe.send_bytes(wire.dumps(frame))
        except OSError:
            logger.debug("a child does not take orders any more: pid=%d", self.pid)

    def heard(self) -> None:
        """Note a sign of life."""
        self._heard = time.monotonic()

    def worthy(self, lease: float) -> bool:
        """Whether its lease may be prolonged; kills a child for which there is no hope. Look at least once a lease."""
        now, state = time.monotonic(), state_of(self.pid)
        if state is None:
            return True  # nobody can tell, or it has just ended, which its exit says
        if state.stopped:
            self._stopped_since = self._stopped_since or now
            if now - self._stopped_since > STOPPED_LEASES * lease:
                self.kill("it was stopped for too long")
            return False
        self._stopped_since = None
        (then, before), self._cpu = self._cpu, (now, state.cpu)
        silent = now - self._heard
        if silent > lease:
            busy = state.cpu - before > BUSY_SHARE * (now - then)
            logger.warning("a child is silent: pid=%d seconds=%.0f computing=%s", self.pid, silent, busy)
            if not busy and silent > SILENT_LEASES * lease:
                self.kill("it was silent for too long")
                return False
        return True

    def lately_worthy(self, lease: float) -> bool:
        """As `worthy`, for several who ask: they hear what was found last, unless that was long ago."""
        with self._judging:
            if self._judged is None or time.monotonic() - self._judged[0] > lease / JUDGEMENTS:
                self._judged = time.monotonic(), self.worthy(lease)
            return self._judged[1]

    def await_end(self) -> None:
        """Wait for the end of a child whose pipe is closed; one that lives on takes no orders, and is of no use."""
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill("its pipe is closed")
            self.process.wait()

    def kill(self, why: str) -> None:
        """End it by force, unless it has ended."""
        if self.process.poll() is None:
            logger.warning("killing a child: pid=%d why=%s", self.pid, why)
            self.process.kill()
