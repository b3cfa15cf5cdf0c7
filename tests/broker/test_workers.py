"""Workers: join and renew, claim and start, heartbeat and held."""

import time

import pytest

from taskpy import errors
from taskpy.answers import Beat, Heartbeat, Held, Standing
from taskpy.listed import Worker
from taskpy.ops import token_of
from taskpy.spec import State, Wish

# -- join and renew -----------------------------------------------------------------------------


def test_a_worker_joins_with_a_lease(rig):
    assert rig.twice("join", info=b"\x81info") == (True, True)

    [worker] = rig.workers(wids=["w1"])
    assert worker == Worker("w1", worker.lease_end, b"\x81info", 0)
    assert 0 < worker.lease_end - time.time() <= 16
    assert 0 < rig.raw.ttl(rig.keys.worker("w1")) <= 60


def test_renew_prolongs_the_lease_and_the_info(rig):
    rig.join(info=b"one")
    rig.raw.zadd(rig.keys.lease(), {"w1": 1})
    rig.raw.expire(rig.keys.worker("w1"), 5)

    assert rig.twice("renew") == (True, True)
    [worker] = rig.workers(wids=["w1"])
    assert (worker.info, worker.lost) == (b"one", False)
    assert worker.lease_end > time.time()
    assert rig.raw.ttl(rig.keys.worker("w1")) > 50
    assert rig.twice("renew", info=b"two") == (True, True)
    assert rig.workers(wids=["w1"])[0].info == b"two"


def test_due_renews_several_at_once_and_says_who_is_not_known(rig):
    for wid in ("w1", "w2", "w3"):
        rig.join(wid=wid, info=b"one")
        rig.raw.zadd(rig.keys.lease(), {wid: 5})
    rig.lose(wid="w2", sure=True)

    assert rig.due(renew=["w1", "w2", "nobody"]).renewed == [True, False, False]

    assert rig.raw.zscore(rig.keys.lease(), "w1") / 1000 == pytest.approx(rig.raw.time()[0] + 15, abs=2)
    assert rig.raw.zscore(rig.keys.lease(), "w3") == 5
    assert rig.raw.zscore(rig.keys.lease(), "nobody") is None
    assert not rig.raw.exists(rig.keys.worker("nobody"))
    assert 50 < rig.raw.ttl(rig.keys.worker("w1")) <= 60


def test_who_is_renewed_by_due_is_not_called_silent_by_it(rig):
    rig.due()  # somebody sweeps: else the guard holds
    for wid in ("w1", "w2"):
        rig.join(wid=wid)
        rig.raw.zadd(rig.keys.lease(), {wid: 5})

    assert rig.due(renew=["w1"]).wids == ["w2"]


def test_renew_does_not_make_a_worker_known(rig):
    assert rig.renew() is False
    assert rig.workers(wids=["w1"]) == [None]


def test_a_lost_worker_never_comes_back(rig):
    rig.running()
    assert rig.lose(sure=True) == ["a"]

    for _ in range(2):
        assert rig.renew() is False
        assert rig.join() is False
        assert rig.claim(number=2) is None
        rig.recover()
        assert rig.lose(sure=True) == []  # forgotten; the gravestone stays
    assert rig.raw.get(rig.keys.worker("w1")) == b"dead"
    assert rig.raw.ttl(rig.keys.worker("w1")) > 500


def test_a_join_on_its_way_does_not_come_after_the_death(rig):
    assert rig.lose(sure=True) == []

    assert rig.join() is False


# -- claim --------------------------------------------------------------------------------------


def test_claim_takes_from_the_queues_in_their_order(rig):
    for id, queue in [("a", "low"), ("b", "high"), ("c", "high"), ("d", "low")]:
        rig.submit(id=id, queue=queue)
    rig.join()

    assert rig.claim(count=3, queues=["high", "low"]) == ["b", "c", "a"]
    assert rig.held() == Held(1, {"b": "w1.1", "c": "w1.1", "a": "w1.1"})


def test_the_same_claim_again_gives_the_same_ids(rig):
    for id in "abc":
        rig.submit(id=id)
    rig.join()

    first, second = rig.twice("claim", count=2)
    assert (sorted(first), sorted(second)) == (["a", "b"], ["a", "b"])


def test_an_empty_claim_counts(rig):
    rig.join()
    assert rig.claim() == []
    rig.submit()

    assert rig.claim() == []  # a copy of the first
    assert rig.claim(number=2) == ["a"]


def test_a_late_copy_of_an_earlier_claim_is_refused(rig):
    rig.submit()
    rig.join()
    rig.claim(number=1)
    rig.submit(id="b")
    rig.claim(number=2)
    rig.submit(id="c")
    before = rig.everything()

    assert rig.claim(number=1) is None
    assert rig.everything() == before


def test_a_worker_that_is_not_known_claims_nothing(rig):
    rig.submit()
    before = rig.everything()

    assert rig.claim() is None
    assert rig.everything() == before


def test_claim_wakes_the_next_worker_when_work_is_left(rig):
    for id in "abc":
        rig.submit(id=id)
    rig.join()
    rig.raw.delete(rig.keys.bell("q"))  # the ring that woke this worker

    rig.claim(count=2)
    assert rig.raw.llen(rig.keys.bell("q")) == 1
    rig.raw.delete(rig.keys.bell("q"))
    rig.claim(count=1, number=2)
    assert rig.raw.llen(rig.keys.bell("q")) == 0


def test_ring_only_when_there_is_work(rig):
    rig.ring()
    assert rig.raw.llen(rig.keys.bell("q")) == 0
    rig.submit()
    rig.raw.delete(rig.keys.bell("q"))

    rig.twice("ring")
    assert rig.raw.llen(rig.keys.bell("q")) == 1


def test_what_is_no_id_never_gets_into_held(rig):
    rig.join()
    garbage = ["#", "", "a b", "-x", "x" * 65, b"\xff\xfe", "{x}"]
    rig.raw.rpush(rig.keys.queue("q"), *garbage)
    rig.submit()

    assert rig.claim(count=20) == ["a"]
    assert rig.held() == Held(1, {"a": "w1.1"})
    assert rig.claim(number=2) == []


def test_an_id_twice_in_one_claim_is_started_once(rig):
    rig.submit()
    rig.raw.lpush(rig.keys.queue("q"), "a")
    rig.join()

    assert rig.claim(count=5) == ["a"]


# -- start --------------------------------------------------------------------------------------


def test_start_tells_all_about_the_attempt(rig):
    rig.submit(spec=b"its spec")
    rig.send(sender="s", body=b"early", number=1)
    rig.join()
    heard = rig.listen(rig.keys.task("a"))
    started = rig.begun()

    assert started == type(started)(
        id="a",
        token="w1.1",
        queue="q",
        spec=b"its spec",
        attempt=1,
        retries=0,
        unknowns=0,
        lost=0,
        acknowledged="0 ",
        acknowledgements=0,
        received=1,
        sent=0,
        wish=None,
        checkpoint=None,
    )
    assert heard() == [b"running"]
    assert rig.status() == Standing(State.RUNNING, None, None)
    assert rig.look().token == token_of("w1", 1) == "w1.1"
    assert abs(rig.look().started - time.time()) < 60


def test_start_twice_is_once(rig):
    for id in "ab":
        rig.submit(id=id)
    rig.join()
    rig.claim(count=2)

    first, second = rig.twice("start", ids=["a", "b"])
    assert first == second
    assert [s.attempt for s in first] == [1, 1]


def test_start_after_a_stop_drops_the_task(rig):
    rig.submit()
    rig.join()
    rig.claim()
    rig.stop()

    assert rig.twice("start", ids=["a"]) == ([None], [None])
    assert rig.held().tokens == {}


def test_start_of_what_was_not_claimed_does_nothing(rig):
    rig.submit()
    rig.join()
    rig.claim(number=1, queues=["empty"])
    before = rig.everything()

    assert rig.start(ids=["a", "nobody"]) == [None, None]
    assert rig.everything() == before


def test_a_late_start_of_a_claim_that_was_given_back_does_nothing(rig):
    rig.submit()
    rig.join()
    rig.claim()
    rig.giveback(token="w1.1", why="drop")
    before = rig.everything()

    assert rig.start(ids=["a"]) == [None]
    assert rig.everything() == before


def test_start_after_the_worker_was_lost_does_nothing(rig):
    rig.submit()
    rig.join()
    rig.claim()
    rig.lose(sure=True)
    before = rig.everything()

    assert rig.start(ids=["a"]) == [None]
    assert rig.everything() == before


def test_a_second_entry_in_the_queue_leaves_the_running_attempt_protected(rig):
    token = rig.running()
    rig.raw.lpush(rig.keys.queue("q"), "a")

    assert rig.claim(number=2) == ["a"]
    assert rig.start(number=2, ids=["a"]) == [None]
    assert rig.held().tokens == {"a": token}
    assert rig.settle_one("a", token) is True
    assert rig.held().tokens == {}


def test_giving_a_second_entry_back_leaves_the_running_attempt_protected(rig):
    token = rig.running()
    rig.raw.lpush(rig.keys.queue("q"), "a")
    assert rig.claim(number=2) == ["a"]  # nobody hears the answer

    assert rig.twice("giveback", token="w1.2", why="drop") == (False, False)
    assert rig.held().tokens == {"a": token}
    rig.lose(sure=True)
    assert rig.recover() is True


def test_a_second_entry_at_another_worker_is_dropped(rig):
    token = rig.running()
    rig.raw.lpush(rig.keys.queue("q"), "a")
    rig.join(wid="w2")

    assert rig.claim(wid="w2") == ["a"]
    assert rig.start(wid="w2", ids=["a"]) == [None]
    assert rig.held(wid="w2").tokens == {}
    assert rig.held().tokens == {"a": token}


def test_start_refuses_an_id_whose_task_has_expired(rig):
    rig.submit()
    rig.join()
    rig.claim()
    rig.raw.delete(rig.keys.task("a"))

    assert rig.start(ids=["a"]) == [None]
    assert rig.held().tokens == {}


# -- heartbeat and held -------------------------------------------------------------------------


def test_heartbeat_tells_of_mail_and_stop(rig):
    rig.join()
    tokens = {}
    for number, id in enumerate("abc", 1):
        rig.submit(id=id)
        tokens[id] = rig.begun(id, number=number).token
    rig.send(id="b", sender="s", number=1, body=b"m")
    rig.send(id="b", sender="s", number=2, body=b"m")
    rig.stop(id="c")
    tasks = [*tokens.items(), ("a", "w1.99"), ("nobody", "w1.1")]

    fates = [Beat(), Beat(received=2), Beat(wish=Wish()), Beat(lost=True), Beat(lost=True)]
    assert rig.twice("heartbeat", tasks=tasks) == (Heartbeat(3, fates),) * 2


def test_heartbeat_of_a_lost_worker(rig):
    token = rig.running()
    rig.lose(sure=True)
    assert rig.heartbeat(tasks=[("a", token)]) == Heartbeat(-1, [Beat()])
    rig.recover()

    assert rig.heartbeat(tasks=[("a", token)]) == Heartbeat(-1, [Beat(lost=True)])
    rig.lose(sure=True)
    assert rig.heartbeat(tasks=[]) == Heartbeat(-1, [])


def test_a_claim_whose_answer_was_lost_for_good_is_found_and_given_back(rig):
    rig.submit()
    rig.join()
    rig.claim()  # nobody hears the answer

    assert rig.heartbeat(tasks=[]).held == 1
    assert rig.held() == Held(1, {"a": "w1.1"})
    assert rig.giveback(token="w1.1", why="drop") is True
    assert rig.held() == Held(1, {})
    assert rig.begun(number=2).attempt == 1


def test_a_heartbeat_says_something_on_the_own_channel_of_its_worker(rig):
    heard = rig.listen(rig.keys.worker("w1"))

    rig.heartbeat(tasks=[], say="! 7")
    rig.heartbeat(tasks=[])
    rig.heartbeat(wid="nobody", tasks=[], say="! 8")

    assert heard() == [b"! 7"]


def test_held_of_a_worker_that_is_not_known(rig):
    assert rig.held() == Held(None, {})


def test_a_key_of_another_type_is_refused(rig):
    rig.raw.set(rig.keys.held("w1"), "foreign")

    with pytest.raises(errors.Refused):
        rig.claim()
