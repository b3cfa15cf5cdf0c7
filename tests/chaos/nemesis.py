"""The faults: which one comes when is decided by the seed alone; what it hits is whatever is there at the moment."""

import contextlib
import heapq
import itertools
import os
import random
import signal
import time
from dataclasses import dataclass, field

from tests.chaos.proxy import KINDS, LATE_CHECKPOINT

#: How often each fault is chosen, relative to the others.
WEIGHTS = {
    "child killed": 10,
    "tree killed": 3,
    "supervisor killed": 2,
    "child stopped": 5,
    "tree stopped": 5,
    "drain": 3,
    "server killed": 3,
    "server frozen": 2,
    "connections killed": 5,
    "subscriptions killed": 3,
    "scripts flushed": 3,
    "deaf": 4,
    "checkpoint late": 6,
    "calls": 20,
}
#: The pause between two faults, seconds.
PAUSE_SECONDS = (0.15, 0.8)
#: How long the server is away, or frozen.
AWAY_SECONDS = (0.1, 1.0)
FROZEN_SECONDS = 1.2
DEAF_SECONDS = (1.0, 3.0)
#: How long a child is stopped, in leases: others have its tasks by then, and its supervisor has not killed it yet.
CHILD_STOPPED_LEASES = (1.3, 1.9)
#: ... and with its supervisor.
TREE_STOPPED_LEASES = (1.3, 2.3)


@dataclass
class Fault:
    """One fault. `slots` is how many tasks may have been running where it struck; `pids` are the children there."""

    kind: str
    at: float
    pids: list[int] = field(default_factory=list)
    slots: int = 0


class Nemesis:
    """Breaks the world, and mends what would not mend itself."""

    def __init__(self, world, seed):
        self._world = world
        self._chance = random.Random(seed)
        self._mends = []
        self._order = itertools.count()
        self._server_is_whole = True
        self._raging = True
        world.proxy.came_late = self._kill_whose_checkpoint_came_late
        self.faults = []
        self.deaf_times = []

    def rage(self, seconds):
        """Do one fault after the other for so long, then mend all."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                kind = self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
                fortune = random.Random(self._chance.random())  # each fault has its own, whatever the last one used
                getattr(self, "_" + kind.replace(" ", "_"))(fortune)
                self._pause(self._chance.uniform(*PAUSE_SECONDS))
        finally:
            self._raging = False
            while self._mends:
                heapq.heappop(self._mends)[2]()
            self._world.proxy.cancel()
            self._world.replace_ended()

    def _pause(self, seconds):
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end:
            while self._mends and self._mends[0][0] <= now:
                heapq.heappop(self._mends)[2]()
            self._world.replace_ended()
            time.sleep(min(0.05, max(0.0, end - now)))

    def _later(self, seconds, mend):
        heapq.heappush(self._mends, (time.monotonic() + seconds, next(self._order), mend))

    def _note(self, kind, pids=()):
        slots = len(pids) * self._world.options.concurrency
        self.faults.append(Fault(kind, time.monotonic(), list(pids), slots))

    # -- processes ------------------------------------------------------------------------------

    def _a_worker(self, fortune):
        worker = fortune.choice(self._world.workers)
        return worker, worker.children()

    def _child_killed(self, fortune):
        _, children = self._a_worker(fortune)
        if children:
            pid = fortune.choice(children)
            self._note("child killed", [pid])
            _signal(os.kill, pid, signal.SIGKILL)

    def _tree_killed(self, fortune):
        worker, children = self._a_worker(fortune)
        self._note("tree killed", children)
        _signal(os.killpg, worker.pid, signal.SIGKILL)

    def _supervisor_killed(self, fortune):
        worker, children = self._a_worker(fortune)
        self._note("supervisor killed", children)
        _signal(os.kill, worker.pid, signal.SIGKILL)

    def _child_stopped(self, fortune):
        _, children = self._a_worker(fortune)
        if children:
            pid = fortune.choice(children)
            self._note("child stopped", [pid])
            _signal(os.kill, pid, signal.SIGSTOP)
            self._later(self._leases(fortune, CHILD_STOPPED_LEASES), lambda: _signal(os.kill, pid, signal.SIGCONT))

    def _tree_stopped(self, fortune):
        worker, children = self._a_worker(fortune)
        self._note("tree stopped", children)
        _signal(os.killpg, worker.pid, signal.SIGSTOP)
        self._later(self._leases(fortune, TREE_STOPPED_LEASES), lambda: _signal(os.killpg, worker.pid, signal.SIGCONT))

    def _leases(self, fortune, some):
        return self._world.lease * fortune.uniform(*some)

    def _drain(self, fortune):
        worker, _ = self._a_worker(fortune)
        self._note("drain")
        _signal(os.kill, worker.pid, signal.SIGTERM)

    # -- the server, and what is between --------------------------------------------------------

    def _server_killed(self, fortune):
        if not self._server_is_whole:
            return
        self._server_is_whole = False
        self._note("server killed")
        self._world.server.kill()

        def mend():
            self._world.server.start()
            self._server_is_whole = True

        self._later(fortune.uniform(*AWAY_SECONDS), mend)

    def _server_frozen(self, fortune):
        if not self._server_is_whole:
            return
        self._server_is_whole = False
        self._note("server frozen")
        self._world.server.freeze()

        def mend():
            self._world.server.thaw()
            self._server_is_whole = True

        self._later(FROZEN_SECONDS, mend)

    def _connections_killed(self, fortune):
        if self._server_is_whole:
            self._note("connections killed")
            self._world.server.drop_connections()

    def _subscriptions_killed(self, fortune):
        if self._server_is_whole:
            self._note("subscriptions killed")
            self._world.server.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    def _scripts_flushed(self, fortune):
        if self._server_is_whole:
            self._note("scripts flushed")
            self._world.server.client.script_flush()

    def _deaf(self, fortune):
        if self._world.proxy.deaf:
            return
        self._note("deaf")
        self._world.proxy.deaf = True
        began = time.time()

        def mend():
            self._world.proxy.deaf = False
            self.deaf_times.append((began, time.time()))

        self._later(fortune.uniform(*DEAF_SECONDS), mend)

    def _checkpoint_late(self, fortune):
        """A copy of a checkpoint comes late; then the child is killed, so that the next attempt begins with what is stored."""
        self._world.proxy.order(LATE_CHECKPOINT, 1)

    def _kill_whose_checkpoint_came_late(self, pid):
        if self._raging:
            self._note("killed after a late checkpoint", [pid])
            _signal(os.kill, pid, signal.SIGKILL)

    def _calls(self, fortune):
        for kind in KINDS:
            self._world.proxy.order(kind, fortune.randint(1, 6))


def _signal(send, pid, number):
    """What has ended by itself cannot be hit any more."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        send(pid, number)
