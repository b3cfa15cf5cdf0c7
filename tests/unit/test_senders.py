"""Senders: a message that is sent twice is stored once, so a number is never used for two messages."""

import threading

from taskpy import senders
from taskpy.senders import Senders


def test_a_sender_is_used_again_for_the_same_task():
    made = Senders()
    first = made.take("a")
    first.sent = 7
    made.give("a", first)

    assert made.take("a") is first


def test_each_task_has_its_own():
    made = Senders()
    first = made.take("a")
    made.give("a", first)

    assert made.take("b") is not first


def test_one_that_is_not_given_back_is_never_used_again():
    made = Senders()
    uncertain = made.take("a")

    assert made.take("a").name != uncertain.name


def test_two_threads_at_once_get_two():
    made, taken, barrier = Senders(), [], threading.Barrier(8)

    def take():
        barrier.wait(10)
        taken.append(made.take("a"))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len({sender.name for sender in taken}) == 8

    for sender in taken:
        made.give("a", sender)
    assert {made.take("a").name for _ in range(8)} == {sender.name for sender in taken}


def test_names_are_unique_in_the_world():
    names = {Senders().take("a").name for _ in range(1000)}

    assert len(names) == 1000


def test_only_so_many_tasks_are_remembered_the_last_ones(monkeypatch):
    monkeypatch.setattr(senders, "REMEMBERED", 3)
    made = Senders()
    taken = {id: made.take(id) for id in "abc"}
    for id, sender in taken.items():
        made.give(id, sender)
    made.give("a", made.take("a"))  # used again: now `b` is the oldest
    made.give("d", made.take("d"))

    assert made.take("b").name != taken["b"].name
    assert made.take("a") is taken["a"]
    assert made.take("c") is taken["c"]


def test_a_forgotten_name_is_never_used_again():
    senders = Senders()
    sender = senders.take("a")
    senders.give("a", sender)

    senders.forget()

    assert senders.take("a").name != sender.name
