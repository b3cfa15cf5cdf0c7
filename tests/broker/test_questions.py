"""Questions that are put to a task, and those that a task asks: each is asked once, and answered once."""

import pytest

from taskpy.answers import Standing
from taskpy.answers_desk import Posed, Response, Withdrawn
from taskpy.spec import State

ENDS = [State.SUCCEEDED, State.FAILED, State.STOPPED]


def questions(rig, token="w1.1", **given):
    return rig.orders(token=token, **given).questions


def open_ones(rig):
    return rig.fields().get("qo", ""), rig.fields().get("qa", "")


def again(rig, token):
    """The worker is lost, and another one runs the task; the new token."""
    rig.lose(wid=token.rpartition(".")[0], sure=True)
    rig.recover(wid=token.rpartition(".")[0])
    rig.join(wid="w2")
    return rig.begun(wid="w2").token


# -- a question to a task -----------------------------------------------------------------------


def test_a_running_task_is_asked_and_answers(rig):
    token = rig.running()
    heard, seen = rig.listen(rig.keys.worker("w1")), rig.listen(rig.keys.task("a"))

    assert rig.twice("ask", sender="s", question=b"how far?") == (1, 1)
    assert heard() == [b"a 0 order 1"]
    assert rig.response(number=1) == Response(State.RUNNING, None, gone=False)
    assert questions(rig) == [(1, b"how far?")]
    assert rig.twice("respond", token=token, answers=[(1, b"half")]) == (True, True)
    assert set(seen()) == {b"answered"}
    assert rig.response(number=1) == Response(State.RUNNING, b"half", gone=False)
    assert questions(rig) == []
    assert rig.twice("retract", number=1) == (False, False)
    assert rig.response(number=1) == Response(State.RUNNING, None, gone=True)
    assert open_ones(rig) == ("", "")


def test_a_sender_numbers_its_questions(rig):
    rig.running()

    assert rig.ask(sender="s", number=1, question=b"1") == 1
    assert rig.ask(sender="t", number=1, question=b"2") == 2
    assert rig.ask(sender="s", number=2, question=b"3") == 3
    assert rig.ask(sender="s", number=1, question=b"1") == 3  # a late copy: nobody hears this
    assert questions(rig) == [(1, b"1"), (2, b"2"), (3, b"3")]


def test_a_task_that_waits_is_asked_when_it_begins(rig):
    rig.submit()
    rig.ask(sender="s", question=b"q")
    rig.join()

    assert rig.response(number=1) == Response(State.QUEUED, None, gone=False)
    assert rig.begun().orders == 1
    assert questions(rig) == [(1, b"q")]


def test_a_task_that_is_taken_is_told_of_its_questions(rig):
    rig.submit()
    rig.ask(sender="s", question=b"q")
    rig.join()

    assert rig.take(restarts=0).orders == 1


def test_the_heartbeat_says_that_there_is_something(rig):
    token = rig.running()
    assert rig.heartbeat(tasks=[("a", token)]).tasks[0].orders == 0
    rig.ask(sender="s", question=b"q")
    rig.ask(sender="t", question=b"q")

    assert rig.heartbeat(tasks=[("a", token)]).tasks[0].orders == 2


def test_a_question_is_open_until_it_is_answered_whoever_runs_the_task(rig):
    token = rig.running()
    for sender in "rst":
        rig.ask(sender=sender, question=sender.encode())
    assert questions(rig, known=1, most=1) == [(2, b"s")]
    rig.respond(token=token, answers=[(2, b"yes")])
    token = again(rig, token)

    assert questions(rig, token) == [(1, b"r"), (3, b"t")]
    assert rig.response(number=2).answer == b"yes"


@pytest.mark.parametrize("how", ["lost", "given back", "ended", "started again"])
def test_answers_are_fenced(rig, how):
    token = rig.running()
    rig.ask(sender="s", question=b"q")
    match how:
        case "lost":
            rig.lose(sure=True)
            rig.recover()
        case "given back":
            rig.giveback(token=token, why="release")
        case "ended":
            rig.settle_one("a", token)
        case "started again":
            again(rig, token)
    before = rig.everything()

    assert rig.respond(token=token, answers=[(1, b"late")]) is False
    assert rig.orders(token=token) is None
    assert rig.pose(token=token, count=1, question=b"?") is None
    assert rig.withdraw(token=token) == Withdrawn(fenced=True)
    assert rig.everything() == before


def test_a_question_is_answered_once(rig):
    token = rig.running()
    rig.ask(sender="s", question=b"q")
    rig.respond(token=token, answers=[(1, b"first")])

    assert rig.respond(token=token, answers=[(1, b"second")]) is True
    assert rig.response(number=1).answer == b"first"


def test_what_was_retracted_is_not_answered(rig):
    token = rig.running()
    rig.ask(sender="s", question=b"q")
    rig.ask(sender="t", question=b"r")

    assert rig.retract(number=1) is True
    assert questions(rig) == [(2, b"r")]
    before = rig.fields()
    assert rig.respond(token=token, answers=[(1, b"late")]) is True
    assert rig.fields() == before
    assert not [field for field in before if field.startswith(("q:1", "a:1"))]


def test_so_many_may_wait(rig):
    token = rig.running()
    assert [rig.ask(sender=sender, question=b"q", limit=2) for sender in "xyz"] == [1, 2, "full"]
    before = rig.everything()
    assert rig.ask(sender="z", question=b"q", limit=2) == "full"
    assert rig.everything() == before
    rig.respond(token=token, answers=[(1, b"a")])

    assert rig.ask(sender="z", question=b"q", limit=2) == 3


def test_so_many_answers_are_kept_that_nobody_fetches(rig):
    token = rig.running()
    for sender in "wxyz":
        rig.ask(sender=sender, question=b"q")

    assert rig.twice("respond", token=token, answers=[(n, b"a") for n in (1, 2, 3)], limit=2) == (True, True)
    assert [rig.response(number=n).gone for n in (1, 2, 3, 4)] == [True, False, False, False]
    assert "a:1" not in rig.fields()


@pytest.mark.parametrize("state", ENDS)
def test_who_has_ended_is_not_asked(rig, state):
    token = rig.running()
    rig.ask(sender="s", question=b"q")
    rig.settle_one("a", token, state)
    before = rig.everything()

    assert rig.ask(sender="s", number=2, question=b"q") == state
    assert rig.ask(sender="s", number=1, question=b"q") == 1  # it had arrived
    assert rig.response(number=1) == Response(state, None, gone=False)
    assert rig.everything() == before
    assert rig.retract(number=1) is True


def test_nobody_is_not_asked(rig):
    assert rig.ask(sender="s", question=b"q") == "unknown"
    assert rig.response(number=1) is None
    assert rig.retract(number=1) is False
    assert rig.answer(answer=b"yes", name="n") == "unknown"
    assert rig.answered() == (0, "")
    assert rig.respond(token="w1.1", answers=[(1, b"a")]) is False
    assert rig.all_keys() == []


# -- a question of a task -----------------------------------------------------------------------


def test_a_task_asks_and_is_answered(rig):
    token = rig.running()
    heard, seen = rig.listen(rig.keys.worker("w1")), rig.listen(rig.keys.task("a"))

    assert rig.twice("pose", token=token, count=1, question=b"delete?") == (Posed(1, None), Posed(1, None))
    assert rig.status() == Standing(State.RUNNING, None, question=b"delete?", number=1)
    assert rig.twice("answer", answer=b"yes", name="n1", by="ann@web:1") == ("accepted", "accepted")
    assert rig.status() == Standing(State.RUNNING, None, number=1)
    assert (set(seen()), heard()) == ({b"asks"}, [b"a 0 order 1"])
    told = rig.orders(token=token)
    assert (told.answered, told.answer) == (1, b"yes")
    assert rig.answered() == (1, "ann@web:1")


def test_the_first_answer_counts(rig):
    token = rig.running()
    rig.pose(token=token, count=1, question=b"?")
    rig.answer(answer=b"first", name="n1", by="ann")

    assert rig.answer(answer=b"second", name="n2", by="bob") == "answered"
    assert rig.answer(answer=b"first", name="n1", by="ann") == "accepted"  # a copy
    assert rig.orders(token=token).answer == b"first"
    assert rig.answered() == (1, "ann")


def test_an_answer_is_for_the_question_of_that_number(rig):
    token = rig.running()
    assert rig.answer(answer=b"early", name="n0") == "none"
    rig.pose(token=token, count=1, question=b"one?")
    rig.answer(answer=b"one", name="n1")
    assert rig.pose(token=token, count=2, question=b"one?") == Posed(2, None)

    assert rig.answer(answer=b"late", name="n2") == "none"
    assert rig.answer(answer=b"one", name="n1") == "none"  # a late copy
    assert rig.status().question == b"one?"
    assert rig.answer(number=2, answer=b"two", name="n3") == "accepted"


def test_what_is_withdrawn_is_not_answered(rig):
    token = rig.running()
    rig.pose(token=token, count=1, question=b"?")

    assert rig.twice("withdraw", token=token) == (Withdrawn(), Withdrawn())
    assert rig.status() == Standing(State.RUNNING, None, number=1)
    assert rig.answer(answer=b"late", name="n") == "none"
    assert rig.withdraw(token=token) == Withdrawn()


def test_what_is_answered_is_not_withdrawn(rig):
    token = rig.running()
    rig.pose(token=token, count=1, question=b"?")
    rig.answer(answer=b"just in time", name="n")

    assert rig.twice("withdraw", token=token) == (Withdrawn(answer=b"just in time"),) * 2


def test_a_late_copy_of_a_question_asks_nothing(rig):
    token = rig.running()
    rig.pose(token=token, count=1, question=b"one?")
    rig.withdraw(token=token)
    before = rig.everything()
    assert rig.pose(token=token, count=1, question=b"one?") == Posed(1, None)
    assert rig.everything() == before
    rig.pose(token=token, count=2, question=b"two?")
    before = rig.everything()

    assert rig.pose(token=token, count=1, question=b"one?") is None
    assert rig.withdraw(token=token, number=1) == Withdrawn()
    assert rig.everything() == before


@pytest.mark.parametrize("answered", [False, True])
def test_the_question_of_a_lost_attempt_goes_on(rig, answered):
    token = rig.running()
    rig.pose(token=token, count=1, question=b"delete?")
    if answered:
        rig.answer(answer=b"yes", name="n")
    rig.lose(sure=True)
    rig.recover()
    assert rig.status().question == (None if answered else b"delete?")  # nobody runs it, and it is visible
    if not answered:
        assert rig.answer(answer=b"yes", name="n") == "accepted"
    rig.join(wid="w2")
    token = rig.begun(wid="w2").token

    assert rig.orders(token=token).answered == 0  # it has not asked yet
    assert rig.twice("pose", token=token, count=1, question=b"delete?") == (Posed(1, b"yes"),) * 2
    assert rig.orders(token=token).answered == 1


def test_another_question_of_the_next_attempt_is_another(rig):
    token = rig.running()
    rig.pose(token=token, count=1, question=b"delete?")
    rig.answer(answer=b"yes", name="n")
    token = again(rig, token)

    assert rig.pose(token=token, count=1, question=b"keep?") == Posed(2, None)
    assert rig.status().question == b"keep?"
    assert rig.orders(token=token).answered == 0


def test_the_same_question_in_one_attempt_is_another(rig):
    token = rig.running()
    rig.pose(token=token, count=1, question=b"again?")
    rig.answer(answer=b"yes", name="n")

    assert rig.pose(token=token, count=2, question=b"again?") == Posed(2, None)


@pytest.mark.parametrize("settled", [0, 1, 2])
def test_a_checkpoint_with_the_answer_takes_it_out(rig, settled):
    token = rig.running()
    rig.pose(token=token, count=1, question=b"?")
    rig.answer(answer=b"yes", name="n")

    assert rig.twice("mark", token=token, number=1, state=b"s", sent=0, settled=settled) == (True, True)
    token = again(rig, token)
    posed = rig.pose(token=token, count=1, question=b"?")
    assert posed == (Posed(2, None) if settled == 1 else Posed(1, b"yes"))


def test_a_late_copy_of_a_checkpoint_takes_no_answer_out(rig):
    token = rig.running()
    rig.pose(token=token, count=1, question=b"?")
    rig.answer(answer=b"yes", name="n")
    rig.mark(token=token, number=1, state=b"s", sent=0, settled=1)
    rig.pose(token=token, count=2, question=b"?")
    before = rig.everything()

    assert rig.mark(token=token, number=1, state=b"s", sent=0, settled=1) is True
    assert rig.everything() == before


@pytest.mark.parametrize("state", ENDS)
def test_who_has_ended_takes_no_answer(rig, state):
    token = rig.running()
    rig.pose(token=token, count=1, question=b"?")
    rig.settle_one("a", token, state)
    before = rig.everything()

    assert rig.answer(answer=b"late", name="n") == state
    assert rig.status().question is None
    assert rig.everything() == before


def test_an_answer_that_had_arrived_is_accepted_after_the_end_too(rig):
    token = rig.running()
    rig.pose(token=token, count=1, question=b"?")
    rig.answer(answer=b"yes", name="n")
    rig.settle_one("a", token)

    assert rig.answer(answer=b"yes", name="n") == "accepted"
    assert rig.answer(answer=b"no", name="o") == "succeeded"


def test_both_at_once(rig):
    """A task that asks is asked; one reading tells it all."""
    token = rig.running()
    rig.pose(token=token, count=1, question=b"?")
    rig.ask(sender="s", question=b"how far?")
    rig.answer(answer=b"yes", name="n")
    rig.pause_task(name="p", by="ann")

    told = rig.orders(token=token)
    assert (told.count, told.pause, told.answered, told.answer) == (3, True, 1, b"yes")
    assert told.questions == [(1, b"how far?")]


@pytest.mark.parametrize(
    ("field", "garbage"), [("od", "x"), ("qo", "x"), ("qo", "9 9 1"), ("pb", "x"), ("pa", "x"), ("pz", ""), ("qa", "-")]
)
def test_fields_of_garbage_are_read_by_the_worker_all_the_same(rig, field, garbage):
    token = rig.running()
    rig.ask(sender="s", question=b"q")
    rig.raw.hset(rig.keys.task("a"), field, garbage)

    assert rig.orders(token=token).count >= 0
    assert rig.heartbeat(tasks=[("a", token)]).tasks[0].orders >= 0
    assert rig.respond(token=token, answers=[(1, b"a")]) is True
