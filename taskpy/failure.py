"""A task's exception as data: its class by name, its text, its arguments where they can be sent, its traceback.

Rebuilt are builtin exceptions, taskpy's own and those that this process has registered; the rest is a RemoteError.
Nothing is imported because of what bytes say.
"""

import builtins
import traceback as tracebacks
from collections.abc import Callable, Mapping
from typing import Any

from taskpy import errors, values, wire

# The parts share EXCEPTION_LIMIT; what these leave belongs to the traceback.
_NAME_BYTES = 512
_TEXT_BYTES = 8 * 1024
_ARGS_BYTES = 24 * 1024
_CUT = "[...]"

_BUILTINS: Mapping[str, type[Exception]] = {
    name: cls for name, cls in vars(builtins).items() if isinstance(cls, type) and issubclass(cls, Exception)
}
_OURS: Mapping[str, type[Exception]] = {
    values.qualified(cls): cls
    for cls in vars(errors).values()
    if isinstance(cls, type)
    and issubclass(cls, Exception)
    and cls.__module__ == errors.__name__
    and cls is not errors.RemoteError  # it stands for others, and is never written under its own name
}
_registered: dict[str, type[Exception]] = {**_BUILTINS, **_OURS}
_names: dict[type, str] = {}


class RemoteTraceback(Exception):
    """The traceback of a task that ran elsewhere, as text; the cause of the exception that is raised here."""


def register_exception(cls: type[Exception], *, name: str | None = None) -> None:
    """Lets this exception come back as itself, rebuilt as `cls(*args)`; the process that reads it needs this.

    `name` is its name outside (`<module>.<qualname>` by default). A class with an `__init__` of its own needs a
    `__reduce__` that returns the class and its arguments, as for pickle. Raises BadArguments, or BadName when the
    name is another exception's.
    """
    if not (isinstance(cls, type) and issubclass(cls, Exception)):
        raise errors.BadArguments(f"register_exception takes a subclass of Exception, not {cls!r}")
    name = name or _name_of(cls)
    known = _registered.get(name)
    if known and values.qualified(known) != values.qualified(cls):
        raise errors.BadName(f"{name!r} is already the name of {known!r}; choose another name=")
    _registered[name] = cls
    _names[cls] = name


# -- out ----------------------------------------------------------------------------------------


def dump_exception(exc: BaseException, *, traceback: str | None = None) -> bytes:
    """Packs an exception; never fails, and keeps to the limit by cutting the text and the older part of the traceback.

    `traceback` stands for the exception's own, for instance when that was lost on the way here.
    """
    if type(exc) is errors.RemoteError:
        name, text, args = _text_of(exc.type_name), _text_of(exc.text), None
        traceback = traceback or _text_of(exc.traceback)
    else:
        name = _safely(lambda: _name_of(type(exc)), "an unknown exception")
        text = _safely(lambda: str(exc), "<its text cannot be shown>")
        args = _safely(lambda: values.pack(list(_arguments(exc))), None)
        traceback = traceback or _safely(lambda: _traceback_of(exc), "")
    fields: dict[str, Any] = {"v": wire.VERSION, "t": _head(name, _NAME_BYTES), "x": _head(text, _TEXT_BYTES)}
    if args is not None and len(args) <= _ARGS_BYTES:
        fields["a"] = args
    room = wire.EXCEPTION_LIMIT - len(values.pack({**fields, "b": ""})) - 8
    return values.pack({**fields, "b": _tail(traceback, room)})


def _safely(step: Callable[[], Any], fallback: Any) -> Any:
    try:
        return step()
    except Exception:  # the exception's own methods are the user's code, and may be what broke
        return fallback


def _text_of(said: Any) -> str:
    return said if type(said) is str else values.shown(said)  # whoever raised it may have said anything


def _name_of(cls: type) -> str:
    # As in a traceback: builtins go without their module, so that no other module can pose as it.
    return _names.get(cls) or (cls.__qualname__ if cls.__module__ == "builtins" else values.qualified(cls))


def _arguments(exc: BaseException) -> tuple[Any, ...]:
    # What pickle would call the class with; `args` alone lacks the file name of an OSError, and what __init__ made up.
    reduced = exc.__reduce__()
    if isinstance(reduced, tuple) and len(reduced) > 1 and reduced[0] is type(exc) and isinstance(reduced[1], tuple):
        return reduced[1]
    return exc.args


def _traceback_of(exc: BaseException) -> str:
    if exc.__traceback__ is None:
        return str(exc.__cause__) if isinstance(exc.__cause__, RemoteTraceback) else ""
    return "".join(tracebacks.format_exception(exc))


def _head(text: str, limit: int) -> str:
    data = str.encode(text, "utf-8", "backslashreplace")
    return data.decode() if len(data) <= limit else data[: limit - len(_CUT)].decode(errors="ignore") + _CUT


def _tail(text: str, limit: int) -> str:
    data = str.encode(text, "utf-8", "backslashreplace")
    return data.decode() if len(data) <= limit else _CUT + data[len(_CUT) - limit :].decode(errors="ignore")


# -- in -----------------------------------------------------------------------------------------


def load_exception(data: bytes) -> Exception:
    """The exception of these bytes, with the remote traceback as its cause; never fails: garbage is a RemoteError."""
    try:
        fields = wire.unseal(data, limit=wire.EXCEPTION_LIMIT)
        name = wire.take(fields, "t", "the exception's type", str)
        text = wire.take(fields, "x", "the exception's text", str, default="")
        traceback = wire.take(fields, "b", "the exception's traceback", str, default="")
    except errors.WireError as exc:
        return errors.RemoteError(_name_of(type(exc)), f"the task's exception cannot be read: {exc}")
    rebuilt = _rebuilt(name, fields.get("a")) or errors.RemoteError(name, text, traceback)
    if traceback:
        rebuilt.__cause__ = RemoteTraceback(traceback)
    return rebuilt


def _rebuilt(name: str, args: Any) -> Exception | None:
    cls = _registered.get(name)
    if cls is None or args is None:
        return None
    rebuilt = _safely(lambda: _showable(cls(*values.unpack(args))), None)
    return rebuilt if isinstance(rebuilt, Exception) else None


def _showable(exc: Exception) -> Exception:
    str(exc)  # with arguments of a wrong kind it may fail; better here than in a log
    return exc
