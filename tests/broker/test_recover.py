"""Workers are lost and their tasks recovered; the guard against outages."""

import time

from taskpy.answers import Held, Standing
from taskpy.spec import State


def silence(rig, wid="w1"):
    """The lease of this worker is over, by the clock."""
    rig.due()  # somebody sweeps: else the guard holds
    rig.raw.zadd(rig.keys.lease(), {wid: time.time() * 1000 - 1})


# -- lose and recover ---------------------------------------------------------------------------


def test_a_late_renewal_before_anybody_noticed_saves_everything(rig):
    token = rig.running()
    silence(rig)

    assert rig.renew() is True
    assert rig.lose(sure=False) is None
    assert rig.settle_one("a", token) is True


def test_a_silent_worker_is_named_then_lost(rig):
    rig.running()
    assert rig.lose(sure=False) is None
    silence(rig)

    assert rig.due().wids == ["w1"]
    assert rig.twice("lose", sure=False) == (["a"], ["a"])
    assert rig.workers(wids=["w1"])[0].lost
    assert rig.due().wids == ["w1"]  # until nothing is left of it
    assert rig.recover() is True
    assert rig.lose(sure=False) == []
    assert rig.due().wids == []
    assert rig.held() == Held(None, {})


def test_a_worker_seen_to_die_is_lost_at_once(rig):
    rig.running()

    assert rig.twice("lose", sure=True) == (["a"], ["a"])


def test_losing_an_idle_worker_forgets_it(rig):
    rig.join()

    assert rig.twice("lose", sure=True) == ([], [])
    assert rig.all_keys() == [rig.keys.worker("w1")]


def test_recover_starts_the_task_elsewhere_and_fences_the_old_attempt(rig):
    token = rig.running()
    rig.submit(id="b")
    rig.lose(sure=True)

    assert rig.twice("recover") == (True, False)
    assert rig.settle_one("a", token) is False
    rig.join(wid="w2")
    again = rig.begun(wid="w2")  # before b: it is served next
    assert (again.attempt, again.lost, again.retries) == (2, 1, 0)
    assert rig.settle_one("a", token) is False
    assert rig.settle_one("a", again.token, value=b"second") is True
    assert rig.status() == Standing(State.SUCCEEDED, b"second", None)
    assert [(event.word, event.detail) for event in rig.events()] == [("recover", "w1")]


def test_a_late_copy_of_recover_leaves_the_new_attempt_alone(rig):
    rig.running()
    rig.lose(sure=True)
    rig.recover()
    rig.join(wid="w2")
    rig.begun(wid="w2")
    before = rig.everything()

    assert rig.recover() is False
    assert rig.everything() == before


def test_recover_touches_nothing_of_a_living_worker(rig):
    rig.running()
    before = rig.everything()

    assert rig.recover() is False
    assert rig.everything() == before


def test_a_claim_that_was_not_started_is_not_counted(rig):
    rig.submit()
    rig.join()
    rig.claim()
    rig.lose(sure=True)

    assert rig.twice("recover") == (True, False)
    rig.join(wid="w2")
    assert rig.begun(wid="w2").lost == 0
    assert rig.events() == []


def test_a_settle_between_the_declaration_and_recover_counts(rig):
    token = rig.running()
    rig.lose(sure=True)

    assert rig.settle_one("a", token) is True
    assert rig.recover() is False
    assert rig.lose(sure=True) == []
    assert rig.status() == Standing(State.SUCCEEDED, b"value", None)


def test_a_task_under_which_workers_fall_waits_and_then_fails(rig):
    rig.submit(restarts=2)
    heard = rig.listen(rig.keys.later())
    for number in (1, 2, 3):
        wid = f"w{number}"
        rig.join(wid=wid)
        rig.begun(wid=wid)
        rig.lose(wid=wid, sure=True)
        assert rig.twice("recover", wid=wid) == (True, False)
        if number == 2:
            assert 3 < rig.due().next <= 4
            rig.raw.zadd(rig.keys.later(), {"a": 1})
            rig.promote()

    task = rig.look()
    assert (task.state, task.exception, task.lost, task.attempt) == (State.FAILED, b"WorkerLost", 3, 3)
    assert [id for id, _ in rig.dead(count=9)] == ["a"]
    assert rig.recent(count=9) == ["a"]
    assert heard() == [b"4000"]
    assert [event.word for event in rig.events()] == ["recover"] * 3


def test_the_wait_after_lost_workers_is_bounded(rig):
    rig.running(restarts=10_000)
    rig.raw.hset(rig.keys.task("a"), "crash", 5000)
    rig.lose(sure=True)

    rig.recover()
    assert rig.due().next <= 300


def test_a_task_that_was_asked_to_stop_is_not_started_again(rig):
    rig.running()
    rig.stop(reason="enough")
    rig.lose(sure=True)

    assert rig.twice("recover") == (True, False)
    assert rig.look().state is State.STOPPED
    assert rig.raw.llen(rig.keys.queue("q")) == 0


def test_recover_drops_a_task_that_is_gone(rig):
    rig.running()
    rig.lose(sure=True)
    rig.raw.delete(rig.keys.task("a"))

    assert rig.recover(queue="") is False
    assert rig.lose(sure=True) == []


def test_a_death_between_the_two_steps_of_a_second_entry_is_healed(rig):
    rig.running()
    rig.raw.lpush(rig.keys.queue("q"), "a")
    rig.claim(number=2)  # has overwritten the running attempt's entry
    rig.lose(sure=True)

    assert rig.recover() is True
    rig.join(wid="w2")
    assert rig.begun(wid="w2").lost == 1


# -- the guard against outages ------------------------------------------------------------------


def swept(rig, seconds_ago):
    rig.raw.hset(rig.keys.meta(), "swept", round((time.time() - seconds_ago) * 1000))


def test_after_an_outage_every_worker_gets_one_lease_to_be_heard(rig):
    rig.running()
    silence(rig)
    swept(rig, 100)

    assert rig.lose(sure=False) is None  # nobody has swept: this answer of `due` is old
    assert rig.due().wids == []
    assert rig.lose(sure=False) is None
    assert rig.lose(sure=True) == ["a"]  # a death that was seen is certain
    assert rig.due().wids == ["w1"]  # and so is its rest


def test_the_guard_ends(rig):
    rig.running()
    silence(rig)
    swept(rig, 100)
    rig.due()
    rig.raw.hset(rig.keys.meta(), "hold", 1)

    assert rig.due().wids == ["w1"]
    assert rig.lose(sure=False) == ["a"]


def test_a_clock_that_went_back_makes_no_lease_longer(rig):
    rig.running()
    rig.due()
    rig.raw.zadd(rig.keys.lease(), {"w1": (time.time() + 3600) * 1000})
    swept(rig, -3600)

    rig.due()
    [worker] = rig.workers(wids=["w1"])
    assert worker.lease_end <= time.time() + 16
