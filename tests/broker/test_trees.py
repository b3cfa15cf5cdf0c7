"""Children of a running task, a stop of all below it, and what is remembered at an end: spawn, children, felled, stop."""

import pytest

from taskpy.spec import State, StopReason, Wish


def spawned(rig, token, id="b", **more):
    return rig.spawn(parent="a", token=token, id=id, **more)


def page(rig, id="a", **more):
    return rig.children(**{"id": id, "first": 0, "count": 9} | more)


# -- spawn --------------------------------------------------------------------------------------


def test_a_child_is_spawned_once(rig):
    token = rig.running()
    assert rig.twice("spawn", parent="a", token=token, id="b") == ("new", "queued")

    assert page(rig).ids == ["b"]
    assert rig.parent(id="b") == ("a",)
    assert rig.parent(id="a") == (None,)
    assert rig.parent(id="nobody") is None
    assert rig.begun("b", number=2).children == 0


def test_children_stand_in_their_order_over_all_attempts(rig):
    token = rig.running(restarts=2)
    spawned(rig, token, "b")
    rig.giveback(id="a", token=token, why="release", wid="w1")
    assert rig.claim(number=2, count=2) == ["a", "b"]
    first, _ = rig.start(number=2, ids=["a", "b"])
    assert first.children == 1
    spawned(rig, first.token, "c", delay=60)

    assert page(rig).ids == ["b", "c"]
    assert (page(rig).count, page(rig, first=1).ids, page(rig, count=1).ids) == (2, ["c"], ["b"])
    assert [one[0] for one in rig.delayed(count=9)] == ["c"]


def test_only_the_running_attempt_spawns(rig):
    token = rig.running()
    assert spawned(rig, "w1.7") == "fenced"
    rig.settle_one("a", token)

    assert spawned(rig, token) == "fenced"
    assert rig.spawn(parent="nobody", token=token, id="b") == "fenced"
    assert rig.status(id="b") is None
    assert page(rig).count == 0


def test_of_a_task_that_nobody_knows_there_are_no_children(rig):
    found = page(rig, "nobody")
    assert (found.state, found.count, found.ids) == (None, 0, [])


# -- a stop of the tree -------------------------------------------------------------------------


def test_nothing_is_spawned_once_the_tree_is_to_stop(rig):
    token = rig.running()
    rig.stop()
    assert spawned(rig, token, "b") == "new"  # it is only asked itself
    assert rig.twice("stop", tree=True, reason="all") == ("stopping", "stopping")

    assert spawned(rig, token, "c") == "stopping"
    assert spawned(rig, token, "b") == "queued"  # a late copy
    assert page(rig).ids == ["b"]


def test_a_tree_that_is_to_stop_is_remembered_until_all_were_asked(rig):
    token = rig.running()
    spawned(rig, token)
    assert rig.twice("stop", tree=True, reason="all", by="ann", follows="kill", grace=60) == ("stopping", "stopping")

    found = page(rig)
    assert found.felling
    assert found.wish is not None
    assert (found.wish.reason, found.wish.reason.by, found.wish.follows) == ("all", "ann", "kill")
    assert 59 < found.wish.grace <= 60
    assert rig.twice("felled", id="a", entry=found.felling) == (True, False)
    assert page(rig).felling == ""
    assert page(rig).state is State.RUNNING


def test_a_tree_without_children_need_not_be_remembered(rig):
    rig.running()
    rig.stop(tree=True)
    assert page(rig).felling == ""


def test_what_follows_only_becomes_stricter(rig):
    token = rig.running()
    spawned(rig, token)
    rig.stop(tree=True, reason="first", follows="kill", grace=60)
    entry = page(rig).felling
    rig.stop(tree=True, reason="second", follows="raise", grace=90)
    assert page(rig).felling == entry

    found = page(rig)
    assert (str(found.wish.reason), found.wish.follows) == ("first", "kill")
    rig.stop(tree=True, follows="raise", grace=30)
    assert page(rig).wish.follows == "kill"
    assert page(rig).wish.grace <= 30
    assert page(rig).felling != entry


def test_a_late_word_that_all_were_asked_does_not_count(rig):
    token = rig.running()
    spawned(rig, token)
    rig.stop(tree=True)
    entry = page(rig).felling
    rig.stop(tree=True, follows="kill", grace=1)  # meanwhile

    assert rig.felled(id="a", entry=entry) is False
    assert page(rig).felling


def test_the_tree_of_an_ended_task_is_stopped_and_its_end_stays(rig):
    token = rig.running()
    spawned(rig, token, children="leave")
    rig.settle_one("a", token)
    before = rig.look()
    assert page(rig).felling == ""

    assert rig.twice("stop", tree=True, reason="all") == ("succeeded", "succeeded")
    assert page(rig).felling
    assert page(rig).wish == Wish(StopReason("all"))
    assert rig.look() == before
    assert rig.status(id="a").stop is None


# -- an end -------------------------------------------------------------------------------------

ENDS = [
    ("stop", "succeeded", True),
    ("stop", "failed", True),
    ("wait", "succeeded", False),
    ("wait", "failed", True),
    ("wait", "stopped", True),
    ("leave", "failed", False),
]


@pytest.mark.parametrize(("children", "state", "felling"), ENDS)
def test_an_end_remembers_whose_children_are_to_stop(rig, children, state, felling):
    token = rig.running(keep=0)
    spawned(rig, token, children=children)
    rig.settle_one("a", token, State(state))

    assert bool(page(rig).felling) is felling
    if felling:
        assert rig.raw.ttl(rig.keys.task("a")) > 3000  # who its children are stands in it
        assert page(rig).wish is None


def test_so_does_an_end_with_a_lost_worker(rig):
    token = rig.running(restarts=0)
    spawned(rig, token)
    assert rig.lose(sure=True) == ["a"]
    rig.recover()

    assert rig.look().state is State.FAILED
    assert page(rig).felling


def test_so_does_an_end_in_the_queue(rig):
    token = rig.running()
    spawned(rig, token)
    rig.giveback(id="a", token=token, why="release", wid="w1")
    assert page(rig).felling == ""
    rig.stop()
    assert page(rig).felling


def test_so_does_a_purge_and_a_task_that_is_given_back_after_a_stop(rig):
    token = rig.running()
    spawned(rig, token)
    rig.giveback(id="a", token=token, why="release", wid="w1")
    assert rig.purge(ids=["a"]) == 1
    assert page(rig).felling
    rig.claim(number=2)
    rig.start(number=2, ids=["b"])
    rig.spawn(parent="b", token="w1.2", id="c")
    rig.stop(id="b")
    rig.giveback(id="b", token="w1.2", why="release", wid="w1")
    assert page(rig, "b").felling


def test_the_sweep_names_it_when_nobody_else_has_seen_to_it(rig):
    token = rig.running()
    spawned(rig, token)
    rig.settle_one("a", token, State.FAILED)
    assert rig.due().felling == []  # whoever was told of the end does it

    rig.raw.zadd(rig.keys.felling(), {"a": 1}, xx=True)
    assert rig.due(renew=["w1"]).felling == ["a"]
    assert rig.due(renew=["w1"]).renewed == [True]
    rig.felled(id="a", entry=page(rig).felling)
    assert rig.due().felling == []
