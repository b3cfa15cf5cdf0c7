"""Messages into and out of a running task: send and fetch, mark and receive."""

import pytest

from taskpy.answers import Mail
from taskpy.spec import State
from taskpy.taken import Taken


def say(rig, *bodies, sender="s", first=1, **more):
    return [rig.send(sender=sender, number=n, body=body, **more) for n, body in enumerate(bodies, first)]


# -- to a task ----------------------------------------------------------------------------------


def test_messages_arrive_in_order(rig):
    rig.running()
    heard = rig.listen(rig.keys.worker("w1"))

    assert say(rig, b"1", b"2", b"3") == [1, 2, 3]
    assert rig.fetch(skip=0, count=10) == [b"1", b"2", b"3"]
    assert rig.fetch(skip=1, count=1) == [b"2"]
    assert rig.fetch(skip=3, count=10) == []
    assert heard() == [b"a 1 mail 1", b"a 2 mail 2", b"a 3 mail 3"]


def test_a_message_sent_twice_arrives_once(rig):
    rig.running()

    assert rig.twice("send", sender="s", number=1, body=b"1") == (1, 1)
    say(rig, b"2", first=2)
    assert isinstance(rig.send(sender="s", number=1, body=b"1"), int)  # a late copy: nobody reads its answer
    assert rig.send(sender="another", number=1, body=b"3") == 3
    assert rig.fetch(skip=0, count=10) == [b"1", b"2", b"3"]


def test_messages_wait_for_the_start(rig):
    rig.submit()
    heard = rig.listen(rig.keys.worker("w1"))
    say(rig, b"1")
    rig.join()

    assert rig.begun().received == 1
    assert heard() == []


def test_messages_may_come_with_the_task(rig):
    assert rig.twice("submit", messages=[b"1", b"2"]) == ("new", "queued")
    say(rig, b"3")
    rig.join()

    assert rig.begun().received == 3
    assert rig.fetch(skip=0, count=9) == [b"1", b"2", b"3"]
    assert say(rig, b"4", first=2, limit=3) == ["full"]


def test_a_message_to_an_ended_task_is_not_dropped_in_silence(rig):
    token = rig.running()
    rig.settle_one("a", token, State.FAILED)
    before = rig.everything()

    assert say(rig, b"1") == ["failed"]
    assert rig.everything() == before


def test_a_message_that_arrived_has_arrived_also_when_it_is_repeated_after_the_end(rig):
    token = rig.running()
    say(rig, b"1", b"2")
    rig.settle_one("a", token)

    assert say(rig, b"2", b"3", first=2) == [2, "succeeded"]


def test_a_message_to_nobody(rig):
    assert say(rig, b"1") == ["unknown"]
    assert rig.all_keys() == []


def test_a_full_inbox_refuses_until_there_is_room(rig):
    token = rig.running()
    assert say(rig, b"1", b"2", b"3", limit=2) == [1, 2, "full"]
    heard = rig.listen(rig.keys.task("a"))

    assert rig.mark(token=token, number=1, acknowledged=Taken(1), sent=0) is True
    assert say(rig, b"3", first=3, limit=2) == [3]
    assert rig.fetch(skip=0, count=9) == [b"2", b"3"]
    assert heard() == [b"room"]


# -- acknowledging ------------------------------------------------------------------------------


def test_what_was_acknowledged_is_gone_and_the_rest_seen_again(rig):
    token = rig.running()
    say(rig, b"1", b"2", b"3")

    assert rig.twice("mark", token=token, number=1, acknowledged=Taken(2), sent=0) == (True, True)
    assert rig.fetch(skip=0, count=9) == [b"3"]
    rig.giveback(token=token, why="release")
    again = rig.begun(number=2)
    assert (again.acknowledged, again.acknowledgements, again.received) == ("2 ", 1, 3)


def test_a_late_copy_of_an_acknowledgement_takes_nothing_back(rig):
    token = rig.running()
    say(rig, b"1", b"2", b"3")
    rig.mark(token=token, number=1, acknowledged=Taken(1), sent=0)
    rig.mark(token=token, number=2, acknowledged=Taken(2), sent=0)
    before = rig.everything()

    assert rig.mark(token=token, number=1, acknowledged=Taken(1), sent=0) is True
    assert rig.everything() == before


def test_more_than_was_received_cannot_be_acknowledged(rig):
    token = rig.running()
    say(rig, b"1")

    rig.mark(token=token, number=1, acknowledged=Taken(10), sent=0)
    say(rig, b"2", first=2)
    assert rig.fetch(skip=0, count=9) == [b"2"]
    assert rig.fields()["ib"] == "1"


# -- from a task --------------------------------------------------------------------------------


def test_what_a_task_sends_is_read_by_everyone(rig):
    token = rig.running()
    heard = rig.listen(rig.keys.task("a"))

    given = {"token": token, "sent": 0, "messages": [b"1", b"2"]}
    assert rig.twice("mark", **given) == (True, True)
    for _ in range(2):
        assert rig.receive(index=0, count=9) == Mail(State.RUNNING, 2, 0, [b"1", b"2"])
    assert rig.receive(index=1, count=9) == Mail(State.RUNNING, 2, 1, [b"2"])
    assert rig.receive(index=0, count=1) == Mail(State.RUNNING, 2, 0, [b"1"])
    assert rig.receive(index=2, count=9) == Mail(State.RUNNING, 2, 2, [])
    assert heard() == [b"out"]


def test_a_late_copy_sends_nothing(rig):
    token = rig.running()
    for sent, body in enumerate([b"1", b"2", b"3"]):
        rig.mark(token=token, sent=sent, messages=[body])
    before = rig.everything()

    for sent, body in enumerate([b"1", b"2", b"3"]):
        assert rig.mark(token=token, sent=sent, messages=[body]) is True
    assert rig.everything() == before


def test_a_repeated_call_with_more_messages_sends_only_the_new_ones(rig):
    token = rig.running()
    rig.mark(token=token, sent=0, messages=[b"1"])

    rig.mark(token=token, sent=0, messages=[b"1", b"2"])
    assert rig.receive(index=0, count=9).messages == [b"1", b"2"]


def test_after_a_failover_that_lost_messages_new_ones_keep_their_places(rig):
    token = rig.running()
    rig.mark(token=token, sent=0, messages=[b"1"])

    assert rig.mark(token=token, sent=3, messages=[b"4", b"5"]) is True
    assert rig.receive(index=3, count=9) == Mail(State.RUNNING, 5, 3, [b"4", b"5"])


def test_a_slow_reader_is_told_what_it_missed(rig):
    token = rig.running()
    rig.mark(token=token, sent=0, messages=[b"%d" % i for i in range(5)], limit=3)

    assert rig.receive(index=0, count=9) == Mail(State.RUNNING, 5, 2, [b"2", b"3", b"4"])
    assert rig.receive(index=4, count=9) == Mail(State.RUNNING, 5, 4, [b"4"])


def test_the_outbox_is_read_to_its_end_after_the_end(rig):
    token = rig.running()
    rig.mark(token=token, sent=0, messages=[b"1"])
    rig.settle_one("a", token)

    assert rig.receive(index=0, count=9) == Mail(State.SUCCEEDED, 1, 0, [b"1"])


def test_the_next_attempt_goes_on_where_the_last_one_ended(rig):
    token = rig.running()
    rig.mark(token=token, sent=0, messages=[b"1", b"2"])
    rig.giveback(token=token, why="retry")

    assert rig.begun(number=2).sent == 2


def test_the_outbox_of_nobody(rig):
    assert rig.receive(index=7, count=9) == Mail(None, 0, 7, [])


def test_mark_does_both_in_one_step(rig):
    token = rig.running()
    say(rig, b"1", b"2")

    given = {"token": token, "number": 1, "acknowledged": Taken(2), "sent": 0, "messages": [b"answer"]}
    assert rig.twice("mark", **given) == (True, True)
    assert rig.fetch(skip=0, count=9) == []
    assert rig.receive(index=0, count=9).messages == [b"answer"]


@pytest.mark.parametrize("how", ["another token", "given back", "ended", "lost", "nobody"])
def test_mark_is_fenced(rig, how):
    token = rig.running()
    say(rig, b"1")
    if how == "given back":
        rig.giveback(token=token, why="release")
    if how == "ended":
        rig.settle_one("a", token)
    if how == "lost":
        rig.lose(sure=True)
        rig.recover()
    before = rig.everything()

    id = "nobody" if how == "nobody" else "a"
    token = "w1.9" if how == "another token" else token
    assert (
        rig.mark(id=id, token=token, number=1, acknowledged=Taken(1), state=b"late", sent=0, messages=[b"1"]) is False
    )
    assert rig.everything() == before
