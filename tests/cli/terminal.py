"""A command in a terminal of its own: what is typed, and what is seen."""

import contextlib
import os
import pty
import select
import subprocess
import time

from tests.cli.conftest import COMMAND
from tests.system.waiting import until

#: Makes a terminal one's own, so that Ctrl-C is heard, and becomes the command.
OWN_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A command in a terminal of its own: what is typed, and what is seen."""

    def __init__(self, environment, *arguments):
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [COMMAND[0], "-c", OWN_TERMINAL, *COMMAND, *arguments],
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""
        self._read_to = 0

    def type(self, text):
        """Type a line."""
        os.write(self._master, text.encode())

    def interrupt(self, said):
        """Type Ctrl-C until this is on the screen. Python does not hear one that comes just before `input` reads."""
        for _ in range(4):
            self.type("\x03")
            with contextlib.suppress(AssertionError):
                self.see(said, seconds=3)
                return
        self.see(said)

    def see(self, text, *, seconds=20.0):
        """Wait until this is on the screen, behind what was waited for before."""
        start = self._read_to
        deadline = time.monotonic() + seconds
        while text not in self.seen[start:]:
            if select.select([self._master], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # what a terminal says whose program has ended
                    self.seen += os.read(self._master, 65536).decode(errors="replace").replace("\r\n", "\n")
            assert time.monotonic() < deadline, f"waited for {text!r}; seen: {self.seen!r}"
        self._read_to = self.seen.index(text, start) + len(text)

    def ended(self):
        """Wait for the end of the command; its exit code."""
        until(lambda: self._process.poll() is not None, "the command to end")
        return self._process.returncode

    def close(self):
        """End it, however it stands."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        os.close(self._master)
