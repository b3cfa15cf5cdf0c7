"""A child process by fork: it shares its memory with its supervisor, and is there without importing anything again.

Only for a process that has no second thread yet: a lock that another thread holds at the fork would never be released.
"""

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from taskpy.deadline import Deadline

#: How often one that ends is looked at.
LOOK_SECONDS = 0.01


def is_safe() -> bool:
    """Whether this process has one thread, of whatever kind. Elsewhere than on Linux nobody can tell."""
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 - no path of them is needed
    except OSError:
        return False


class Forked:
    """What `subprocess.Popen` is for a process that was started by exec."""

    def __init__(self, serve: Callable[[], object], *, keep: int) -> None:
        """Have a child call `serve`, and end. Of our open files it has the standard ones and `keep`."""
        self.returncode: int | None = None
        self._collecting = threading.Lock()
        gc.collect()  # what importing has left behind would be shared, too
        gc.freeze()  # or the first collection would write to, and so copy, all that is shared
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _become(serve, keep)

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it lives."""
        with self._collecting:  # once, or its number may be another process's by then
            if self.returncode is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises `subprocess.TimeoutExpired`."""
        deadline = Deadline(timeout)
        while (code := self.poll()) is None:
            if deadline.over:
                raise subprocess.TimeoutExpired("a forked child", timeout or 0.0)
            time.sleep(LOOK_SECONDS)
        return code

    def kill(self) -> None:
        """End it by force, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def _become(serve: Callable[[], object], keep: int) -> None:
    try:
        for fd in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - as above
            if fd > 2 and fd != keep:
                with contextlib.suppress(OSError):  # the list itself was one
                    os.close(fd)
        nothing = os.open(Path(os.devnull), os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        serve()
    except BaseException:  # whatever it is, this process may not go on as a second supervisor
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)
