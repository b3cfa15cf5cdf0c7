"""`submit` and `wait`."""

import json

import pytest

from tests.cli.functions import GATE


def test_a_task_is_submitted_by_its_name(cli, session):
    done = cli("submit", "cli.echo", "1", "two", "a=3", "b=x y", "--", "-4")

    assert (done.code, done.err) == (0, "")
    [task] = session.drain()
    assert done.out == f"{task.id}\n"
    assert task.result == [[1, "two", -4], {"a": 3, "b": "x y"}]


def test_its_options_go_along(cli, session):
    done = cli("submit", "cli.add", "1", "-q", "high", "--delay", "5m", "--retries", "3", "--keep", "1d", "--json")

    [task] = session.submitted("cli.add")
    assert done.json == {"id": task.id, "name": "cli.add", "queue": "high"}
    options = task.options
    assert (options.queue, options.delay, options.retries, options.keep) == ("high", 300, 3, 86400)


def test_a_second_task_with_a_key_is_refused_or_that_of_another(cli, session):
    first = cli("submit", "cli.add", "1", "--key", "user:7").out.strip()

    refused = cli("submit", "cli.add", "2", "--key", "user:7")
    assert (refused.code, refused.out) == (1, "")
    assert f"task {first} has the key 'user:7'" in refused.err
    joined = cli("submit", "cli.add", "2", "--key", "user:7", "--on-conflict", "join")
    assert (joined.code, joined.out) == (0, f"{first}\n")
    again = cli("submit", "cli.add", "2", "--key", "user:7", "--on-conflict", "join", "--json").json
    assert again == {"id": first, "name": "cli.add", "queue": "default", "joined": True}
    newest = cli("submit", "cli.add", "3", "--key", "user:7", "--on-conflict", "replace", "--json").json
    assert newest["joined"] is False
    [task] = session.drain()
    assert (task.id, task.result) == (newest["id"], 3)


def test_the_default_queue_has_a_name(cli, session):
    assert cli("submit", "cli.add", "1", "--json").json["queue"] == "default"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cli add"], "is not a task name"),
        (["cli.add", "a=1", "a=2"], "'a' is given twice"),
        (["cli.add", "--queue", "two words"], "is not a queue"),
        (["cli.add", "--delay", "soon"], "write 90, 1.5, 250ms"),
        (["cli.add", "--retries", "-1"], "-1 is not in the range"),
        (["cli.add", "--key", ""], "key must be a text of 1 to 200 characters"),
        (["cli.add", "--on-conflict", "join"], "say key="),
        (["cli.add", "--timeout", "5"], "--timeout is for --wait"),
        ([], "Missing argument 'NAME'"),
    ],
)
def test_wrong_usage_is_said(cli, session, arguments, said):
    done = cli("submit", *arguments)

    assert done.code == 2
    assert said in done.err
    assert done.out == ""
    session.refute_submitted()


def test_submit_and_wait(cli, working):
    done = cli("submit", "cli.add", "2", "b=3", "--wait")

    assert (done.code, done.out) == (0, "5\n")
    assert done.err.startswith("submitted ")


def test_the_result_of_one_task_is_all_that_is_printed(cli, working):
    task = working.client.submit("cli.echo", "x", y=[1, 2])

    assert cli("wait", task.id) == cli("wait", task.id, "--timeout", "5")
    assert cli("wait", task.id).out == '[["x"], {"y": [1, 2]}]\n'


def test_text_is_printed_as_it_is_but_for_what_steers_the_terminal(cli, working):
    done = cli("submit", "cli.text", "--wait")

    assert done.out == "two\nlines, \\x1b[31mred\\x1b[0m and \\u202etxt.exe\n"


def test_a_failure_is_said_on_standard_error(cli, working):
    done = cli("submit", "cli.fail", "too late", "--wait")

    assert (done.code, done.out) == (1, "")
    assert "failed: ValueError: too late" in done.err
    assert "Traceback" not in done.err


def test_a_stopped_task_has_not_succeeded(cli, session):
    task = session.client.submit("cli.add", 1)
    task.stop()

    done = cli("wait", task.id)
    assert (done.code, done.out, done.err) == (1, "", f"task {task.id} was stopped\n")


def test_waiting_ends_with_its_time(cli, working):
    task = working.client.submit("cli.held")
    task.wait_begun(5)

    done = cli("wait", task.id, "--timeout", "50ms")
    assert (done.code, done.out) == (124, "")
    assert done.err == f"task {task.id} is running; the time is over, it goes on\n"
    GATE.set()


def test_an_unknown_id(cli, session):
    done = cli("wait", "nobody")

    assert (done.code, done.out) == (3, "")
    assert "it never existed, or its result has expired" in done.err


def test_an_id_that_cannot_be_one(cli, session):
    assert cli("wait", "no id").code == 2


def test_several_are_listed_in_the_order_given(cli, session):
    tasks = [
        session.client.submit("cli.add", 1),
        session.client.submit("cli.fail"),
        session.client.submit("cli.add", 5),
    ]
    session.drain(raise_on_failure=False)

    done = cli("wait", *(task.id for task in tasks))
    assert done.lines == [
        f"{tasks[0].id}  succeeded  1",
        f"{tasks[1].id}  failed     ValueError: no luck",
        f"{tasks[2].id}  succeeded  5",
    ]
    assert done.code == 1


def test_what_is_not_there_counts_more_than_what_failed(cli, session):
    failed, waits = session.client.submit("cli.fail"), session.client.options(delay=60).of("cli.add").submit(1)
    session.drain(raise_on_failure=False)

    assert cli("wait", failed.id, waits.id, "--timeout", "10ms").code == 124
    assert cli("wait", failed.id, waits.id, "nobody", "--timeout", "10ms").code == 3


def test_a_line_of_json_for_each(cli, session):
    good, bad, late = (session.client.submit(name, 1) for name in ("cli.add", "cli.fail", "cli.add"))
    session.drain(until=lambda: bad.done, raise_on_failure=False)

    done = cli("wait", good.id, bad.id, late.id, "--timeout", "10ms", "--json")
    first, second, third = map(json.loads, done.lines)
    nothing = {"result": None, "unreadable": None, "exception": None}
    assert first == nothing | {"id": good.id, "state": "succeeded", "done": True, "result": 1}
    assert second["exception"]["type"] == "ValueError"
    assert "raise ValueError(why)" in second["exception"]["traceback"]
    assert third == nothing | {"id": late.id, "state": "queued", "done": False}
    assert done.code == 124
    session.drain()
