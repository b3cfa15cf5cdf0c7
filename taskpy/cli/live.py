"""A line on standard error that is written anew whenever it changes, above the one that somebody types into."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator

import click

from taskpy.settings import Settings

_SAVE, _RESTORE = "\x1b7", "\x1b8"
_UP, _DOWN = "\x1b[A", "\x1b[B"
_ERASE_LINE, _ERASE_BELOW, _DELETE_LINE = "\x1b[2K", "\x1b[J", "\x1b[M"

#: How wide a terminal is that does not say it.
_COLUMNS = 80


class LiveLine:
    """At most one line; it is not there where standard error is no terminal, or none that could move its cursor."""

    def __init__(self) -> None:
        self.possible = sys.stderr.isatty() and not Settings.from_env().dumb
        self._make: Callable[[int], str] | None = None
        self._shown = False

    def show(self, make: Callable[[int], str]) -> None:
        """Show what `make` gives for so many columns."""
        self._make = make
        if not self.possible:
            return
        if self._shown:
            self._write(f"{_SAVE}{_UP}\r{_ERASE_LINE}{make(self._columns())}{_RESTORE}")
        else:
            self._draw()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Take the line away while something is printed."""
        self.hide()
        yield
        self._draw()

    def typed(self) -> None:
        """Note that Enter was pressed: what was typed stays where it is, and the line goes below it."""
        if self._shown:
            self._write(f"{_UP}{_UP}\r{_DELETE_LINE}{_DOWN}\r")
            self._shown = False
            self._draw()

    def hide(self) -> None:
        """Take the line away, until it is shown again."""
        if self._shown:
            self._write(f"{_UP}\r{_ERASE_BELOW}")
            self._shown = False

    def _draw(self) -> None:
        if self.possible and self._make is not None:
            self._write(f"\r{_ERASE_LINE}{self._make(self._columns())}\n")
            self._shown = True

    @staticmethod
    def _columns() -> int:
        try:
            columns = os.get_terminal_size(sys.stderr.fileno()).columns
        except OSError:
            columns = 0
        return (columns or _COLUMNS) - 1  # one less: in the last column some terminals go on to the next line

    @staticmethod
    def _write(text: str) -> None:
        click.echo(text, nl=False, err=True)
