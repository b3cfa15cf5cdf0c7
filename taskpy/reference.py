"""Finding a function again in another process: by its module and name, the way pickle does, but saying why not."""

import importlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from taskpy import errors


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a function is found: in this module, under this name, so many `__wrapped__` steps down."""

    module: str
    qualname: str
    depth: int = 0

    def resolve(self) -> Callable[..., Any]:
        """Import the module, and find the function in it."""
        # A spawned child has the parent's script as `__main__`, though it is not importable by that name.
        module = sys.modules.get(self.module) or importlib.import_module(self.module)
        found: Any = module
        for part in self.qualname.split("."):
            found = getattr(found, part)
        for _ in range(self.depth):
            found = found.__wrapped__
        function: Callable[..., Any] = found
        return function


def reference_of(function: Callable[..., Any]) -> Reference:
    """Where another process finds this function; `BadName` when it cannot."""
    module, qualname = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(qualname, str):
        raise errors.BadName(f"{function!r} has no name that another process could find it by; use a plain function")
    if "<locals>" in qualname or "<lambda>" in qualname:
        raise errors.BadName(
            f"{qualname} is a lambda or stands inside another function, where another process cannot find it; "
            f"move it to the top level of its module"
        )
    if module == "__main__" and not hasattr(sys.modules["__main__"], "__file__"):
        raise errors.BadName(
            f"{qualname} was defined interactively, where another process cannot find it; put it into a module"
        )
    try:
        found: Any = Reference(module, qualname).resolve()
    except (ImportError, AttributeError) as error:
        raise errors.BadName(f"another process would not find {module}.{qualname}: {error}") from error
    depth = 0
    while found is not function:
        if not hasattr(found, "__wrapped__"):
            raise errors.BadName(
                f"{module}.{qualname} is something else by now ({inspect.unwrap(found)!r}), so that another process "
                f"would not find the function that was given"
            )
        found, depth = found.__wrapped__, depth + 1
    return Reference(module, qualname, depth)
