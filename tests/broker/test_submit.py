"""A task comes in: submit, delay and promote, revive, locate, agree."""

import time

import pytest

from taskpy import errors, spec
from taskpy.answers import Agreement
from taskpy.spec import State


def test_a_new_task_is_queued_with_all_its_fields(rig):
    assert rig.submit(restarts=5, keep=60) == "new"

    assert rig.raw.lrange(rig.keys.queue("q"), 0, -1) == [b"a"]
    assert rig.raw.llen(rig.keys.bell("q")) == 1
    fields = rig.fields()
    assert abs(int(fields.pop("submitted")) / 1000 - time.time()) < 60
    assert fields == {
        "st": "queued",
        "q": "q",
        "name": "module.function",
        "spec": "spec",
        "mc": "5",
        "keep": "60000",
    }


def test_options_not_given_are_the_defaults(rig):
    rig.submit()

    assert rig.fields()["mc"] == str(spec.RESTARTS)
    assert rig.fields()["keep"] == str(int(spec.KEEP_SECONDS * 1000))


def test_a_task_submitted_twice_is_there_once(rig):
    assert rig.twice("submit") == ("new", "queued")
    assert rig.twice("submit", id="b", delay=60) == ("new", "queued")


def test_a_late_copy_answers_the_state(rig):
    token = rig.running()
    assert rig.submit() == "running"
    rig.settle_one("a", token)
    before = rig.everything()

    assert rig.submit() == "succeeded"
    assert rig.everything() == before


def many(rig, ids, **options):
    return rig.run(rig.op("submit_many", tasks=[(id, f"spec of {id}".encode()) for id in ids], **options))


def test_many_are_as_each_one_by_itself(rig):
    assert many(rig, "abc", restarts=5, keep=60) == ["new"] * 3

    assert rig.raw.lrange(rig.keys.queue("q"), 0, -1) == [b"c", b"b", b"a"]
    assert rig.raw.lrange(rig.keys.bell("q"), 0, -1) == [b"a"]
    fields = [rig.fields(id) for id in "abc"]
    for id, each in zip("abc", fields, strict=True):
        assert each.pop("spec") == f"spec of {id}"
    rig.submit(id="alone", restarts=5, keep=60)
    alone = rig.fields("alone")
    del alone["spec"]
    for each in [*fields, alone]:
        del each["submitted"]
    assert fields == [alone] * 3


def test_many_submitted_twice_are_there_once(rig):
    assert many(rig, "ab") == ["new", "new"]
    before = rig.everything()
    assert many(rig, "ab") == ["queued", "queued"]
    assert rig.everything() == before

    assert many(rig, "abc") == ["queued", "queued", "new"]
    assert rig.raw.lrange(rig.keys.queue("q"), 0, -1) == [b"c", b"b", b"a"]


def test_many_can_be_delayed(rig):
    assert many(rig, "ab", delay=60) == ["new", "new"]

    assert rig.raw.llen(rig.keys.queue("q")) == 0
    assert {id for id, _ in rig.raw.zrange(rig.keys.later(), 0, -1, withscores=True)} == {b"a", b"b"}
    assert rig.raw.llen(rig.keys.bell("q")) == 0


def test_first_in_is_first_out(rig):
    for id in "abc":
        rig.submit(id=id)
    rig.join()

    assert rig.claim(count=2) == ["a", "b"]
    assert rig.claim(count=2, number=2) == ["c"]


def test_any_bytes_arrive_as_they_are(rig):
    rig.submit(spec=bytes(range(256)))

    assert rig.look().spec == bytes(range(256))


def test_the_bell_rings_once(rig):
    for id in "abc":
        rig.submit(id=id)

    assert rig.raw.llen(rig.keys.bell("q")) == 1


# -- delay --------------------------------------------------------------------------------------


def test_a_delayed_task_waits_aside(rig):
    rig.submit(delay=60)

    assert rig.raw.llen(rig.keys.queue("q")) == 0
    assert rig.raw.llen(rig.keys.bell("q")) == 0
    assert 50 < rig.due().next <= 60
    assert rig.due().ids == []


def test_the_first_one_due_wakes_the_promoters(rig):
    heard = rig.listen(rig.keys.later())
    rig.submit(id="a", delay=60)
    rig.submit(id="b", delay=90)
    rig.submit(id="c", delay=30.5)

    assert heard() == [b"60000", b"30500"]


def test_promote_moves_a_ripe_task_to_the_head_of_its_queue(rig):
    rig.submit(id="a", delay=60)
    rig.submit(id="b")
    assert rig.promote() is False
    rig.raw.zadd(rig.keys.later(), {"a": 1})
    assert (rig.due().ids, rig.due().next) == (["a"], 0.0)

    assert rig.twice("promote") == (True, False)
    assert rig.raw.lrange(rig.keys.queue("q"), 0, -1) == [b"b", b"a"]
    assert rig.due().next is None


def test_promote_drops_a_task_that_is_gone(rig):
    rig.raw.zadd(rig.keys.later(), {"gone": 1})
    assert rig.locate(id="gone") is None

    assert rig.promote(id="gone", queue="") is True
    assert rig.all_keys() == [rig.keys.meta()] or rig.all_keys() == []


def test_promote_drops_a_task_that_was_stopped(rig):
    rig.submit(delay=60)
    rig.stop()
    rig.raw.zadd(rig.keys.later(), {"a": 1})

    assert rig.promote() is True
    assert rig.raw.llen(rig.keys.queue("q")) == 0


def test_due_names_a_hundred_at_a_time(rig):
    rig.raw.zadd(rig.keys.later(), {f"t{i}": i for i in range(1, 151)})

    assert rig.due().ids == [f"t{i}" for i in range(1, 101)]


# -- dead letters -------------------------------------------------------------------------------


def failed(rig, id="a", **options):
    token = rig.running(id, **options)
    rig.settle_one(id, token, State.FAILED, b"oops")


def test_revive_submits_the_spec_of_a_dead_letter_again(rig):
    failed(rig, spec=b"its spec", restarts=7, keep=60)
    old = rig.look()

    assert rig.revive(new_id="b") == "new"
    new = rig.look(id="b")
    assert (new.state, new.spec, new.name, new.queue, new.origin) == (
        State.QUEUED,
        b"its spec",
        "module.function",
        "q",
        "a",
    )
    assert (rig.fields("b")["mc"], rig.fields("b")["keep"], new.attempt) == ("7", "60000", 0)
    assert rig.look().heir == "b"
    assert rig.look().state is State.FAILED
    assert rig.look().exception == old.exception == b"oops"
    assert [(event.word, event.detail) for event in rig.events()] == [("revive", "b")]
    assert rig.raw.pttl(rig.keys.events("a")) > 0
    assert rig.dead(count=10) == []
    assert rig.begun("b", number=2).spec == b"its spec"


def test_revive_twice_is_once(rig):
    failed(rig)

    assert rig.twice("revive", new_id="b") == ("new", "new")
    assert rig.revive(new_id="c") == "revived"
    assert rig.look(id="c") is None


def test_revive_after_the_heir_has_expired_starts_nothing(rig):
    failed(rig)
    rig.revive(new_id="b")
    rig.raw.delete(rig.keys.task("b"))

    assert rig.revive(new_id="b") == "new"
    assert rig.look(id="b") is None


def test_revive_refuses_what_is_no_dead_letter(rig):
    assert rig.revive(id="nobody", new_id="b") == "unknown"
    token = rig.running()
    assert rig.revive(new_id="b") == "running"
    rig.settle_one("a", token)
    assert rig.revive(new_id="b") == "succeeded"
    assert rig.look(id="b") is None


def test_revive_never_overwrites_a_task(rig):
    failed(rig)
    rig.submit(id="b", spec=b"another")

    assert rig.revive(new_id="b") == "taken"
    assert rig.look(id="b").spec == b"another"


def test_old_or_surplus_dead_letters_are_named_and_forgotten(rig):
    for number, id in enumerate("abc", 1):
        rig.submit(id=id)
        rig.join()
        rig.settle_one(id, rig.begun(id, number=number).token, State.FAILED, keep=60)
    assert rig.due().surplus == []
    rig.raw.zadd(rig.keys.dead(), {"a": 1, "b": time.time() * 1000 - 5000, "c": time.time() * 1000 - 2000})
    assert rig.due(keep_dead=60, dead_count=10).surplus == ["a"]
    assert rig.due(keep_dead=60, dead_count=1).surplus == ["a", "b"]
    assert rig.due(keep_dead=3, dead_count=10).surplus == ["a", "b"]

    assert rig.twice("forget", ids=["a", "b", "nobody"]) == (2, 0)
    assert [id for id, _ in rig.dead(count=10)] == ["c"]
    # As a result it stays as long as any other.
    assert 50 < rig.raw.ttl(rig.keys.task("a")) <= 60
    assert rig.raw.ttl(rig.keys.task("c")) > 60


# -- the namespace ------------------------------------------------------------------------------


def test_the_first_to_come_decides_what_all_agree_on(rig):
    assert rig.agree(version=1, lease=1.5) == Agreement(1, 1.5)
    assert rig.agree(version=2, lease=15.0) == Agreement(1, 1.5)


def test_the_first_to_come_decides_how_many_shards_there_are(rig):
    assert rig.twice("divide", shards=16) == (16, 16)
    assert rig.divide(shards=8) == 16
    assert rig.agree(version=1, lease=1.5) == Agreement(1, 1.5)
    assert rig.namespace().shards == 16
    rig.submit()
    assert rig.divide(shards=1) == 16


def test_a_namespace_that_has_tasks_is_not_cut(rig):
    rig.submit()
    assert rig.divide(shards=16) == 1
    assert rig.divide(shards=16) == 1


def test_a_namespace_that_had_a_worker_is_not_cut(rig):
    rig.agree(version=1, lease=1.5)
    assert rig.divide(shards=16) == 1


def test_locate(rig):
    assert rig.locate() is None
    rig.submit(queue="other")
    assert rig.locate() == "other"


def test_a_key_of_another_type_is_refused_and_nothing_is_written(rig):
    rig.raw.set(rig.keys.task("a"), "foreign")
    before = rig.everything()

    with pytest.raises(errors.Refused):
        rig.submit()
    assert rig.everything() == before
