"""The Redis server of a run: a process of our own on a free port of 127.0.0.1, that keeps nothing."""

import socket
import time
from pathlib import Path

import redis

from benchmarks.processes import Group
from taskpy.embedded_program import find_server

#: What Debian installs; else whatever taskpy would run, the wheel's server first.
DEBIAN = Path("/usr/bin/redis-server")
START_SECONDS = 20.0
#: How long an answer may take: a million tasks are not forgotten at once.
ANSWER_SECONDS = 60.0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A running server without persistence. Over TCP for everybody, because not every system takes a unix socket."""

    def __init__(self, folder: Path) -> None:
        self.program = find_server(str(DEBIAN) if DEBIAN.exists() else None)
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        command = [self.program.path, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        command += ["--save", "", "--appendonly", "no", "--daemonize", "no", "--maxclients", "4000"]
        self._group = Group(command, log=folder / "redis.log")
        self.redis: redis.Redis = redis.Redis.from_url(self.url, socket_timeout=ANSWER_SECONDS)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.close()
            raise

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.redis.ping()
            except redis.ConnectionError:
                if self._group.ended or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
            else:
                return

    def clear(self) -> None:
        """Forget everything, connections of earlier samples included."""
        self.redis.flushall(asynchronous=False)
        self.redis.script_flush()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._group.pid

    def close(self) -> None:
        """End it."""
        self.redis.close()
        self._group.end()
