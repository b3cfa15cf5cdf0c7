"""The forms of values outside this process: what can cross, and as which bytes.

Exact types only, so that everything comes back equal and of its own type. What msgpack has no word for travels as an
extension: a number for the type, and a plain value that stands for it. Nothing is imported because of what bytes say.
Knows no limits, no envelopes and no places in a value; those are in `wire`.
"""

import datetime as dt
import re
import uuid
import zoneinfo
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, TypeVar

import msgpack

from taskpy import errors

#: How deep extensions may sit in one another. Each starts msgpack anew, on a C stack that nothing else bounds.
NESTING = 32
#: Bytes from which data is checked before anything is built: until then a false length cannot ask for much memory.
CHECKED_BYTES = 4096

#: So many keys or elements may have one hash. Each is compared with all others of it, so that a few kilobytes of chosen
#: numbers or tuples, whose hashes anybody can foretell, would keep a reader busy for hours.
SAME_HASHES = 64

#: What `pack` may raise; `wire` makes a NotSendable of it that names the place.
FAULTS = (TypeError, ValueError, ArithmeticError, RuntimeError, BufferError)

# msgpack's own 256 KiB, nested, would be fetched from the system anew for every tuple (ten times slower).
_BUFFER_BYTES = 1024
_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_MICROSECOND = dt.timedelta(microseconds=1)
# msgpack writes these as if they were bytes, without asking; they would come back as another type.
_BUFFERS = frozenset({bytearray, memoryview, msgpack.ExtType, msgpack.Timestamp})

T = TypeVar("T")


# -- the forms ----------------------------------------------------------------------------------


class _Form(NamedTuple):
    """A type, its number on the wire (never given to another), and the plain value that stands for it."""

    code: int
    cls: type
    plain: type
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _encoded_int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _decoded_int(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _encoded_zone(zone: dt.tzinfo | None) -> Any:
    if zone is None:
        return None
    if type(zone) is dt.timezone:
        offset, name = zone.utcoffset(None), zone.tzname(None)
        given = name != dt.timezone(offset).tzname(None)
        return [offset // _MICROSECOND, name if given else None]
    if type(zone) is zoneinfo.ZoneInfo and _ZONE_KEY.fullmatch(zone.key or ""):
        return zone.key
    raise errors.NotSendable(
        f"a time zone of {type.__repr__(type(zone))} cannot be sent; use dt.timezone or zoneinfo.ZoneInfo"
    )


def _decoded_zone(plain: Any) -> dt.tzinfo | None:
    if plain is None:
        return None
    if isinstance(plain, str):
        # The key becomes a path: without dots it cannot leave the time zone database.
        if not _ZONE_KEY.fullmatch(plain):
            raise ValueError(f"{plain!r} is not a time zone")
        return zoneinfo.ZoneInfo(plain)
    microseconds, name = plain
    offset = microseconds * _MICROSECOND
    return dt.timezone(offset) if name is None else dt.timezone(offset, name)


def _encoded_clock(value: dt.datetime | dt.time) -> list[Any]:
    return [value.replace(tzinfo=None).isoformat(), value.fold, _encoded_zone(value.tzinfo)]


def _decoded_datetime(plain: list[Any]) -> dt.datetime:
    text, fold, zone = plain
    return dt.datetime.fromisoformat(text).replace(fold=fold, tzinfo=_decoded_zone(zone))


def _decoded_time(plain: list[Any]) -> dt.time:
    text, fold, zone = plain
    return dt.time.fromisoformat(text).replace(fold=fold, tzinfo=_decoded_zone(zone))


def _encoded_timedelta(value: dt.timedelta) -> list[int]:
    return [value.days, value.seconds, value.microseconds]


def _decoded_timedelta(plain: list[int]) -> dt.timedelta:
    days, seconds, microseconds = plain
    return dt.timedelta(days, seconds, microseconds)


def _spread(keys: list[Any]) -> list[Any]:
    if len(keys) > SAME_HASHES and Counter(map(hash, keys)).most_common(1)[0][1] > SAME_HASHES:
        raise ValueError("too many keys or elements with one hash")
    return keys


_REGISTERED = 11
_FORMS = (
    _Form(1, tuple, list, list, tuple),
    _Form(2, set, list, list, lambda items: set(_spread(items))),
    _Form(3, frozenset, list, list, lambda items: frozenset(_spread(items))),
    _Form(4, int, bytes, _encoded_int, _decoded_int),  # those of more than 64 bits; msgpack has the others
    _Form(5, dt.datetime, list, _encoded_clock, _decoded_datetime),
    _Form(6, dt.date, str, dt.date.isoformat, dt.date.fromisoformat),
    _Form(7, dt.time, list, _encoded_clock, _decoded_time),
    _Form(8, dt.timedelta, list, _encoded_timedelta, _decoded_timedelta),
    _Form(9, Decimal, str, str, Decimal),
    _Form(10, uuid.UUID, bytes, lambda value: value.bytes, lambda data: uuid.UUID(bytes=data)),
)
_BY_CLASS: Mapping[type, _Form] = {form.cls: form for form in _FORMS}
_BY_CODE: Mapping[int, _Form] = {form.code: form for form in _FORMS}
_PLAIN = frozenset({type(None), bool, float, str, bytes, list, dict, *_BY_CLASS})


# -- types that the user registers --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Registered:
    name: str
    cls: type
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


_registered: dict[type, _Registered] = {}
_registered_by_name: dict[str, _Registered] = {}


def register_type(
    cls: type[T], *, encode: Callable[[T], Any], decode: Callable[[Any], T], name: str | None = None
) -> None:
    """Lets values of exactly this class cross, as what `encode` makes of them; every process that reads them needs it.

    `name` is the type's name outside (`<module>.<qualname>` by default). A type registered again under another name
    is written under the new one and read under both. Raises BadArguments, or BadName when the name is another type's.
    """
    if not isinstance(cls, type) or cls in _PLAIN:
        raise errors.BadArguments(f"register_type takes a class that cannot be sent yet, not {cls!r}")
    name = name or qualified(cls)
    known = _registered_by_name.get(name)
    if known and qualified(known.cls) != qualified(cls):
        raise errors.BadName(f"{name!r} is already registered for {known.cls!r}; choose another name=")
    _registered[cls] = _registered_by_name[name] = _Registered(name, cls, encode, decode)


def shown(value: Any, length: int = 60) -> str:
    """The value for an error's text; never fails, and is never long."""
    try:
        text = repr(value)
    except Exception:  # a registered type's own repr, or an int of too many digits
        text = f"<{type(value).__name__}>"
    return text if len(text) <= length else f"{text[: length - 3]}..."


def qualified(cls: type) -> str:
    """The name of a class as everyone knows it: `<module>.<qualname>`."""
    return f"{cls.__module__}.{cls.__qualname__}"


def _encoded(value: Any, known: _Registered) -> list[Any]:
    try:
        return [known.name, known.encode(value)]
    except Exception as exc:  # the user's code
        raise errors.NotSendable(f"encode of {known.name} failed: {exc!r}") from exc


def _decoded(plain: Any) -> Any:
    name, value = plain
    known = _registered_by_name.get(name)
    if known is None:
        raise errors.Malformed(f"type {name!r:.200} is not known here; register it with taskpy.register_type")
    try:
        return known.decode(value)
    except Exception as exc:  # the user's code
        raise errors.Malformed(f"decode of {known.name} failed: {exc!r}") from exc


# -- out ----------------------------------------------------------------------------------------


def pack(value: Any, depth: int = 0) -> bytes:
    """The value as bytes; raises one of FAULTS."""
    data: bytes = msgpack.packb(value, strict_types=True, default=_DEFAULTS[depth], buf_size=_BUFFER_BYTES)
    # Only where a header of bytes may be among the data can there be a buffer: most data is not walked.
    if (b"\xc4" in data or b"\xc5" in data or b"\xc6" in data) and _holds_buffer(value):
        raise errors.NotSendable("a buffer cannot be sent; send bytes(...) of it")
    return data


def _extension(depth: int, value: Any) -> msgpack.ExtType:
    kind = type(value)
    if form := _BY_CLASS.get(kind):
        code, plain = form.code, form.encode(value)
    elif known := _registered.get(kind):
        code, plain = _REGISTERED, _encoded(value, known)
    else:
        raise errors.NotSendable(
            f"{type.__repr__(kind)} cannot be sent; send plain data, or register its type with taskpy.register_type"
        )
    if depth == NESTING:
        raise errors.NotSendable("nested too deep to be sent")
    return msgpack.ExtType(code, pack(plain, depth + 1))


_DEFAULTS = tuple(partial(_extension, depth) for depth in range(NESTING + 1))


def _holds_buffer(value: Any) -> bool:
    # Looks at the types of many items at once, and into lists and dicts only: the rest is packed by itself.
    kind = type(value)
    if kind is not list and kind is not dict:
        return kind in _BUFFERS
    items = value if kind is list else [*value, *value.values()]
    kinds = set(map(type, items))
    if not _BUFFERS.isdisjoint(kinds):
        return True
    return (list in kinds or dict in kinds) and any(map(_holds_buffer, items))


# -- in -----------------------------------------------------------------------------------------


def unpack(data: bytes) -> Any:
    """The value of these bytes; raises Malformed for everything that `pack` did not make."""
    try:
        return _unpacked(data, 0)
    except (errors.Malformed, MemoryError):
        raise
    except Exception as exc:  # msgpack, datetime, decimal and zoneinfo each have their own
        raise errors.Malformed(f"these bytes were not written by taskpy: {exc or type(exc).__name__}") from exc


def skim(data: bytes) -> Any:
    """What can be read without opening any extension, None when nothing can."""
    try:
        return _unpacker(data, lambda _code, _data: None).unpack()
    except Exception:  # see unpack
        return None


def _unpacked(data: bytes, depth: int) -> Any:
    if len(data) >= CHECKED_BYTES:
        _unpacker(data, _HOOKS[depth]).skip()
    elif depth == 0:  # mostly so, and twice as fast
        return msgpack.unpackb(data, raw=False, strict_map_key=False, timestamp=3, ext_hook=_HOOKS[0])
    unpacker = _unpacker(data, _HOOKS[depth])
    value = unpacker.unpack()
    if unpacker.tell() != len(data):
        raise errors.Malformed("these bytes were not written by taskpy: there are more than one value needs")
    return value


def _unpacker(data: bytes, hook: Callable[[int, bytes], Any]) -> Any:
    # Not unpackb for what is nested: that puts 40 KB on the C stack, too much for what NESTING allows on small stacks. Every
    # length is bounded by the data's. Timestamps are the one extension that msgpack opens by itself, so let them be a type of
    # ours at least.
    unpacker = msgpack.Unpacker(
        max_buffer_size=len(data),
        raw=False,
        strict_map_key=False,
        use_list=True,
        timestamp=3,
        ext_hook=hook,
        object_pairs_hook=_paired if len(data) >= CHECKED_BYTES else None,  # less cannot keep anybody busy
    )
    unpacker.feed(data)
    return unpacker


def _paired(items: list[tuple[Any, Any]]) -> dict[Any, Any]:
    if len(items) > SAME_HASHES:
        _spread([key for key, _ in items if type(key) is not str])  # nobody can foretell the hash of text
    return dict(items)


def _restored(depth: int, code: int, data: bytes) -> Any:
    if depth == NESTING:
        raise errors.Malformed("these bytes were not written by taskpy: nested too deep")
    form = _BY_CODE.get(code)
    if form is None and code != _REGISTERED:
        raise errors.Malformed(f"these bytes were not written by taskpy: unknown extension {code}")
    plain = _unpacked(data, depth + 1)
    if type(plain) is not (form.plain if form else list):
        raise errors.Malformed(f"these bytes were not written by taskpy: extension {code} of {type(plain).__name__}")
    return form.decode(plain) if form else _decoded(plain)


_HOOKS = tuple(partial(_restored, depth) for depth in range(NESTING + 1))
