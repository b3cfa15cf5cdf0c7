"""A child process of the worker: runs user code, does the duties, and obeys its supervisor over a pipe.

Frames, msgpack tuples. From the supervisor: ("config", config, sys.path), ("go", wid, lease, shard or None, all the shards
that this child serves, shards of the namespace) for each of them, ("drain", grace), ("quit",).
To it: ("ready", number of tasks), ("alive",) 6 times a lease, ("retiring", whether its burst is over) when it takes no more
tasks, or ("failed", what, text) when the tasks cannot be imported or a start hook fails.
"""

import gc
import importlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

from taskpy import errors, logs, on, script, space, wire
from taskpy_worker import log
from taskpy_worker.config import WorkerConfig
from taskpy_worker.loading import load_tasks
from taskpy_worker.served import Served

logger = logging.getLogger("taskpy.worker")

#: How often a child says that it is alive, in one lease.
SIGNS_OF_LIFE = 6
#: How many more objects there are until the garbage collector looks; Python's own 700 are some fifteen tasks.
GARBAGE_OBJECTS = 10_000
#: What every child and its supervisor say to Redis.
SCRIPTS = ("agree", "join", "due", "claim", "start", "heartbeat", "settle")
#: Connections for commands; beside them one for the bell and one for pub/sub.
COMMAND_CONNECTIONS = 2


class Child:
    """The child's end of the pipe."""

    def __init__(self, pipe: "Connection[bytes, bytes]") -> None:
        self._pipe = pipe
        self._writing = threading.Lock()
        self._leaving = threading.Lock()
        self._served: Served | None = None

    def serve(self) -> None:
        """Prepare, then obey until the supervisor says it is over, or is gone."""
        _, packed, path = self._read()
        sys.path[:] = path
        config = WorkerConfig.load(packed)
        log.set_up(config.log_level, config.log_format)
        self._space = space.Space(
            config.url, namespace=config.namespace, timeout=None, connections=COMMAND_CONNECTIONS, shards=space.ASK
        )
        space.set_default(self._space)  # a task that submits lands in the same place
        step = "cannot import the tasks"
        try:
            tasks = load_tasks(config.modules)
            _collect_less()
            step = "a start hook failed"
            on.starting()
        except Exception as error:  # the user's modules and hooks may raise anything
            text = str(error) if isinstance(error, errors.TaskpyError) else traceback.format_exc()
            self._say("failed", step, text)
            return
        logs.install_handler()  # behind whatever the modules and hooks have done to the root logger
        self._say("ready", tasks)
        while True:
            match self._read():
                case ("go", wid, lease, *where):
                    self._go(config, wid, lease, where)
                case ("drain", grace):
                    self._end(grace)
                case ("quit",):
                    self._end(0.0)

    def _go(self, config: WorkerConfig, wid: str, lease: float, where: list[int | None]) -> None:
        shard, serves, shards = where[0], where[1] or 1, where[2] or 1
        if self._served is None:
            self._served = Served(config, shards=serves)
            self._space.divide(shards, agreed=True)
            threading.Thread(target=self._show_life, args=(lease,), name="taskpy-alive", daemon=True).start()
            arguments = (self._served, config)
            threading.Thread(target=self._retire, args=arguments, name="taskpy-retire", daemon=True).start()
        here = self._space
        if shard is not None:
            here = here.in_shard(shard, connections=COMMAND_CONNECTIONS)
        self._served.start(here, wid=wid, lease=lease)

    def _retire(self, served: Served, config: WorkerConfig) -> None:
        """End after the last task of a burst or of this child's share, or when it is spent; another takes its place."""
        served.await_finish()
        overrun = served.overrun
        self._say("retiring", not (overrun or served.spent))
        if overrun:
            logger.warning("too many functions go on here whose tasks were stopped: this child is replaced")
            served.drain(config.grace)
        served.await_empty()
        self._leave()

    def _end(self, grace: float) -> None:
        """Drain in a thread of its own, so that a second order is heard; the shorter grace wins by ending first."""

        def end() -> None:
            if self._served is not None:
                self._served.drain(grace)
            self._leave()

        threading.Thread(target=end, name="taskpy-drain", daemon=True).start()

    def _leave(self) -> None:
        with self._leaving:  # once, whoever comes first
            for hook in on.stops():
                try:
                    hook()
                except Exception:  # the other hooks have a right to run
                    logger.exception("a stop hook failed: hook=%s", hook)
            logging.shutdown()
            os._exit(0)  # threads of tasks that did not end must not hold us up

    def _show_life(self, lease: float) -> None:
        while True:
            self._say("alive")
            time.sleep(lease / SIGNS_OF_LIFE)

    def _read(self) -> Any:
        try:
            return wire.loads(self._pipe.recv_bytes())
        except (EOFError, OSError):
            os._exit(1)  # the supervisor is gone; the lease gives our tasks to others

    def _say(self, *frame: Any) -> None:
        with self._writing:
            try:
                self._pipe.send_bytes(wire.dumps(frame))
            except OSError:
                os._exit(1)  # as above


def _collect_less() -> None:
    """Have the garbage collector look at what is loaded never again, and less often at what comes; a start hook may differ.

    It does not look now either: that would write to all that a forked child shares with its supervisor.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS)


def prepare() -> None:
    """Do once, before children are forked, what each would do for itself at its first words to Redis."""
    for module in ("taskpy.broker", "encodings.idna"):  # which are imported when they are needed
        importlib.import_module(module)
    for verb in SCRIPTS:
        script.load(verb)
    gc.collect()
    gc.freeze()


def serve(fd: int) -> None:
    """Be a child from now on, with the pipe as an inherited file descriptor; never returns."""
    # However it was started, it looks the same to what it runs.
    sys.argv[:] = [__file__, str(fd)]
    sys.modules["__main__"] = sys.modules[__name__]
    pipe: Connection[bytes, bytes] = Connection(fd)
    os.set_inheritable(pipe.fileno(), False)
    # Ctrl-C and a SIGTERM to the process group reach us too; it is the supervisor who decides what they mean.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    Child(pipe).serve()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
