"""Which function a task's name stands for: the only functions that a worker runs.

Owns how a function is named. Imports nothing, and knows nothing of how a function is run.
"""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskpy import errors
from taskpy.checkpoint import StateForm
from taskpy.naming import NAME, checked_name
from taskpy.spec import Options

# A spawned child runs the main module under the second name.
_MAIN = ("__main__", "__mp_main__")


@dataclass(frozen=True, slots=True)
class Registered:
    """A function that tasks may name, the options that hold where a submitter gives none, and the form of its states."""

    name: str
    function: Callable[..., Any]
    options: Options
    form: StateForm


class Registry:
    """Functions by name; safe to use from several threads."""

    def __init__(self) -> None:
        self._entries: dict[str, Registered] = {}
        self._lock = threading.Lock()

    def add(
        self, name: str, function: Callable[..., Any], options: Options, form: StateForm | None = None
    ) -> Registered:
        """Registers a function; again, when its module is loaded again. Raises BadName when another has the name."""
        entry = Registered(checked_name(name), function, options, form or StateForm())
        with self._lock:
            known = self._entries.get(name)
            if known and not _same(known.function, function):
                raise errors.BadName(f"{name!r} is already the name of {known.function!r}; give one of them name=")
            self._entries[name] = entry
        return entry

    def get(self, name: str) -> Registered | None:
        """The entry of this name, or None."""
        return self._entries.get(name)

    def names(self) -> list[str]:
        """The names of all entries, sorted."""
        with self._lock:
            return sorted(self._entries)


#: The functions of this process.
registry = Registry()


def name_of(function: Callable[..., Any]) -> str:
    """The name under which another process finds this function; raises BadName when it could not."""
    module, qualname = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not module or not qualname:
        raise errors.BadName(f"{function!r} has no name of its own; give it one with name=")
    if "<lambda>" in qualname or "<locals>" in qualname:
        raise errors.BadName(
            f"{qualname} cannot be found from another process, as no lambda or closure can; "
            "define the function at the top of a module"
        )
    name = f"{_main_name(module, qualname) if module in _MAIN else module}.{qualname}"
    if not NAME.fullmatch(name):
        raise errors.BadName(f"{name!r} cannot be the name of a task; give it another one with name=")
    return name


def _main_name(module: str, qualname: str) -> str:
    # What `python -m` ran says so itself; of a script only the file is known. While a spawned child runs the main
    # module, `__main__` is still something else.
    main = sys.modules.get(module) or sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    name: str = spec.name.removesuffix(".__main__") if spec else Path(file or "").stem
    if not NAME.fullmatch(name) or name in _MAIN:
        raise errors.BadName(f"{qualname} is in a __main__ without a file of its own; give it a name with name=")
    return name


def _same(one: Callable[..., Any], other: Callable[..., Any]) -> bool:
    return _origin(one) == _origin(other)


def _origin(function: Callable[..., Any]) -> object:
    # What has no name of its own (a partial, an object) is only ever the same as itself.
    qualname = getattr(function, "__qualname__", None)
    return (getattr(function, "__module__", None), qualname) if qualname else function
