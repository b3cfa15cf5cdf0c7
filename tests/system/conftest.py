"""The world of a system test: a real server, a namespace of its own, worker daemons, controllers, and the ledger."""

import os
import signal
import sys
import uuid

import pytest

import taskpy
from tests.leaks import keys_left, nothing_left, wider_scopes  # noqa: F401
from tests.system.daemons import Controller, Worker
from tests.system.ledger import Ledger
from tests.system.servers import Server
from tests.system.waiting import until


@pytest.fixture(scope="session", autouse=True)
def end_properly():
    """Whoever ends the test run by SIGTERM, as `timeout` does, leaves no servers and workers behind."""

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def shared_server():
    """One server for all tests that do it no harm."""
    server = Server().start()
    yield server
    server.close()


@pytest.fixture
def own_server():
    """A durable server on a port, for one test to kill, freeze and start again."""
    server = Server(tcp=True, durable=True).start()
    yield server
    server.close()


class Fleet:
    """One namespace on one server, and the processes of a test that use it."""

    def __init__(self, server, folder, *, url=None):
        self.server = server
        self.url = url or server.url
        self.namespace = f"test-{uuid.uuid4().hex[:12]}"
        self.folder = folder
        self.ledger = Ledger(folder / "ledger")
        self.client = taskpy.Client(self.url, namespace=self.namespace)
        self.workers = []
        self.controllers = []

    def worker(self, *, ready=True, **options):
        """Start a worker daemon."""
        worker = Worker(self.folder, self.ledger, **({"url": self.url, "namespace": self.namespace} | options))
        self.workers.append(worker)
        return worker.ready() if ready else worker

    def controller(self, **options):
        """Start a controller process."""
        controller = Controller(self.folder, url=self.url, namespace=self.namespace, **options)
        self.controllers.append(controller)
        return controller

    def submit(self, name, *args, options=None, **kwargs):
        """Submit a task by its name."""
        return self.client.options(**(options or {})).of(f"steered.{name}").submit(*args, **kwargs)

    def submit_many(self, count, name, *args, options=None):
        """Submit this many tasks, all the same."""
        return self.client.options(**(options or {})).of(f"steered.{name}").submit_many([(args, {})] * count)

    def wait_for_starts(self, tasks, *, attempt=1):
        """Wait until each of these tasks has begun this attempt."""
        wanted = {task.id for task in tasks}
        until(lambda: wanted <= self.ledger.started(attempt=attempt), lambda: self._missing(wanted, attempt))

    def open_gate(self, attempt):
        """Let the tasks that wait for this attempt's gate go on."""
        (self.folder / f"gate-{attempt}").touch()

    def _missing(self, wanted, attempt):
        return f"attempt {attempt} of {len(wanted - self.ledger.started(attempt=attempt))} tasks;\n{self.logs()}"

    def logs(self):
        """The logs of all workers."""
        return "\n".join(f"--- worker {worker.pid}\n{worker.log}" for worker in self.workers)

    def close(self):
        """End all processes; their logs are shown with a failure."""
        self.server.thaw()
        for worker in self.workers:
            worker.close()
        for controller in self.controllers:
            controller.close()
        self.client.close()
        sys.stdout.write(self.logs())
        left = keys_left(self.server.client, self.namespace) if self.server.answers() else []
        assert not left, "these keys will never go:\n" + "\n".join(left)


@pytest.fixture
def fleet(shared_server, tmp_path):
    """A namespace on the shared server."""
    made = Fleet(shared_server, tmp_path)
    yield made
    made.close()


@pytest.fixture
def own_fleet(own_server, tmp_path):
    """A namespace on a server that the test may break."""
    made = Fleet(own_server, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_fleet(shared_server, tmp_path_factory):
    """A namespace that the tests of one file share, with the processes they start in it."""
    made = Fleet(shared_server, tmp_path_factory.mktemp("fleet"))
    yield made
    made.close()


@pytest.fixture
def frozen():
    """Stops processes with SIGSTOP; whatever is still stopped at the end goes on."""
    stopped = set()

    def freeze(*pids):
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
            stopped.add(pid)

    def thaw(*pids):
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
            stopped.discard(pid)

    freeze.thaw = thaw
    return freeze
