"""How the demo tells its story: plain lines of at most 80 columns, a word in front that says what it is about."""

import sys
import time

import click

from taskpy.settings import Settings

#: No line is longer.
COLUMNS = 80
# Seconds, word, text; a line without a word belongs to the one above.
_MARGIN = 18

_COLOURS = {"kill": "red", "FAILED": "red", "lost": "green", "again": "green", "done": "green"}


class Screen:
    """Prints lines as they come. Colours only for people: on a terminal, and where NO_COLOR is not set."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._colours = sys.stdout.isatty() and Settings.from_env().colours

    @property
    def seconds(self) -> float:
        """Seconds since the first line could have been printed."""
        return time.monotonic() - self._began

    def title(self, text: str) -> None:
        """Print a line that stands for itself."""
        click.echo(self._styled(text[:COLUMNS], bold=True))

    def say(self, word: str, text: str) -> None:
        """Print a line under its word; what has no word goes under the one above."""
        front = " " * _MARGIN
        if word:
            front = f"{self.seconds:5.1f} s  " + self._styled(f"{word:<9}", fg=_COLOURS.get(word, "cyan"), bold=True)
        click.echo((front + _fitting(text)).rstrip())

    def _styled(self, text: str, *, fg: str | None = None, bold: bool = False) -> str:
        return click.style(text, fg=fg, bold=bold) if self._colours else text


def _fitting(text: str) -> str:
    room = COLUMNS - _MARGIN
    return text if len(text) <= room else f"{text[: room - 3]}..."
