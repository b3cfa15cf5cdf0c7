"""The listener: what is said on the worker's own channel reaches the task it is meant for."""

import pytest

from tests.worker import functions
from tests.worker.conftest import settle
from tests.worker.waiting import until

LONG = 30.0


@pytest.fixture
def worker(rig):
    return rig.worker()


@pytest.fixture
def task(rig, worker):
    """A task that listens, without any heartbeat."""
    made = rig.submit("listens")
    worker.claimer.tick(LONG)
    until(lambda: functions.BEGUN, "the task to begin")
    return made


def test_a_stop_is_passed_on(worker, task):
    task.stop(join=False)

    worker.listener.tick(f"{task.id} 0 stop - 0 - ".encode())
    settle(worker)

    assert task.result == []


def test_mail_is_passed_on_in_front_of_the_stop(worker, task):
    task.send("one")
    task.send("two")
    task.stop(join=False)

    worker.listener.tick(f"{task.id} 2 stop - 0 ann@web-3:4711 enough".encode())
    settle(worker)

    assert task.result == ["one", "two"]


def test_news_that_overtake_each_other_do_no_harm(worker, task):
    task.send("one")
    task.send("two")
    task.stop(join=False)

    for news in (f"{task.id} 2", f"{task.id} 1", f"{task.id} 2 stop - 0 - why", f"{task.id} 1 stop - 0 - why"):
        worker.listener.tick(news.encode())
    settle(worker)

    assert task.result == ["one", "two"]


def test_the_nonce_is_noted(worker):
    worker.listener.tick(b"! 7")

    assert worker.listener.heard == 7


def test_news_of_others_tasks_are_nothing(worker, task):
    worker.listener.tick(b"another-task 3 stop - 0 - ")
    worker.listener.tick(b"another-task 3")

    assert worker.executor.find(task.id).mailbox.wish is None


@pytest.mark.parametrize("garbage", [b"", b" ", b"\xff\xfe", b"!", b"! x", b"%(id)s", b"%(id)s x", b"%(id)s x stop"])
def test_garbage_on_the_channel_deafens_nobody(rig, worker, task, garbage, caplog):
    worker.listener.start()
    rig.raw.publish(rig.keys.worker("w1"), garbage.replace(b"%(id)s", task.id.encode()))

    task.stop(join=False)
    settle(worker)

    assert task.state == "succeeded"
