"""Tables that fit the terminal: what is long is cut, what is not needed is left out where there is no room."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import click

from taskpy.cli.text import cut, width

GAP = "  "
#: What may be cut to this width before anything is left out for it.
READABLE = 40


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `least`: it may be cut to so many columns of the terminal; `extra`: it may be left out.

    `colours` are by the text of the cell.
    """

    title: str
    least: int | None = None
    right: bool = False
    extra: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], *, columns_wide: int | None, colours: bool
) -> list[str]:
    """The lines of a table, its head first; `columns_wide` is how wide the terminal is, None for no limit."""
    natural = [
        max(width(column.title), *(width(row[place]) for row in rows), 0) for place, column in enumerate(columns)
    ]
    empty = {place for place in range(len(columns)) if not any(row[place] for row in rows)}
    places = _chosen(columns, natural, columns_wide, empty)
    widths = dict(
        zip(places, _shrunk([columns[p] for p in places], [natural[p] for p in places], columns_wide), strict=True)
    )
    head = GAP.join(_cell(columns[p].title, widths[p], right=columns[p].right) for p in places).rstrip()
    lines = [click.style(head, bold=True) if colours else head]
    for row in rows:
        cells = [
            _coloured(columns[p], row[p], _cell(row[p], widths[p], right=columns[p].right), colours) for p in places
        ]
        lines.append(GAP.join(cells).rstrip())
    return lines


def _chosen(columns: Sequence[Column], natural: Sequence[int], limit: int | None, empty: set[int]) -> list[int]:
    """Which columns are shown: all that are needed, and of the others the first that say something and find room."""
    shown = [place for place, column in enumerate(columns) if not column.extra]
    needed = [
        min(wide, max(column.least, READABLE)) if column.least is not None else wide
        for column, wide in zip(columns, natural, strict=True)
    ]
    for place, column in enumerate(columns):
        wide = _total([needed[p] for p in [*shown, place]])
        if column.extra and place not in empty and (limit is None or wide <= limit):
            shown.append(place)
    return sorted(shown)


def _shrunk(columns: Sequence[Column], natural: Sequence[int], limit: int | None) -> list[int]:
    """How wide each column is: the widest of those that may be cut gives way first."""
    widths = list(natural)
    while limit is not None and _total(widths) > limit:
        soft = [p for p, column in enumerate(columns) if column.least is not None and widths[p] > column.least]
        if not soft:
            break
        widths[max(soft, key=lambda p: widths[p])] -= 1
    return widths


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _cell(text: str, columns: int, *, right: bool) -> str:
    text = cut(text, columns)
    padding = " " * (columns - width(text))
    return padding + text if right else text + padding


def _coloured(column: Column, text: str, cell: str, colours: bool) -> str:
    colour = column.colours.get(text) if colours else None
    return click.style(cell, fg=colour) if colour else cell
