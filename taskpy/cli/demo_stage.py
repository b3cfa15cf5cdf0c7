"""What the demo runs on: a server, two workers and a folder of its own. Nothing of it is left afterwards."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from taskpy import embedded
from taskpy.client import Client
from taskpy.settings import Settings

NAMESPACE = "demo"
#: What the workers import. Nobody does here: the process that steers must not know it.
TASKS = "taskpy.cli.demo_tasks"
WORKERS = 2
#: Tasks at once in each worker: more than the machine has cores, so that there is always something to steer.
CONCURRENCY = 4
#: Short, so that nobody waits long for the tasks of a worker that was killed.
LEASE_SECONDS = 2.0
#: How long anything may take before the demo gives up.
PATIENCE_SECONDS = 60.0
#: How long a process may take to end when it is told to.
END_SECONDS = 5.0
#: How often to look again where nothing wakes us.
LOOK_SECONDS = 0.05

_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoFailed(Exception):
    """Something was not as it should be."""


def wait_for(what: str, reached: Callable[[], bool]) -> None:
    """Wait until it is so; raises `DemoFailed` when that takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise DemoFailed(f"waited {PATIENCE_SECONDS:g} s for {what}, in vain")
        time.sleep(LOOK_SECONDS)


class Worker:
    """A `taskpy-worker` of the demo, with its child the only processes of its process group."""

    def __init__(self, number: int, url: str, folder: Path) -> None:
        self.number = number
        self._log = folder / f"worker-{number}.log"
        command = [sys.executable, "-m", "taskpy_worker", TASKS]
        command += ["--url", url, "--namespace", NAMESPACE, "--queue", "default", "--processes", "1"]
        command += ["--concurrency", str(CONCURRENCY), "--lease", str(LEASE_SECONDS), "--grace", "0"]
        with self._log.open("wb") as log:
            self._process = start(command, stdin=subprocess.DEVNULL, output=log.fileno(), errors=log.fileno())

    @property
    def pid(self) -> int:
        """The process number of its supervisor, and the number of the group."""
        return self._process.pid

    def check(self) -> None:
        """Raise `DemoFailed`, with the end of its log, when it has ended."""
        if self._process.poll() is not None:
            log = self._log.read_text(errors="replace").splitlines()
            raise DemoFailed("\n".join([f"worker {self.number} has ended by itself; its last words:", *log[-8:]]))

    def end(self) -> None:
        """End it, by force when it takes too long."""
        end(self._process)


def start(command: list[str], *, stdin: int, output: int, errors: int | None = None) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own: Ctrl-C is for the demo, which then ends what it has started."""
    return subprocess.Popen(command, stdin=stdin, stdout=output, stderr=errors, process_group=0)  # noqa: S603


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that `start` has started; by force, with its group, when it takes too long."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Stage:
    """The folder, the server in it, and the workers. A context manager: at its end all of it is gone."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self.workers: list[Worker] = []

    def __enter__(self) -> "Stage":
        with contextlib.ExitStack() as opening:
            opening.enter_context(_every_end_is_an_exception())
            folder = Path(tempfile.mkdtemp(prefix="taskpy-demo-"))
            opening.callback(shutil.rmtree, folder, ignore_errors=True)
            self._home = folder / "server"
            self.url = embedded.join(self._home, server=Settings.from_env().server, grace=LEASE_SECONDS)
            opening.callback(self._end_server)
            self.client = opening.enter_context(Client(self.url, namespace=NAMESPACE))
            for number in range(1, WORKERS + 1):
                self.workers.append(Worker(number, self.url, folder))
                opening.callback(self.workers[-1].end)
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        for number in _ENDS:
            signal.signal(number, signal.SIG_IGN)  # whoever is impatient must not keep us from tidying up
        self._open.close()

    @property
    def server(self) -> str:
        """Which server it is."""
        found = embedded.status(self._home)
        return f"{found.engine} {found.version}"

    def wait_until_ready(self) -> None:
        """Wait until all workers are known to Redis."""
        wait_for("the workers", self._is_ready)

    def _is_ready(self) -> bool:
        for worker in self.workers:
            worker.check()
        return len(self.client.workers()) == WORKERS

    def _end_server(self) -> None:
        embedded.leave(self._home)
        embedded.stop(self._home)


@contextlib.contextmanager
def _every_end_is_an_exception() -> Iterator[None]:
    """Make a KeyboardInterrupt of every wish to end the demo, so that it tidies up."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in _ENDS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
