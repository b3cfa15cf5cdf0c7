"""The demo's work: an index of the identifiers in the standard library's source, a task for each package.

Workers import this module, and so does the demo, to compute the same index without them. Whoever steers does not.
"""

import io
import keyword
import sysconfig
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from taskpy import Empty, Stopped, Task, task

#: The source files that are indexed.
LIBRARY = Path(sysconfig.get_path("stdlib"))
#: What stands for the modules that are in no package.
MODULES = "modules"

# Not every distribution brings them, and the names in tests are of no interest.
_TESTS = {"test", "tests", "idle_test"}


def packages() -> list[str]:
    """The packages of the standard library, those with most source first."""
    folders = [path.name for path in LIBRARY.iterdir() if (path / "__init__.py").exists()]
    names = [name for name in folders if name.isidentifier() and name not in _TESTS]
    return sorted([MODULES, *names], key=lambda name: (-size_of(name), name))


def files_of(package: str) -> list[Path]:
    """The source files of a package, without its tests."""
    if package == MODULES:
        return sorted(LIBRARY.glob("*.py"))
    return sorted(
        path for path in (LIBRARY / package).rglob("*.py") if _TESTS.isdisjoint(path.relative_to(LIBRARY).parts)
    )


def size_of(package: str) -> int:
    """The bytes of source in a package."""
    return sum(path.stat().st_size for path in files_of(package))


def identifiers(path: Path) -> set[str]:
    """Every identifier in a source file."""
    try:
        return set(_names(path.read_bytes()))
    except (SyntaxError, tokenize.TokenError):  # templates of source files are not Python yet
        return set()


def _names(source: bytes) -> Iterator[str]:
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
            yield token.string


class Index:
    """The identifiers of a package, each with the files that it stands in."""

    def __init__(self, package: str) -> None:
        self.package = package
        self.files = files_of(package)
        self.done = 0
        self.only = ""
        self.names: dict[str, list[str]] = {}

    def add(self, path: Path) -> None:
        """Index one more file."""
        where = path.relative_to(LIBRARY).as_posix()
        for name in identifiers(path):
            if self.only in name.lower():
                self.names.setdefault(name, []).append(where)
        self.done += 1

    def narrow(self, only: str) -> None:
        """Keep, from now on and of what was found, only the names with `only` in them."""
        self.only = only
        self.names = {name: files for name, files in self.names.items() if only in name.lower()}


@task
def index_package(t: Task, package: str) -> dict[str, Any]:
    """Index one package. Answers "progress?"; {"only": "lock"} narrows it to the names with "lock" in them."""
    index = Index(package)
    for path in index.files:
        _obey(t, index)
        index.add(path)
    _obey(t, index)
    return {"only": index.only, "files": index.done, "names": index.names}


def _obey(t: Task, index: Index) -> None:
    if t.stopped():
        raise Stopped  # half an index is of no use
    try:
        while True:
            match t.recv(block=False):
                case "progress?":
                    t.send({"done": index.done, "of": len(index.files), "names": len(index.names), "only": index.only})
                case {"only": str(only)}:
                    index.narrow(only)
    except Empty:
        return
