"""The Lua scripts as data: read from `lua/`, put together, named by their hash. Sends nothing.

A script's header may say `-- needs: now, ready`: then `lua/shared/now.lua` and `lua/shared/ready.lua`, and what these
need, stand in front of it.
"""

import functools
import hashlib
import re
from dataclasses import dataclass
from importlib import resources

_NEEDS = re.compile(r"^-- needs: (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """A Lua script as Redis gets it: `source` for SCRIPT LOAD, `sha` for EVALSHA."""

    name: str
    source: str
    sha: str

    @classmethod
    def of(cls, name: str, source: str) -> "Script":
        """The script of this source."""
        return cls(name, source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest())


@functools.cache
def load(name: str) -> Script:
    """The script `lua/<name>.lua` with everything it needs."""
    parts: dict[str, str] = {}
    _collect(f"{name}.lua", parts)
    return Script.of(name, "\n".join(parts.values()))


def _collect(path: str, parts: dict[str, str]) -> None:
    """Add the file `lua/<path>` to `parts`, after the shared files it needs."""
    text = (resources.files("taskpy") / "lua" / path).read_text(encoding="utf-8")
    for needed in _NEEDS.findall(text):
        for shared in needed.split(", "):
            if f"shared/{shared}.lua" not in parts:
                _collect(f"shared/{shared}.lua", parts)
    parts[path] = text
