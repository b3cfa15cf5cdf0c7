import contextlib
import os
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskpy import codec, errors
from taskpy.retry import Backoff
from taskpy.spec import MISSING, Options, TaskSpec

QUICK = settings(database=None, deadline=None, max_examples=100)
NUMBERS = st.floats(0, 1e9) | st.integers(0, 10**9)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5) | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
WORDS = st.dictionaries(st.text(max_size=5), VALUES, max_size=3)
OPTIONS = st.builds(
    Options,
    queue=st.none() | st.from_regex(r"[a-z]{1,9}", fullmatch=True),
    delay=st.none() | NUMBERS,
    retries=st.none() | st.integers(0, 100),
    backoff=st.none()
    | NUMBERS
    | st.builds(Backoff, first=NUMBERS, factor=NUMBERS, cap=NUMBERS, jitter=st.floats(0, 1)),
    restarts=st.none() | st.integers(0, 100),
    keep=st.none() | NUMBERS,
    handover=st.none() | st.booleans(),
    key=st.none() | st.text("ab: ä", min_size=1, max_size=9),
    on_conflict=st.none() | st.sampled_from(["reject", "join", "send", "replace"]),
)
SPECS = st.builds(
    TaskSpec,
    name=st.from_regex(r"[a-z]{1,5}\.[a-z]{1,5}", fullmatch=True),
    args=st.lists(VALUES, max_size=3).map(tuple),
    kwargs=WORDS,
    options=OPTIONS,
    prev=st.just(MISSING) | VALUES,
    parent=st.none() | st.from_regex(r"[0-9a-f]{24}", fullmatch=True),
    headers=WORDS,
)


class Model:
    pass


def envelope(**given):
    return msgpack.packb({"v": codec.VERSION, **given})


# -- specs --------------------------------------------------------------------------------------


@QUICK
@given(SPECS)
def test_a_spec_comes_back(spec):
    assert spec == codec.load_spec(codec.dump_spec(spec))


def test_a_spec_says_only_what_was_given():
    assert codec.loads(codec.dump_spec(TaskSpec("app.crawl"))) == {"v": codec.VERSION, "n": "app.crawl"}


def test_a_predecessor_of_none_is_not_none_at_all():
    spec = TaskSpec("app.crawl", prev=None)

    assert codec.load_spec(codec.dump_spec(spec)).prev is None
    assert codec.load_spec(codec.dump_spec(TaskSpec("app.crawl"))).prev is MISSING


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"args": (Model(),)}, "args[0]: "),
        ({"kwargs": {"model": Model()}}, "kwargs['model']: "),
        ({"kwargs": {"a": {"b": [1, 2, Model()]}}}, "kwargs['a']['b'][2]: "),
        ({"kwargs": {"a": {Model(): 1}}}, "key of kwargs['a']: "),
        ({"prev": Model()}, "prev: "),
        ({"prev": [Model()]}, "prev[0]: "),
        ({"headers": {"trace": Model()}}, "headers['trace']: "),
        ({"options": Options(keep=type("Seconds", (float,), {})(1))}, "options['keep']: "),
    ],
)
def test_what_cannot_be_sent_is_named_as_the_caller_knows_it(given, place):
    with pytest.raises(errors.NotSendable, match=re.escape(place)):
        codec.dump_spec(TaskSpec("app.crawl", **given))


@pytest.mark.parametrize("spec", [TaskSpec("app crawl"), TaskSpec(""), TaskSpec("a", parent="{1}")])
def test_a_spec_that_nobody_could_read_is_not_written(spec):
    with pytest.raises(errors.BadName):
        codec.dump_spec(spec)


def test_specs_messages_and_results_have_their_limits():
    for dump, limit in [
        (lambda data: codec.dump_spec(TaskSpec("a", (data,))), codec.SPEC_LIMIT),
        (codec.dump_message, codec.MESSAGE_LIMIT),
        (codec.dump_result, codec.RESULT_LIMIT),
        (lambda data: codec.dump_state(data, 1), codec.STATE_LIMIT),
    ]:
        assert limit - 20 < len(dump(bytes(limit - 20))) <= limit
        with pytest.raises(errors.TooLarge, match=f"{limit:,}"):
            dump(bytes(limit))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "name is missing"),
        ({"n": 5}, "name must be str, not int"),
        ({"n": "a b"}, "'a b' is not a task name"),
        ({"n": "a" * 129}, "is not a task name"),
        ({"n": "a", "a": {}}, "args must be list or tuple, not dict"),
        ({"n": "a", "a": None}, "args must be list or tuple, not NoneType"),
        ({"n": "a", "k": []}, "kwargs must be dict, not list"),
        ({"n": "a", "k": {1: 2}}, "kwargs must have text as keys"),
        ({"n": "a", "h": {1: 2}}, "headers must have text as keys"),
        ({"n": "a", "s": 5}, "parent must be str, not int"),
        ({"n": "a", "s": "{}"}, "'{}' is not a task id"),
        ({"n": "a", "o": []}, "options must be dict, not list"),
        ({"n": "a", "o": {1: 2}}, "options must have text as keys"),
        ({"n": "a", "o": {"queue": "{}"}}, "'{}' is not a queue"),
        ({"n": "a", "o": {"queue": None}}, "options['queue'] must be str, not NoneType"),
        ({"n": "a", "o": {"retries": 1.5}}, "options['retries'] must be int, not float"),
        ({"n": "a", "o": {"retries": True}}, "options['retries'] must be int, not bool"),
        ({"n": "a", "o": {"delay": -1}}, "delay must be a number of seconds of at least 0, not -1"),
        ({"n": "a", "o": {"keep": float("nan")}}, "keep must be a number of seconds of at least 0, not nan"),
        ({"n": "a", "o": {"handover": 1}}, "options['handover'] must be bool, not int"),
        ({"n": "a", "o": {"key": 1}}, "options['key'] must be str, not int"),
        ({"n": "a", "o": {"key": "\n"}}, "options: key must be a text"),
        ({"n": "a", "o": {"on_conflict": "fight"}}, "options: on_conflict must be one of"),
        ({"n": "a", "o": {"backoff": "1"}}, "options['backoff'] must be int or float or dict, not str"),
        ({"n": "a", "o": {"backoff": {"cap": "1"}}}, "options['backoff']['cap'] must be int or float, not str"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(given, message):
    with pytest.raises(errors.Malformed, match=re.escape(message)):
        codec.load_spec(envelope(**given))


@pytest.mark.parametrize("version", [{}, {"v": codec.VERSION - 1}, {"v": codec.VERSION}])
def test_older_envelopes_are_read(version):
    data = msgpack.packb({"n": "a", "d": 1, **version})

    assert TaskSpec("a", extra={"d": 1}) == codec.load_spec(data)
    assert codec.load_message(data).data == 1
    assert codec.load_result(data) == 1


@pytest.mark.parametrize("load", [codec.load_spec, codec.load_message, codec.load_result])
def test_newer_envelopes_are_refused(load):
    with pytest.raises(errors.NewerVersion):
        load(msgpack.packb({"v": codec.VERSION + 1, "n": "a", "d": 1}))


def test_what_a_newer_taskpy_wrote_is_kept():
    written = {
        "v": codec.VERSION,
        "n": "a",
        "o": {
            "retries": 1,
            "priority": 5,
            "backoff": {"first": 2.0, "factor": 3, "cap": 4, "jitter": 0, "curve": "x"},
        },
        "sig": b"\xc4",
    }
    spec = codec.load_spec(msgpack.packb(written))

    assert Options(retries=1, backoff=Backoff(2.0, 3, 4, 0)) == spec.options
    del written["o"]["backoff"]["curve"]
    assert written == codec.loads(codec.dump_spec(spec))
    changed = codec.load_spec(codec.dump_spec(replace(spec, options=Options(retries=2))))
    assert (Options(retries=2), {"priority": 5}) == (changed.options, changed.extra["o"])


def test_every_option_travels():
    assert {field.name for field in fields(Options)} == set(codec._OPTIONS)


# -- messages and results -----------------------------------------------------------------------


@QUICK
@given(VALUES, WORDS)
def test_a_message_comes_back(data, headers):
    assert codec.Message(data, headers=headers) == codec.load_message(codec.dump_message(data, headers=headers))


def test_what_a_newer_taskpy_adds_to_a_message_is_kept():
    assert codec.Message(1, extra={"box": "b"}) == codec.load_message(envelope(d=1, box="b"))


def test_a_message_knows_the_inbox_that_it_is_for():
    assert codec.Message(1, "steer") == codec.load_message(codec.dump_message(1, inbox="steer"))
    assert codec.load_message(codec.dump_message(1)).inbox is None


def test_a_name_that_no_inbox_can_have_is_not_written():
    with pytest.raises(errors.BadName, match="'a b' is not"):
        codec.dump_message(1, inbox="a b")


def test_an_inbox_of_the_wrong_kind_is_named():
    with pytest.raises(errors.Malformed, match="inbox must be str, not int"):
        codec.load_message(envelope(d=1, i=5))


@QUICK
@given(VALUES, st.integers(0, 2**40))
def test_a_state_comes_back_with_its_version(state, version):
    assert (state, version) == codec.load_state(codec.dump_state(state, version))


def test_a_state_that_cannot_be_stored_is_named():
    with pytest.raises(errors.NotSendable, match=re.escape("state['model']: ")):
        codec.dump_state({"model": Model()}, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [({}, "the state is missing"), ({"d": 1}, "version of the state is missing"), ({"d": 1, "f": "1"}, "must be int")],
)
def test_a_state_of_the_wrong_kind_is_refused(given, message):
    with pytest.raises(errors.Malformed, match=message):
        codec.load_state(envelope(**given))


def test_a_message_is_named_as_the_caller_knows_it():
    with pytest.raises(errors.NotSendable, match=re.escape("message[0]: ")):
        codec.dump_message([Model()])
    with pytest.raises(errors.NotSendable, match="progress: "):
        codec.dump_message(Model(), where="progress")
    with pytest.raises(errors.NotSendable, match=re.escape("headers['a']: ")):
        codec.dump_message(1, headers={"a": Model()})


@QUICK
@given(VALUES)
def test_a_result_comes_back(value):
    assert value == codec.load_result(codec.dump_result(value))


def test_a_result_is_called_result():
    with pytest.raises(errors.NotSendable, match=re.escape("result['a']: ")):
        codec.dump_result({"a": Model()})


@pytest.mark.parametrize("load", [codec.load_message, codec.load_result])
@pytest.mark.parametrize("data", [b"", b"\xc1", envelope(), msgpack.packb([1]), msgpack.packb({"v": "1", "d": 1})])
def test_garbage_is_malformed(load, data):
    with pytest.raises(errors.Malformed):
        load(data)


@QUICK
@given(SPECS.map(codec.dump_spec), st.data())
def test_damage_is_malformed_at_most(data, draw):
    place = draw.draw(st.integers(0, len(data) - 1))
    damaged = data[:place] + draw.draw(st.binary(max_size=3)) + data[place + 1 :]
    for load in (codec.load_spec, codec.load_message, codec.load_result):
        with contextlib.suppress(errors.WireError):
            load(damaged)


def test_the_parts_are_found_here():
    codec.register_exception(RecursionError)
    codec.register_type(Model, encode=lambda _: None, decode=lambda _: Model(), name="test_codec.model")

    assert isinstance(codec.loads(codec.dumps(Model())), Model)
    assert isinstance(codec.load_exception(codec.dump_exception(RecursionError("a"))), RecursionError)


def test_msgpack_without_its_c_extension_gives_the_same():
    here = Path(__file__).parent
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "test_values.py",
            "test_wire.py",
            "test_failure.py",
        ],
        cwd=here,
        env={**os.environ, "MSGPACK_PUREPYTHON": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
