import enum
import re

import msgpack
import pytest

from taskpy import errors, values, wire


class Color(enum.IntEnum):
    RED = 1


class Model:
    pass


def refusal(value, **options):
    with pytest.raises(errors.NotSendable) as caught:
        wire.dumps(value, **options)
    return str(caught.value)


def cycle():
    value = {"a": []}
    value["a"].append(value)
    return value


def deep(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (Model(), f"value: <class '{__name__}.Model'> cannot be sent; "),
        ({"model": Model()}, "value['model']: <class "),
        ({"a": {"b": [0, 1, Color.RED]}}, f"value['a']['b'][2]: <class '{__name__}.Color'> cannot be sent; "),
        ([(1, [Model()])], "value[0][1][0]: "),
        ({1: {(2, "x"): Model()}}, "value[1][(2, 'x')]: "),
        ({"a": {Color.RED: 1}}, f"key of value['a']: <class '{__name__}.Color'>"),
        ({(1, Color.RED): 1}, f"key of value[1]: <class '{__name__}.Color'>"),
        ({1, Color}, "element of value: "),
        ({"a": bytearray(5)}, "value['a']: a buffer cannot be sent; "),
        ({"a": ["ok", "\ud800"]}, "value['a'][1]: text with a lone surrogate cannot be sent"),
        ({10**5000: Model()}, "value[<int>]: "),
        ({"x" * 500: Model()}, f"value['{'x' * 56}...]: "),
        (cycle(), "value['a'][0] contains what it is part of"),
        (deep(2000), "value is nested too deep to be sent"),
        ([1, deep(1100)], "value is nested too deep to be sent"),
    ],
)
def test_the_place_of_what_cannot_be_sent_is_named(value, place):
    assert refusal(value).startswith(place)


def test_the_callers_word_for_the_value_is_used():
    assert refusal([Model()], where="state").startswith("state[0]: ")


def test_what_changes_while_it_is_sent_is_said(monkeypatch):
    def pack(value):
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr(values, "pack", pack)

    assert refusal({}) == "value: dictionary changed size during iteration"


def test_the_limit_is_for_the_bytes_on_both_sides():
    data = wire.dumps("a" * 98, limit=100)

    assert len(data) == 100
    assert wire.loads(data, limit=100) == "a" * 98
    with pytest.raises(errors.TooLarge, match=re.escape("thing is 101 bytes, more than the 100 ")):
        wire.dumps("a" * 99, where="thing", limit=100)
    with pytest.raises(errors.Malformed, match="limit of 99"):
        wire.loads(data, limit=99)


def test_too_much_is_refused_before_it_is_read(monkeypatch):
    monkeypatch.setattr(values, "unpack", pytest.fail)
    with pytest.raises(errors.Malformed, match="16,777,217 bytes"):
        wire.loads(bytes(wire.RESULT_LIMIT + 1))


@pytest.mark.parametrize("data", [None, "text", 5, bytearray(b"\x01")])
def test_only_bytes_are_read(data):
    with pytest.raises(errors.Malformed, match=f"not {type(data).__name__}"):
        wire.loads(data)
    with pytest.raises(errors.Malformed):
        wire.unseal(data, limit=100)


# -- envelopes ----------------------------------------------------------------------------------


def test_an_envelope_has_the_version_and_the_fields():
    data = wire.seal({"d": 1}, where="thing", parts={"thing": 1}, limit=100)

    assert wire.loads(data) == {"v": wire.VERSION, "d": 1}
    assert wire.unseal(data, limit=100) == {"d": 1}


def test_an_envelope_names_its_parts():
    parts = {"args": [1], "kwargs": {"model": Model()}}
    with pytest.raises(errors.NotSendable, match=re.escape("kwargs['model']: ")):
        wire.seal(parts, where="spec", parts=parts, limit=100)
    with pytest.raises(errors.TooLarge, match="spec is "):
        wire.seal({"a": "a" * 100}, where="spec", parts={}, limit=100)


def test_an_envelope_may_be_what_is_one_level_too_deep(monkeypatch):
    def pack(value):
        if "v" in value:
            raise ValueError("recursion limit exceeded.")
        return b""

    monkeypatch.setattr(values, "pack", pack)
    with pytest.raises(errors.NotSendable, match="thing is nested too deep"):
        wire.seal({"d": []}, where="thing", parts={"thing": []}, limit=10)


@pytest.mark.parametrize("version", [{}, {"v": 0}, {"v": wire.VERSION - 1}, {"v": wire.VERSION}])
def test_older_versions_are_read(version):
    assert wire.unseal(msgpack.packb({"d": 1, **version}), limit=100) == {"d": 1}


@pytest.mark.parametrize("field", [1, msgpack.ExtType(99, b"unheard of")])
def test_newer_versions_are_named(field):
    data = msgpack.packb({"v": wire.VERSION + 1, "d": field})
    with pytest.raises(errors.NewerVersion, match=f"version {wire.VERSION + 1} .*upgrade"):
        wire.unseal(data, limit=100)


@pytest.mark.parametrize("fields", [1, [], None, {1: 2}, {"v": "1"}, {"v": -1}, {"v": True}, {"v": None}])
def test_what_is_no_envelope_is_malformed(fields):
    with pytest.raises(errors.Malformed):
        wire.unseal(msgpack.packb(fields), limit=100)
