"""Real processes: worker daemons, and controllers that steer tasks from outside. Each is ended by its pid."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.system.waiting import until

ROOT = Path(__file__).parents[2]
#: Here the tasks are; workers run here, controllers elsewhere.
TASKS = Path(__file__).parent / "tasks"
CONTROLLER = Path(__file__).parent / "controller.py"


def environment(**more):
    """What our processes see: taskpy, and nothing that says where another Redis would be."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TASKPY_", "REDIS_"))}
    return kept | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "worker")])} | more


class Worker:
    """One worker daemon in a process group of its own, its log in a file."""

    def __init__(self, folder, ledger, *, url, namespace, module="steered", lease=1.5, env=None, **options):
        arguments = [sys.executable, "-m", "taskpy_worker", module, "--namespace", namespace]
        if url is not None:
            arguments += ["--url", url]
        if lease is not None:
            arguments += ["--lease", str(lease)]
        cwd = options.pop("cwd", TASKS)
        for name, value in options.items():
            for each in value if isinstance(value, tuple) else (value,):
                arguments += [f"--{name.replace('_', '-')}", str(each)]
        self.arguments = arguments
        self._log = folder / f"worker-{len(list(folder.glob('worker-*')))}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                arguments,
                cwd=cwd,
                env=environment(LEDGER=str(ledger.path), **(env or {})),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self):
        """The supervisor's process id."""
        return self.process.pid

    @property
    def log(self):
        """What it has written so far."""
        return self._log.read_text()

    def lines(self, *words):
        """The lines of its log that have all these words."""
        return [line for line in self.log.splitlines() if all(word in line for word in words)]

    def ready(self):
        """Wait until it can claim."""
        until(lambda: self.lines("taskpy-worker is ready") or self.process.poll() is not None, self._story("be ready"))
        assert self.process.poll() is None, self._story("be ready")()
        return self

    def children(self):
        """The process ids of its children, oldest first."""
        with contextlib.suppress(psutil.Error):
            found = psutil.Process(self.pid).children()
            return [child.pid for child in found if child.status() != psutil.STATUS_ZOMBIE]
        return []

    def signal(self, number):
        """Send a signal to the supervisor only, as an init system does."""
        os.kill(self.pid, number)

    def signal_all(self, number):
        """Send a signal to the supervisor and to its children."""
        os.killpg(self.pid, number)

    def ended(self, *, seconds=30.0):
        """Wait for its end; the exit code."""
        until(lambda: self.process.poll() is not None, self._story("end"), seconds=seconds)
        return self.process.returncode

    def close(self):
        """End all of it, however it stands."""
        left = self.children()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(10)
        for pid in left:
            until(lambda pid=pid: not running(pid), f"the end of child {pid}")

    def _story(self, what):
        return lambda: f"the worker to {what}; its log:\n{self.log}"


def running(pid):
    """Whether a process runs; one that has only not been waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Controller:
    """A process that steers tasks by their ids: it can import taskpy, and not the code of the tasks."""

    def __init__(self, folder, *, url, namespace, with_code=False):
        self._process = subprocess.Popen(
            [sys.executable, str(CONTROLLER), url, namespace],
            cwd=folder,
            env=environment(**({"PYTHONPATH": os.pathsep.join(_paths_with_code())} if with_code else {})),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self):
        """The process id."""
        return self._process.pid

    def begin(self, verb, *arguments, **keywords):
        """Have it do something, and do not wait for the answer."""
        self._process.stdin.write(json.dumps([verb, arguments, keywords]) + "\n")
        self._process.stdin.flush()

    def answer(self):
        """The answer to what was begun; an exception by its name and text."""
        line = self._process.stdout.readline()
        assert line, "the controller has ended"
        kind, value = json.loads(line)
        return Raised(*value) if kind == "raised" else value

    def do(self, verb, *arguments, **keywords):
        """Have it do something, and wait for the answer."""
        self.begin(verb, *arguments, **keywords)
        return self.answer()

    def leave(self):
        """Let it end by itself, as a program that has nothing more to do."""
        self._process.stdin.close()
        assert self._process.wait(20) == 0
        self._process.stdout.close()

    def close(self):
        """End it, however it stands."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        for pipe in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class Raised:
    """An exception in a controller."""

    def __init__(self, kind, text):
        self.kind, self.text = kind, text

    def __eq__(self, other):
        return self.kind == (other.kind if isinstance(other, Raised) else other)

    __hash__ = None

    def __repr__(self):
        return f"Raised({self.kind!r}, {self.text!r})"


def _paths_with_code():
    return [str(ROOT), str(ROOT / "worker"), str(TASKS)]


def outage_lines(log):
    """The log's lines that speak of an outage, by the process that wrote them."""
    found = {}
    for line in log.splitlines():
        if match := re.match(r"\S+ \S+ \w+ +(\d+) \S+: (redis does not answer|redis answers again)", line):
            found.setdefault(int(match[1]), []).append(match[2])
    return found
