"""What the environment says, read once at the edge. No other module of taskpy reads os.environ."""

import contextlib
import os
import sys
from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from taskpy import errors

_OFF = {"0", "no", "off", "false"}
_ON = {"1", "yes", "on", "true", ""}

_environment: MutableMapping[str, str] = os.environ


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where Redis is, where a local server keeps its data, and how to write to a terminal.

    `url` comes from TASKPY_REDIS_URL, else REDIS_URL (`url_from` says which); `namespace` from TASKPY_NAMESPACE;
    `shards`, into how many it is cut, from TASKPY_SHARDS; `home` from TASKPY_HOME; `server` (a redis-server or valkey-server to use) from TASKPY_REDIS_SERVER; `embedded`
    from TASKPY_EMBEDDED; `grace`, the seconds a local server outlives its last user, from TASKPY_EMBEDDED_GRACE.
    `colours`: NO_COLOR is not set, so that a terminal may get some; `dumb`: it cannot move its cursor (TERM). `notify_socket`: where systemd wants to hear of a
    worker (NOTIFY_SOCKET).
    """

    url: str | None = None
    url_from: str | None = None
    namespace: str = "taskpy"
    shards: int | None = None
    home: Path
    server: str | None = None
    embedded: bool = True
    grace: float = 30.0
    colours: bool = True
    dumb: bool = False
    notify_socket: str | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Self:
        """The settings that the environment variables name; `BadArguments` for one that cannot be read."""
        env = _environment if env is None else env
        url_from = next((name for name in ("TASKPY_REDIS_URL", "REDIS_URL") if env.get(name)), None)
        return cls(
            url=env[url_from] if url_from else None,
            url_from=url_from,
            namespace=env.get("TASKPY_NAMESPACE") or "taskpy",
            shards=_count(env, "TASKPY_SHARDS"),
            home=Path(env["TASKPY_HOME"]) if env.get("TASKPY_HOME") else _state_folder(env) / "taskpy",
            server=env.get("TASKPY_REDIS_SERVER") or None,
            embedded=_flag(env, "TASKPY_EMBEDDED", default=True),
            grace=_seconds(env, "TASKPY_EMBEDDED_GRACE", default=30.0),
            colours=not env.get("NO_COLOR"),
            dumb=env.get("TERM") == "dumb",
            notify_socket=env.get("NOTIFY_SOCKET") or None,
        )


@contextlib.contextmanager
def meanwhile(**variables: str) -> Iterator[None]:
    """Read these variables as if they stood in the environment: for tests, and unseen by child processes."""
    global _environment  # noqa: PLW0603 - as `os.environ`, which it stands for
    before = _environment
    _environment = ChainMap(variables, before)
    try:
        yield
    finally:
        _environment = before


def _state_folder(env: Mapping[str, str]) -> Path:
    # Not expanded yet: a user of a container may have no home, and needs none when Redis is elsewhere.
    if sys.platform == "darwin":
        return Path("~", "Library", "Application Support")
    return Path(env.get("XDG_STATE_HOME") or Path("~", ".local", "state"))


def _flag(env: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = env.get(name)
    if text is None:
        return default
    if text.lower() in _OFF:
        return False
    if text.lower() in _ON:
        return True
    raise errors.BadArguments(f"{name} must be 0 or 1, not {text!r}")


def _count(env: Mapping[str, str], name: str) -> int | None:
    text = env.get(name)
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise errors.BadArguments(f"{name} must be a whole number of at least 1, not {text!r}")
    return int(text)


def _seconds(env: Mapping[str, str], name: str, *, default: float) -> float:
    try:
        return float(env.get(name) or default)
    except ValueError:
        raise errors.BadArguments(f"{name} must be a number of seconds, not {env[name]!r}") from None
