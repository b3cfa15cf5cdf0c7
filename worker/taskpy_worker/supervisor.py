"""The worker's first process: starts the children, replaces those that die, passes on signals. Runs no user code."""

import contextlib
import logging
import multiprocessing.connection
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from taskpy import errors, ops, spec, wire
from taskpy.deadline import Deadline
from taskpy.settings import Settings
from taskpy.shards import disagreement
from taskpy.space import Space
from taskpy_worker.config import WorkerConfig
from taskpy_worker.keeper import Keeper
from taskpy_worker.liveness import Liveness, default_file
from taskpy_worker.reloading import watch_sources
from taskpy_worker.supervised import Supervised
from taskpy_worker.systemd import Notifier

logger = logging.getLogger("taskpy.worker")

#: A child that lived shorter than this is replaced after a pause, which doubles each time.
YOUNG_SECONDS = 5.0
PAUSE_SECONDS = (0.1, 10.0)
#: What a drain may take beyond the grace time before a child is killed.
LATE_SECONDS = 10.0
#: What children get to end that were started for nothing, because the worker cannot begin.
DISMISS_SECONDS = 2.0
#: How many children there may be for each one that is wanted: one takes tasks while another ends its last ones.
GENERATIONS = 2
#: What running tasks get when the sources have changed: a developer waits for it.
RELOAD_GRACE_SECONDS = 2.0
#: How often we look around without being woken.
LOOK_SECONDS = 5.0


class Supervisor:
    """Keeps `processes` children at work until a signal ends it."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        self._children: list[Supervised] = []
        self._signals = 0  # only set by the handler
        self._orders = 0  # how many of them the children know of
        self._young_deaths = 0
        self._spawn_at = 0.0
        self._deadline: float | None = None
        self._failure: str | None = None
        self._announced = False
        self._announcing = threading.Lock()
        self._burst_over = False
        self._changed = False  # only set by the watcher of the sources
        self._look_at = 0.0
        self._wakeup, self._waker = socket.socketpair()
        self._liveness = Liveness(Path(config.alive_file) if config.alive_file else default_file())
        self._systemd = Notifier(Settings.from_env().notify_socket)

    def run(self) -> int:
        """Work until told to end; the exit code. Raises `Unreachable` or `Incompatible` when it cannot begin."""
        self._spawn_missing()  # they prepare while we look for Redis, and may be forked while we have no threads
        try:
            lease = self._agree()
        except BaseException:
            self._dismiss()
            raise
        self._start_keepers(lease)
        self._catch_signals()
        if self._config.reload:
            watch_sources(self._note_change)
        try:
            while not self._over():
                self._spawn_missing()
                self._wait()
                self._bury_dead()
                self._pass_on_signals()
                self._replace_changed()
                self._show_life()
        finally:
            self._liveness.remove()
        deadline = Deadline(LATE_SECONDS)
        for keeper in self._keepers:
            keeper.flush(deadline.left() or 0.0)
        return 1 if self._failure else 0

    def _start_keepers(self, lease: float) -> None:
        """Have somebody for each shard who speaks to Redis, over a connection of its own."""
        whole = Space(
            self._config.url,
            namespace=self._config.namespace,
            timeout=None,
            connections=1,
            shards=self._shards,
            agreed=True,
        )
        served = self._config.served(self._shards)
        spaces = [whole if shard is None else whole.in_shard(shard, connections=1) for shard in served]
        known = {"serves": len(served), "shards": self._shards}
        self._keepers = [Keeper(self._config, each, lease, lambda: list(self._children), **known) for each in spaces]
        for keeper in self._keepers:
            keeper.start()

    def _agree(self) -> float:
        """Agree with the namespace on its shards, the version of the data and the lease."""
        with_timeout = Space(self._config.url, namespace=self._config.namespace, connections=1, shards=1)
        if with_timeout.address.in_memory:
            raise errors.BadArguments(
                "memory:// is a server inside one process, which this worker's children would not see; leave --url out "
                "for a local server, or in a test use taskpy.testing.session(worker=True)"
            )
        told = self._config.shards
        self._shards = with_timeout.broker.run(ops.divide(with_timeout.keys, shards=told or 1))
        if told not in {0, self._shards}:
            raise disagreement(self._config.namespace, told, self._shards)
        self._config.served(self._shards)  # what is wrong with it is said before anything else
        wanted = self._config.lease or spec.LEASE_SECONDS
        found = with_timeout.broker.run(ops.agree(with_timeout.keys, version=ops.VERSION, lease=wanted))
        self._server = with_timeout.server
        with_timeout.close()
        if found.version != ops.VERSION:
            raise errors.Incompatible(
                f"namespace {self._config.namespace!r} has data of version {found.version}, this taskpy knows "
                f"{ops.VERSION}; use the taskpy that the other workers use, or another namespace"
            )
        if self._config.lease is not None and found.lease != self._config.lease:
            raise errors.Incompatible(
                f"namespace {self._config.namespace!r} has a lease of {found.lease:g} s, this worker wants "
                f"{self._config.lease:g} s; leave --lease out, or use another namespace"
            )
        return found.lease

    def _dismiss(self) -> None:
        """End children that were never let go."""
        self._order("quit")
        deadline = Deadline(DISMISS_SECONDS)
        for child in self._children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.process.wait(deadline.left())
            child.kill("it did not end in time")
            child.pipe.close()

    def _over(self) -> bool:
        return not self._children and (self._signals > 0 or self._burst_over or self._failure is not None)

    # -- children -------------------------------------------------------------------------------

    def _spawn_missing(self) -> None:
        if self._signals or self._failure or self._burst_over or time.monotonic() < self._spawn_at:
            return
        wanted = self._config.processes
        while (
            sum(not child.retiring for child in self._children) < wanted and len(self._children) < wanted * GENERATIONS
        ):
            self._children.append(Supervised(self._config))

    def _wait(self) -> None:
        pipes: dict[Any, Supervised] = {child.pipe: child for child in self._children}
        for ready in multiprocessing.connection.wait([*pipes, self._wakeup], self._patience()):
            if ready is self._wakeup:
                self._wakeup.recv(4096)
            else:
                self._hear(pipes[ready])

    def _patience(self) -> float:
        moments = [moment for moment in (self._deadline, self._spawn_at) if moment]
        return min([LOOK_SECONDS, *(max(0.05, moment - time.monotonic()) for moment in moments)])

    def _hear(self, child: Supervised) -> None:
        try:
            frame = wire.loads(child.pipe.recv_bytes())
        except (EOFError, OSError):
            child.await_end()
            return
        child.heard()
        self._note(child, frame)

    def _hear_rest(self, child: Supervised) -> None:
        """Hear what a child said before it ended: that it retires, say, which is no death."""
        with contextlib.suppress(EOFError, OSError):
            while child.pipe.poll():
                self._note(child, wire.loads(child.pipe.recv_bytes()))

    def _note(self, child: Supervised, frame: Any) -> None:
        match frame:
            case ("ready", tasks):
                wid = child.new_wid()
                for keeper in self._keepers:
                    keeper.introduce(child, wid, tasks, lambda: self._announce(tasks))
            case ("retiring", burst_over):
                child.retiring = True
                child.burst_over = burst_over
                self._burst_over = self._burst_over or burst_over
            case ("failed", what, text):
                self._fail(what, text)

    def _announce(self, tasks: int) -> None:
        self._look_at = 0.0  # who asks whether we are ready shall know at once
        self._waker.send(b"a")
        with self._announcing:  # the keepers of several shards may come at once
            if self._announced:
                return
            self._announced = True
        self._systemd.tell("READY=1")
        logger.info(
            "taskpy-worker is ready: server=%s namespace=%s queues=%s tasks=%d processes=%d concurrency=%d",
            self._server,
            self._config.namespace,
            ",".join(self._config.queues),
            tasks,
            self._config.processes,
            self._config.concurrency,
        )
        if self._shards > 1:
            served = self._config.served(self._shards)
            logger.info("it serves %d of %d shards: shards=%s", len(served), self._shards, ",".join(map(str, served)))

    def _fail(self, what: str, text: str) -> None:
        if self._announced:  # it worked once: perhaps the code is just being replaced
            logger.error("a new child: %s, trying again: %s", what, text)
            return
        logger.error("%s: %s", what, text)
        self._failure = text
        self._order("quit")

    def _bury_dead(self) -> None:
        for child in [child for child in self._children if child.process.poll() is not None]:
            self._hear_rest(child)
            self._children.remove(child)
            child.pipe.close()
            for keeper in self._keepers:
                keeper.bury(child)
            if not child.burst_over:  # its tasks were given back, or its last one has submitted others: look again
                self._burst_over = False
            if not self._signals and not self._failure and not child.retiring:
                self._note_death(child)

    def _note_death(self, child: Supervised) -> None:
        logger.warning("a child died, starting another: pid=%d exit=%s", child.pid, child.process.returncode)
        young = time.monotonic() - child.born < YOUNG_SECONDS
        self._young_deaths = self._young_deaths + 1 if young else 0
        first, longest = PAUSE_SECONDS
        if self._young_deaths > 1:
            self._spawn_at = time.monotonic() + min(longest, first * 2**self._young_deaths)

    # -- those who look after us ----------------------------------------------------------------

    def _show_life(self) -> None:
        """Touch the liveness file and tell systemd, now and then."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        self._systemd.tell("WATCHDOG=1")
        try:
            self._liveness.touch([child.wid for child in self._children if child.wid])
        except OSError as error:
            logger.warning("cannot write the liveness file: file=%s error=%s", self._liveness.file, error)

    def _note_change(self) -> None:
        self._changed = True
        self._waker.send(b"c")

    def _replace_changed(self) -> None:
        if not self._changed or self._signals:
            return
        self._changed = False
        self._young_deaths, self._spawn_at = 0, 0.0  # what was broken may have been mended
        logger.info("sources have changed, replacing the children")
        for child in self._children:
            if not child.retiring:
                child.retiring = True
                child.say("drain", min(self._config.grace, RELOAD_GRACE_SECONDS))

    # -- signals --------------------------------------------------------------------------------

    def _catch_signals(self) -> None:
        self._waker.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._count_signal)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only to be woken

    def _count_signal(self, *_: Any) -> None:
        self._signals += 1

    def _pass_on_signals(self) -> None:
        while self._orders < self._signals:
            self._orders += 1
            self._systemd.tell("STOPPING=1")
            if self._orders == 1:
                logger.info("draining: grace=%.0fs; a second signal ends at once", self._config.grace)
                self._deadline = time.monotonic() + self._config.grace + LATE_SECONDS
                self._order("drain", self._config.grace)
            elif self._orders == 2:
                logger.info("giving everything back and ending at once")
                self._deadline = time.monotonic() + LATE_SECONDS
                self._order("quit")
            else:
                self._kill_all("told so three times")
        if self._deadline is not None and time.monotonic() > self._deadline:
            self._kill_all("it did not end in time")

    def _order(self, *frame: Any) -> None:
        for child in self._children:
            child.say(*frame)

    def _kill_all(self, why: str) -> None:
        for child in self._children:
            child.kill(why)
