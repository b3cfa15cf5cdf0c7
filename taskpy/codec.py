"""Everything that taskpy sends, in and out of bytes. The rest of taskpy imports this, not the parts it is made of.

Owns what stands in the envelopes of specs, messages and results: short keys, of which unknown ones are kept. Values
are the business of `values`, limits and versions that of `wire`, exceptions that of `failure`,
progress and log lines that of `reported`.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from taskpy import errors, values, wire
from taskpy.failure import RemoteTraceback, dump_exception, load_exception, register_exception
from taskpy.naming import checked_id, checked_name
from taskpy.reported import dump_line, dump_progress, load_line, load_progress
from taskpy.retry import Backoff
from taskpy.spec import MISSING, NO_OPTIONS, Options, TaskSpec
from taskpy.values import register_type
from taskpy.wire import EXCEPTION_LIMIT, MESSAGE_LIMIT, RESULT_LIMIT, SPEC_LIMIT, STATE_LIMIT, VERSION, dumps, loads

__all__ = [
    "EXCEPTION_LIMIT",
    "MESSAGE_LIMIT",
    "RESULT_LIMIT",
    "SPEC_LIMIT",
    "STATE_LIMIT",
    "VERSION",
    "Message",
    "RemoteTraceback",
    "dump_exception",
    "dump_line",
    "dump_message",
    "dump_progress",
    "dump_result",
    "dump_spec",
    "dump_state",
    "dumps",
    "load_exception",
    "load_line",
    "load_message",
    "load_progress",
    "load_result",
    "load_spec",
    "load_state",
    "loads",
    "register_exception",
    "register_type",
]


# -- specs --------------------------------------------------------------------------------------

#: The types of the options on the wire, besides None for: not given.
_OPTIONS: Mapping[str, tuple[type, ...]] = {
    "queue": (str,),
    "delay": (int, float),
    "time_limit": (int, float),
    "retries": (int,),
    "backoff": (int, float, dict),
    "restarts": (int,),
    "keep": (int, float),
    "handover": (bool,),
    "key": (str,),
    "on_conflict": (str,),
    "children": (str,),
}


def dump_spec(spec: TaskSpec) -> bytes:
    """Packs a spec; raises BadName, NotSendable, which names the argument, or TooLarge."""
    parts: dict[str, Any] = {
        "args": list(spec.args),
        "kwargs": dict(spec.kwargs),
        "options": {**spec.extra.get("o", {}), **_given(spec.options)},
        "headers": dict(spec.headers),
    }
    fields = {**spec.extra, "n": checked_name(spec.name)}
    fields |= {name[0]: part for name, part in parts.items() if part}
    if spec.prev is not MISSING:
        parts["prev"] = fields["p"] = spec.prev
    if spec.parent is not None:
        fields["s"] = checked_id(spec.parent)
    return wire.seal(fields, where="spec", parts=parts, limit=SPEC_LIMIT)


def load_spec(data: bytes) -> TaskSpec:
    """Unpacks a spec; raises Malformed, which names the field, or NewerVersion."""
    fields = wire.unseal(data, limit=SPEC_LIMIT)
    try:
        name = checked_name(wire.take(fields, "n", "name", str))
        parent = wire.take(fields, "s", "parent", str, default=None)
        options, unknown = _options(_keywords(fields, "o", "options"))
        spec = TaskSpec(
            name=name,
            args=tuple(wire.take(fields, "a", "args", list, tuple, default=())),
            kwargs=_keywords(fields, "k", "kwargs"),
            options=options,
            prev=fields.pop("p", MISSING),
            parent=None if parent is None else checked_id(parent),
            headers=_keywords(fields, "h", "headers"),
            extra=fields,
        )
    except errors.SpecError as exc:
        raise errors.Malformed(str(exc)) from exc
    if unknown:
        fields["o"] = unknown
    return spec


def _given(options: Options) -> dict[str, Any]:
    if options is NO_OPTIONS:
        return {}
    given = options.given()
    if isinstance(options.backoff, Backoff):
        given["backoff"] = asdict(options.backoff)
    return given


def _options(fields: dict[str, Any]) -> tuple[Options, dict[str, Any]]:
    # The second part is what a newer taskpy knows of: not for us, but to be written again.
    if not fields:
        return NO_OPTIONS, fields
    given = {
        name: wire.take(fields, name, f"options[{name!r}]", *kinds)
        for name, kinds in _OPTIONS.items()
        if name in fields
    }
    if isinstance(given.get("backoff"), dict):
        given["backoff"] = _backoff(given["backoff"])
    try:
        return Options(**given), fields
    except errors.SpecError as error:
        raise errors.Malformed(f"options: {error}") from error


def _backoff(fields: dict[str, Any]) -> Backoff:
    names = Backoff.__slots__
    given = {
        name: wire.take(fields, name, f"options['backoff'][{name!r}]", int, float) for name in names if name in fields
    }
    try:
        return Backoff(**given)
    except ValueError as error:
        raise errors.Malformed(f"options['backoff']: {error}") from error


def _keywords(fields: dict[str, Any], key: str, name: str) -> dict[str, Any]:
    if key not in fields:
        return {}
    value: dict[str, Any] = wire.take(fields, key, name, dict)
    if not all(type(word) is str for word in value):
        raise errors.Malformed(f"{name} must have text as keys")
    return value


# -- messages and results -----------------------------------------------------------------------


@dataclass(slots=True)
class Message:
    """What one send carries, and the inbox it is for; `extra` keeps the fields that a newer taskpy wrote."""

    data: Any
    inbox: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)


def dump_message(
    data: Any, *, inbox: str | None = None, headers: Mapping[str, Any] | None = None, where: str = "message"
) -> bytes:
    """Packs a message; raises NotSendable or TooLarge, which call it `where`, or BadName for its inbox."""
    fields = {"d": data, "h": dict(headers)} if headers else {"d": data}
    if inbox is not None:
        fields["i"] = checked_name(inbox, "inbox")
    return wire.seal(fields, where=where, parts={where: data, "headers": fields.get("h")}, limit=MESSAGE_LIMIT)


def load_message(data: bytes) -> Message:
    """Unpacks a message; raises Malformed or NewerVersion."""
    fields = wire.unseal(data, limit=MESSAGE_LIMIT)
    inbox = wire.take(fields, "i", "inbox", str, default=None)
    try:
        inbox = None if inbox is None else checked_name(inbox, "inbox")
    except errors.BadName as error:
        raise errors.Malformed(str(error)) from error
    return Message(
        data=_data(fields, "message"),
        inbox=inbox,
        headers=_keywords(fields, "h", "headers"),
        extra=fields,
    )


def dump_state(state: Any, version: int) -> bytes:
    """Packs the state of a checkpoint, with the version of its form; raises NotSendable or TooLarge."""
    return wire.seal({"d": state, "f": version}, where="state", parts={"state": state}, limit=STATE_LIMIT)


def load_state(data: bytes) -> tuple[Any, int]:
    """Unpacks the state of a checkpoint, and the version of its form; raises Malformed or NewerVersion."""
    fields = wire.unseal(data, limit=STATE_LIMIT)
    state, version = _data(fields, "state"), wire.take(fields, "f", "version of the state", int)
    if not 0 <= version <= wire.MOST:
        raise errors.Malformed(f"{values.shown(version)} is not the version of a state")
    return state, version


def dump_result(value: Any) -> bytes:
    """Packs what a task returned; raises NotSendable or TooLarge, which call it `result`."""
    return wire.seal({"d": value}, where="result", parts={"result": value}, limit=RESULT_LIMIT)


def load_result(data: bytes) -> Any:
    """Unpacks what a task returned; raises Malformed or NewerVersion."""
    return _data(wire.unseal(data, limit=RESULT_LIMIT), "result")


def _data(fields: dict[str, Any], name: str) -> Any:
    if "d" not in fields:
        raise errors.Malformed(f"the {name} is missing")
    return fields.pop("d")
