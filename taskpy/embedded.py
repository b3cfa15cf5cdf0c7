"""A local server, shared by the processes of one user, and gone when the last of them is.

Owns starting and ending it. It rests on three locks that the kernel gives back however their holders end, so that a
SIGKILL of anybody leaves nothing to clean up:

    start.lock    held while somebody starts or ends the server
    users.lock    shared by its users; `embedded_keeper` ends the server when it gets the lock for itself
    server.lock   handed on to the server: while it is held, no second one opens the same data
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path

from taskpy import embedded_keeper, errors
from taskpy.embedded_folder import LOOK_SECONDS, Folder, Record
from taskpy.embedded_program import Server, find_server

__all__ = ["GRACE_SECONDS", "Server", "Status", "find_server", "join", "leave", "status", "stop"]

#: How long a server outlives its last user, in seconds.
GRACE_SECONDS = 30.0
#: How long a server may take from its start to its first answer, in seconds; the loading of its data is not counted.
START_SECONDS = 30.0

#: The descriptors that hold this process's share of users.lock. A forked child has its share by inheritance.
_shares: dict[Folder, int] = {}


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of the server of the folder `home`. When it does not run, of the one that ran last."""

    home: Path
    running: bool
    pid: int | None
    socket: str | None
    engine: str | None
    version: str | None
    program: str | None


def join(home: Path, *, server: str | None = None, grace: float = GRACE_SECONDS) -> str:
    """Return the URL of the server of the folder `home`, which then runs at least until this process ends.

    Starts it when it does not run, also when it did and has died: to call this again is how a user mends that.
    `server` is the program to run; `grace` is how long the server outlives its last user, in seconds; both count
    only when this call starts it. Raises `ServerError`.
    """
    if sys.platform == "win32":
        raise errors.ServerError("a local server needs Linux or macOS; set TASKPY_REDIS_URL to a server elsewhere")
    folder = Folder.at(home)
    try:
        return "unix://" + urllib.parse.quote(_join(folder, server, grace))
    except OSError as error:
        raise errors.ServerError(f"{folder.path} cannot be used: {error}; set TASKPY_HOME elsewhere") from error


def leave(home: Path) -> None:
    """Use the server of `home` no more. A process that ends has left without saying so."""
    share = _shares.pop(Folder.at(home), None)
    if share is not None:
        # Not LOCK_UN: that would take the lock from forked children, too.
        os.close(share)


def status(home: Path) -> Status:
    """Return what is known of the server of `home`; start nothing. Raises `ServerError`."""
    folder = Folder.at(home)
    record = folder.read_record()
    if record is None:
        return Status(folder.path, running=False, pid=None, socket=None, engine=None, version=None, program=None)
    return Status(
        home=folder.path,
        running=folder.runs,
        pid=folder.read_pid() if folder.runs else None,
        socket=record.socket,
        engine=record.engine,
        version=record.version,
        program=record.program,
    )


def stop(home: Path) -> bool:
    """End the server of `home`, whoever uses it; return whether one ran. Its data is kept. Raises `ServerError`."""
    folder = Folder.at(home)
    if not folder.runs:
        return False
    with folder.starting():
        deadline = time.monotonic() + embedded_keeper.END_SECONDS
        asked = None
        while folder.runs:
            pid = folder.read_pid()
            if pid and pid != asked:
                asked = pid
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
            if time.monotonic() > deadline:
                raise errors.ServerError(f"the server in {folder.path} (process {pid}) does not end; see {folder.log}")
            time.sleep(LOOK_SECONDS)
    return True


def _join(folder: Folder, server: str | None, grace: float) -> str:
    while True:
        folder.prepare()
        with folder.starting():
            _take_share(folder)
            started = _start_unless_running(folder, server, grace)
            record = folder.read_record()
        if record and _answers(folder, record.socket):
            return record.socket
        # Not started here, it has died since; the next turn starts it.
        if started:
            raise errors.ServerError(f"the server in {folder.path} ended at once:\n{folder.end_of_log()}")


def _take_share(folder: Folder) -> None:
    share = _shares.get(folder)
    if share is None or not folder.is_share(share):
        _shares[folder] = folder.share()


def _start_unless_running(folder: Folder, server: str | None, grace: float) -> bool:
    lock = folder.claim_server()
    if lock is None:
        return False
    try:
        folder.read_record()
        program = find_server(server)
        where = folder.choose_socket()
        folder.write_record(Record(program.engine, program.version, program.path, where))
        _start(folder, program.path, where, lock, grace)
    finally:
        # The server has inherited the lock by now, and keeps it.
        os.close(lock)
    return True


def _start(folder: Folder, program: str, where: str, lock: int, grace: float) -> None:
    keeper = [embedded_keeper.__file__, str(folder.path), where, program, str(lock), str(grace)]
    with folder.log.open("ab") as log:
        # A session of its own: Ctrl-C in the terminal must not end the server before its users.
        run = subprocess.run(  # noqa: S603
            [sys.executable, "-I", "-S", *keeper],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder.path,
            pass_fds=[lock],
            start_new_session=True,
            check=False,
        )
    if run.returncode:
        raise errors.ServerError(f"{sys.executable} cannot run {keeper[0]}:\n{folder.end_of_log()}")


def _answers(folder: Folder, where: str) -> bool:
    """Wait until the server answers; False when there is none any more."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        reply = _ping(where)
        if reply.startswith(b"-LOADING"):
            deadline = time.monotonic() + START_SECONDS
        elif reply:
            return True
        elif not folder.runs:
            return False
        time.sleep(LOOK_SECONDS)
    pid = folder.read_pid()
    raise errors.ServerError(
        f"the server in {folder.path} (process {pid}) runs, but does not answer at {where}; end it (kill {pid})"
    )


def _ping(where: str) -> bytes:
    """The first bytes of the server's reply; empty when there is none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        connection.connect(where)
        connection.sendall(b"*1\r\n$4\r\nPING\r\n")
        return connection.recv(64)
    return b""
