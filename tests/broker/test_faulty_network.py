"""Each verb over a network that fails under it: the keys look as after one undisturbed call, and it does not hang."""

import asyncio
import contextlib
import itertools
import logging
import re
import time

import pytest

from taskpy import connection, errors, ops
from taskpy.address import Address
from taskpy.answers_keyed import Holders
from taskpy.broker import Broker
from taskpy.broker_aio import AsyncBroker
from taskpy.connection import SHORTEST_SECONDS, AsyncConnections, Connections
from taskpy.spec import State
from taskpy.taken import Taken
from tests.broker.conftest import Rig
from tests.system.faulty import MODES, FaultyProxy

#: Each call fails so often; those that are given up for their silence take longer.
FAULTS = dict.fromkeys(MODES, 2) | {"delay": 1, "black-hole": 1, "half-open": 1}
#: No call may take longer; those that fail most slowly take a few tenths of a second.
DEADLINE_SECONDS = 10.0
#: What Redis writes from its clock differs between two runs; and a question that is repeated is one more.
CLOCKS = {b"submitted", b"started", b"ended", b"until", b"hold", b"asked", b"tree", b"pz"}
#: These say whether it was this very call that did it, which a repeated one no longer knows; `inquire` asks once more.
ANSWER_ONCE = {
    "submit",
    "submit_keyed",
    "submit_many",
    "spawn",
    "felled",
    "promote",
    "recover",
    "forget",
    "purge",
    "inquire",
    "pause",
    "due",
    "retract",
}


#: What is logged of an outage, however long it is.
OUTAGE = ["redis does not answer, trying again", "redis answers again"]


def ripe(rig):
    rig.raw.zadd(rig.keys.later(), {"late": 1})


#: A submission with a key that another task has.
OF_ANOTHER = {"queue": "keyed", "key": "k", "known": Holders(("k1",)), "queues": ["keyed"]}
#: One life of a few tasks, in which every verb of clients and workers has something to do.
STEPS = [
    ("divide", {"shards": 1}),
    ("agree", {"version": 1, "lease": 15.0}),
    ("submit", {"id": "a", "messages": [b"first"]}),
    ("submit", {"id": "b"}),
    ("submit_many", {"tasks": [(id, b"spec") for id in ("c", "d", "e")]}),
    ("submit", {"id": "late", "delay": 60.0}),
    ("locate", {"id": "a"}),
    ("submit_keyed", {"id": "k1", "queue": "keyed", "key": "k", "conflict": "replace"}),
    ("submit_keyed", OF_ANOTHER | {"id": "k2", "conflict": "reject"}),
    ("submit_keyed", OF_ANOTHER | {"id": "k3", "conflict": "send", "messages": [b"m"]}),
    ("submit_keyed", OF_ANOTHER | {"id": "k4", "conflict": "replace"}),
    ("holder", {"key": "k"}),
    ("join", {"info": b"info"}),
    ("renew", {"info": b"more"}),
    ("due", {"renew": ["w1"]}),
    ("claim", {"count": 2}),
    ("start", {"ids": ["a", "b"]}),
    ("held", {}),
    ("send", {"id": "a", "sender": "s", "number": 1, "body": b"second"}),
    ("fetch", {"id": "a", "skip": 0, "count": 9}),
    (
        "mark",
        {"token": "w1.1", "number": 1, "acknowledged": Taken(1), "state": b"s", "sent": 0, "messages": [b"m"] * 2},
    ),
    ("mark", {"token": "w1.1", "sent": 2, "messages": [b"n"]}),
    ("receive", {"id": "a", "index": 0, "count": 9}),
    ("report", {"token": "w1.1", "number": 1, "progress": b"p", "lines": [b"l"] * 2}),
    ("reported", {"id": "a", "index": 0, "count": 9}),
    ("inquire", {"id": "a"}),
    ("seen", {"token": "w1.1", "question": 1, "taken": Taken(2)}),
    ("receipt", {"id": "a"}),
    ("adopt", {"token": "w1.1", "restarts": 0, "keep": 99.0}),
    ("spawn", {"parent": "b", "token": "w1.1", "id": "child"}),
    ("parent", {"id": "child"}),
    ("ask", {"id": "a", "sender": "t", "number": 1, "question": b"how far?"}),
    ("ask", {"id": "a", "sender": "t", "number": 2, "question": b"and now?"}),
    ("orders", {"id": "a", "token": "w1.1"}),
    ("respond", {"token": "w1.1", "answers": [(1, b"half")]}),
    ("response", {"id": "a", "number": 1}),
    ("retract", {"id": "a", "number": 1}),
    ("retract", {"id": "a", "number": 2}),
    ("pose", {"token": "w1.1", "count": 1, "question": b"delete?"}),
    ("answer", {"id": "a", "number": 1, "answer": b"yes", "name": "n1", "by": "ann"}),
    ("answered", {"id": "a"}),
    ("withdraw", {"token": "w1.1", "number": 1}),
    ("pose", {"token": "w1.1", "count": 2, "question": b"delete?"}),
    ("withdraw", {"token": "w1.1", "number": 2}),
    ("pause_task", {"id": "a", "name": "n2", "by": "ann"}),
    ("park", {"token": "w1.1", "orders": 4}),
    ("resume_task", {"id": "a", "name": "n3", "by": "ann"}),
    ("stop", {"id": "b", "reason": "enough", "follows": "kill", "grace": 60.0}),
    ("stop", {"id": "b", "reason": "all", "follows": "kill", "grace": 60.0, "tree": True}),
    ("children", {"id": "b", "first": 0, "count": 9}),
    ("felled", {"id": "b", "entry": "1"}),
    ("heartbeat", {"tasks": [("a", "w1.1"), ("b", "w1.1")]}),
    ("settle", {"endings": [ops.Ending("b", "q", "w1.1", State.FAILED, b"oops")]}),
    ("take", {"id": "e", "number": 2, "restarts": 1}),
    ("giveback", {"id": "e", "token": "w1.2", "why": "retry", "error": b"again"}),
    ("pause", {"queue": "q"}),
    ("resume", {"queue": "q"}),
    ("purge", {"ids": ["c"]}),
    ("ring", {}),
    (ripe, {}),
    ("promote", {"id": "late"}),
    ("revive", {"id": "b", "new_id": "b2"}),
    ("claim", {"number": 3}),
    ("start", {"number": 3, "ids": ["late"]}),
    ("settle", {"endings": [ops.Ending("late", "q", "w1.3", State.FAILED, b"oops")]}),
    ("forget", {"ids": ["late"]}),
    ("lose", {"sure": True}),
    ("recover", {"id": "a"}),
    ("lose", {"sure": True}),
    ("status", {"id": "a"}),
]


def stored(rig):
    """The whole namespace, without clocks."""
    return {key.partition(":")[2]: timeless(key.partition(":")[2], value) for key, value in rig.everything().items()}


def timeless(name, value):
    """What is compared of one key."""
    if name.endswith(":events"):
        return [line.split()[1:] for line in value]
    if name == "paused":
        return list(value)
    if name in {"later", "behind", "dead", "felling"}:
        return [id for id, _ in value]
    if isinstance(value, dict):
        return {field: held for field, held in value.items() if field not in CLOCKS}
    return value


def do(rig, verb, given):
    if callable(verb):
        return verb(rig)
    answer = getattr(rig, verb)(**given)
    return None if verb in ANSWER_ONCE else re.sub(r"grace=[0-9.]+", "", repr(answer))  # it has become less


def words(caplog):
    """What was logged, without where and when."""
    return [record.message.partition(":")[0] for record in caplog.records]


@pytest.fixture
def proxy(server):
    made = FaultyProxy(server, delay=3 * SHORTEST_SECONDS)
    yield made
    made.close()


@pytest.fixture(params=["sync", "async"])
def over_the_network(request, proxy, sync_rig):
    """A rig that speaks through the proxy; each try is given up early."""
    address = Address(proxy.url, "test")
    if request.param == "sync":
        broker = Broker(Connections(address, timeout=SHORTEST_SECONDS), timeout=DEADLINE_SECONDS)
        yield with_many(Rig(broker.run, sync_rig.raw, guard=False), broker.run_many)
        broker.close()
        return
    with asyncio.Runner() as runner:
        twin = AsyncBroker(AsyncConnections(address, timeout=SHORTEST_SECONDS), timeout=DEADLINE_SECONDS)
        rig = Rig(lambda op: runner.run(twin.run(op)), sync_rig.raw, guard=False)
        yield with_many(rig, lambda ops: runner.run(twin.run_many(ops)))
        runner.run(twin.close())


def with_many(rig, run_many):
    """The rig, with the call that sends several operations at once."""
    rig.run_many = run_many
    return rig


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sync_rig", ["sync-real"], indirect=True)
def test_a_call_whose_network_fails_has_the_effect_of_one(sync_rig, over_the_network, proxy, mode, caplog):
    caplog.set_level(logging.INFO, logger="taskpy.broker")
    for verb, given in STEPS:
        expected = do(sync_rig, verb, given)
        caplog.clear()
        if not callable(verb):
            op = over_the_network.op(verb, **given)
            proxy.order(mode, op.script.name if op.script else op.command[0], FAULTS[mode])
        before, began = proxy.faults, time.monotonic()

        answer = do(over_the_network, verb, given)

        assert time.monotonic() - began < DEADLINE_SECONDS, f"{verb} hangs"
        assert answer == expected, verb
        assert stored(over_the_network) == stored(sync_rig), verb
        if not callable(verb):
            assert proxy.faults - before == FAULTS[mode], f"{verb} was not disturbed"
            assert words(caplog) == OUTAGE, verb


#: What is sent at once: each has an effect that a second time would show, and each depends on the one before it.
TOGETHER = [
    ("submit", {"id": "a"}),
    ("send", {"id": "a", "sender": "s", "number": 1, "body": b"one"}),
    ("send", {"id": "a", "sender": "t", "number": 1, "body": b"two"}),
    ("stop", {"id": "a", "reason": "enough"}),
    ("status", {"id": "a"}),
]


@pytest.mark.parametrize("fault", [*itertools.product(MODES, ["submit", "send", "HMGET"])], ids="-".join)
@pytest.mark.parametrize("sync_rig", ["sync-real"], indirect=True)
def test_many_calls_at_once_have_the_effect_of_each_one_wherever_the_network_fails(
    sync_rig, over_the_network, proxy, fault, caplog
):
    mode, word = fault
    caplog.set_level(logging.INFO, logger="taskpy.broker")
    expected = [do(sync_rig, verb, given) for verb, given in TOGETHER]
    over_the_network.run_many([over_the_network.op("locate", id=id) for id in ("x", "y")])  # the scripts are known
    proxy.order(mode, word, FAULTS[mode])
    began = time.monotonic()

    answers = over_the_network.run_many([over_the_network.op(verb, **given) for verb, given in TOGETHER])

    assert time.monotonic() - began < DEADLINE_SECONDS
    assert proxy.faults == FAULTS[mode]
    for (verb, _), answer, wanted in zip(TOGETHER, answers, expected, strict=True):
        assert verb in ANSWER_ONCE or repr(answer) == wanted, verb
    assert stored(over_the_network) == stored(sync_rig)
    assert words(caplog) == OUTAGE


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "delay"])  # one that is late is heard all the same
@pytest.mark.parametrize("sync_rig", ["sync-real"], indirect=True)
def test_a_bell_that_the_network_swallows_is_all_that_is_lost(sync_rig, proxy, mode, caplog, monkeypatch):
    caplog.set_level(logging.INFO, logger="taskpy.broker")
    monkeypatch.setattr(connection, "BLOCK_SECONDS", 0.2)  # how long a silent connection is believed, with the time-out
    broker = Broker(Connections(Address(proxy.url, "test"), timeout=SHORTEST_SECONDS), timeout=DEADLINE_SECONDS)
    sync_rig.submit()  # which rings
    bell, began = sync_rig.keys.bell("q"), time.monotonic()
    proxy.order(mode, "BRPOP", 1)

    with contextlib.closing(broker):
        with pytest.raises(errors.Unreachable):
            broker.pop([bell], 0.1)
        assert time.monotonic() - began < DEADLINE_SECONDS
        assert broker.pop([bell], 0.1) == ((bell, b"a") if mode in {"cut-before", "black-hole"} else None)

    assert proxy.faults == 1
    assert sync_rig.queued() == ["a"]
    assert words(caplog) == OUTAGE


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "delay"])
@pytest.mark.parametrize("sync_rig", ["sync-real"], indirect=True)
def test_who_does_not_insist_hears_of_the_first_failure(sync_rig, proxy, mode):
    broker = Broker(Connections(Address(proxy.url, "test"), timeout=SHORTEST_SECONDS), timeout=None)
    asked = [sync_rig.op("locate", id="x")]
    broker.run_many(asked)  # the script is known
    proxy.order(mode, asked[0].command[0], 1)
    done = []

    with pytest.raises(errors.Unreachable):
        broker.run_many(asked, meanwhile=lambda: done.append(mode), insist=False)

    assert broker.run_many(asked, insist=False) == [None]
    assert len(done) <= 1
    broker.close()


@pytest.mark.parametrize("sync_rig", ["sync-real"], indirect=True)
def test_redis_works_while_something_else_is_done(sync_rig, proxy):
    broker = Broker(Connections(Address(proxy.url, "test")), timeout=DEADLINE_SECONDS)
    broker.run_many([sync_rig.op("submit", id="b")])  # the script is known
    there = []

    def look():
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not there and time.monotonic() < deadline:
            there.extend(filter(None, [sync_rig.status(id="a")]))

    broker.run_many([sync_rig.op("submit", id="a")], meanwhile=look)

    assert there[0].state == "queued"
    broker.close()
