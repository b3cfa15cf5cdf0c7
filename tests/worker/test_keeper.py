"""The supervisor's keeper: children are made known, renewed while they are worth it, replaced when lost, buried when dead."""

import pytest
from taskpy_worker.config import WorkerConfig
from taskpy_worker.keeper import Keeper

from taskpy import ops
from tests.worker.conftest import LEASE
from tests.worker.waiting import until


class Child:
    """A child process that is only made up."""

    def __init__(self, pid):
        self.pid = pid
        self.wids = {}
        self.worth = True
        self.condemned = False
        self.ended = False
        self.said = []
        self.killed = []

    @property
    def wid(self):
        return self.wids.get(None)

    def worthy(self, lease):
        return self.worth

    def say(self, *frame):
        self.said.append(frame)

    def kill(self, why):
        self.killed.append(why)


@pytest.fixture
def children():
    return [Child(1), Child(2)]


@pytest.fixture
def keeper(rig, children):
    return Keeper(WorkerConfig(queues=("high", "low")), rig.client.space, LEASE, lambda: children)


def introduced(rig, keeper, children):
    keeper.start()
    for child in children:
        keeper.introduce(child, f"w{child.pid}", 3, lambda: None)
    assert keeper.flush(10)


def lease_of(rig, wid):
    return rig.raw.zscore(rig.keys.lease(), wid)


def test_a_child_is_known_before_it_is_let_go(rig, keeper, children):
    ready = []
    keeper.start()
    keeper.introduce(children[0], "w1", 3, lambda: ready.append(lease_of(rig, "w1")))
    assert keeper.flush(10)

    assert children[0].said == [("go", "w1", LEASE, None, 1, 1)]
    assert children[0].wid == "w1"
    assert ready[0] > 0
    [worker] = rig.client.workers()
    assert (worker.wid, worker.held) == ("w1", 0)


def test_a_child_that_dies_while_it_is_made_known_is_not_known(rig, keeper, children):
    children[0].ended = True

    introduced(rig, keeper, children)

    assert [worker.wid for worker in rig.client.workers()] == ["w2"]
    assert children[0].said == []


def test_leases_are_renewed_of_those_who_are_worth_it(rig, keeper, children):
    introduced(rig, keeper, children)
    before = rig.raw.time()[0] * 1000 + 5000
    for wid in ("w1", "w2"):
        rig.raw.zadd(rig.keys.lease(), {wid: before})
    children[1].worth = False

    keeper.tick()

    assert lease_of(rig, "w1") > before
    assert lease_of(rig, "w2") == before


def test_it_sees_what_is_due_also_while_no_child_is_there(rig, keeper, children):
    children.clear()
    task = rig.submit("returns")
    delayed = rig.client.options(delay=100).of("returns").submit()
    rig.raw.zadd(rig.keys.later(), {delayed.id: 1})
    rig.run(ops.join(rig.keys, wid="silent", lease=LEASE))
    rig.run(ops.claim(rig.keys, wid="silent", number=1, count=1, queues=["default"]))
    keeper.tick()  # somebody sweeps: else the guard holds
    assert rig.run(ops.held(rig.keys, wid="silent")).tokens.keys() == {task.id}
    assert rig.raw.zcard(rig.keys.later()) == 0
    rig.fall_silent("silent")

    keeper.tick()

    assert rig.run(ops.held(rig.keys, wid="silent")).tokens == {}
    assert rig.client.queues() == {"default": 2}


def test_much_that_is_due_does_not_wait_for_the_next_beat(rig):
    keeper = Keeper(WorkerConfig(), rig.client.space, 6 * LEASE, list)
    for number in range(150):
        rig.raw.zadd(rig.keys.later(), {f"gone-{number}": 1})
    keeper.start()
    keeper._wishes.put(keeper.tick)

    until(lambda: rig.raw.zcard(rig.keys.later()) == 0, "all of it to be promoted")


def test_a_child_that_was_declared_lost_is_killed_once(rig, keeper, children):
    introduced(rig, keeper, children)
    rig.run(ops.lose(rig.keys, wid="w2", lease=LEASE, sure=True))

    keeper.tick()
    keeper.tick()

    assert [len(child.killed) for child in children] == [0, 1]
    assert children[1].condemned


def test_a_buried_child_is_forgotten_and_its_tasks_are_given_back(rig, keeper, children):
    introduced(rig, keeper, children)
    task = rig.submit("returns")
    rig.run(ops.claim(rig.keys, wid="w1", number=1, count=1, queues=["default"]))
    rig.run(ops.start(rig.keys, wid="w1", number=1, ids=[task.id]))

    keeper.bury(children[0])
    assert keeper.flush(10)

    assert task.state == "queued"
    assert [worker.wid for worker in rig.client.workers()] == ["w2"]


def test_a_failing_wish_does_not_end_the_care_for_the_others(rig, keeper, children, caplog):
    keeper.start()
    keeper.introduce(children[0], "w1", 3, lambda: 1 / 0)

    keeper.introduce(children[1], "w2", 3, lambda: None)

    assert keeper.flush(10)
    assert "going on" in caplog.text
    assert children[1].said


def test_leases_are_renewed_without_anyone_asking(rig, children):
    keeper = Keeper(WorkerConfig(), rig.client.space, 0.15, lambda: children)
    introduced(rig, keeper, children)
    rig.raw.zadd(rig.keys.lease(), {"w1": 5})

    until(lambda: lease_of(rig, "w1") > 5, "the lease to be renewed")


def test_flushing_does_not_wait_for_ever(rig, keeper):
    assert not keeper.flush(0.01)  # it was never started
