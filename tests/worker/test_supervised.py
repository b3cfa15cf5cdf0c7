"""Which child is worth its lease: decided from what the system says of the process, and from its silence."""

import types

import pytest
from taskpy_worker import supervised
from taskpy_worker.config import WorkerConfig
from taskpy_worker.processes import ProcessState

from taskpy.keys import Keys

LEASE = 10.0


class Process:
    """A process that is only made up."""

    def __init__(self, *_, **__):
        self.pid = 4711
        self.killed = 0

    def poll(self):
        return None

    def kill(self):
        self.killed += 1


class World:
    """The clock, and what the system says of the one process. At first it works, and all is well."""

    def __init__(self):
        self.now = 1000.0
        self.state = ProcessState(stopped=False, cpu=0.0)

    def passes(self, seconds, *, cpu=0.0, stopped=False):
        """Let time pass, in which the process uses so much CPU."""
        self.now += seconds
        used = self.state.cpu if self.state else 0.0
        self.state = ProcessState(stopped=stopped, cpu=used + cpu)


@pytest.fixture
def world(monkeypatch):
    made = World()
    monkeypatch.setattr(supervised, "time", types.SimpleNamespace(monotonic=lambda: made.now))
    monkeypatch.setattr(supervised, "state_of", lambda pid: made.state)
    monkeypatch.setattr(supervised, "_started", Process)
    return made


@pytest.fixture
def child(world):
    made = supervised.Supervised(WorkerConfig())
    yield made
    made.pipe.close()


def test_a_child_that_is_heard_is_worth_its_lease(world, child):
    for _ in range(10):
        world.passes(LEASE / 3)
        child.heard()
        assert child.worthy(LEASE)

    assert not child.process.killed


def test_of_an_unknown_process_nothing_is_held_against_it(world, child):
    world.passes(100 * LEASE)
    world.state = None

    assert child.worthy(LEASE)
    assert not child.process.killed


def test_a_stopped_child_is_not_worth_its_lease_and_is_killed_after_two(world, child):
    world.passes(0, stopped=True)
    assert not child.worthy(LEASE)
    world.passes(2 * LEASE, stopped=True)
    assert not child.worthy(LEASE)
    assert not child.process.killed

    world.passes(0.1, stopped=True)

    assert not child.worthy(LEASE)
    assert child.process.killed


def test_a_stopped_child_that_goes_on_has_its_lease_again(world, child):
    for _ in range(5):  # far more than two leases in all
        world.passes(LEASE, stopped=True)
        assert not child.worthy(LEASE)
        world.passes(0.1)
        child.heard()
        assert child.worthy(LEASE)

    assert not child.process.killed


def test_a_silent_child_that_computes_keeps_its_lease(world, child, caplog):
    for _ in range(40):
        world.passes(LEASE / 3, cpu=0.06 * LEASE / 3)
        assert child.worthy(LEASE)

    assert not child.process.killed
    assert "computing=True" in caplog.text


def test_a_silent_child_that_does_nothing_is_killed_after_four_leases(world, child, caplog):
    for _ in range(12):
        world.passes(LEASE / 3, cpu=0.04 * LEASE / 3)
        assert child.worthy(LEASE)
    assert not child.process.killed

    world.passes(LEASE / 3)

    assert not child.worthy(LEASE)
    assert child.process.killed
    assert "computing=False" in caplog.text


def test_silence_is_counted_from_the_last_sign_of_life(world, child):
    world.passes(3.9 * LEASE)
    assert child.worthy(LEASE)
    child.heard()
    world.passes(3.9 * LEASE)

    assert child.worthy(LEASE)
    assert not child.process.killed


def test_a_short_silence_is_not_worth_a_word(world, child, caplog):
    world.passes(LEASE)

    assert child.worthy(LEASE)
    assert not caplog.records


def test_a_worker_id_is_new_each_time_and_fits_into_a_key(world, child, monkeypatch):
    monkeypatch.setattr(supervised.socket, "gethostname", lambda: "höst {1}\n" + "x" * 80)

    wids = {child.new_wid() for _ in range(100)}

    assert len(wids) == 100
    assert all(len(wid) < 80 and not set(wid) & set("{} .\n") for wid in wids)
    assert all(Keys("test").worker(wid) for wid in wids)


def test_an_order_to_a_child_that_is_gone_is_no_error(world, child):
    child.pipe.close()

    child.say("drain", 1.0)
