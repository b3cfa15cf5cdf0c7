"""Values on a command line: how arguments are read, how results and messages are written, for people and as JSON."""

import base64
import json
import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from taskpy.cli.text import clean

if TYPE_CHECKING:
    from taskpy.reader import Place


def read(text: str) -> Any:
    """The value of an argument: JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def _refuse(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity are no JSON, and might well be meant as words


def arguments(words: Iterable[str]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Positional and keyword arguments: `key=value` is a keyword one when `key` could be a name in Python."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (equals and key.isidentifier()):
            args.append(read(word))
        elif key in kwargs:
            raise click.BadParameter(f"{key!r} is given twice", param_hint="ARGS")
        else:
            kwargs[key] = read(value)
    return tuple(args), kwargs


def place(_ctx: click.Context, _param: click.Parameter, text: str | None) -> "Place":
    """Where to begin in what a task has sent: behind so many messages, or `now`."""
    if text is None or text == "now":
        return text  # type: ignore[return-value]
    if not (text.isascii() and text.isdecimal()):
        raise click.BadParameter(f"{text!r} is no number of messages; write 0, 12 or now")
    return int(text)


#: The option that says so.
after_option = click.option(
    "--after",
    metavar="N|now",
    callback=place,
    help="Begin behind the task's first N messages, or with what it sends from now on.",
)


def plain(value: Any, *, limit: int | None = None) -> str:
    """A value for people: text as it is, anything else as JSON."""
    text = value if isinstance(value, str) else json.dumps(jsonable(value), ensure_ascii=False)
    return clean(text, lines=isinstance(value, str), limit=limit)


def jsonable(value: Any) -> Any:
    """The value in the types of JSON.

    Tuples and sets become lists, bytes base64, dates and times ISO 8601, a timedelta its seconds; what else JSON has no
    type for becomes text, and so do keys.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case list() | tuple():
            return [jsonable(item) for item in value]
        case set() | frozenset():
            return sorted((jsonable(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        case Mapping():
            return {key if isinstance(key, str) else plain(key): jsonable(item) for key, item in value.items()}
        case datetime() | date() | clock_time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal() | UUID():
            return str(value)
    return repr(value)
