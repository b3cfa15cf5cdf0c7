"""The folder a local server lives in: its locks, its socket, and the record of who wrote its data.

Owns what lies where, and that it is one user's alone. Starts and ends nothing.
"""

import contextlib
import hashlib
import json
import os
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from taskpy import errors
from taskpy.embedded_keeper import START_LOCK, USERS_LOCK

if sys.platform != "win32":  # embedded.join refuses there before it needs a lock
    import fcntl

#: How the data lies on disk. To be raised when an older taskpy could not read it.
LAYOUT = 1
#: The longest path a unix socket can have everywhere: macOS has room for 103 bytes, Linux for 107.
SOCKET_PATH_LIMIT = 103
#: How long to wait for another process to start or end the server, in seconds.
LOCK_SECONDS = 30.0
#: How often to look again while something is on its way, in seconds.
LOOK_SECONDS = 0.005

_SERVER_LOCK = "server.lock"
_RECORD = "engine.json"
_PIDFILE = "redis.pid"


@dataclass(frozen=True, slots=True)
class Record:
    """Who wrote the data of a folder last, and where that server listens, or listened."""

    engine: str
    version: str
    program: str
    socket: str
    layout: int = LAYOUT


@dataclass(frozen=True, slots=True)
class Folder:
    """A server's folder. `at` makes one of any path; two paths of one folder are equal then."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> "Folder":
        """The folder of this path; raises `ServerError` where it begins with the home of a user who has none."""
        try:
            return cls(path.expanduser().resolve())
        except RuntimeError as error:
            raise errors.ServerError("this user has no home directory; set TASKPY_HOME to a folder of his") from error

    @property
    def log(self) -> Path:
        """What the server and its keeper have to say."""
        return self.path / "redis.log"

    def prepare(self) -> None:
        """Make the folder, and see that it is this user's alone: whoever reaches the socket may do anything."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.path.stat()
        if found.st_uid != os.getuid():
            raise errors.ServerError(f"{self.path} belongs to another user; set TASKPY_HOME to a folder of yours")
        if found.st_mode & 0o077:
            # Somebody's mkdir, or a whole home directory by mistake: only the first is ours to close.
            if not (self.path / _RECORD).exists() and any(self.path.iterdir()):
                raise errors.ServerError(f"{self.path} is open to others; chmod 700 it, or set TASKPY_HOME elsewhere")
            self.path.chmod(0o700)

    # -- locks ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Hold start.lock. Raises `ServerError` when another process holds it for too long."""
        lock = self._open(START_LOCK)
        try:
            deadline = time.monotonic() + LOCK_SECONDS
            while not _try_lock(lock):
                if time.monotonic() > deadline:
                    raise errors.ServerError(f"a process that hangs holds {self.path / START_LOCK}; end it")
                time.sleep(LOOK_SECONDS)
            yield
        finally:
            os.close(lock)

    def share(self) -> int:
        """A new descriptor that shares users.lock until it is closed, in this process and in those it forks."""
        lock = self._open(USERS_LOCK)
        fcntl.flock(lock, fcntl.LOCK_SH)
        return lock

    def is_share(self, lock: int) -> bool:
        """Whether the descriptor is of users.lock: a daemon may have closed it, a new folder has another lock."""
        try:
            return os.path.samestat(os.fstat(lock), (self.path / USERS_LOCK).stat())
        except OSError:
            return False

    def claim_server(self) -> int | None:
        """A descriptor that holds server.lock, for the server to inherit; None while one runs."""
        lock = self._open(_SERVER_LOCK)
        if _try_lock(lock):
            return lock
        os.close(lock)
        return None

    @property
    def runs(self) -> bool:
        """Whether a server runs on this folder: whether one holds server.lock."""
        try:
            lock = os.open(self.path / _SERVER_LOCK, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not _try_lock(lock, shared=True)
        finally:
            os.close(lock)

    def _open(self, name: str) -> int:
        return os.open(self.path / name, os.O_RDWR | os.O_CREAT, 0o600)

    # -- the record -----------------------------------------------------------------------------

    def read_record(self) -> Record | None:
        """The record; None for a new folder. Raises `ServerError` when the data is not ours to open."""
        path = self.path / _RECORD
        try:
            found = json.loads(path.read_text())
        except FileNotFoundError:
            self._refuse_foreign_data()
            return None
        except (OSError, ValueError) as error:
            raise errors.ServerError(f"{path} cannot be read: {error}; move {self.path} away") from error
        if not isinstance(found, dict) or found.get("layout") != LAYOUT:
            raise errors.ServerError(f"{self.path} was written by another version of taskpy; upgrade it here")
        return Record(**{field.name: found.get(field.name, "") for field in fields(Record)})

    def write_record(self, record: Record) -> None:
        """Write the record, and forget the process number of the server before."""
        fresh = self.path / f"{_RECORD}.new"
        fresh.write_text(json.dumps(asdict(record), indent=2) + "\n")
        fresh.replace(self.path / _RECORD)
        (self.path / _PIDFILE).unlink(missing_ok=True)

    def _refuse_foreign_data(self) -> None:
        for name in ("appendonlydir", "appendonly.aof", "dump.rdb"):
            if (self.path / name).exists():
                raise errors.ServerError(
                    f"{self.path / name} was not written by a server of taskpy's; set TASKPY_HOME to another folder"
                )

    def read_pid(self) -> int | None:
        """The process number that the server wrote down; None when there is none yet."""
        try:
            return int((self.path / _PIDFILE).read_text())
        except (OSError, ValueError):
            return None

    def end_of_log(self) -> str:
        """The last lines of the log, for a message."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return "\n".join(f"  {line}" for line in lines[-5:] or ["(nothing)"])

    # -- the socket -----------------------------------------------------------------------------

    def choose_socket(self) -> str:
        """A path where a socket can be made: in the folder, or else, under a short name, where temporary files go."""
        name = hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16] + ".sock"
        # TMPDIR may be as long as the folder: whole sandboxes lie deep.
        roots = (tempfile.gettempdir(), "/tmp")  # noqa: S108  what is in it is private, and checked
        paths = [self.path / "redis.sock", *(Path(root, f"taskpy-{os.getuid()}", name) for root in roots)]
        for path in paths:
            if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT and _takes_socket(path):
                return str(path)
        raise errors.ServerError(f"no unix socket can be made in {self.path} or {tempfile.gettempdir()}")


def _takes_socket(path: Path) -> bool:
    """Whether a socket can be made here; some network and shared file systems have none."""
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if not _is_private(path.parent):
            return False
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as trial:
            trial.bind(str(path))
        path.unlink()
    except OSError:
        return False
    return True


def _is_private(folder: Path) -> bool:
    # Somebody else's folder of this name in /tmp is a trap: its owner could put a server of his there.
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _try_lock(lock: int, *, shared: bool = False) -> bool:
    try:
        fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
