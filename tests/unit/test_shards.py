"""The shard is in the id: which ids are made, which are read, and which keys they lead to."""

from collections import Counter
from itertools import pairwise

import pytest

from taskpy import errors, naming, ops, settings
from taskpy.keys import Keys
from taskpy.shards import MOST, Shards, shard_in
from taskpy.space import Space


def test_a_namespace_of_one_shard_is_as_it_was():
    shards = Shards("shop")

    assert shards.keys == (Keys("shop"),)
    assert shards.of("any-id") is shards.root
    assert shards.root.task("a") == "{shop}:t:a"
    assert len(shards.new_id()) == 24
    assert all(shard_in(id) is None for id in shards.new_ids(50))


def test_each_shard_has_a_tag_of_its_own():
    shards = Shards("shop", 16)

    assert shards.keys[7].task("7-a") == "{shop#7}:t:7-a"
    assert shards.of("7-a") is shards.keys[7]
    assert shards.root.meta() == "{shop}:meta"
    assert len({keys.queue("q") for keys in shards.keys}) == 16


def test_ids_go_to_the_shards_in_turn():
    shards = Shards("shop", 5)
    ids = [shards.new_id() for _ in range(50)]

    assert all(naming.checked_id(id) and shards.of(id) for id in ids)
    assert Counter(map(shard_in, ids)) == dict.fromkeys(range(5), 10)
    assert all((shard_in(one) + 1) % 5 == shard_in(next_one) for one, next_one in pairwise(ids))


@pytest.mark.parametrize(("count", "used"), [(0, 0), (1, 1), (100, 1), (101, 2), (300, 3), (5000, 16)])
def test_what_is_submitted_together_goes_to_as_few_as_are_worth_a_call(count, used):
    ids = Shards("shop", 16).new_ids(count)

    found = Counter(map(shard_in, ids))
    assert len(set(ids)) == count
    assert len(found) == used
    assert not used or max(found.values()) - min(found.values()) <= 1


@pytest.mark.parametrize(
    "id", ["abc", "c0ffee-1", "16-abc", "07-abc", "-1-abc", "7", "7-", "\u0667-abc", "7-a:b", "99999-a"]
)
def test_an_id_that_names_no_shard_of_the_namespace_is_refused(id):
    with pytest.raises(errors.BadName, match="16 shards"):
        Shards("shop", 16).of(id)


@pytest.mark.parametrize("count", [0, -1, MOST + 1, 1.0, True, "4", None])
def test_what_is_no_number_of_shards_is_refused(count):
    with pytest.raises(errors.BadArguments, match="whole number"):
        Shards("shop", count)


def test_the_environment_says_how_many(monkeypatch):
    with settings.meanwhile(TASKPY_SHARDS="6"):
        assert Space("memory://shards").shards.count == 6
        assert Space("memory://shards", shards=1).shards.count == 1
    with settings.meanwhile(TASKPY_SHARDS=""):
        assert Space("memory://shards").shards.count == 1
    for wrong in ("0", "-1", "many"):
        with settings.meanwhile(TASKPY_SHARDS=wrong), pytest.raises(errors.BadArguments, match="TASKPY_SHARDS"):
            Space("memory://shards")


def test_no_answer_of_redis_makes_a_number_that_is_none():
    op = ops.divide(Keys("shop"), shards=2)

    assert op.decode(16) == 16
    for wrong in (0, -1, MOST + 1, b"many", None):
        with pytest.raises(errors.Malformed):
            op.decode(wrong)
