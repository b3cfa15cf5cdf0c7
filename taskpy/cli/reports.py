"""Progress and log lines, for people and as JSON."""

import time
from typing import Any, TextIO

import click

from taskpy.cli import screen
from taskpy.cli.text import clean, cut, width
from taskpy.reported import LogLine, Progress

#: How wide a bar is, in columns, and how small it may become before it is left out.
_BAR = (10, 40)
#: Filled and empty, where the terminal knows these characters, and where it does not.
_BLOCKS = ("█", "░")
_PLAIN = ("#", ".")
_COLOURS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}


def progress_fields(progress: Progress | None) -> dict[str, Any] | None:
    """A progress as JSON."""
    if progress is None:
        return None
    return {
        "done": progress.done,
        "total": progress.total,
        "fraction": progress.fraction,
        "note": progress.note,
    }


def line_fields(line: LogLine) -> dict[str, Any]:
    """A log line as JSON."""
    return {"time": line.time, "level": line.level, "logger": line.logger, "text": line.text}


def progress_text(progress: Progress) -> str:
    """A progress in words: `12 of 40 (30 %): reading`."""
    note = f": {clean(progress.note)}" if progress.note else ""
    return _counts(progress) + note


def progress_bar(progress: Progress, columns: int, stream: TextIO) -> str:
    """A progress as a bar, with the words behind it, in at most so many columns."""
    words = progress_text(progress)
    if progress.fraction is None:
        return cut(words, columns)
    least, most = _BAR
    wide = min(most, columns // 3)
    if wide < least:
        return cut(words, columns)
    full, empty = _BLOCKS if _can_write(stream) else _PLAIN
    filled = int(wide * progress.fraction)
    return f"{full * filled}{empty * (wide - filled)}  {cut(words, columns - wide - 2)}"


def log_text(line: LogLine, *, colours: bool) -> str:
    """A log line in full, with its day and time: `2026-01-31 12:00:00 WARNING app: text`."""
    return f"{_moment('%Y-%m-%d %H:%M:%S', line)} {_level(line, colours=colours)} {_said(line, clean(line.text, lines=True))}"


def log_summary(line: LogLine, columns: int | None) -> str:
    """A log line in one line of at most so many columns: the first of its text, and how many more there are."""
    first, _, rest = line.text.partition("\n")
    more = f" (and {rest.count(chr(10)) + 1} more)" if rest else ""
    said = _said(line, clean(first))
    if columns is not None:
        said = cut(said, max(20, columns - width(f"12:00:00 {line.level:<7} {more}")))
    return f"{_moment('%H:%M:%S', line)} {_level(line, colours=screen.has_colours())} {said}{more}"


def _said(line: LogLine, text: str) -> str:
    return f"{clean(line.logger)}: {text}"


def _moment(form: str, line: LogLine) -> str:
    try:
        return time.strftime(form, time.localtime(line.time))
    except (ValueError, OverflowError, OSError):  # a time of no calendar, written by a stranger
        return "?"


def _level(line: LogLine, *, colours: bool) -> str:
    level = f"{clean(line.level):<7}"
    return click.style(level, fg=_COLOURS.get(line.level)) if colours else level


def _counts(progress: Progress) -> str:
    if progress.fraction is None or progress.total is None:
        return _number(progress.done)
    return f"{_number(progress.done)} of {_number(progress.total)} ({int(100 * progress.fraction)} %)"


def _number(value: float) -> str:
    if isinstance(value, int) and value < 10**15:
        return f"{value:,}"
    return f"{value:.6g}"


def _can_write(stream: TextIO) -> bool:
    try:
        "".join(_BLOCKS).encode(stream.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
