"""The listener: what is said on the worker's own channel reaches the task it is meant for."""

import pytest

from taskpy import ops
from taskpy.question import dump_question, load_reply
from taskpy.spec import StopReason, Wish
from tests.worker import functions
from tests.worker.conftest import settle
from tests.worker.waiting import until

LONG = 30.0
HALF_WORDS = [
    b"%(id)s 0 stop",
    b"%(id)s 0 stop x",
    b"%(id)s 0 stop kill soon - why",
    b"%(id)s 0 stop nuke 0 - why",
    b"%(id)s 0 seen",
    b"%(id)s 0 seen x",
    b"%(id)s 0 order",
    b"%(id)s 0 order x",
    b"%(id)s 0 a word of a newer taskpy",
]


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


def test_what_follows_a_stop_is_passed_on(worker, task):
    worker.listener.tick(f"{task.id} 0 stop kill 1500 ann@web-3:4711 why not".encode())

    wish = worker.executor.find(task.id).mailbox.wish
    assert wish == Wish(StopReason("why not"), "kill", 1.5)
    assert wish.reason.by == "ann@web-3:4711"
    assert worker.executor.enforcer.tick() == pytest.approx(1.5, abs=0.5)


def test_an_order_is_passed_on(rig, worker):
    task = rig.submit("answers")
    worker.claimer.tick(LONG)
    until(lambda: functions.BEGUN, "the task to begin")
    number = rig.run(ops.ask(rig.keys, id=task.id, sender="s", number=1, question=dump_question("count", None)))

    worker.listener.tick(f"{task.id} 0 order 1".encode())

    response = until(
        lambda: (found := rig.run(ops.response(rig.keys, id=task.id, number=number))).answer and found, "it"
    )
    assert load_reply(response.answer).value == 1
    worker.listener.tick(f"{task.id} 0 stop - 0 - ".encode())
    task.stop(join=False)
    settle(worker)


def test_who_asks_what_was_taken_is_answered(rig, worker, task):
    task.send("one")
    task.send("two")
    worker.listener.tick(f"{task.id} 2".encode())
    until(lambda: worker.executor.find(task.id).mailbox.taken.dump() == "2", "both to be taken")
    question = rig.run(ops.inquire(rig.keys, id=task.id))

    worker.listener.tick(f"{task.id} 2 seen {question}".encode())

    receipt = until(
        lambda: (found := rig.run(ops.receipt(rig.keys, id=task.id))).question == question and found, "the answer"
    )
    assert receipt.taken.dump() == "2"


def test_a_question_brings_the_news_of_mail_too(worker, task):
    task.send("one")

    worker.listener.tick(f"{task.id} 1 seen 1".encode())

    until(lambda: worker.executor.find(task.id).mailbox.taken.dump() == "1", "the message to be taken")


def test_a_question_about_anothers_task_is_not_answered(rig, worker, task):
    worker.listener.tick(b"another-task 2 seen 1")

    assert not rig.raw.exists(rig.keys.task("another-task"))


def test_the_nonce_is_noted(worker):
    worker.listener.tick(b"! 7")

    assert worker.listener.heard == 7


def test_news_of_others_tasks_are_nothing(worker, task):
    worker.listener.tick(b"another-task 3 stop - 0 - ")
    worker.listener.tick(b"another-task 3")

    assert worker.executor.find(task.id).mailbox.wish is None


@pytest.mark.parametrize(
    "garbage", [b"", b" ", b"\xff\xfe", b"!", b"! x", b"%(id)s", b"%(id)s x", b"%(id)s x stop", *HALF_WORDS]
)
def test_garbage_on_the_channel_deafens_nobody(rig, worker, task, garbage, caplog):
    worker.listener.start()
    rig.raw.publish(rig.keys.worker("w1"), garbage.replace(b"%(id)s", task.id.encode()))

    task.stop(join=False)
    settle(worker)

    assert task.state == "succeeded"
