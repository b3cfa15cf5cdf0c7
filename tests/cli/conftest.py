"""Runs the commands inside this process, on a server in its memory; and as processes of their own, on a real one."""

import inspect
import json
import os
import select
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click.testing
import pytest
from taskpy_worker.config import WorkerConfig
from taskpy_worker.worker import running_here

from taskpy import Client
from taskpy.cli.__main__ import commands
from taskpy.testing import session as new_session
from tests.cli import functions
from tests.system.servers import Server

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "taskpy.cli"]


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote, as JSON."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """The lines that it wrote."""
        return self.out.splitlines()


# Before click 8.2 a runner had to be told to keep the two outputs apart.
RUNNER = click.testing.CliRunner(
    **{"mix_stderr": False} if "mix_stderr" in inspect.signature(click.testing.CliRunner).parameters else {}
)


def run_here(*arguments, typed=None):
    """Run a command inside this process; what is no expected end is raised."""
    done = RUNNER.invoke(commands, arguments, input=typed, prog_name="taskpy")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.exit_code, done.stdout, done.stderr)


@pytest.fixture
def cli():
    """Run a command inside this process."""
    return run_here


@pytest.fixture
def session():
    """A server in memory; nothing runs until it is drained."""
    with new_session() as found:
        yield found


@pytest.fixture
def working():
    """A server in memory, with a worker."""
    with new_session(worker=True) as found:
        yield found
        functions.GATE.set()
    functions.GATE.clear()


@pytest.fixture(scope="session")
def server():
    """A real server."""
    made = Server(durable=True).start()
    yield made
    made.close()


def environment(**ours):
    """The environment of a command: nothing of taskpy's but this."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("TASKPY_", "REDIS_", "NO_"))}
    paths = os.pathsep.join([str(ROOT), str(ROOT / "worker")])
    return theirs | {"PYTHONPATH": paths, "TASKPY_EMBEDDED": "0", "TERM": "xterm"} | ours


class Begun:
    """A command that goes on; what it writes is read as it comes."""

    def __init__(self, command, environment):
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        self._written = b""

    def first_line(self, *, seconds=20.0):
        """Wait for its first line; None: it has not come in time."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._written:
            readable, _, _ = select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                return None
            chunk = os.read(self._process.stdout.fileno(), 65536)
            assert chunk, "it has ended"
            self._written += chunk
        return self._written.partition(b"\n")[0].decode()

    def close(self):
        """End it."""
        self._process.kill()
        self._process.wait(10)
        self._process.stdout.close()


class Place:
    """A namespace on a real server, with a worker in this process; commands there run as processes."""

    def __init__(self, server):
        self.namespace = f"cli-{uuid.uuid4().hex}"
        self.environment = environment(TASKPY_REDIS_URL=server.url, TASKPY_NAMESPACE=self.namespace)
        self.client = Client(server.url, namespace=self.namespace)
        config = WorkerConfig(url=server.url, namespace=self.namespace, block=0.2)
        self._worker = running_here(config, Client(server.url, namespace=self.namespace).space, wid="w1", lease=15.0)

    def run(self, *arguments, typed=None, **variables):
        """Run a command to its end."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=self.environment | variables,
            input=typed,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def begin(self, *arguments):
        """Begin a command that goes on."""
        return Begun([*COMMAND, *arguments], self.environment)

    def close(self):
        """End the worker."""
        functions.GATE.set()
        self._worker.close()
        self.client.close()
        functions.GATE.clear()


@pytest.fixture
def place(server):
    """A namespace on the real server, with a worker."""
    made = Place(server)
    yield made
    made.close()
