"""How a task ended, for people and as JSON: its result, or its exception with the traceback from where it ran."""

from collections.abc import Callable
from typing import Any

from taskpy import codec, errors
from taskpy.cli import values
from taskpy.cli.text import clean
from taskpy.unpacked import exception_of

#: How much of an exception's text a line shows.
LINE = 500

Fields = dict[str, Any]


def result_fields(load: Callable[[], Any]) -> Fields:
    """The result as JSON, and why it cannot be read here when that is so."""
    try:
        return {"result": values.jsonable(load()), "unreadable": None}
    except errors.WireError as error:
        return {"result": None, "unreadable": str(error)}


def exception_fields(error: Exception | None) -> Fields | None:
    """An exception as JSON."""
    if error is None:
        return None
    if isinstance(error, errors.RemoteError):
        name, text = error.type_name, error.text
    else:
        kind = type(error)
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        text = str(error)
    cause = error.__cause__
    return {
        "type": name,
        "text": text,
        "traceback": str(cause) if isinstance(cause, codec.RemoteTraceback) else "",
    }


def packed_exception_fields(data: bytes | None) -> Fields | None:
    """An exception as JSON, from how it is packed."""
    return None if data is None else exception_fields(exception_of(data))


def summary(fields: Fields | None) -> str:
    """An exception in one line."""
    if fields is None:
        return ""
    name = fields["type"].removeprefix("taskpy.errors.")
    return clean(f"{name}: {fields['text']}" if fields["text"] else name, limit=LINE)
