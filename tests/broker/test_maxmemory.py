"""A server without memory: what brings work in is refused, all that works it off goes on."""

import contextlib

import pytest

from taskpy import errors, ops, pages
from taskpy.answers import Standing
from taskpy.answers_keyed import Holders
from taskpy.spec import State, StopReason
from taskpy.taken import Taken


@contextlib.contextmanager
def full(rig):
    """The server has no memory left."""
    rig.raw.config_set("maxmemory", 1)
    try:
        yield
    finally:
        rig.raw.config_set("maxmemory", 0)


def test_what_brings_something_in_is_refused_and_writes_nothing(real_rig):
    rig = real_rig
    token = rig.running("a")
    rig.submit(id="b")
    rig.settle_one("b", rig.begun("b", number=2).token, State.FAILED)
    before = rig.everything()

    with full(rig):
        for verb, given in [
            ("submit", {"id": "c"}),
            ("submit", {"id": "c", "delay": 60.0}),
            ("submit_keyed", {"id": "c", "key": "k", "conflict": "replace"}),
            ("revive", {"id": "b", "new_id": "c"}),
            ("send", {"sender": "s", "number": 1, "body": b"m"}),
            ("mark", {"token": token, "sent": 0, "messages": [b"m"]}),
            ("ask", {"sender": "s", "number": 1, "question": b"q"}),
        ]:
            with pytest.raises(errors.Busy):
                rig.run(rig.op(verb, **given))
    assert rig.everything() == before


def test_a_whole_life_goes_on(real_rig):
    rig = real_rig
    for id in ("succeeds", "retries", "stops", "queued"):
        rig.submit(id=id)
    rig.submit(id="delayed", delay=60.0)
    rig.submit(id="paused", queue="other")
    rig.submit(id="purged", queue="other")
    rig.send(id="succeeds", sender="s", number=1, body=b"m")
    rig.ask(id="succeeds", sender="t", number=1, question=b"q")
    rig.raw.zadd(rig.keys.later(), {"delayed": 1})
    rig.raw.delete(rig.keys.bell("q"))

    with full(rig):
        assert rig.divide(shards=1) == 1
        assert rig.agree(version=1, lease=15.0).version == 1
        assert rig.join(info=b"info") is True
        assert rig.renew(info=b"more") is True
        assert rig.pause(queue="other") > 0
        assert rig.claim(number=1, queues=["other"]) == []
        assert rig.purge(queue="other", ids=["purged"]) == 1
        rig.resume(queue="other")
        assert rig.claim(number=2, count=3) == ["succeeds", "retries", "stops"]
        ids = ["succeeds", "retries", "stops"]
        assert [started.token for started in rig.start(number=2, ids=ids)] == ["w1.2"] * 3
        assert rig.adopt(id="succeeds", token="w1.2", restarts=9, keep=9.0) is True
        assert rig.mark(id="succeeds", token="w1.2", number=1, acknowledged=Taken(1), sent=0) is True
        assert rig.report(id="succeeds", token="w1.2", number=1, progress=b"p") == "kept"
        assert rig.report(id="succeeds", token="w1.2", number=2, lines=[b"line"]) == "full"  # and no error
        assert rig.orders(id="succeeds", token="w1.2").questions == [(1, b"q")]
        assert rig.respond(id="succeeds", token="w1.2", answers=[(1, b"a" * 10_000)]) is True
        assert rig.response(id="succeeds", number=1).answer == b"a" * 10_000
        assert rig.retract(id="succeeds", number=1) is False
        for count, answered in ((1, True), (2, False)):
            assert rig.pose(id="succeeds", token="w1.2", count=count, question=b"?" * 10_000).number == count
            if answered:
                assert rig.answer(id="succeeds", number=count, answer=b"a" * 10_000, name="n") == "accepted"
            assert (rig.withdraw(id="succeeds", token="w1.2", number=count).answer is not None) == answered
        assert rig.pause_task(id="succeeds", name="n1") == "pausing"
        assert rig.park(id="succeeds", token="w1.2", orders=3) == "parked"
        assert rig.resume_task(id="succeeds", name="n2") == "running"
        assert rig.resume_task(id="succeeds", name="n3") == "running"
        assert rig.stop(id="stops", reason="enough") == "stopping"
        assert rig.stop(id="queued") == "stopped"
        assert rig.heartbeat(tasks=[("succeeds", "w1.2")]).held == 3
        assert rig.due().ids == ["delayed"]
        assert rig.promote(id="delayed") is True
        rig.ring()
        assert rig.giveback(id="retries", token="w1.2", why="retry", error=b"oops", delay=60.0) is True
        assert rig.settle_one("succeeds", "w1.2", State.SUCCEEDED) is True
        assert rig.settle_one("stops", "w1.2", State.STOPPED) is True
        for op in (rig.op("look", id="stops"), pages.queued(rig.keys, queue="q", start=0, count=9)):
            assert rig.run(op)
    ids = ("succeeds", "retries", "stops", "queued", "delayed", "paused", "purged")
    assert {id: rig.status(id=id).state.value for id in ids} == {
        "paused": "queued",
        "purged": "stopped",
        "succeeds": "succeeded",
        "retries": "queued",
        "stops": "stopped",
        "queued": "stopped",
        "delayed": "queued",
    }


@pytest.mark.parametrize("conflict", ["reject", "join", "send", "replace"])
def test_what_a_key_would_bring_in_is_refused_and_writes_nothing(real_rig, conflict):
    rig = real_rig
    rig.submit_keyed(id="a", key="k", conflict="reject")
    before = rig.everything()

    with full(rig), pytest.raises(errors.Busy):
        rig.submit_keyed(id="b", key="k", conflict=conflict, known=Holders(("a",)), queues=["q"], messages=[b"m"])
    assert rig.everything() == before


def test_a_key_is_freed_and_passed_on(real_rig):
    rig = real_rig
    rig.join()
    for number, id in enumerate("abc", 1):
        rig.submit_keyed(id=id, key=id, conflict="reject")
        rig.begun(id, number=number)
        rig.submit_keyed(id=f"{id}2", key=id, conflict="replace", known=Holders((id,)), queues=["q"])

    with full(rig):
        assert rig.settle_one("a", "w1.1", State.STOPPED) is True
        assert rig.stop(id="b2") == "stopped"
        assert rig.lose(sure=True)
        assert rig.recover(id="c") is True
    assert [rig.holder(key=key) for key in "abc"] == [Holders(("a2",)), Holders(("b",)), Holders(("c2",))]
    assert sorted(rig.due().ids) == ["a2", "c2"]


def test_a_task_is_taken(real_rig):
    real_rig.submit()
    real_rig.join()

    with full(real_rig):
        assert real_rig.take(restarts=0).attempt == 1


@pytest.mark.parametrize("why", ["retry", "release", "unknown", "drop", "unbegun"])
def test_every_giveback_goes_on(real_rig, why):
    token = real_rig.running()

    with full(real_rig):
        assert real_rig.giveback(token=token, why=why) is True
    assert real_rig.queued(count=9) == ["a"]


def test_what_a_lost_worker_held_is_given_back(real_rig):
    rig = real_rig
    rig.running("again")
    for number, (id, restarts) in enumerate([("fails", 0), ("stops", 2), ("waits", 9)], 2):
        rig.submit(id=id, restarts=restarts)
        rig.begun(id, number=number)
    rig.raw.hset(rig.keys.task("waits"), "crash", 1)
    rig.stop(id="stops")
    rig.submit(id="claimed")
    rig.claim(number=5)
    rig.join(wid="idle")

    with full(rig):
        assert rig.lose(wid="idle", sure=True) == []
        assert rig.lose(wid="never seen", sure=True) == []
        assert sorted(rig.lose(sure=True)) == ["again", "claimed", "fails", "stops", "waits"]
        for id in ("again", "claimed", "fails", "stops", "waits"):
            assert rig.recover(id=id) is True
        assert rig.lose(sure=True) == []
        assert rig.forget(ids=["fails"]) == 1
    assert rig.queued(count=9) == ["again", "claimed"]  # what is given back last is served next
    assert rig.status(id="fails") == Standing(State.FAILED, b"WorkerLost", None)
    assert rig.status(id="stops") == Standing(State.STOPPED, b"its worker was lost", StopReason())
    assert [id for id, _ in rig.delayed(count=9)] == ["waits"]


def test_a_task_that_acknowledges_may_send_at_the_same_time(real_rig):
    token = real_rig.running()
    real_rig.send(sender="s", number=1, body=b"m")

    with full(real_rig):
        assert real_rig.mark(token=token, number=1, acknowledged=Taken(1), sent=0, messages=[b"answer"]) is True
    assert real_rig.receive(index=0, count=9).messages == [b"answer"]


def test_a_task_may_checkpoint_and_send_at_the_same_time(real_rig):
    token = real_rig.running()
    real_rig.send(sender="s", number=1, body=b"m")

    with full(real_rig):
        for number in (1, 2):  # the second acknowledges nothing
            assert real_rig.mark(
                token=token, number=number, acknowledged=Taken(1), state=b"x" * 10_000, sent=number - 1, messages=[b"m"]
            )
        assert real_rig.mark(token=token, number=3, acknowledged=Taken(1, [3]), sent=2) is True
    assert real_rig.receive(index=0, count=9).messages == [b"m"] * 2
    assert real_rig.start(ids=["a"])[0].checkpoint == b"x" * 10_000


def test_a_task_with_a_checkpoint_ends(real_rig):
    rig = real_rig
    rig.join()
    ends = {"succeeds": State.SUCCEEDED, "fails": State.FAILED, "stops": State.STOPPED}
    for number, id in enumerate(ends, 1):
        rig.submit(id=id)
        rig.begun(id, number=number)
        rig.mark(id=id, token=f"w1.{number}", number=1, state=b"state", sent=0)

    with full(rig):
        for number, (id, state) in enumerate(ends.items(), 1):
            assert rig.settle_one(id, f"w1.{number}", state, taken=Taken(3, [5])) is True
    assert [id for id in ends if "cp" in rig.fields(id)] == ["fails"]


def test_a_stop_and_what_was_taken_are_told(real_rig):
    rig = real_rig
    token = rig.running()

    with full(rig):
        assert rig.stop(reason="x" * 500, by="ann", follows="kill", grace=60.0) == "stopping"
        assert rig.stop(follows="kill", grace=1.0) == "stopping"
        question = rig.inquire()
        assert rig.seen(token=token, question=question, taken=Taken(3, range(5, 500, 2))) is True
    assert rig.receipt().question == question == 1


def test_many_are_settled(real_rig):
    rig = real_rig
    rig.join()
    for id in "abc":
        rig.submit(id=id)
    rig.claim(count=3)
    rig.start(ids=list("abc"))
    endings = [ops.Ending(id, "q", "w1.1", State.FAILED, b"x" * 10_000, keep=60.0) for id in "abc"]

    with full(rig):
        assert rig.settle(endings=endings) == [True] * 3
    assert len(rig.dead(count=9)) == 3
