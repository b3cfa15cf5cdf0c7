"""`ls`, `show`, `queues`, `workers`: what they say, and what they cost."""

import re
import threading

import pytest

from taskpy import lists
from taskpy.broker import Broker
from taskpy.identity import who
from taskpy.ops import Op

ID = r"[0-9a-f]{24}"


def ids_in(done):
    return re.findall(rf"^({ID})", done.out, re.MULTILINE)


# -- ls -----------------------------------------------------------------------------------------


def test_tasks_of_all_states_and_queues_are_listed(cli, session):
    good, bad = session.client.submit("cli.add", 1), session.client.submit("cli.fail")
    session.drain(raise_on_failure=False)
    ready = session.client.options(queue="high").of("cli.add").submit(2)
    later = session.client.options(delay=300).of("cli.add").submit(3)

    done = cli("ls")
    assert sorted(ids_in(done)) == sorted(task.id for task in (good, bad, ready, later))
    words = {line.split()[0]: line.split()[1:4] for line in done.lines}
    assert words["ID"] == ["STATE", "NAME", "QUEUE"]
    assert words[good.id] == ["succeeded", "cli.add", "default"]
    assert words[bad.id] == ["failed", "cli.fail", "default"]
    assert words[ready.id] == ["queued", "cli.add", "high"]
    assert words[later.id] == ["delayed", "cli.add", "default"]
    assert "in 5m" in done.out
    assert (done.code, done.err) == (0, "")


@pytest.mark.parametrize("state", ["queued", "delayed", "running", "succeeded", "failed", "stopped"])
def test_one_state_is_listed(cli, working, state):
    client = working.client
    tasks = {"succeeded": client.submit("cli.add", 1), "failed": client.submit("cli.fail")}
    tasks |= {"running": client.submit("cli.held"), "delayed": client.options(delay=300).of("cli.add").submit(1)}
    client.pause("slow")
    tasks["queued"] = client.options(queue="slow").of("cli.add").submit(1)
    tasks["stopped"] = client.options(queue="slow").of("cli.add").submit(1)
    tasks["stopped"].stop()
    for name in ("succeeded", "failed"):
        tasks[name].wait(5)
    tasks["running"].wait_begun(5)

    done = cli("ls", "--state", state, "--json")
    assert [task["id"] for task in done.json["tasks"]] == [tasks[state].id]
    assert [task["state"] for task in done.json["tasks"]] == ["queued" if state == "delayed" else state]
    queue = "slow" if state in {"queued", "stopped"} else "default"
    assert ids_in(cli("ls", "-s", state, "-q", queue)) == [tasks[state].id]
    assert cli("ls", "-s", state, "-q", "other").err.startswith(f"No {state} tasks of queue 'other' in namespace ")


def test_a_task_that_was_asked_to_stop(cli, working):
    task = working.client.submit("cli.held")
    task.wait_begun(5)
    task.stop(join=False, reason="enough")

    assert re.search(rf"{task.id}  stopping .*enough$", cli("ls").out, re.MULTILINE)
    [found] = cli("ls", "--json").json["tasks"]
    assert (found["state"], found["stopping"], found["reason"]) == ("running", True, "enough")


def test_pages(cli, session):
    tasks = [session.client.submit("cli.add", n).id for n in range(lists.PAGE + 3)]
    tasks.reverse()

    first, second = cli("ls", "-s", "queued", "-q", "default"), cli("ls", "-s", "queued", "-q", "default", "-p", "2")
    assert ids_in(first) == tasks[: lists.PAGE]
    assert first.err == "There are more: --page 2\n"
    assert (ids_in(second), second.err) == (tasks[lists.PAGE :], "")
    assert cli("ls", "-p", "3").err == "No tasks on this page.\n"
    assert cli("ls", "--json").json["more"] is True
    assert cli("ls", "--json", "-p", "2").json["more"] is False
    assert cli("ls", "-p", "0").code == 2


def test_an_empty_namespace_says_where_it_looked(cli, session):
    done = cli("ls")

    assert (done.code, done.out) == (0, "")
    assert done.err == f"No tasks in namespace 'taskpy' on {session.url} (TASKPY_REDIS_URL).\n"
    assert cli("--namespace", "other", "ls").err.startswith("No tasks in namespace 'other' on ")
    assert cli("ls", "--json").json == {"tasks": [], "page": 1, "more": False}


@pytest.mark.parametrize(
    ("arguments", "trips"),
    [
        (["-s", "queued", "-q", "default"], 2),
        (["-s", "failed"], 2),
        (["-s", "delayed"], 2),
        (["-s", "stopped", "-q", "default"], 2),
        (["-s", "running"], 3),
        (["-s", "queued"], 3),
        ([], 3),
    ],
)
def test_a_list_costs_one_page(cli, session, monkeypatch, arguments, trips):
    session.client.submit("cli.fail")
    session.client.submit("cli.add", 1).stop()
    session.drain(raise_on_failure=False)
    for queue in ("default", "high", "low"):
        for n in range(lists.PAGE + 10):
            session.client.options(queue=queue, delay=n % 2 * 300).of("cli.add").submit(n)
    taken, here = [], threading.get_ident()  # where the tests of the library run, their worker has a thread of its own
    for name in ("run", "run_many"):
        whole = getattr(Broker, name)

        def noting(self, op, whole=whole):
            taken.extend([op] if threading.get_ident() == here else [])
            return whole(self, op)

        monkeypatch.setattr(Broker, name, noting)

    assert cli("ls", *arguments).code == 0
    assert 2 <= len(taken) <= trips
    for taken_ops in taken:
        for op in [taken_ops] if isinstance(taken_ops, Op) else taken_ops:
            assert len(op.keys) <= lists.SEARCHED
    monkeypatch.undo()


# -- show ---------------------------------------------------------------------------------------


def test_all_that_is_known_of_a_task(cli, session):
    task = session.client.submit("cli.flaky")
    session.drain()

    done = cli("show", task.id)
    assert done.lines[0] == f"cli.flaky  {task.id}"
    assert re.fullmatch(r"succeeded \d+s ago, after \d+ ms", done.lines[1])
    assert "attempts   2 (1 retry)" in done.lines
    story = done.out.partition("timeline\n")[2]
    assert re.findall(r"(?:ms|s|\d\d:\d\d)  +([a-z].*)", story)[:4] == [
        "submitted",
        f"failed on {task.snapshot().worker}, to be tried again",
        "attempt 2 started",
        "succeeded",
    ]
    assert done.out.endswith("\nresult\n  done\n")
    assert (done.code, done.err) == (0, "")


def test_what_a_failed_task_shows(cli, session):
    task = session.client.submit("cli.fail", why="\x1b[2J")
    session.drain(raise_on_failure=False)

    out = cli("show", task.id).out
    assert "\nexception\n  ValueError: \\x1b[2J\n" in out
    assert "  Traceback (most recent call last):\n" in out
    assert "raise ValueError(why)" in out
    assert "\x1b" not in out


def test_arguments_are_shown_on_request_only(cli, session):
    task = session.client.submit("cli.echo", "hunter2", password="hunter2")

    for arguments in ([], ["--json"]):
        assert "hunter2" not in cli("show", task.id, *arguments).out
    assert cli("show", task.id, "--args").out.endswith('\narguments\n  "hunter2"\n  password="hunter2"\n')
    found = cli("show", task.id, "--args", "--json").json
    assert (found["args"], found["kwargs"]) == (["hunter2"], {"password": "hunter2"})


def test_a_task_that_nobody_takes_says_why(cli, session):
    session.client.pause("low")
    paused = session.client.options(queue="low").of("cli.add").submit(1)

    out = cli("show", paused.id).out
    assert "queued: it waits for a worker; submitted 0s ago" in out
    assert "queue      low; paused 0s ago; no worker serves it" in out


def test_a_delayed_task_says_when(cli, session):
    task = session.client.options(delay=300).of("cli.add").submit(1)

    assert "delayed: it is due in 5m, at 2" in cli("show", task.id).out
    assert cli("show", task.id, "--json").json["due"] == pytest.approx(session.clock.time() + 300, abs=5)


def test_a_task_with_a_key_says_so_and_whose_end_it_waits_for(cli, working):
    old = working.client.options(key="user:7").of("cli.held").submit()
    old.wait_begun(20)
    new = working.client.options(key="user:7", on_conflict="replace").of("cli.add").submit(1)

    assert "key        user:7\n" in cli("show", old.id).out
    assert f"queued: it begins after the end of {old.id}\n" in cli("show", new.id).out
    found = cli("show", new.id, "--json").json
    assert (found["key"], found["behind"]) == ("user:7", old.id)


def test_a_stop_is_told_with_its_reason(cli, working):
    task = working.client.submit("cli.held")
    task.wait_begun(5)
    task.stop(join=False, reason="too slow")

    out = cli("show", task.id).out
    assert "; asked to stop: too slow\n" in out
    assert "  asked to stop: too slow\n" in out


def test_who_asked_for_a_stop_and_what_follows(cli, working):
    task = working.client.submit("cli.held")
    task.wait_begun(5)
    task.stop(join=False, reason="too \x1bslow", grace=300, then="kill")

    assert (
        f"\nstop       by {who()}: too \\x1bslow; Stopped is raised inside it in 5m, and then it is ended by force\n"
        in cli("show", task.id).out
    )
    stop = cli("show", task.id, "--json").json["stop"]
    assert stop.pop("deadline") == pytest.approx(working.clock.time() + 300, abs=5)
    assert stop == {"reason": "too \x1bslow", "by": who(), "then": "kill", "note": ""}


def test_that_it_was_raised_is_told(cli, working):
    task = working.client.submit("cli.deaf")
    task.wait_begun(5)
    task.stop(join=False, grace=0, then="raise")

    assert f"\nstop       by {who()}; Stopped was raised inside it 0s ago\n" in cli("show", task.id).out


def test_how_it_was_stopped(cli, session):
    task = session.client.submit("cli.add", 1)
    assert cli("show", task.id, "--json").json["stop"] is None
    assert "\nstop " not in cli("show", task.id).out
    task.stop()

    assert f"\nstop       by {who()} (stopped in its queue)\n" in cli("show", task.id).out
    assert cli("show", task.id, "--json").json["stop"] == {
        "reason": "",
        "by": who(),
        "then": None,
        "deadline": None,
        "note": "stopped in its queue",
    }


def test_a_checkpoint_is_shown_with_its_size(cli, working):
    task = working.client.submit("cli.summer")
    task.wait_begun(5)
    assert cli("show", task.id, "--json").json["checkpoint"] is None
    for number in (1, 2):
        task.send(number)
        task.recv(timeout=5)

    found = re.search(
        r"^checkpoint its state has (\d+) bytes; 2 acknowledgements so far$", cli("show", task.id).out, re.MULTILINE
    )
    assert cli("show", task.id, "--json").json["checkpoint"] == {"size": int(found[1]), "acknowledgements": 2}
    task.send(0)
    task.wait(5)
    assert "checkpoint " in cli("show", task.id).out  # it has failed: it may be looked into


def test_the_checkpoint_goes_with_the_end(cli, working):
    task = working.client.submit("cli.summer")
    task.send(1)
    assert task.recv(timeout=5) == 1
    assert task.stop(timeout=5) == "succeeded"

    assert "checkpoint" not in cli("show", task.id).out
    assert cli("show", task.id, "--json").json["checkpoint"] is None


def test_messages_are_counted(cli, working):
    task = working.client.submit("cli.obedient")
    assert task.recv(timeout=5) == "ready"
    task.send("hello")
    task.recv(timeout=5)

    assert "messages   1 received, 2 sent" in cli("show", task.id).out
    assert cli("show", task.id, "--json").json["messages"] == {"received": 1, "acknowledged": 0, "sent": 2}
    task.stop()


def test_an_unknown_task_is_never_called_pending(cli, session):
    done = cli("show", "nobody")

    assert (done.code, done.out) == (3, "")
    assert "no task nobody in namespace 'taskpy'" in done.err
    assert "it never existed, or its result has expired" in done.err


def test_the_json_of_a_task_has_all_its_parts(cli, session):
    task = session.client.submit("cli.fail")
    session.drain(raise_on_failure=False)
    heir = session.client.revive(task.id)

    found = cli("show", task.id, "--json").json
    assert found["exception"]["type"] == "ValueError"
    assert found["heir"] == heir.id
    assert [event["word"] for event in found["events"]] == ["revive"]
    assert cli("show", heir.id, "--json").json["origin"] == task.id
    assert f"submitted again as {heir.id}" in cli("show", task.id).out
    assert f"origin     {task.id}, which had failed" in cli("show", heir.id).out
    assert found.keys() == {
        *("id", "state", "name", "queue", "attempt", "retries", "lost", "stopping", "reason", "worker", "submitted"),
        *("started", "ended", "due", "unknowns", "restarts", "keep", "paused", "origin", "heir", "messages", "events"),
        *("key", "behind", "parent", "children"),
        *("result", "unreadable", "exception", "args", "kwargs", "progress", "logged", "log", "stop", "checkpoint"),
        *("flags", "question", "pause"),
    }
    session.drain(raise_on_failure=False)


# -- queues and workers -------------------------------------------------------------------------


def test_queues_are_listed_with_what_is_wrong_with_them(cli, working):
    working.client.pause("held-back")
    working.client.options(queue="held-back").of("cli.add").submit(1)
    working.client.submit("cli.add", 1).wait(5)
    lonely = working.client.space
    lonely.broker.run(Op("rpush", ("RPUSH", lonely.keys.queue("lonely"), "x"), None, (), (), lambda _: None))
    lonely.broker.run(Op("sadd", ("SADD", lonely.keys.queues(), "lonely"), None, (), (), lambda _: None))

    rows = {line.split()[0]: line for line in cli("queues", "ls").lines}
    assert rows["QUEUE"].split() == ["QUEUE", "READY", "WORKERS", "OLDEST", "STATE"]
    assert re.fullmatch(r"default +0 +\d", rows["default"])
    assert re.fullmatch(r"held-back +1 +\d +\ds ago  paused", rows["held-back"])
    assert re.fullmatch(r"lonely +1 +0 +no worker", rows["lonely"])
    found = {queue["name"]: queue for queue in cli("queues", "ls", "--json").json["queues"]}
    assert found["default"] | {"workers": 0} == {
        "name": "default",
        "ready": 0,
        "workers": 0,
        "oldest": None,
        "paused": None,
    }
    assert found["held-back"]["paused"] == pytest.approx(working.clock.time(), abs=5)


def test_one_queue_with_its_tasks(cli, session):
    ready = session.client.options(queue="high").of("cli.add").submit(1)
    later = session.client.options(queue="high", delay=60).of("cli.add").submit(1)

    done = cli("queues", "show", "high")
    assert re.match(r"high  1 ready, 0 workers, the next was submitted \ds ago\n", done.out)
    assert ids_in(done) == [ready.id, later.id]
    found = cli("queues", "show", "high", "--json").json
    assert ([task["id"] for task in found["ready"]], [task["id"] for task in found["delayed"]]) == (
        [ready.id],
        [later.id],
    )
    missing = cli("queues", "show", "nobody")
    assert (missing.code, missing.out) == (3, "")
    assert "nothing was ever submitted to it" in missing.err


def test_no_queues_and_no_workers(cli, session):
    assert cli("queues", "ls").err.startswith("No queues in namespace 'taskpy'")
    assert cli("queues", "ls", "--json").json == {"queues": []}
    assert cli("--namespace", "other", "workers").err.endswith("start one: taskpy-worker yourmodule\n")
    assert cli("--namespace", "other", "workers", "--json").json == {"workers": []}


def test_workers_are_listed(cli, working):
    task = working.client.submit("cli.held")
    task.wait_begun(5)

    found = cli("workers", "--json").json["workers"]
    assert sum(worker["running"] for worker in found) == 1
    assert not any(worker["lost"] for worker in found)
    head, *rows = cli("workers").lines
    assert head.split()[:3] == ["HOST", "PID", "QUEUES"]
    assert any(re.search(r" 1/\d", row) for row in rows)
