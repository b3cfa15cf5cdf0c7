"""The queues of a worker: how they are read, and the order in which it looks into them."""

import random
from collections import Counter

import pytest
from taskpy_worker.config import WorkerConfig
from taskpy_worker.queues import Queues

from taskpy import errors


@pytest.fixture(autouse=True)
def known_chance():
    """The same draws every time."""
    before = random.getstate()
    random.seed(1)
    yield
    random.setstate(before)


def test_without_weights_the_order_is_the_one_given():
    queues = Queues.of(["high", "default", "low"])

    assert queues.strict
    assert [queues.order() for _ in range(50)] == [["high", "default", "low"]] * 50


@pytest.mark.parametrize(
    ("texts", "weights"),
    [
        (["high:3", "low:1"], (("high", 3), ("low", 1))),
        (["high:3", "low"], (("high", 3), ("low", 1))),
        (["a:b"], (("a:b", 1),)),  # a colon may stand in a name
        (["a:b:2"], (("a:b", 2),)),
    ],
)
def test_weights_are_read(texts, weights):
    queues = Queues.of(texts)

    assert queues.weights == weights
    assert queues.names == tuple(name for name, _ in weights)


def test_one_weight_is_enough_for_chance():
    assert not Queues.of(["high:1", "low"]).strict


def test_one_queue_needs_no_chance():
    assert Queues.of(["only:5"]).order() == ["only"]


def test_each_order_has_every_queue_once():
    queues = Queues.of(["a:1", "b:2", "c:100"])

    assert all(sorted(queues.order()) == ["a", "b", "c"] for _ in range(200))


def test_a_queue_comes_first_as_often_as_its_weight_says():
    queues = Queues.of(["low", "high:3"])

    first = Counter(queues.order()[0] for _ in range(4000))

    assert first["high"] == pytest.approx(3000, abs=150)
    assert first["low"] == pytest.approx(1000, abs=150)


@pytest.mark.parametrize(
    ("texts", "error", "why"),
    [
        (["a", "a"], errors.BadArguments, "'a' is named twice"),
        (["a:1", "b", "a:2"], errors.BadArguments, "'a' is named twice"),
        (["a:0"], errors.BadArguments, "at least 1"),
        (["a b"], errors.BadName, "not a queue"),
        ([":3"], errors.BadName, "not a queue"),
        ([""], errors.BadName, "not a queue"),
    ],
)
def test_what_is_wrong_is_said(texts, error, why):
    with pytest.raises(error, match=why):
        Queues.of(texts)
    with pytest.raises(error, match=why):
        WorkerConfig(queues=tuple(texts))
