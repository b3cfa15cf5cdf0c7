"""The table of states and flags in `spec.py`: each of its rows happens, verb by verb, on every server."""

import pytest

from taskpy.answers_keyed import Holders
from taskpy.spec import FLAGS, TRANSITIONS, Flag, State
from taskpy.taken import Taken

A_WHILE = 60.0


def begin(rig, state, *, stop=False, **options):
    """A task in this state."""
    if state is State.NEW:
        return
    if "key" in options:
        rig.submit_keyed(**{"restarts": 0, "conflict": "reject"} | options)
    else:
        rig.submit(**{"restarts": 0} | options)
    rig.join()
    if state is State.RUNNING:
        rig.begun()
    if stop:
        rig.stop()


def lost(rig):
    rig.lose(sure=True)
    assert rig.recover() is True


def revived(rig):
    rig.submit(id="dead")
    rig.join()
    rig.begun("dead", number=9)
    rig.settle_one("dead", "w1.9", State.FAILED, b"e")
    assert rig.revive(id="dead", new_id="a") == "new"


def spawned(rig, **options):
    rig.submit(id="parent")
    rig.join()
    rig.begun("parent", number=9)
    if options.pop("at_rest", False):
        rig.pause_task(id="parent", name="n1", tree=True)
    assert rig.spawn(parent="parent", token="w1.9", id="a", **options) == "new"


def replaced(rig, id="b", by="a"):
    """Another task with the key takes the place of this one."""
    assert rig.submit_keyed(id=id, key="k", conflict="replace", known=Holders((by,)), queues=["q"]).word == "new"


def its_turn_comes(rig):
    """The task with the key ends, behind which this one waits."""
    rig.submit_keyed(id="former", key="k", conflict="reject")
    rig.join()
    rig.begun("former", number=9)
    replaced(rig, "a", "former")
    rig.settle_one("former", "w1.9", State.STOPPED, b"")


def started(rig):
    rig.claim()
    assert rig.start(ids=["a"])[0] is not None


def taken(rig):
    assert rig.take(restarts=0).attempt == 1


def settled(state):
    return lambda rig: rig.settle_one("a", "w1.1", state, b"v")


def given_back(why="release", error=b""):
    return lambda rig: rig.giveback(token="w1.1", why=why, error=error)


ASKED = {"stop": True}
KEYED = {"key": "k"}
#: How each row of the table comes about: what was before, and the call.
WAYS = {
    ("new", "queued", "submit"): ({}, lambda rig: rig.submit()),
    ("new", "queued", "submit_many"): ({}, lambda rig: rig.submit_many(tasks=[("a", b"spec")])),
    ("new", "queued", "submit_keyed"): ({}, lambda rig: rig.submit_keyed(key="k", conflict="reject")),
    ("new", "queued", "spawn"): ({}, spawned),
    ("new", "queued", "revive"): ({}, revived),
    ("queued", "running", "start"): ({}, started),
    ("queued", "running", "take"): ({}, taken),
    ("queued", "stopped", "stop"): ({}, lambda rig: rig.stop()),
    ("queued", "stopped", "submit_keyed"): (KEYED, replaced),
    ("queued", "stopped", "purge"): ({}, lambda rig: rig.purge(ids=["a"])),
    ("running", "succeeded", "settle"): ({}, settled(State.SUCCEEDED)),
    ("running", "failed", "settle"): ({}, settled(State.FAILED)),
    ("running", "stopped", "settle"): ({}, settled(State.STOPPED)),
    ("running", "queued", "giveback"): ({}, given_back()),
    ("running", "failed", "giveback"): (ASKED, given_back("retry", b"e")),
    ("running", "stopped", "giveback"): (ASKED, given_back()),
    ("running", "queued", "recover"): ({"restarts": 1}, lost),
    ("running", "failed", "recover"): ({}, lost),
    ("running", "stopped", "recover"): (ASKED, lost),
}
REMOTE = [one for one in TRANSITIONS if one.where == "worker"]
REMOTE += [one for one in TRANSITIONS if one.where == "everywhere" and one.origin is not State.NEW]


def test_every_row_has_a_way():
    assert set(WAYS) == {(str(one.origin), str(one.target), one.verb) for one in REMOTE}


@pytest.mark.parametrize("row", REMOTE, ids=lambda one: f"{one.origin}-{one.target}-{one.verb}")
def test_it_comes_about(rig, row):
    options, call = WAYS[row.origin, row.target, row.verb]
    begin(rig, row.origin, **options)
    standing = rig.status()
    assert (State.NEW if standing is None else standing.state) is row.origin

    call(rig)
    assert rig.status().state is row.target


# -- flags --------------------------------------------------------------------------------------


def flags(rig):
    """The flags of a task, as a list shows them; the same as its handle sees."""
    standing, [one] = rig.status(), rig.outline(ids=["a"])
    seen = set(one.flags)
    if standing.state is State.QUEUED and rig.due_at() is not None:
        seen.add(Flag.DELAYED)
    told = {Flag.WAITING: standing.question is not None, Flag.PAUSED: standing.paused}
    told |= {Flag.PAUSING: standing.pausing and not standing.paused}
    assert {flag for flag, holds in told.items() if holds} == seen - {Flag.DELAYED, Flag.STOPPING}
    return seen


def asked(rig):
    assert rig.pose(token="w1.1", count=1, question=b"q").number == 1


def paused(rig):
    rig.pause_task(name="n1")


def parked(rig):
    assert rig.park(token="w1.1", orders=rig.orders(token="w1.1").count) == "parked"


def paused_and_parked(rig):
    paused(rig)
    parked(rig)


def delayed(rig):
    """It was submitted with a delay."""


def ripe(rig):
    rig.raw.zadd(rig.keys.later(), {"a": 1})
    assert rig.promote() is True


def begun_by_a_second_entry(rig):
    rig.raw.rpush(rig.keys.queue("q"), "a")
    started(rig)


def marked(rig):
    """Its answer was taken, and is not there any more: a failover has lost it."""
    rig.mark(token="w1.1", number=1, acknowledged=Taken(), state=b"s", sent=0, settled=1)


def lost_twice(rig):
    lost(rig)
    rig.join(wid="w2")
    rig.begun(wid="w2")
    rig.lose(wid="w2", sure=True)
    assert rig.recover(wid="w2") is True


LATER = {"delay": A_WHILE}
#: What sets a flag: the state before, and the call. None: by another row, or see `test_it_comes_about`.
SETS = {
    ("delayed", "submit"): (State.NEW, {}, lambda rig: rig.submit(delay=A_WHILE)),
    ("delayed", "submit_many"): (State.NEW, {}, lambda rig: rig.submit_many(tasks=[("a", b"s")], delay=A_WHILE)),
    ("delayed", "submit_keyed"): (State.NEW, {}, lambda r: r.submit_keyed(key="k", conflict="join", delay=A_WHILE)),
    ("delayed", "spawn"): (State.NEW, {}, lambda rig: spawned(rig, delay=A_WHILE)),
    ("delayed", "settle"): (State.NEW, {}, its_turn_comes),
    ("delayed", "giveback"): (State.RUNNING, {}, lambda rig: rig.giveback(token="w1.1", why="retry", delay=A_WHILE)),
    ("delayed", "recover"): (State.RUNNING, {"restarts": 9}, lost_twice),
    ("stopping", "stop"): (State.RUNNING, {}, lambda rig: rig.stop()),
    ("stopping", "submit_keyed"): (State.RUNNING, KEYED, replaced),
    ("waiting", "pose"): (State.RUNNING, {}, asked),
    ("pausing", "pause_task"): (State.RUNNING, {}, paused),
    ("pausing", "spawn"): (State.NEW, {}, lambda rig: spawned(rig, at_rest=True)),
    ("pausing", "giveback"): (State.RUNNING, {"then": paused_and_parked}, given_back()),
    ("pausing", "recover"): (State.RUNNING, {"restarts": 1, "then": paused_and_parked}, lost),
    ("paused", "park"): (State.RUNNING, {"then": paused}, parked),
}
#: What clears it: the state before, what has set it, and the call.
CLEARS = {
    ("delayed", "promote"): (State.QUEUED, LATER, ripe),
    ("delayed", "take"): (State.QUEUED, LATER, taken),
    ("delayed", "stop"): (State.QUEUED, LATER, lambda rig: rig.stop()),
    ("delayed", "start"): (State.QUEUED, LATER, begun_by_a_second_entry),
    ("waiting", "answer"): (State.RUNNING, {"then": asked}, lambda rig: rig.answer(number=1, answer=b"a", name="n")),
    ("waiting", "withdraw"): (State.RUNNING, {"then": asked}, lambda rig: rig.withdraw(token="w1.1", number=1)),
    ("waiting", "mark"): (State.RUNNING, {"then": asked}, marked),
    ("pausing", "park"): (State.RUNNING, {"then": paused}, parked),
    ("pausing", "resume_task"): (State.RUNNING, {"then": paused}, lambda rig: rig.resume_task(name="n2")),
    ("pausing", "stop"): (State.RUNNING, {"then": paused}, lambda rig: rig.stop()),
    ("pausing", "submit_keyed"): (State.RUNNING, KEYED | {"then": paused}, replaced),
    ("paused", "submit_keyed"): (State.RUNNING, KEYED | {"then": paused_and_parked}, replaced),
    ("paused", "resume_task"): (State.RUNNING, {"then": paused_and_parked}, lambda rig: rig.resume_task(name="n2")),
    ("paused", "stop"): (State.RUNNING, {"then": paused_and_parked}, lambda rig: rig.stop()),
    ("paused", "giveback"): (State.RUNNING, {"then": paused_and_parked}, given_back()),
    ("paused", "recover"): (State.RUNNING, {"restarts": 1, "then": paused_and_parked}, lost),
}
ENDS = {
    "delayed": (State.QUEUED, LATER, lambda rig: rig.stop()),
    "stopping": (State.RUNNING, ASKED, settled(State.STOPPED)),
    "waiting": (State.RUNNING, {"then": asked}, settled(State.FAILED)),
    "pausing": (State.RUNNING, {"then": paused}, settled(State.SUCCEEDED)),
    "paused": (State.RUNNING, {"then": paused_and_parked}, settled(State.SUCCEEDED)),
}


def prepare(rig, state, options):
    then = options.get("then")
    begin(rig, state, **{name: value for name, value in options.items() if name != "then"})
    if then is not None:
        then(rig)


def test_every_flag_has_a_row():
    assert [rule.flag for rule in FLAGS] == list(Flag)
    assert set(SETS) == {(str(rule.flag), verb) for rule in FLAGS for verb in rule.set_by}
    assert set(CLEARS) == {(str(rule.flag), verb) for rule in FLAGS for verb in rule.cleared_by}
    assert set(ENDS) == set(Flag)


@pytest.mark.parametrize(("flag", "verb"), SETS, ids=str)
def test_it_is_set(rig, flag, verb):
    state, options, call = SETS[flag, verb]
    prepare(rig, state, options)
    assert state is State.NEW or flag not in flags(rig)

    call(rig)
    assert flag in flags(rig)
    [rule] = [rule for rule in FLAGS if rule.flag == flag]
    assert rig.status().state in rule.states


@pytest.mark.parametrize(("flag", "verb"), CLEARS, ids=str)
def test_it_is_cleared(rig, flag, verb):
    state, options, call = CLEARS[flag, verb]
    prepare(rig, state, options)
    assert flag in flags(rig)

    call(rig)
    assert flag not in flags(rig)


@pytest.mark.parametrize("flag", ENDS, ids=str)
def test_an_end_clears_it(rig, flag):
    state, options, call = ENDS[flag]
    prepare(rig, state, options)
    assert flag in flags(rig)

    call(rig)
    assert rig.status().state.done
    assert flags(rig) == set()


def test_a_checkpoint_after_the_answer_leaves_nothing_to_wait_for(rig):
    rig.running()
    asked(rig)
    rig.answer(number=1, answer=b"a", name="n")
    rig.mark(token="w1.1", number=1, acknowledged=Taken(), state=b"s", sent=0)

    assert flags(rig) == set()
