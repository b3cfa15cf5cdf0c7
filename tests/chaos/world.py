"""The processes of a run: a server with its append-only file, worker daemons behind a proxy, and the ledger."""

import contextlib
import signal
import threading
from pathlib import Path

import taskpy
from tests.chaos.controls import python_path
from tests.chaos.proxy import FaultyProxy
from tests.system.daemons import Worker
from tests.system.ledger import Ledger
from tests.system.servers import Server

TASKS = Path(__file__).parent / "tasks"


class World:
    """Whatever is broken here is ended by its number, and replaced."""

    def __init__(self, options, folder, *, lease=None):
        self.options = options
        self.lease = lease or options.lease
        self.folder = folder
        self.namespace = "chaos"
        self.ledger = Ledger(folder / "ledger")
        self.server = Server(tcp=True, durable=True).start()
        self.proxy = FaultyProxy(self.server.port, options.seed)
        #: What the load uses: it meets the same faults as the workers.
        self.client = taskpy.Client(self.proxy.url, namespace=self.namespace, timeout=120)
        #: What the oracles use: nothing is between it and the server.
        self.direct = taskpy.Client(self.server.url, namespace=self.namespace, timeout=60)
        self.workers = []
        self._ended = []
        self._lock = threading.Lock()

    def add_worker(self):
        """Start one more, without waiting for it."""
        worker = Worker(
            self.folder,
            self.ledger,
            url=self.proxy.url,
            namespace=self.namespace,
            module="chaotic",
            lease=self.lease,
            env={"PYTHONPATH": python_path()},
            cwd=TASKS,
            processes=self.options.processes,
            concurrency=self.options.concurrency,
            grace=self.options.grace,
        )
        self.workers.append(worker)
        return worker

    def replace_ended(self):
        """Start another worker for each that has ended."""
        for worker in [worker for worker in self.workers if worker.process.poll() is not None]:
            self.workers.remove(worker)
            self._ended.append(worker)
            self.add_worker()

    def close(self):
        """End everything."""
        self.client.close()
        self.direct.close()
        for worker in [*self.workers, *self._ended]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                worker.signal_all(signal.SIGCONT)
            worker.close()
        self.proxy.close()
        self.server.close()
