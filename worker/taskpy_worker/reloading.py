"""Watching the sources below the current folder, for `--reload`."""

import threading
from collections.abc import Callable
from pathlib import Path

from taskpy import errors


def watch_sources(changed: Callable[[], None]) -> None:
    """Call `changed` after each change of a Python file below the current folder, from a thread of its own.

    Raises `BadArguments` where watchfiles is not installed.
    """
    try:
        import watchfiles
    except ImportError:
        raise errors.BadArguments("--reload needs watchfiles: pip install 'taskpy[reload]'") from None

    def watch() -> None:
        for _ in watchfiles.watch(Path.cwd(), watch_filter=watchfiles.PythonFilter(), raise_interrupt=False):
            changed()

    threading.Thread(target=watch, name="taskpy-reload", daemon=True).start()
