"""`pause`, `resume`, `ask` and `answer`; and what lists show of it."""

import pytest

from tests.cli.functions import GATE
from tests.system.waiting import until


@pytest.fixture
def knowing(working):
    """A task that runs, and answers."""
    task = working.client.submit("cli.knows")
    assert task.recv(timeout=5) == "ready"
    yield task
    task.stop()


@pytest.fixture
def asking(working):
    """A task that asks."""
    task = working.client.submit("cli.asks", "Overwrite 3 files?")
    until(lambda: task.question, "the question")
    yield task
    task.stop()


def state_in(done, task):
    [line] = [line for line in done.lines if line.startswith(task.id)]
    return line.split()[1]


# -- pause and resume ---------------------------------------------------------------------------


def test_a_task_is_paused_and_resumed(cli, knowing):
    done = cli("pause", knowing.id)
    assert (done.code, done.out, done.err) == (0, f"{knowing.id}  paused\n", "")
    assert state_in(cli("ls"), knowing) == "paused"
    [listed] = cli("ls", "--json").json["tasks"]
    assert (listed["state"], listed["flags"]) == ("running", ["paused"])
    shown = cli("show", knowing.id)
    assert "; paused\n" in shown.out
    assert "pause      asked for " in shown.out
    assert "  asked to pause by " in shown.out
    assert cli("show", knowing.id, "--json").json["pause"]["by"]

    done = cli("resume", knowing.id)
    assert (done.code, done.out, done.err) == (0, f"{knowing.id}  goes on\n", "")
    assert state_in(cli("ls"), knowing) == "running"
    shown = cli("show", knowing.id)
    assert "paused" not in shown.out
    assert "  resumed by " in shown.out
    assert cli("show", knowing.id, "--json").json["pause"] is None


def test_one_that_was_not_paused_is_resumed(cli, knowing):
    done = cli("resume", knowing.id)

    assert (done.code, done.out) == (0, f"{knowing.id}  was not paused\n")


def test_one_that_does_not_look_pauses_later(cli, working):
    task = working.client.submit("cli.held")
    task.wait_begun(5)

    done = cli("pause", task.id, "--timeout", "50ms")
    assert (done.code, done.out) == (124, f"{task.id}  asked to pause\n")
    assert cli("pause", task.id, "--no-wait").code == 0
    assert state_in(cli("ls"), task) == "pausing"
    assert "; asked to pause\n" in cli("show", task.id).out
    GATE.set()
    task.wait(5)


def test_one_that_waits_in_its_queue_is_not_waited_for(cli, session):
    task = session.client.submit("cli.add", 1)

    done = cli("pause", task.id)
    assert (done.code, done.out) == (0, f"{task.id}  asked to pause\n")
    assert state_in(cli("ls"), task) == "pausing"


def test_an_ended_or_unknown_one_is_neither_paused_nor_resumed(cli, session):
    task = session.client.submit("cli.add", 1)
    session.drain()

    for command in "pause", "resume":
        done = cli(command, task.id)
        assert (done.code, done.out) == (1, f"{task.id}  has succeeded\n")
        done = cli(command, "nobody", task.id)
        assert (done.code, done.out) == (3, f"{task.id}  has succeeded\n")
        assert "no task nobody" in done.err


def test_several_are_paused_and_resumed(cli, working, knowing):
    other = working.client.submit("cli.knows")

    assert cli("pause", knowing.id, other.id).lines == [f"{knowing.id}  paused", f"{other.id}  paused"]
    assert cli("resume", knowing.id, other.id).code == 0
    other.stop()


# -- ask ----------------------------------------------------------------------------------------


def test_a_task_is_asked(cli, knowing):
    assert cli("ask", knowing.id, "estimate").out == '{"left": 12}\n'
    assert cli("ask", knowing.id, "twice", "21").out == "42\n"
    assert cli("ask", knowing.id, "twice", "ab", "--json").json == {"answer": "abab"}


def test_a_paused_task_is_asked(cli, knowing):
    cli("pause", knowing.id)

    assert cli("ask", knowing.id, "estimate", "--timeout", "5").out == '{"left": 12}\n'


def test_what_it_does_not_answer(cli, knowing):
    done = cli("ask", knowing.id, "weather")
    assert (done.code, done.out) == (1, "")
    assert "'estimate', 'twice'" in done.err
    done = cli("ask", knowing.id, "twice", "{}")
    assert done.code == 1
    assert "TypeError" in done.err
    assert cli("ask", knowing.id, "no topic").code == 2
    assert cli("ask", "nobody", "estimate").code == 3


def test_who_asks_waits_so_long(cli, working):
    task = working.client.submit("cli.held")
    task.wait_begun(5)

    assert cli("ask", task.id, "estimate", "--timeout", "50ms").code == 124
    GATE.set()
    task.wait(5)
    assert cli("ask", task.id, "estimate").code == 1


# -- answer -------------------------------------------------------------------------------------


def test_a_question_is_shown_and_answered(cli, asking):
    assert state_in(cli("ls"), asking) == "waiting"
    shown = cli("show", asking.id)
    assert "; it asks, and waits for an answer\n" in shown.out
    assert f"asks       Overwrite 3 files?  (taskpy answer {asking.id} VALUE)\n" in shown.out
    assert cli("show", asking.id, "--json").json["question"] == {"number": 1, "question": "Overwrite 3 files?"}
    assert cli("answer", asking.id).out == "Overwrite 3 files?\n"

    done = cli("answer", asking.id, "true")
    assert (done.code, done.out, done.err) == (0, "", "answered: Overwrite 3 files?\n")
    assert asking.get(timeout=5) == {"heard": True}
    assert "Overwrite" not in cli("show", asking.id).out


def test_a_question_as_json(cli, asking, knowing):
    question = {"question": {"number": 1, "question": "Overwrite 3 files?"}}
    assert cli("answer", asking.id, "--json").json == question
    assert cli("answer", knowing.id, "--json").json == {"question": None}
    assert cli("answer", asking.id, "yes", "--number", "1", "--json").json == question
    assert asking.get(timeout=5) == {"heard": "yes"}


def test_what_is_not_asked_is_not_answered(cli, asking, knowing):
    done = cli("answer", knowing.id)
    assert (done.code, done.out, done.err) == (1, "", "it asks nothing\n")
    assert cli("answer", knowing.id, "1").code == 1
    assert cli("answer", asking.id, "1", "--number", "7").code == 1
    assert cli("answer", asking.id, "1", "--number", "0").code == 2
    assert cli("answer", "nobody", "1").code == 3
    assert asking.question is not None
