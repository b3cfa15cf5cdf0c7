"""The end of this process: its local tasks are asked to stop, given a moment, and child processes are ended."""

import atexit
import os
import time
import weakref
from typing import Protocol

from taskpy.identity import who
from taskpy.spec import StopReason, Wish

#: How long the local tasks of a process may take to end when the process does.
EXIT_SECONDS = 5.0


class Mortal(Protocol):
    """A local task that is to end with its process."""

    def ask_stop(self, wish: Wish) -> None:
        """Ask it to stop."""

    def join(self, timeout: float) -> bool:
        """Wait for its end."""

    def kill(self) -> None:
        """End it by force, where that can be done."""


_alive: "weakref.WeakSet[Mortal]" = weakref.WeakSet()


def track(mortal: Mortal) -> None:
    """See to it that this task ends with the process."""
    _alive.add(mortal)
    # Hooks run in reverse order of registration; ours must run before multiprocessing's, which waits without limit.
    atexit.unregister(end_all)
    atexit.register(end_all)


def end_all() -> None:
    """Stop the local tasks of this process and wait for them, at most 5 seconds for all."""
    mortals, wish = list(_alive), Wish(StopReason("the process ends", who()))
    for mortal in mortals:
        mortal.ask_stop(wish)
    deadline = time.monotonic() + EXIT_SECONDS
    for mortal in mortals:
        mortal.join(max(0.0, deadline - time.monotonic()))
    for mortal in mortals:
        mortal.kill()


if hasattr(os, "register_at_fork"):
    # The tasks of the parent are none of the child's: its end must not stop them.
    os.register_at_fork(after_in_child=_alive.clear)
