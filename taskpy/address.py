"""Where Redis is: the ladder from an explicit URL down to a local server, climbed once per client."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from taskpy import embedded, errors
from taskpy.settings import Settings

logger = logging.getLogger("taskpy.address")

_SCHEMES = (
    "redis",
    "rediss",
    "unix",
    "redis+sentinel",
    "rediss+sentinel",
    "redis+cluster",
    "rediss+cluster",
    "embedded",
    "memory",
)
#: Up to the last @: in a password that was not escaped there may be more of them, and any other character.
_PASSWORD = re.compile(r"(?<=://)([^/@:]*):(.*)@")


@dataclass(frozen=True, slots=True)
class Address:
    """Where Redis is, and who said so.

    `url` is what to connect to (any scheme but embedded); `source` the rung of the ladder: "argument", the name
    of an environment variable, or "embedded". `rejoin` starts a local server again that died under its users.
    """

    url: str
    source: str
    rejoin: Callable[[], object] | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{shown(self.url)} ({self.source})"

    def __repr__(self) -> str:
        return f"Address({shown(self.url)!r}, {self.source!r})"

    @property
    def in_memory(self) -> bool:
        """Whether this is fakeredis in this very process."""
        return self.url.startswith("memory:")

    @property
    def is_sentinel(self) -> bool:
        """Whether this names Sentinels, who know where the server is."""
        return self.url.partition(":")[0].endswith("+sentinel")

    @property
    def is_cluster(self) -> bool:
        """Whether this is a Cluster."""
        return self.url.partition(":")[0].endswith("+cluster")


def shown(url: str) -> str:
    """The URL without its password, for logs, errors and reprs."""
    return _PASSWORD.sub(lambda found: f"{found[1]}:***@", re.sub(r"(password=)[^&]*", r"\1***", url))


def resolve(url: str | None, settings: Settings) -> Address:
    """Find Redis: the given URL, else the environment's, else a local server of this user.

    Raises `BadArguments` for a URL of an unknown kind, `ServerError` when no local server can be had.
    """
    given, source = (url, "argument") if url else (settings.url, settings.url_from or "")
    if given is None:
        if not settings.embedded:
            raise errors.ServerError(
                "no Redis is named and TASKPY_EMBEDDED=0 forbids a local one; set TASKPY_REDIS_URL, for example to "
                "redis://localhost:6379/0"
            )
        found = _local(settings, settings.home)
        logger.info("no Redis is named, using a local server: server=%s", found)
        return found
    scheme = given.partition(":")[0]
    if scheme not in _SCHEMES:
        known = ", ".join(f"{name}://" for name in _SCHEMES)
        raise errors.BadArguments(f"{shown(given)!r} is not a Redis URL; taskpy knows {known}")
    if scheme == "embedded":
        return _local(settings, _folder(given) or settings.home)
    _check(given)
    return Address(given, source)


def has_password(url: str) -> bool:
    """Whether the URL holds a password."""
    return shown(url) != url


def _check(url: str) -> None:
    try:
        for host in urlsplit(url).netloc.rpartition("@")[2].split(","):
            _ = urlsplit(f"//{host}").port
    except ValueError:  # its text may quote a part of the password
        raise errors.BadArguments(
            f"{shown(url)!r} has no host and port that can be read; in a password, write each of / @ : as %2F %40 %3A"
        ) from None


def find(url: str | None, settings: Settings, *, given: bool) -> Address:
    """Find Redis like `resolve`, or stand for the client of the user's own that was `given`."""
    return Address("redis://(your own client)", "argument") if given else resolve(url, settings)


def _local(settings: Settings, home: Path) -> Address:
    def join() -> str:
        return embedded.join(home, server=settings.server, grace=settings.grace)

    return Address(join(), "embedded", join)


def _folder(url: str) -> Path | None:
    parts = urlsplit(url)
    folder = unquote(parts.netloc + parts.path)
    return Path(folder) if folder else None
