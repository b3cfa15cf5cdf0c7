"""The keys: one slot, no two alike, nothing that leaves the namespace."""

import inspect
import itertools
import re

import pytest

from taskpy import errors
from taskpy.keys import Keys

#: Names that would collide if keys were put together carelessly.
NAMES = ["a", "b", "q", "t", "in", "out", "events", "later", "lease", "bell", "meta"]


def methods():
    return [name for name, _ in inspect.getmembers(Keys, inspect.isfunction) if not name.startswith("_")]


SPACE = Keys("space")


def made(name, argument, keys=SPACE):
    method = getattr(keys, name)
    return method(argument) if inspect.signature(method).parameters else method()


@pytest.mark.parametrize(("shard", "tag"), [(None, "{space}:"), (7, "{space#7}:")])
@pytest.mark.parametrize("name", methods())
def test_every_key_is_in_the_slot_of_its_namespace_or_its_shard(name, shard, tag):
    key = made(name, "x:y", Keys("space", shard))

    assert key.startswith(tag)
    assert key.count("{") == key.count("}") == 1


def test_no_two_keys_are_alike():
    found = {}
    for name, argument in itertools.product(methods(), NAMES):
        key = made(name, argument)
        with_argument = argument if inspect.signature(getattr(Keys, name)).parameters.keys() > {"self"} else None
        assert found.setdefault(key, (name, with_argument)) == (name, with_argument)


@pytest.mark.parametrize("name", methods())
def test_every_key_says_its_type_first(name):
    assert re.match(r"(LIST|HASH|ZSET|SET|STRING)\b", inspect.getdoc(getattr(Keys, name)))


@pytest.mark.parametrize("namespace", ["", "a b", "{a}", "a}b", "-a", "x" * 129, "ä", "a\n", 7])
def test_a_namespace_is_a_name(namespace):
    with pytest.raises(errors.BadName, match="is not a namespace"):
        Keys(namespace)


def test_keys_of_the_same_namespace_are_equal():
    assert Keys("a") == Keys("a") != Keys("b")
