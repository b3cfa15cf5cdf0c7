"""Values come back equal and of the same type, whichever border they cross and in whichever direction."""

import datetime as dt
import uuid
import zoneinfo
from decimal import Decimal

import contract_tasks as tasks
import places
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import SOON

from taskpy import errors

ZONES = [dt.UTC, dt.timezone(dt.timedelta(hours=-3, minutes=-30), "there"), zoneinfo.ZoneInfo("UTC")]
NAIVE = dt.datetime(2014, 2, 3, 4, 5, 6, 789, fold=1)  # noqa: DTZ001 - naive ones cross too

EACH = [
    None,
    True,
    False,
    0,
    -1,
    2**63,
    -(2**200),
    1.5,
    -0.0,
    float("inf"),
    "",
    "äöü \U0001f600 \x00",
    b"",
    b"\x00\xff",
    [],
    [1, [2, [3]]],
    (),
    (1, (2, [3])),
    {},
    {"a": {"b": None}, 1: "int", None: 0, (1, "x"): "tuple", b"k": b"v", 1.25: (), frozenset({1}): []},
    set(),
    {1, "two", (3,)},
    frozenset({frozenset({1}), None}),
    NAIVE,
    *(NAIVE.replace(tzinfo=zone) for zone in ZONES),
    dt.date(1, 1, 1),
    dt.time(23, 59, 59, 999_999),
    dt.time(1, 2, tzinfo=dt.UTC),
    dt.timedelta(days=-1, microseconds=1),
    Decimal("1.10"),
    Decimal("-0"),
    Decimal("Infinity"),
    uuid.UUID(int=2**127 + 1),
    tasks.Point(1, -2),
    [tasks.Point(0, 0)],
    {tasks.Point(1, 1): "a key"},
]

ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**100), 2**100),
    st.floats(allow_nan=False),
    st.text(max_size=6),
    st.binary(max_size=6),
    st.datetimes(timezones=st.none() | st.sampled_from(ZONES)),
    st.dates(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.builds(tasks.Point, st.integers(), st.integers()),
)
KEYS = st.recursive(ATOMS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=3)
VALUES = st.recursive(
    KEYS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.dictionaries(KEYS, inner, max_size=3),
        st.sets(KEYS, max_size=3),
    ),
    max_leaves=6,
)


def shape(value):
    """The value with the type of every part, so that True is not 1, nor [] a ()."""
    match value:
        case list() | tuple():
            return type(value), [shape(part) for part in value]
        case dict():
            return dict, [(shape(key), shape(part)) for key, part in value.items()]
        case set() | frozenset():
            return type(value), sorted(repr(shape(part)) for part in value)
        case dt.datetime() | dt.time():
            return type(value), repr(value), repr(value.tzinfo), value.fold
    return type(value), repr(value)


def test_arguments_and_results_come_back_equal(place):
    keywords = {f"value{number}": value for number, value in enumerate(EACH)}
    args, kwargs = place.started(tasks.give_all, *EACH, **keywords).get(timeout=SOON)
    assert args == tuple(EACH)
    assert kwargs == keywords
    assert shape(list(args)) == shape(EACH)
    assert shape(kwargs) == shape(keywords)


def test_messages_come_back_equal(place):
    handle = place.started(tasks.echo)
    for value in EACH:
        handle.send(value)
    received = [handle.recv(timeout=SOON) for _ in EACH]
    assert received == EACH
    assert shape(received) == shape(EACH)


@pytest.mark.parametrize("place", ["process", "fake", "real", "aio-real"], indirect=True)
@settings(database=None, deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_anything_comes_back_equal(place, data):
    handle = echo_of(place)
    sent = data.draw(st.lists(VALUES, max_size=4))
    handle.send(sent)
    received = handle.recv(timeout=SOON)
    assert received == sent
    assert shape(received) == shape(sent)


def echo_of(place):
    """One task for all examples of a test."""
    if not hasattr(place, "echo"):
        place.echo = place.started(tasks.echo)
    return place.echo


@pytest.mark.parametrize("place", ["process", "real", "aio-real"], indirect=True)
def test_what_cannot_be_read_here_is_an_error_for_whoever_reads_it(place):
    handle = place.started(tasks.give_stranger)
    assert handle.wait(SOON)
    assert handle.done
    assert handle.recv() == "before"
    with pytest.raises(errors.Malformed, match="Stranger"):
        handle.recv()
    assert handle.recv() == "after"
    with pytest.raises(errors.Malformed, match="Stranger"):
        handle.get()
    if place.remote:
        assert handle.state == "succeeded"
        with pytest.raises(errors.Malformed, match="Stranger"):
            _ = handle.result


@pytest.mark.parametrize("place", ["thread", "thread-async"], indirect=True)
def test_in_a_thread_anything_goes_as_it_is(place):
    thing = object()
    handle = place.started(tasks.echo)
    handle.send(thing)
    assert handle.recv(timeout=SOON) is thing
    assert place.started(tasks.give, thing).get(timeout=SOON) is thing


@pytest.mark.parametrize("place", places.CROSSING, indirect=True)
@pytest.mark.parametrize(
    "value", [object(), lambda: None, open, type, range(3), 1j, errors, Ellipsis, bytearray(b"x"), iter([])]
)
def test_other_types_cannot_cross(place, value):
    with pytest.raises(errors.NotSendable) as raised:
        place(tasks.give, value)
    assert isinstance(raised.value, TypeError)
