"""Importing the modules that define the tasks, as they are named on the command line."""

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from taskpy import errors
from taskpy.definition import Definition, PlainCall, function_of
from taskpy.registry import registry
from taskpy.spec import Options


def load_tasks(names: Iterable[str]) -> int:
    """Import each `package.module`, or register each `package.module:function`; answers how many tasks are known.

    The current folder comes first on the import path. Raises `BadName` when a module or function is not there; what a
    module raises itself goes through.
    """
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    for name in names:
        module, _, attribute = name.partition(":")
        loaded = _imported(module)
        if attribute:
            _register(module, attribute, loaded)
    return len(registry.names())


def _imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, but something it imports is not
        raise errors.BadName(
            f"there is no module {module!r}; "
            + (
                f"name it as an import does: {_as_module(module)}"
                if module.endswith(".py")
                else f"it is looked for in {Path.cwd()} and on the import path"
            )
        ) from None


def _as_module(path: str) -> str:
    return ".".join(Path(path).with_suffix("").parts)


def _register(module: str, attribute: str, loaded: Any) -> None:
    found = loaded
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise errors.BadName(f"module {module!r} has no {attribute!r}")
        found = getattr(found, part)
    while isinstance(found, PlainCall):
        found = found.__wrapped__  # a controller's call is for its caller; workers run what it controls
    if not isinstance(found, Definition):
        registry.add(f"{module}.{attribute}", function_of(found), Options())
