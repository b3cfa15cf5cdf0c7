"""take: a task that another system has handed out is claimed and started in one step, by its id."""

from taskpy.answers import Held, Standing, Started
from taskpy.spec import State


def with_three(rig):
    """A worker, and a task between two others in its queue."""
    rig.join()
    for id in "bac":
        rig.submit(id=id, messages=[b"m"])


def test_take_starts_a_task_wherever_it_stands_in_its_queue(rig):
    with_three(rig)
    heard = rig.listen(rig.keys.task("a"))

    first, again = rig.twice("take", restarts=7)

    assert first == again == Started("a", "w1.1", "q", b"spec", 1, 0, 0, 0, "0 ", 0, 1, 0, None, None)
    assert heard() == [b"running"]
    assert rig.status() == Standing(State.RUNNING, None, None)
    assert rig.look().restarts == 7
    assert rig.held() == Held(1, {"a": "w1.1"})
    assert rig.queued(count=9) == ["c", "b"]
    assert rig.heartbeat(tasks=[("a", "w1.1")]).held == 1


def test_take_does_not_wait_for_a_delay(rig):
    rig.join()
    rig.submit(delay=60)

    assert rig.take(restarts=0).attempt == 1
    assert rig.delayed(count=9) == []


def test_what_is_not_there_cannot_be_taken(rig):
    rig.join()

    assert rig.twice("take", restarts=0) == ("unknown", "unknown")
    rig.submit()
    assert isinstance(rig.take(restarts=0), Started)  # the same number: nothing was taken by it


def test_what_runs_or_has_ended_is_not_taken(rig):
    token = rig.running()
    rig.join(wid="w2")

    assert rig.take(wid="w2", restarts=0) == "running"
    rig.settle_one("a", token)
    rig.raw.lpush(rig.keys.queue("q"), "a")
    assert rig.take(wid="w2", number=2, restarts=0) == "succeeded"
    assert rig.held(wid="w2") == Held(2, {})
    assert rig.queued(count=9) == []  # whoever hands it out has done with it


def test_a_task_that_was_stopped_in_its_queue_is_not_taken(rig):
    with_three(rig)
    rig.stop()

    assert rig.take(restarts=0) == "stopped"
    assert rig.queued(count=9) == ["c", "b"]


def test_a_late_copy_takes_nothing(rig):
    with_three(rig)
    token = rig.take(restarts=0).token
    rig.giveback(token=token, why="retry")

    assert rig.take(restarts=0) == "again"
    assert rig.take(number=2, restarts=0).token == "w1.2"
    rig.giveback(token="w1.2", why="retry")
    assert rig.take(restarts=0) == "again"
    assert rig.take(number=2, restarts=0) == "again"
    assert rig.status() == Standing(State.QUEUED, None, None)


def test_a_worker_that_is_not_known_or_lost_takes_nothing(rig):
    rig.submit()
    assert rig.take(restarts=0) == "refused"

    rig.join()
    rig.submit(id="held")
    rig.take(id="held", restarts=0)
    assert rig.lose(sure=True) == ["held"]
    assert rig.take(number=2, restarts=0) == "refused"
    assert rig.status() == Standing(State.QUEUED, None, None)


def test_what_was_taken_by_a_lost_worker_is_given_back_or_fails(rig):
    rig.join()
    for number, (id, restarts) in enumerate([("a", 0), ("b", 1)], 1):
        rig.submit(id=id)
        rig.take(id=id, number=number, restarts=restarts)
    rig.lose(sure=True)
    for id in "ab":
        assert rig.recover(id=id) is True

    assert rig.status(id="a") == Standing(State.FAILED, b"WorkerLost", None)
    assert rig.status(id="b") == Standing(State.QUEUED, None, None)
    rig.join(wid="w2")
    assert rig.take(id="b", wid="w2", restarts=1).lost == 1


def test_a_claim_that_is_overtaken_starts_nothing(rig):
    rig.join()
    rig.join(wid="w2")
    rig.submit()
    assert rig.claim() == ["a"]

    assert rig.take(wid="w2", restarts=0).token == "w2.1"
    assert rig.start(ids=["a"]) == [None]
    assert (rig.held(), rig.held(wid="w2")) == (Held(1, {}), Held(1, {"a": "w2.1"}))
