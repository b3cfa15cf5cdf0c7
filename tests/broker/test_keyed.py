"""One live task per key: a key is taken, freed, and passed on."""

import re

import pytest

from taskpy import naming, ops
from taskpy.answers_keyed import Holders, Placed
from taskpy.spec import State


def place(rig, id, conflict="reject", **given):
    """Submit a task of the key `k`, as a client does: it looks again when another one has the key."""
    known = Holders()
    while True:
        queues = [rig.locate(id=holder) or "" for holder in known.ids]
        given |= {"id": id, "key": "k", "conflict": conflict, "known": known, "queues": queues}
        op = rig.op("submit_keyed", **given)
        placed = rig.run(op)
        before = rig.everything()
        assert rig.run(op).word == (placed.word if placed.word != "new" else "queued")
        assert rig.everything() == before, "a second submission changed something"
        if placed.word != "again":
            return placed
        known = placed.holders


def begun(rig, id, number=1):
    """The token of an attempt at the task, which is the next one."""
    rig.join()
    return rig.begun(id, number=number).token


def promoted(rig):
    """Move what is due into its queue; the ids."""
    ids = rig.due().ids
    for id in ids:
        assert rig.promote(id=id)
    return ids


CONFLICTS = ["reject", "join", "send", "replace"]


@pytest.mark.parametrize("conflict", CONFLICTS)
def test_a_free_key_is_taken(rig, conflict):
    assert place(rig, "a", conflict, messages=[b"m"]) == Placed("new")

    assert rig.holder(key="k") == Holders(("a",))
    assert rig.queued(count=9) == ["a"]
    assert rig.look(id="a").key == "k"
    assert rig.fetch(id="a", skip=0, count=9) == [b"m"]
    assert rig.raw.llen(rig.keys.bell("q")) == 1


def test_a_task_with_a_key_may_be_delayed(rig):
    place(rig, "a", delay=60.0)

    assert [id for id, _ in rig.delayed(count=9)] == ["a"]
    assert rig.queued(count=9) == []


def test_another_key_is_another_matter(rig):
    place(rig, "a")

    assert rig.submit_keyed(id="b", key="other", conflict="reject") == Placed("new")


@pytest.mark.parametrize("is_running", [False, True], ids=["queued", "running"])
@pytest.mark.parametrize(("conflict", "word"), [("reject", "taken"), ("join", "joined"), ("send", "joined")])
def test_a_taken_key_is_told(rig, conflict, word, is_running):
    place(rig, "a")
    if is_running:
        begun(rig, "a")
    before = rig.everything()

    assert place(rig, "b", conflict) == Placed(word, "a")
    assert rig.everything() == before | {rig.keys.answer("b"): f"{word} a".encode()}
    assert rig.raw.pttl(rig.keys.answer("b")) > 0


@pytest.mark.parametrize("conflict", ["reject", "join", "send"])
def test_a_late_copy_of_a_refused_submission_submits_nothing(rig, conflict):
    place(rig, "a")
    op = rig.op("submit_keyed", id="b", key="k", conflict=conflict)
    assert rig.run(op).word == "again"
    placed = place(rig, "b", conflict)
    rig.stop(id="a")
    assert rig.holder(key="k") == Holders()

    assert rig.run(op) == placed
    assert rig.status(id="b") is None
    assert rig.holder(key="k") == Holders()


# -- the end frees the key ------------------------------------------------------------------------


def settled(rig, state):
    assert rig.settle_one("a", begun(rig, "a"), state)


def given_back_and_stopped(rig):
    token = begun(rig, "a")
    rig.stop(id="a")
    assert rig.giveback(token=token, why="release")


def lost(rig):
    begun(rig, "a")
    rig.lose(sure=True)
    assert rig.recover(id="a")


ENDS = {
    "succeeded": lambda rig: settled(rig, State.SUCCEEDED),
    "failed": lambda rig: settled(rig, State.FAILED),
    "stopped": lambda rig: settled(rig, State.STOPPED),
    "stopped in its queue": lambda rig: rig.stop(id="a"),
    "purged": lambda rig: rig.purge(ids=["a"]),
    "given back, and stopped": given_back_and_stopped,
    "its worker was lost": lost,
}


@pytest.mark.parametrize("end", ENDS)
def test_the_end_frees_the_key(rig, end):
    place(rig, "a", restarts=0)

    ENDS[end](rig)

    assert rig.status(id="a").state.done
    assert rig.keys.keyed() not in rig.all_keys()
    assert place(rig, "b") == Placed("new")


@pytest.mark.parametrize("why", ["retry", "release", "unknown", "drop", "unbegun"])
def test_a_task_that_goes_back_keeps_its_key(rig, why):
    place(rig, "a")
    rig.giveback(token=begun(rig, "a"), why=why)

    assert place(rig, "b") == Placed("taken", "a")


def test_a_task_that_is_recovered_keeps_its_key(rig):
    place(rig, "a")
    lost(rig)

    assert rig.queued(count=9) == ["a"]
    assert place(rig, "b") == Placed("taken", "a")


def test_a_late_end_does_not_free_the_key_of_another(rig):
    place(rig, "a")
    token = begun(rig, "a")
    rig.settle_one("a", token)
    place(rig, "b")

    rig.settle_one("a", token)
    rig.stop(id="a")

    assert rig.holder(key="k") == Holders(("b",))


@pytest.mark.parametrize("conflict", CONFLICTS)
@pytest.mark.parametrize("gone", ["deleted", "ended"])
def test_a_key_of_a_task_that_is_gone_is_free(rig, conflict, gone):
    place(rig, "a")
    if gone == "deleted":
        rig.raw.delete(rig.keys.task("a"))
    else:
        rig.raw.hset(rig.keys.task("a"), "st", "failed")

    assert place(rig, "b", conflict) == Placed("new")
    assert rig.holder(key="k") == Holders(("b",))


# -- send -----------------------------------------------------------------------------------------


def test_messages_go_to_the_task_that_has_the_key(rig):
    place(rig, "a", "send", messages=[b"1"])

    assert place(rig, "b", "send", messages=[b"2", b"3"]) == Placed("sent", "a")
    assert rig.fetch(id="a", skip=0, count=9) == [b"1", b"2", b"3"]
    assert rig.look(id="a").received == 3
    assert rig.send(id="a", sender="s", number=1, body=b"4") == 4


def test_the_worker_of_a_running_task_hears_of_them(rig):
    place(rig, "a")
    begun(rig, "a")
    heard = rig.listen(rig.keys.worker("w1"))

    place(rig, "b", "send", messages=[b"1", b"2"])

    assert heard()[:1] == [b"a 2"]


def test_messages_for_which_there_is_no_room_are_refused_together(rig):
    place(rig, "a", messages=[b"1", b"2"])

    assert place(rig, "b", "send", messages=[b"3", b"4"], limit=3) == Placed("full", "a")
    assert rig.fetch(id="a", skip=0, count=9) == [b"1", b"2"]
    assert place(rig, "c", "send", messages=[b"3"], limit=3) == Placed("sent", "a")


# -- replace --------------------------------------------------------------------------------------


def test_one_that_waits_is_replaced_at_once(rig):
    place(rig, "a")

    assert place(rig, "b", "replace", by="ann") == Placed("new")

    ended = rig.status(id="a")
    assert (ended.state, ended.stop, ended.stop.by) == (State.STOPPED, "replaced by b", "ann")
    assert rig.holder(key="k") == Holders(("b",))
    assert rig.recent(count=9) == ["a"]


def test_one_that_is_delayed_is_replaced_at_once(rig):
    place(rig, "a", delay=60.0)
    place(rig, "b", "replace")

    assert rig.status(id="a").state is State.STOPPED
    assert rig.delayed(count=9) == []


def test_one_that_runs_is_asked_and_the_next_one_begins_after_its_end(rig):
    place(rig, "a")
    token = begun(rig, "a")
    heard = rig.listen(rig.keys.worker("w1"))

    assert place(rig, "b", "replace", by="ann", grace=9.0) == Placed("new")

    assert re.match(rb"a 0 stop kill (9000|8\d\d\d) ann replaced by b", heard()[0])
    assert rig.holder(key="k").ids == ("a", "b")
    assert rig.status(id="b").state is State.QUEUED
    assert (rig.queued(count=9), rig.due().ids) == ([], [])
    rig.settle_one("a", token, State.STOPPED)
    assert rig.holder(key="k") == Holders(("b",))
    assert promoted(rig) == ["b"]
    assert begun(rig, "b", number=2)


def test_it_stands_in_a_list_while_it_waits(rig):
    place(rig, "a")
    token = begun(rig, "a")
    place(rig, "b", "replace")
    assert rig.behind(count=9) == ["b"]
    place(rig, "c", "replace")
    assert rig.behind(count=9) == ["c"]

    rig.settle_one("a", token)

    assert rig.behind(count=9) == []
    assert [id for id, _ in rig.delayed(count=9)] == ["c"]


def test_promoters_hear_of_it_when_its_turn_comes(rig):
    place(rig, "a")
    token = begun(rig, "a")
    place(rig, "b", "replace")
    heard = rig.listen(rig.keys.later())

    rig.settle_one("a", token)

    assert heard() == [b"0"]


def test_its_delay_counts_from_its_submission(rig):
    place(rig, "a")
    token = begun(rig, "a")
    place(rig, "b", "replace", delay=60.0)
    rig.settle_one("a", token)

    assert rig.due().ids == []
    assert 50 < rig.due().next <= 60


@pytest.mark.parametrize("end", ["given back, and stopped", "its worker was lost"])
def test_however_the_old_one_ends_the_new_one_begins(rig, end):
    place(rig, "a")
    token = begun(rig, "a")
    place(rig, "b", "replace")

    if end == "its worker was lost":
        rig.lose(sure=True)
        assert rig.recover(id="a")
    else:
        assert rig.giveback(token=token, why="retry", error=b"oops")

    assert rig.status(id="a").state.done
    assert promoted(rig) == ["b"]


def test_one_that_waits_for_its_turn_is_replaced_by_the_next(rig):
    place(rig, "a")
    token = begun(rig, "a")
    place(rig, "b", "replace")

    assert place(rig, "c", "replace") == Placed("new")

    assert rig.status(id="b").state is State.STOPPED
    assert rig.status(id="b").stop == "replaced by c"
    assert rig.status(id="a").stop == "replaced by b"
    assert rig.holder(key="k").ids == ("a", "c")
    rig.settle_one("a", token)
    assert promoted(rig) == ["c"]


def test_one_that_waits_for_its_turn_is_what_the_key_names(rig):
    place(rig, "a")
    begun(rig, "a")
    place(rig, "b", "replace")

    assert place(rig, "c") == Placed("taken", "b")
    assert place(rig, "d", "join") == Placed("joined", "b")
    assert place(rig, "e", "send", messages=[b"m"]) == Placed("sent", "b")
    assert rig.fetch(id="b", skip=0, count=9) == [b"m"]


def test_a_stop_takes_one_that_waits_for_its_turn_out(rig):
    place(rig, "a")
    token = begun(rig, "a")
    place(rig, "b", "replace")

    assert rig.stop(id="b") == "stopped"

    assert rig.holder(key="k") == Holders(("a",))
    rig.settle_one("a", token)
    assert rig.holder(key="k") == Holders()
    assert rig.due().ids == []


def test_its_turn_comes_though_the_old_one_is_gone_without_an_end(rig):
    place(rig, "a")
    begun(rig, "a")
    place(rig, "b", "replace")
    rig.raw.delete(rig.keys.task("a"))

    assert place(rig, "c", "join") == Placed("joined", "b")
    assert promoted(rig) == ["b"]


# -- dead letters -----------------------------------------------------------------------------------


def dead_letter(rig):
    place(rig, "a")
    settled(rig, State.FAILED)


def test_a_revived_dead_letter_takes_its_key_again(rig):
    dead_letter(rig)

    assert rig.twice("revive", new_id="b") == ("new", "new")
    assert rig.holder(key="k") == Holders(("b",))
    assert place(rig, "c") == Placed("taken", "b")


def test_it_is_refused_while_another_has_the_key(rig):
    dead_letter(rig)
    place(rig, "b")

    assert rig.twice("revive", new_id="c") == ("keyed b", "keyed b")
    assert rig.revive(new_id="d", holder="b") == "keyed b"
    rig.stop(id="b")
    assert rig.revive(new_id="c") == "keyed b"  # a late copy
    assert rig.status(id="c") is None
    assert rig.revive(new_id="e") == "new"


def test_a_task_that_is_gone_does_not_keep_it_from_its_key(rig):
    dead_letter(rig)
    place(rig, "b")
    rig.raw.delete(rig.keys.task("b"))

    assert rig.revive(new_id="c") == "keyed b"
    assert rig.revive(new_id="d", holder="b") == "new"
    assert rig.holder(key="k") == Holders(("d",))


def test_many_that_end_at_once_free_their_keys(rig):
    rig.join()
    for id in "abc":
        rig.submit_keyed(id=id, key=id, conflict="reject")
    rig.claim(count=3)
    rig.start(ids=list("abc"))

    assert rig.settle(endings=[ops.Ending(id, "q", "w1.1", State.SUCCEEDED, b"v") for id in "abc"]) == [True] * 3
    assert rig.keys.keyed() not in rig.all_keys()


def test_any_text_is_a_key(rig):
    for number, key in enumerate(["#", "a b", "ä {x}", "k" * naming.KEY_LIMIT]):
        assert rig.submit_keyed(id=f"t{number}", key=key, conflict="reject") == Placed("new")
        assert rig.holder(key=key) == Holders((f"t{number}",))
