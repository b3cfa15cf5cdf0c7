import contextlib
import datetime as dt
import enum
import io
import re
import struct
import threading
import tracemalloc
import uuid
import zoneinfo
from collections import OrderedDict
from decimal import Decimal
from typing import Any, NamedTuple

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskpy import errors, values

# No database: a failure prints the example that shows it.
QUICK = settings(database=None, deadline=None, max_examples=150)

# A machine may have no time zone database.
KEYS = sorted({"Europe/Berlin", "America/New_York", "UTC", "Etc/GMT+3"} & zoneinfo.available_timezones())
needs_zones = pytest.mark.skipif(not KEYS, reason="this machine has no time zone database; install tzdata")

ZONES = st.one_of(
    st.none(),
    st.sampled_from(KEYS).map(zoneinfo.ZoneInfo) if KEYS else st.none(),
    st.integers(-86_399, 86_399).map(lambda seconds: dt.timezone(dt.timedelta(seconds=seconds))),
    st.text(max_size=5).map(lambda name: dt.timezone(dt.timedelta(hours=1), name)),
)
CLOCKS = st.datetimes(timezones=ZONES, allow_imaginary=True) | st.times(timezones=ZONES)
HASHABLE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**300), 2**300),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=8),
    CLOCKS.flatmap(lambda clock: st.sampled_from([clock, clock.replace(fold=1)])),
    st.dates(),
    st.timedeltas(),
    st.decimals(allow_nan=False),  # a signalling NaN has no hash
    st.uuids(),
)
HASHABLES = st.recursive(
    HASHABLE,
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.frozensets(inner, max_size=3),
    max_leaves=4,
)
VALUES = st.recursive(
    HASHABLES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(HASHABLES, inner, max_size=4),
        st.sets(HASHABLES, max_size=4),
    ),
    max_leaves=10,
)


def image(value):
    """What must be the same on both sides: types all the way down, and what == does not look at."""
    kind = type(value)
    if kind is dict:
        return kind, [(image(key), image(item)) for key, item in value.items()]
    if kind in (list, tuple):
        return kind, [image(item) for item in value]
    if kind in (set, frozenset):
        return kind, sorted(repr(image(item)) for item in value)
    if kind in (dt.datetime, dt.time):
        return kind, value.isoformat(), value.fold, str(value.tzinfo), type(value.tzinfo)
    if kind is float:
        return kind, struct.pack(">d", value)
    return kind, repr(value)


def there_and_back(value):
    return values.unpack(values.pack(value))


@QUICK
@given(VALUES)
def test_every_value_comes_back_equal_and_of_its_own_type(value):
    assert image(value) == image(there_and_back(value))


@pytest.mark.parametrize(
    "value",
    [
        2**64 - 1,
        2**64,
        -(2**63),
        -(2**63) - 1,
        True,
        1.0,
        -0.0,
        float("inf"),
        {1: "int", "1": "str", b"1": "bytes", (1,): "tuple", None: "none", frozenset({1}): "set"},
        [[], (), {}, set(), frozenset()],
        Decimal("1E+400"),
        Decimal("1.10"),
        Decimal("sNaN"),
        uuid.UUID(int=5),
        dt.datetime.max.replace(tzinfo=dt.UTC),
        dt.time(1, 2, 3, 4, tzinfo=dt.UTC),
        dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2, microseconds=1), "odd")),
    ],
)
def test_edges_come_back(value):
    assert image(value) == image(there_and_back(value))


def test_an_int_of_more_digits_than_python_prints_comes_back():
    assert there_and_back(10**5000) == 10**5000
    assert there_and_back(-(10**5000)) == -(10**5000)


@needs_zones
def test_the_second_of_two_equal_hours_stays_the_second():
    value = dt.datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))

    assert image(value) == image(there_and_back(value))
    assert value.utcoffset() == there_and_back(value).utcoffset()


def test_utc_comes_back_as_the_one_and_only():
    assert there_and_back(dt.datetime(2024, 1, 1, tzinfo=dt.UTC)).tzinfo is dt.UTC


class Color(enum.IntEnum):
    RED = 1


class Mode(enum.StrEnum):
    FAST = "fast"


class Point(NamedTuple):
    x: Any
    y: Any


class Zone(dt.tzinfo):
    pass


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        Color.RED,
        Mode.FAST,
        Point(1, 2),
        OrderedDict(a=1),
        Text("a"),
        bytearray(b"a"),
        memoryview(b"a"),
        [1, {"a": [bytearray(b"a")]}],
        {memoryview(b"a"): 1},
        ("a", bytearray(b"a")),
        1j,
        object(),
        object,
        len,
        range(3),
        dt.datetime(2024, 1, 1, tzinfo=Zone()),
        "\ud800",
    ],
    ids=lambda value: re.sub(r" at 0x[0-9a-f]+", "", repr(value)),  # the same in every process
)
def test_anything_else_is_refused(value):
    with pytest.raises(values.FAULTS):
        values.pack(value)


def test_bytes_are_no_buffers():
    value = [b"a" * 300, {"a": b"b" * 70_000}, "ńćĄ", 196, 197, 198]

    assert value == there_and_back(value)


def test_a_time_zone_without_a_key_is_refused():
    utc = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 0, 1, 4) + struct.pack(">lbb", 0, 0, 0) + b"UTC\0"
    zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(utc))

    with pytest.raises(errors.NotSendable, match="time zone"):
        values.pack(dt.datetime(2024, 1, 1, tzinfo=zone))


# -- registered types ---------------------------------------------------------------------------


class Model:
    def __init__(self, weights):
        self.weights = weights

    def __eq__(self, other):
        return type(other) is Model and self.weights == other.weights

    __hash__ = None


@pytest.fixture(autouse=True)
def own_registrations(monkeypatch):
    monkeypatch.setattr(values, "_registered", {})
    monkeypatch.setattr(values, "_registered_by_name", {})


def test_a_registered_type_comes_back_with_all_that_is_in_it():
    values.register_type(Model, encode=lambda model: model.weights, decode=Model)
    value = {"a": [Model((1, {2})), Model(Model(None))]}

    assert value == there_and_back(value)


def test_registration_is_for_the_exact_class():
    values.register_type(Point, encode=tuple, decode=lambda pair: Point(*pair), name="point")
    values.register_type(Color, encode=int, decode=Color)

    assert (Point, Point(1, Color.RED)) == (type(there := there_and_back(Point(1, Color.RED))), there)
    with pytest.raises(errors.NotSendable, match="Text"):
        values.pack(Text("a"))


def test_a_type_that_is_unknown_here_is_named(monkeypatch):
    values.register_type(Model, encode=lambda model: model.weights, decode=Model)
    data = values.pack(Model(1))
    monkeypatch.setattr(values, "_registered_by_name", {})

    with pytest.raises(errors.Malformed, match=r"test_values\.Model.*register_type"):
        values.unpack(data)


def test_a_type_registered_under_a_new_name_is_read_under_both():
    values.register_type(Model, encode=lambda model: model.weights, decode=Model, name="old")
    old = values.pack(Model(1))
    values.register_type(Model, encode=lambda model: model.weights, decode=Model, name="new")

    assert Model(1) == values.unpack(old) == there_and_back(Model(1))
    assert b"new" in values.pack(Model(1))


def test_a_class_loaded_again_replaces_itself_and_another_one_is_refused():
    values.register_type(Model, encode=lambda model: model.weights, decode=Model)
    again = type("Model", (), {"__module__": Model.__module__})
    values.register_type(again, encode=lambda _: 1, decode=lambda _: again())

    assert isinstance(there_and_back(again()), again)
    with pytest.raises(errors.BadName, match="Model"):
        values.register_type(Color, encode=int, decode=Color, name=values.qualified(Model))


@pytest.mark.parametrize("cls", [dict, tuple, int, dt.datetime, type(None), 5, "Model"], ids=repr)
def test_only_classes_that_cannot_be_sent_yet_are_registered(cls):
    with pytest.raises(errors.BadArguments):
        values.register_type(cls, encode=str, decode=str)


def test_what_fails_in_the_users_code_is_said():
    values.register_type(Model, encode=lambda model: 1 / model.weights, decode=lambda inverse: 1 / (inverse - 1))
    data = values.pack(Model(1))

    with pytest.raises(errors.NotSendable, match=r"encode of .*Model failed: ZeroDivisionError"):
        values.pack(Model(0))
    with pytest.raises(errors.Malformed, match=r"decode of .*Model failed: ZeroDivisionError"):
        values.unpack(data)


def test_a_type_encoded_as_itself_ends():
    values.register_type(Model, encode=lambda model: model, decode=lambda model: model)

    with pytest.raises(errors.NotSendable, match="nested too deep"):
        values.pack(Model(1))


# -- depth --------------------------------------------------------------------------------------


def nested(kind, depth):
    value = kind()
    for _ in range(depth - 1):
        value = kind([value])
    return value


@pytest.mark.parametrize("kind", [tuple, frozenset])
def test_what_can_be_packed_at_the_limit_can_be_unpacked(kind):
    value = nested(kind, values.NESTING)

    assert value == there_and_back(value)
    with pytest.raises(errors.NotSendable, match="too deep"):
        values.pack(nested(kind, values.NESTING + 1))


def test_lists_nest_much_deeper():
    value = nested(list, 300)

    assert value == there_and_back(value)


def on_a_small_stack(step):
    """What the step raised, in a thread with as little stack as some systems give."""
    raised = []

    def guarded():
        try:
            step()
        except Exception as exc:
            raised.append(exc)

    threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(target=guarded)
        thread.start()
    finally:
        threading.stack_size(0)
    thread.join()
    return raised


def test_hostile_depth_does_not_crash_the_process():
    data = b"\x01"
    for _ in range(2000):
        data = b"\xc9" + struct.pack(">I", len(data)) + b"\x01" + data

    assert [errors.Malformed] == [type(exc) for exc in on_a_small_stack(lambda: values.unpack(data))]
    assert [errors.Malformed] == [type(exc) for exc in on_a_small_stack(lambda: values.unpack(b"\x91" * 100_000))]


# -- bytes that are not ours --------------------------------------------------------------------


def extension(code, payload):
    return msgpack.packb(msgpack.ExtType(code, payload))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        b"\x01\x01",
        b"\xa1\xff",
        b"\x91",
        b"\xdd\xff\xff\xff\xff",
        b"\x81\x90\x01",
        b"\x81\x80\x01",
        b"\xc7\x0c" + b"\xff" * 13,
        extension(0, b"\x90"),
        extension(99, b"\x90"),
        extension(1, b""),
        extension(1, b"\x01"),
        extension(2, b"\x91\x90"),
        extension(3, b"\x91\x80"),
        extension(4, b"\xa1a"),
        extension(5, msgpack.packb(["today", 0, None])),
        extension(5, msgpack.packb(["2024-01-01", 2, None])),
        extension(5, msgpack.packb(["2024-01-01", 0])),
        extension(5, msgpack.packb(["2024-01-01", 0, "../../etc/passwd"])),
        extension(5, msgpack.packb(["2024-01-01", 0, "No/Such_Zone"])),
        extension(5, msgpack.packb(["2024-01-01", 0, "America"])),
        extension(5, msgpack.packb(["2024-01-01", 0, ["a", None]])),
        extension(5, msgpack.packb(["2024-01-01", 0, [10**18, None]])),
        extension(6, msgpack.packb("2024-13-01")),
        extension(7, msgpack.packb(["25:00", 0, None])),
        extension(8, msgpack.packb([10**18, 0, 0])),
        extension(8, msgpack.packb(["a", 0, 0])),
        extension(9, msgpack.packb("one")),
        extension(9, msgpack.packb(1)),
        extension(10, msgpack.packb(b"short")),
        extension(11, msgpack.packb(["os.system", "true"])),
        extension(11, msgpack.packb([["unhashable"], 1])),
        extension(11, msgpack.packb([])),
    ],
)
def test_bytes_that_are_not_ours_are_malformed(data):
    with pytest.raises(errors.Malformed):
        values.unpack(data)


@QUICK
@given(st.binary(max_size=200))
def test_garbage_is_a_value_or_malformed(data):
    with contextlib.suppress(errors.Malformed):
        values.unpack(data)


@QUICK
@given(VALUES.map(values.pack), st.data())
def test_damage_is_a_value_or_malformed(data, draw):
    place = draw.draw(st.integers(0, len(data) - 1))
    damaged = data[:place] + draw.draw(st.binary(max_size=3)) + data[place + 1 :]
    with contextlib.suppress(errors.Malformed):
        values.unpack(damaged)


def test_false_lengths_do_not_get_memory():
    size = 20_000
    data = (b"\xdd" + struct.pack(">I", size - 1)) * 800
    data += bytes(size - len(data))

    tracemalloc.start()
    try:
        with pytest.raises(errors.Malformed):
            values.unpack(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * size


def test_a_lot_of_data_is_no_false_length():
    value = {"numbers": list(range(300_000)), "pairs": [(number, str(number)) for number in range(10_000)]}

    assert value == there_and_back(value)


def test_a_foreign_timestamp_is_at_least_a_value_of_ours():
    assert dt.datetime(1970, 1, 1, 0, 0, 5, tzinfo=dt.UTC) == values.unpack(msgpack.packb(msgpack.Timestamp(5)))


def test_skim_reads_around_extensions():
    assert values.skim(msgpack.packb({"v": 2, "n": msgpack.ExtType(99, b"")})) == {"v": 2, "n": None}
    assert values.skim(b"\xc1") is None
