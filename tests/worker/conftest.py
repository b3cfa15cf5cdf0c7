"""A worker over fakeredis that does nothing by itself: a test turns its duties one tick at a time."""

import contextlib
import re
import threading

import fakeredis
import pytest
from taskpy_worker.config import WorkerConfig
from taskpy_worker.worker import Worker

from taskpy import Client, ops, pages
from taskpy.space import Space
from tests.leaks import nothing_left, wider_scopes  # noqa: F401
from tests.worker import functions
from tests.worker.waiting import until

LEASE = 15.0
#: How long a tick may wait for something that a thread of a task is about to bring.
PATIENCE_SECONDS = 10.0


class Rig:
    """One namespace on a fakeredis server of its own, and its workers."""

    def __init__(self):
        self._beside = set(threading.enumerate())  # of the worker that other tests of this process share, it may be
        self.server = fakeredis.FakeServer(version=(7, 0))
        self.raw = fakeredis.FakeRedis(server=self.server)
        self.client = Client(redis=self.raw, namespace="test")
        self.keys = self.client.space.keys
        self.run = self.client.space.broker.run
        self.spaces = [self.client.space]
        self.workers = []
        self.run(ops.agree(self.keys, version=ops.VERSION, lease=LEASE))

    def worker(self, wid="w1", **options):
        """A worker that has joined; its duties do nothing until they are ticked."""
        space = Space(redis=fakeredis.FakeRedis(server=self.server), namespace="test", timeout=PATIENCE_SECONDS)
        self.spaces.append(space)
        self.run(ops.join(self.keys, wid=wid, lease=LEASE))
        worker = Worker(WorkerConfig(**options), space, wid=wid, lease=LEASE)
        worker.settler.settle_here = worker.settler.settle  # the test turns the settler
        worker.settler.carrying = contextlib.nullcontext
        self.workers.append(worker)
        worker.claimer.tick(0.01)  # the first claim waits for a bell; from now on it knows that nothing is there
        return worker

    def submit(self, name, *args, **options):
        """Submit one of the functions."""
        return self.client.options(**options).of(name).submit(*args)

    def look(self, task):
        """All that Redis knows of a task."""
        return self.run(pages.look(self.keys, id=task.id))

    def held(self, wid="w1"):
        """What Redis says that a worker holds."""
        return self.run(ops.held(self.keys, wid=wid)).tokens

    def events(self, task):
        """The words of a task's events."""
        return [event.word for event in self.client.events(task.id)]

    def fall_silent(self, wid):
        """Let a worker have been silent for longer than its lease."""
        self.raw.zadd(self.keys.lease(), {wid: 1})

    def close(self):
        """End what runs, and wait for it: a task that never sees the gate open would go on for ever."""
        for worker in self.workers:
            worker.executor.end()
        until(lambda: not tasks_running(self._beside), "the tasks to end")
        for space in self.spaces:
            space.close()
        self.client.close()
        self.raw.close()


def tasks_running(besides):
    """The threads of slots, without the ones given: those that are named after a task, and those that are about to be."""
    found = set(threading.enumerate()) - besides
    return [thread for thread in found if re.fullmatch("taskpy-([0-9a-f]{24}|slot)", thread.name)]


@pytest.fixture
def rig():
    made = Rig()
    yield made
    functions.GATE.set()
    made.close()
    functions.forget()


class Clock:
    """A `time` whose moments a test moves."""

    now = 1000.0

    def monotonic(self):
        return self.now


def settle(worker, count=1):
    """Turn the settler until it has told Redis of so many endings."""
    settled = 0
    while settled < count:
        told = worker.settler.tick(PATIENCE_SECONDS)
        assert told, f"{settled} of {count} tasks have ended"
        settled += told


def trips_of(worker, monkeypatch):
    """The verbs of each call of several operations that this worker makes from now on."""
    trips, run_many = [], worker.space.broker.run_many

    def noted(asked, **how):
        trips.append([op.verb for op in asked])
        return run_many(asked, **how)

    monkeypatch.setattr(worker.space.broker, "run_many", noted)
    return trips
