"""memory://: servers inside this process, for tests. One fakeredis a URL; their one clock can be moved ahead.

Nothing else sees that clock: `time.time()` goes on as it was, and nothing is frozen.
"""

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from taskpy import errors

if TYPE_CHECKING:
    import fakeredis

_lock = threading.Lock()
_servers: "dict[str, fakeredis.FakeServer]" = {}


def sync_client(url: str) -> Any:
    """A client for threads of the server of this URL, which is made at its first use."""
    return _fakeredis().FakeRedis(server=_server(url))


def async_client(url: str) -> Any:
    """A client for coroutines, as `sync_client`."""
    return _fakeredis().FakeAsyncRedis(server=_server(url))


def forget(url: str) -> None:
    """Drop the server of this URL with all its data; the next client gets a fresh one."""
    with _lock:
        _servers.pop(url, None)


def _server(url: str) -> "fakeredis.FakeServer":
    with _lock:
        return _servers.setdefault(url, _fakeredis().FakeServer(version=(7, 0)))


def _fakeredis() -> Any:
    try:
        import fakeredis
    except ImportError:
        raise errors.ServerError("memory:// needs fakeredis: pip install 'taskpy[test]'") from None
    return fakeredis


# -- the clock ----------------------------------------------------------------------------------


class _Clock:
    """The module `time`, as fakeredis sees it while the clock is ahead."""

    ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


_clock = _Clock()


def ahead() -> float:
    """How far the clock of all memory:// servers is ahead of the real one, in seconds."""
    return _clock.ahead


def set_ahead(seconds: float) -> None:
    """Set the clock of all memory:// servers so far ahead of the real one; 0 makes it the real one again.

    Raises `ServerError` when this fakeredis reads the time in a way that is not known here.
    """
    if seconds == _clock.ahead:
        return
    _clock.ahead = seconds
    # fakeredis has no clock to be given. Every time it reads is `time.time()`, by the module that it has imported.
    shown, hidden = (time, _clock) if seconds == 0 else (_clock, time)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "fakeredis" and getattr(module, "time", None) is hidden:
            module.time = shown  # type: ignore[attr-defined]
    earliest = _clock.time()
    told = _told_time()
    if not earliest - _PRECISION_SECONDS <= told <= _clock.time() + _PRECISION_SECONDS:
        raise errors.ServerError(
            f"the clock of fakeredis {_fakeredis().__version__} cannot be moved: it reads the time in a way that this "
            f"taskpy does not know; install fakeredis 2.40"
        )


#: What is lost where a server says its time in microseconds.
_PRECISION_SECONDS = 1e-3


def _told_time() -> float:
    seconds, microseconds = _fakeredis().FakeRedis(server=_fakeredis().FakeServer(version=(7, 0))).time()
    return float(seconds + microseconds / 1e6)
