"""`attach`, in a terminal and without one."""

import contextlib
import json
import re
import signal
import subprocess

import pytest

from taskpy.cli import attach
from tests.cli.conftest import COMMAND
from tests.cli.functions import GATE
from tests.cli.terminal import Terminal

QUESTION = "[s]top it, [d]etach, or [g]o on? "


@pytest.fixture
def obedient(place):
    """A task that runs and answers."""
    task = place.client.submit("cli.obedient")
    assert place.client.attach(task.id).recv(timeout=10) == "ready"
    yield task
    task.stop()


@pytest.fixture
def attached(place, obedient):
    """A terminal that is attached to it."""
    terminal = Terminal(place.environment, "attach", obedient.id)
    terminal.see("cli.obedient is running; Ctrl-C to stop it or to leave\n")
    terminal.see("ready\n")
    yield terminal
    terminal.close()


# -- in a terminal ------------------------------------------------------------------------------


def test_what_is_typed_goes_in_and_what_is_sent_is_seen(attached):
    attached.type('{"only": ["lock", 2]}\n')
    attached.see('{"heard": {"only": ["lock", 2]}}\n')
    attached.type("plain text\n\n")
    attached.see('{"heard": "plain text"}\n')
    attached.type('"end"\n')
    attached.see("it has succeeded: as you wish\n")

    assert attached.ended() == 0
    assert '{"heard": ""}' not in attached.seen


def test_ctrl_c_may_mean_to_go_on(attached):
    attached.type("\x03")
    attached.see(QUESTION)
    attached.type("what?\n")
    attached.see(QUESTION)
    attached.type("g\n")
    attached.type("hello\n")
    attached.see('{"heard": "hello"}\n')
    attached.type("end\n")

    assert attached.ended() == 0
    assert '{"heard": "what?"}' not in attached.seen


def test_ctrl_c_may_mean_to_stop_it(attached, obedient):
    attached.type("\x03")
    attached.see(QUESTION)
    attached.type("S\n")
    attached.see("asked it to stop; waiting for its end, Ctrl-C to leave\n")
    attached.see("it has succeeded: stopped politely\n")

    assert attached.ended() == 0
    assert obedient.snapshot().reason == "stopped by hand"


def test_ctrl_c_may_mean_to_leave(attached, obedient):
    attached.type("\x03")
    attached.see(QUESTION)
    attached.type("detach\n")
    attached.see(f"detached, it goes on; to come back: taskpy attach {obedient.id}\n")

    assert attached.ended() == 0
    assert not obedient.done


def test_a_second_ctrl_c_leaves(attached, obedient):
    attached.type("\x03")
    attached.see(QUESTION)
    attached.type("\x03")
    attached.see("\ndetached, it goes on")

    assert attached.ended() == 130
    assert not obedient.done


def test_what_comes_during_the_question_is_printed_afterwards(attached, obedient):
    attached.type("\x03")
    attached.see(QUESTION)
    obedient.send("meanwhile")
    reader = obedient
    while reader.recv(timeout=10) != {"heard": "meanwhile"}:
        pass
    attached.type("g\n")
    attached.see('{"heard": "meanwhile"}\n')


def test_the_end_ends_the_question(attached, obedient):
    attached.type("\x03")
    attached.see(QUESTION)
    obedient.send("end")
    attached.see("it has succeeded: as you wish\n")

    assert attached.ended() == 0


def test_after_the_end_of_input_it_goes_on(attached, obedient):
    attached.type("\x04")
    obedient.send("from elsewhere")
    attached.see('{"heard": "from elsewhere"}\n')
    attached.type("\x03")
    attached.see("\ndetached, it goes on")

    assert attached.ended() == 130


def test_a_task_that_has_ended_is_not_offered_a_stop(place, obedient):
    obedient.send("end")
    obedient.wait()
    done = place.run("attach", obedient.id, typed="")

    assert done.err == "cli.obedient has ended; this is what it has sent\nit has succeeded: as you wish\n"
    assert done.code == 0


# -- without one --------------------------------------------------------------------------------


def test_lines_from_a_pipe(place, obedient):
    done = place.run("attach", obedient.id, typed='1\n{"a": 2}\n\nlast\nend')

    assert done.code == 0
    assert done.lines == ["ready", '{"heard": 1}', '{"heard": {"a": 2}}', '{"heard": "last"}']
    assert done.err.endswith("it has succeeded: as you wish\n")


def test_lines_of_json(place, obedient):
    done = place.run("attach", obedient.id, "--json", typed="7\nend\n")

    assert [json.loads(line) for line in done.lines] == [
        {"message": "ready", "position": 1},
        {"message": {"heard": 7}, "position": 2},
        {"ended": "succeeded", "result": "as you wish", "unreadable": None, "exception": None},
    ]


@pytest.mark.parametrize(("after", "seen"), [("1", []), ("0", ["ready"]), ("now", [])])
def test_from_a_position_on(place, obedient, after, seen):
    done = place.run("attach", obedient.id, "--after", after, typed="7\nend\n")

    assert done.lines == [*seen, '{"heard": 7}']


def test_more_lines_than_the_inbox_holds(place):
    task = place.client.submit("cli.count", 2500)

    done = place.run("attach", task.id, typed="".join(f"{n}\n" for n in range(2500)))
    assert done.err.endswith(f"it has succeeded: {sum(range(2500))}\n")


def test_a_task_that_fails(place):
    done = place.run("attach", place.client.submit("cli.fail").id, typed="")

    assert (done.code, done.out) == (1, "")
    assert done.err.endswith("it has failed: ValueError: no luck\n")


def test_a_task_that_is_stopped_in_its_queue(place):
    place.client.pause("default")
    task = place.client.submit("cli.add", 1)
    process = subprocess.Popen(
        [*COMMAND, "attach", task.id], env=place.environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr.readline() == "cli.add is queued; Ctrl-C to stop it or to leave\n"
    process.stdin.write("never heard\n")
    process.stdin.flush()
    task.stop()

    assert process.wait(20) == 1
    assert "it was stopped\n" in process.stderr.read()
    process.stdin.close()
    process.stderr.close()


def test_an_interrupt_without_a_terminal_leaves(place):
    task = place.client.submit("cli.held")
    process = subprocess.Popen(
        [*COMMAND, "attach", task.id], env=place.environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert re.match(r"cli.held is (running|queued)", process.stderr.readline())
    process.send_signal(signal.SIGINT)

    assert process.wait(20) == 130
    assert process.stderr.read() == f"detached, it goes on; to come back: taskpy attach {task.id}\n"
    process.stdin.close()
    process.stderr.close()
    GATE.set()


def test_it_runs_in_this_process_too(cli, working):
    task = working.client.submit("cli.obedient")

    done = cli("attach", task.id, typed="1\nend\n")
    assert done.lines == ["ready", '{"heard": 1}']
    assert done.code == 0


# -- questions and pauses -----------------------------------------------------------------------


@pytest.fixture
def asking(place):
    """A task that asks."""
    task = place.client.submit("cli.asks", "Overwrite 3 files?")
    assert task.recv(timeout=10) == "ready"
    yield task
    task.stop()


def test_a_question_is_shown_and_a_line_answers_it(place, asking):
    terminal = Terminal(place.environment, "attach", asking.id)
    terminal.see("it asks: Overwrite 3 files?; type = and a value to answer\n")
    terminal.type("true\n")  # a message: nobody answers by mistake
    terminal.type('={"all": true}\n')
    terminal.see('it has succeeded: {"heard": {"all": true}}\n')

    assert terminal.ended() == 0
    terminal.close()
    assert asking.snapshot().received == 1


def test_without_a_question_such_a_line_is_a_message(attached):
    attached.type("=1\n")
    attached.see('{"heard": "=1"}\n')


def test_an_answer_from_elsewhere_is_no_trouble(place, asking):
    terminal = Terminal(place.environment, "attach", asking.id)
    terminal.see("it asks: Overwrite 3 files?")
    asking.answer("elsewhere")
    terminal.see('it has succeeded: {"heard": "elsewhere"}\n')

    assert terminal.ended() == 0
    terminal.close()


def test_a_pause_is_shown(attached, obedient):
    assert obedient.pause(join=True, timeout=10)
    attached.see("it is paused\n")
    obedient.resume()
    attached.see("it goes on\n")
    attached.type("end\n")

    assert attached.ended() == 0


def test_questions_and_pauses_as_lines_of_json(place, asking):
    begun = subprocess.Popen(
        [*COMMAND, "attach", asking.id, "--json"],
        env=place.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    lines = map(json.loads, begun.stdout)
    question = {"question": {"number": 1, "question": "Overwrite 3 files?"}}
    assert next(line for line in lines if "question" in line) == question
    assert asking.pause(join=True, timeout=10)
    assert next(line for line in lines if "paused" in line) == {"paused": True}
    asking.answer(True)
    asking.resume()
    assert next(line for line in lines if "ended" in line)["result"] == {"heard": True}
    assert begun.wait(10) == 0
    begun.stdout.close()


# -- whoever has left ---------------------------------------------------------------------------


@pytest.mark.parametrize("left", [True, False])
def test_what_is_cut_off_when_the_user_has_left_says_nothing(left):
    session = attach._Session(handle=None, stream=None, as_json=False)
    session._left = left

    def reads():
        raise OSError("Bad file descriptor")

    with contextlib.nullcontext() if left else pytest.raises(OSError):
        session._do(reads)
