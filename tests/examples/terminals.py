"""Terminals: commands typed as the examples say them, in processes of their own that share one local server."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from taskpy import embedded
from tests.system.waiting import until

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
#: What is typed, and what is run: this Python's, wherever it has put its commands.
PROGRAMS = {
    "python": [],
    "taskpy": ["-m", "taskpy.cli"],
    "taskpy-worker": ["-m", "taskpy_worker"],
    "uvicorn": ["-m", "uvicorn"],
}


class Terminal:
    """One command, what it shows, and what is typed into it."""

    def __init__(self, command, folder, environment, screen):
        program, *arguments = shlex.split(command)
        self.command = command
        self._screen = screen
        with screen.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *PROGRAMS[program], *arguments],
                cwd=folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                text=True,
                start_new_session=True,
            )

    @property
    def screen(self):
        """All that it has shown."""
        return self._screen.read_text()

    def sees(self, pattern):
        """Wait until it shows this regular expression; what is found."""

        def look():
            ended = self._process.poll() is not None
            found = re.search(pattern, self.screen, re.MULTILINE)
            assert found or not ended, f"{self.command} has ended without {pattern}:\n{self.screen}"
            return found

        return until(look, lambda: f"{pattern} in\n{self.screen}")

    def types(self, line):
        """Type a line."""
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def ends_input(self):
        """Ctrl-D."""
        self._process.stdin.close()

    def interrupts(self):
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    @property
    def children(self):
        """The processes that it has started."""
        return psutil.Process(self._process.pid).children()

    def ends(self, code=0):
        """Wait for its end; all that it has shown."""
        until(lambda: self._process.poll() is not None, lambda: f"the end of {self.command}:\n{self.screen}")
        assert self._process.returncode == code, f"{self.command} ended with {self._process.returncode}:\n{self.screen}"
        return self.screen

    def close(self):
        """End it and what it has started, however they stand."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()


class Desk:
    """The terminals of one namespace, all in the same folder."""

    def __init__(self, folder, *, home, namespace, at=EXAMPLES):
        paths = os.pathsep.join([str(ROOT), str(ROOT / "worker")])
        ours = {"TASKPY_HOME": str(home), "TASKPY_EMBEDDED_GRACE": "1", "TASKPY_NAMESPACE": namespace}
        ours |= {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        if server := os.environ.get("TASKPY_TEST_SERVER"):
            ours["TASKPY_REDIS_SERVER"] = server
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TASKPY_", "REDIS_"))}
        self.environment = kept | ours
        self.at = at
        self._folder = folder
        self._terminals = []

    def begin(self, command):
        """Type a command into a new terminal."""
        screen = self._folder / f"screen-{len(self._terminals)}"
        terminal = Terminal(command, self.at, self.environment, screen)
        self._terminals.append(terminal)
        return terminal

    def worker(self, command):
        """The same, for a worker; wait until it is ready."""
        terminal = self.begin(command)
        terminal.sees("taskpy-worker is ready")
        return terminal

    def run(self, command):
        """The same, for a command that ends by itself; what it shows."""
        return self.begin(command).ends()

    def close(self):
        """Close all of them."""
        for terminal in reversed(self._terminals):
            terminal.close()


@contextlib.contextmanager
def home(folder):
    """Where a local server is at home, which is ended in the end."""
    folder.mkdir()
    try:
        yield folder
    finally:
        embedded.stop(folder)
