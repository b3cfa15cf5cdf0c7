"""What is said to Redis, as bytes: a value within a limit, and the envelope with a version around it.

Owns the limits, the version, and the search for the place of what cannot be sent. What stands in an envelope is the
business of `codec` and `failure`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from taskpy import errors, values

#: The largest task spec (name, arguments and all), in bytes.
SPEC_LIMIT = 4 * 1024 * 1024
#: The largest message to or from a task, in bytes.
MESSAGE_LIMIT = 1024 * 1024
#: The largest result, in bytes.
RESULT_LIMIT = 16 * 1024 * 1024
#: The largest state of a checkpoint, in bytes. Each checkpoint writes it as a whole.
STATE_LIMIT = 256 * 1024
#: The largest question of a task, in bytes: who looks at the task reads it.
QUESTION_LIMIT = 64 * 1024
#: The largest exception, with its traceback, in bytes.
EXCEPTION_LIMIT = 64 * 1024

#: The largest whole number that means something in an envelope: nothing here counts further.
MOST = 2**63 - 1

#: The version of the envelopes written here; those of older versions are read too.
VERSION = 1


def dumps(value: Any, *, where: str = "value", limit: int = RESULT_LIMIT) -> bytes:
    """Packs a value; raises NotSendable, which says where in the value (called `where`) it failed, or TooLarge."""
    try:
        data = values.pack(value)
    except values.FAULTS as exc:
        raise _explained(exc, {where: value}) from exc
    return _within(data, where, limit)


def loads(data: bytes, *, limit: int = RESULT_LIMIT) -> Any:
    """Unpacks a value; raises Malformed for everything that `dumps` did not make within the limit."""
    if not isinstance(data, bytes):
        raise errors.Malformed(f"expected bytes, not {type(data).__name__}")
    if len(data) > limit:
        raise errors.Malformed(f"{len(data):,} bytes are more than the limit of {limit:,}")
    return values.unpack(data)


def seal(fields: dict[str, Any], *, where: str, parts: Mapping[str, Any], limit: int) -> bytes:
    """Packs an envelope. `parts` are the fields that users know, by the names that an error should call them."""
    try:
        data = values.pack({**fields, "v": VERSION})
    except values.FAULTS as exc:
        raise _explained(exc, parts) from exc
    return _within(data, where, limit)


def unseal(data: bytes, *, limit: int) -> dict[str, Any]:
    """The fields of an envelope, without its version; raises Malformed or NewerVersion."""
    try:
        fields = loads(data, limit=limit)
    except errors.Malformed:
        # A newer version may use extensions that are unknown here: then that is what to say.
        _check_version(values.skim(data) if isinstance(data, bytes) and len(data) <= limit else None)
        raise
    _check_version(fields)
    if type(fields) is not dict or not all(type(key) is str for key in fields):
        raise errors.Malformed("not an envelope of taskpy")
    fields.pop("v", None)
    return fields


def take(fields: dict[str, Any], key: str, name: str, *kinds: type, default: Any = ...) -> Any:
    """Removes a field from an envelope; raises Malformed when it is of none of these types, or lacks a default."""
    value = fields.pop(key, default)
    if value is ...:
        raise errors.Malformed(f"{name} is missing")
    if value is not default and type(value) not in kinds:
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise errors.Malformed(f"{name} must be {wanted}, not {type(value).__name__}")
    return value


def _within(data: bytes, where: str, limit: int) -> bytes:
    if len(data) > limit:
        raise errors.TooLarge(
            f"{where} is {len(data):,} bytes, more than the {limit:,} that taskpy sends; "
            "keep the data elsewhere and send where it is"
        )
    return data


def _check_version(fields: Any) -> None:
    version = fields.get("v", 0) if type(fields) is dict else 0
    if type(version) is not int or not 0 <= version <= MOST:
        raise errors.Malformed(f"{values.shown(version)} is not a version of an envelope")
    if version > VERSION:
        raise errors.NewerVersion(
            f"this was written by a newer taskpy (version {version} of its envelope, known here is {VERSION}); "
            "upgrade this process"
        )


# -- what cannot be sent, and where it is ---------------------------------------------------------


def _explained(exc: Exception, parts: Mapping[str, Any]) -> errors.NotSendable:
    for where, value in parts.items():
        try:
            values.pack(value)
        except values.FAULTS as fault:
            return errors.NotSendable(_found(value, where) or _reason(fault, where))
    return errors.NotSendable(_reason(exc, " and ".join(parts)))


def _reason(exc: Exception, where: str) -> str:
    # Where no single thing is at fault it is a limit of depth, or another thread at work on the value.
    changed = isinstance(exc, RuntimeError) and not isinstance(exc, RecursionError)
    return f"{where}: {exc}" if changed else f"{where} is nested too deep to be sent"


def _found(value: Any, where: str) -> str | None:
    try:
        return _fault(value, where, ())
    except RuntimeError:  # too deep for this walk too, or changed meanwhile
        return None


def _fault(value: Any, where: str, above: tuple[int, ...]) -> str | None:
    if id(value) in above:
        return f"{where} contains what it is part of, and cannot be sent"
    parts = _parts(value, where)
    if parts is None:
        return _leaf_fault(value, where)
    inside = (*above, id(value))
    return next((fault for place, part in parts if (fault := _fault(part, place, inside))), None)


def _parts(value: Any, where: str) -> Iterator[tuple[str, Any]] | None:
    kind = type(value)
    if kind is dict:
        return _dict_parts(value, where)
    if kind in (list, tuple):
        return ((f"{where}[{index}]", item) for index, item in enumerate(value))
    if kind in (set, frozenset):
        return ((f"element of {where}", item) for item in value)
    return None


def _dict_parts(value: dict[Any, Any], where: str) -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        yield f"key of {where}", key
        yield f"{where}[{values.shown(key)}]", item


def _leaf_fault(value: Any, where: str) -> str | None:
    try:
        values.pack(value)
    except UnicodeEncodeError:
        return f"{where}: text with a lone surrogate cannot be sent; encode it to bytes"
    except values.FAULTS as exc:
        return f"{where}: {exc}"
    return None
