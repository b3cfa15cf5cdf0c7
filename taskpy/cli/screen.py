"""Where the commands write: data on standard output, everything else on standard error. And how they ask."""

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, TextIO, TypeVar

import click

from taskpy.cli.table import Column, table
from taskpy.cli.text import width
from taskpy.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

#: How wide text runs at most.
_PROSE = 100
#: The colours of states.
STATES = {
    "running": "cyan",
    "stopping": "yellow",
    "paused": "magenta",
    "pausing": "magenta",
    "waiting": "magenta",
    "succeeded": "green",
    "failed": "red",
    "stopped": "yellow",
    "delayed": "blue",
}


def data(text: str = "") -> None:
    """Write what was asked for."""
    click.echo(text)


def note(text: str) -> None:
    """Write what is said besides."""
    click.echo(text, err=True)


def document(value: Any) -> None:
    """Write one JSON document."""
    click.echo(json.dumps(value, indent=2))


def line(value: Any) -> None:
    """Write one line of JSON."""
    click.echo(json.dumps(value))


def rows(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> None:
    """Write a table, as wide as the terminal; as wide as it is where there is none."""
    for text in table(columns, cells, columns_wide=wide(), colours=has_colours()):
        data(text)


def hanging(front: str, text: str) -> None:
    """Write text behind what stands in front, its further lines below its first one."""
    margin = width(click.unstyle(front))
    columns = min(wide() or _PROSE, _PROSE)
    lines = textwrap.wrap(text, max(20, columns - margin), break_on_hyphens=False)
    data(front + f"\n{' ' * margin}".join(lines))


def wide() -> int | None:
    """How many columns the terminal has; None where output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def has_colours(stream: TextIO | None = None) -> bool:
    """Whether this stream, else standard output, is for people who want colours."""
    return (stream or sys.stdout).isatty() and Settings.from_env().colours


def styled(text: str, *, fg: str | None = None, bold: bool = False) -> str:
    """The text in a colour, where there are colours."""
    return click.style(text, fg=fg, bold=bold) if has_colours() else text


def is_interactive() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def make_sure(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be taken back, unless `yes`; end the command when nobody can or does agree."""
    if yes:
        return
    if not is_interactive():
        raise click.UsageError(f"{question} Nobody is there to ask: say --yes.")
    if not click.confirm(question, err=True):
        note("Nothing was done.")
        click.get_current_context().exit(1)


def json_option(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Write JSON.")(command)


def yes_option(command: F) -> F:
    """Add `--yes`."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask.")(command)
