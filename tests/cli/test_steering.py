"""`send`, `recv`, `stop`, `retry`, `dead`, and what is done to queues."""

import json

import pytest

from taskpy.identity import who
from tests.cli.functions import GATE
from tests.cli.terminal import Terminal


@pytest.fixture
def obedient(working):
    """A task that runs and listens."""
    task = working.client.submit("cli.obedient")
    assert working.client.attach(task.id).recv(timeout=5) == "ready"
    yield task
    task.stop()


# -- mail ---------------------------------------------------------------------------------------


def test_a_value_is_sent_and_the_answer_received(cli, obedient):
    assert cli("send", obedient.id, '{"only": "lock"}') == cli("send", obedient.id, "plain text")

    done = cli("recv", obedient.id, "--count", "3")
    assert (done.code, done.err) == (0, "")
    assert done.lines == ["ready", '{"heard": {"only": "lock"}}', '{"heard": "plain text"}']


def test_messages_as_lines_of_json(cli, obedient):
    cli("send", obedient.id, "1")

    lines = cli("recv", obedient.id, "-n", "2", "--json").lines
    assert [json.loads(line) for line in lines] == [
        {"message": "ready", "position": 1},
        {"message": {"heard": 1}, "position": 2},
    ]


def test_recv_without_an_option_does_not_wait(cli, obedient):
    done = cli("recv", obedient.id)

    assert (done.code, done.lines) == (0, ["ready"])


def test_recv_waits_so_long_for_the_next(cli, obedient):
    done = cli("recv", obedient.id, "--timeout", "50ms")

    assert (done.code, done.lines) == (124, ["ready"])


def test_recv_follows_to_the_end(cli, working):
    task = working.client.submit("cli.talker", 3)

    done = cli("recv", task.id, "--follow")
    assert (done.code, done.lines, done.err) == (0, ["0", "1", "2"], "")


def test_a_task_that_ends_too_early(cli, working):
    task = working.client.submit("cli.talker", 2)

    done = cli("recv", task.id, "--count", "3")
    assert (done.code, done.lines) == (1, ["0", "1"])
    assert done.err == "the task has ended (succeeded), and has sent 2 of 3 messages\n"


def test_messages_that_are_gone_are_not_passed_over_in_silence(cli, working):
    from taskpy import spec

    task = working.client.submit("cli.talker", spec.OUTBOX_LIMIT + 5)
    task.wait(20)

    done = cli("recv", task.id)
    assert done.lines == [str(n) for n in range(5, spec.OUTBOX_LIMIT + 5)]


def test_a_full_inbox(cli, session):
    from taskpy import spec

    task = session.client.submit("cli.obedient")
    for n in range(spec.INBOX_LIMIT):
        task.send(n)

    done = cli("send", task.id, "more", "--timeout", "10ms")
    assert done.code == 124
    assert "inbox stayed full" in done.err
    task.stop()


def test_nothing_is_sent_to_a_task_that_has_ended(cli, session):
    task = session.client.submit("cli.add", 1)
    session.drain()

    done = cli("send", task.id, "x")
    assert (done.code, done.err) == (1, "Error: the task has ended (succeeded)\n")


@pytest.mark.parametrize(
    "command", [["send", "nobody", "x"], ["recv", "nobody"], ["attach", "nobody"], ["stop", "nobody"]]
)
def test_nobody_is_steered(cli, session, command):
    done = cli(*command)

    assert (done.code, done.out) == (3, "")
    assert "no task nobody" in done.err


def test_each_inbox_has_its_own(cli, working):
    task = working.client.submit("cli.sorter")

    sent = [cli("send", task.id, value, "--to", inbox, "--json") for value, inbox in (("2", "second"), ("1", "first"))]
    assert [done.json for done in sent] == [{"number": 1}, {"number": 2}]
    assert cli("send", task.id, "3").out == ""
    assert task.get(5) == [1, 2, 3]


def test_an_inbox_that_cannot_be_one(cli, obedient):
    done = cli("send", obedient.id, "1", "--to", "{x}")

    assert (done.code, done.out) == (2, "")
    assert "inbox" in done.err


def test_recv_goes_on_behind_a_position(cli, working):
    task = working.client.submit("cli.talker", 5)
    task.wait(5)

    first = [json.loads(line) for line in cli("recv", task.id, "-n", "2", "--json").lines]
    assert cli("recv", task.id, "--after", str(first[-1]["position"])).lines == ["2", "3", "4"]
    assert cli("recv", task.id, "--after", "5", "--follow").lines == []
    assert cli("recv", task.id, "--after", "0", "--count", "1").lines == ["0"]


def test_recv_from_now_on(place):
    task = place.client.submit("cli.obedient")
    assert task.recv(timeout=10) == "ready"
    assert place.run("recv", task.id, "--after", "now").lines == []
    reader = place.begin("recv", task.id, "--after", "now", "--follow", "--timeout", "20s", "--json")
    number = 0
    try:
        while not reader.first_line(seconds=0.2):  # until it has begun to read
            number += 1
            task.send(number)
            assert task.recv(timeout=10) == {"heard": number}
        first = json.loads(reader.first_line())
    finally:
        reader.close()
    assert first["message"]["heard"] == first["position"] - 1 > 0
    task.stop()


@pytest.mark.parametrize("command", ["recv", "attach"])
@pytest.mark.parametrize("wrong", ["-1", "1.5", "then", "²"])
def test_a_place_that_is_none(cli, session, command, wrong):
    done = cli(command, "any", "--after", wrong)

    assert (done.code, done.out) == (2, "")
    assert "write 0, 12 or now" in done.err


def test_messages_missed_behind_a_position_are_told(cli, working):
    from taskpy import spec

    task = working.client.submit("cli.talker", spec.OUTBOX_LIMIT + 5)
    task.wait(20)

    done = cli("recv", task.id, "--after", "2")
    assert done.lines == [str(n) for n in range(5, spec.OUTBOX_LIMIT + 5)]
    assert "3" in done.err


# -- stop ---------------------------------------------------------------------------------------


def test_a_running_task_is_stopped(cli, obedient):
    done = cli("stop", obedient.id, "--reason", "enough")

    assert (done.code, done.out) == (0, f"{obedient.id}  succeeded  by {who()}: enough\n")
    assert obedient.snapshot().reason == "enough"


def test_a_waiting_task_is_stopped_at_once(cli, session):
    task = session.client.submit("cli.add", 1)

    stopped = f"{task.id}  stopped  by {who()} (stopped in its queue)\n"
    assert cli("stop", task.id).out == stopped
    assert cli("stop", task.id, "--reason", "the first one counts").out == stopped


def test_only_asked(cli, working):
    task = working.client.submit("cli.held")
    task.wait_begun(5)

    done = cli("stop", task.id, "--no-wait")
    assert (done.code, done.out) == (0, f"{task.id}  asked to stop  by {who()}\n")
    late = cli("stop", task.id, "--timeout", "10ms")
    assert (late.code, late.out) == (124, f"{task.id}  asked to stop  by {who()}\n")
    GATE.set()


@pytest.fixture
def begun(working):
    """Begins a task that says when it is ready."""

    def begin(name):
        task = working.client.submit(name)
        assert working.client.attach(task.id).recv(timeout=5) == "ready"
        return task

    return begin


def test_one_that_looks_at_nothing_is_stopped_by_raise(cli, begun):
    task = begun("cli.busy")

    done = cli("stop", task.id, "--then", "raise", "--grace", "50ms", "--reason", "enough", "--timeout", "20s")
    assert (done.code, done.out) == (0, f"{task.id}  stopped  by {who()}: enough\n")


def test_one_that_ends_for_nobody_is_stopped_by_kill(cli, begun):
    task = begun("cli.stubborn")

    done = cli("stop", task.id, "--then", "kill", "--grace", "0", "--timeout", "20s")
    assert done.code == 0
    assert f"{task.id}  stopped  by {who()} (its function did not end, and still runs in worker " in done.out


def test_what_follows_does_so_when_nobody_waits(cli, begun):
    task = begun("cli.busy")

    assert cli("stop", task.id, "--then", "raise", "--grace", "0", "--no-wait").code == 0
    assert task.wait(20)
    assert task.state == "stopped"


@pytest.mark.parametrize(("options", "grace"), [([], 10), (["--grace", "5m"], 300)])
def test_a_grace_time_is_given(cli, working, options, grace):
    task = working.client.submit("cli.held")
    task.wait_begun(5)

    cli("stop", task.id, "--no-wait", "--then", "kill", *options)
    found = task.snapshot()
    assert found.follows == "kill"
    assert found.deadline == pytest.approx(working.clock.time() + grace, abs=5)


def test_one_that_had_ended_was_stopped_by_nobody(cli, session):
    task = session.client.submit("cli.add", 1)
    session.drain()

    assert cli("stop", task.id, "--then", "kill").out == f"{task.id}  succeeded\n"


@pytest.mark.parametrize("options", [["--grace", "5"], ["--then", "shout"], ["--then", "kill", "--grace", "-1"]])
def test_a_grace_time_for_nothing(cli, session, options):
    task = session.client.submit("cli.add", 1)
    done = cli("stop", task.id, *options)

    assert (done.code, done.out) == (2, "")
    assert "--then" in done.err or "--grace" in done.err
    assert task.stop_reason is None
    task.stop()


def test_a_reason_cannot_steer_the_terminal(cli, session):
    task = session.client.submit("cli.add", 1)

    assert cli("stop", task.id, "--reason", "\x1b[2J").out.endswith(": \\x1b[2J (stopped in its queue)\n")


def test_several_are_stopped_on_yes_only(cli, session):
    tasks = [session.client.submit("cli.add", n) for n in range(2)]
    ids = [task.id for task in tasks]

    refused = cli("stop", *ids)
    assert (refused.code, refused.out) == (2, "")
    assert "Stop 2 tasks? Nobody is there to ask: say --yes." in refused.err
    assert not tasks[0].done
    done = cli("stop", *ids, "nobody", "--yes")
    assert done.lines == [f"{id}  stopped  by {who()} (stopped in its queue)" for id in ids]
    assert done.code == 3


# -- retry and the dead letters -----------------------------------------------------------------


@pytest.fixture
def failed(session):
    """Three tasks that have failed."""
    tasks = [session.client.submit("cli.fail", f"reason {n}") for n in range(3)]
    session.drain(raise_on_failure=False)
    return tasks


def test_retry_prints_the_new_id(cli, session, failed):
    done = cli("retry", failed[0].id)

    [again] = session.client.tasks(state="queued")
    assert done.out == f"{again.id}\n"
    assert session.client.about(again.id).task.origin == failed[0].id
    twice = cli("retry", failed[0].id)
    assert (twice.code, twice.out) == (1, "")
    assert "is revived; only a failed task can be revived, and only once" in twice.err
    assert cli("retry", "nobody").code == 3


def test_dead_letters_with_their_exceptions(cli, failed):
    lines = cli("dead", "ls").lines

    assert lines[0].split() == ["ID", "NAME", "QUEUE", "FAILED", "ATTEMPT", "EXCEPTION"]
    assert sorted(line.partition("ValueError: ")[2] for line in lines[1:]) == ["reason 0", "reason 1", "reason 2"]
    found = cli("dead", "ls", "--json").json
    assert (found["total"], found["more"], len(found["tasks"])) == (3, False, 3)
    assert {task["exception"]["text"] for task in found["tasks"]} == {"reason 0", "reason 1", "reason 2"}
    assert cli("dead", "ls", "--page", "2").err == "No dead letters on this page.\n"


def test_no_dead_letters(cli, session):
    assert cli("dead", "ls").err.startswith("No dead letters in namespace")


def test_named_ones_are_revived(cli, session, failed):
    done = cli("dead", "revive", failed[0].id, "nobody", failed[1].id)

    assert (done.code, len(done.lines)) == (1, 2)
    assert done.err == "nobody is no dead letter, or was revived before\n"
    assert session.client.about(done.lines[1]).task.origin == failed[1].id


@pytest.mark.parametrize("verb", ["revive", "delete"])
def test_all_are_meant_on_yes_only(cli, session, failed, verb):
    refused = cli("dead", verb, "--all")

    assert (refused.code, refused.out) == (2, "")
    assert "all 3 dead letters" in refused.err
    done = cli("dead", verb, "--all", "--yes")
    assert done.code == 0
    assert len(done.lines) == (3 if verb == "revive" else 0)
    assert list(session.client.dead()) == []


def test_of_those_with_one_key_one_is_revived_and_the_others_stay(cli, session):
    for key in ["a", "a", "b", "a"]:
        session.client.options(key=key).of("cli.fail").submit()
        session.drain(raise_on_failure=False)

    done = cli("dead", "revive", "--all", "--yes")

    assert (done.code, len(done.lines)) == (1, 2)
    assert sorted(session.client.about(id).task.key for id in done.lines) == ["a", "b"]
    kept = [letter.task.id for letter in session.client.dead()]
    assert len(kept) == 2
    assert sorted(done.err.splitlines()) == sorted(
        f"{id} stays a dead letter: another live task has its key" for id in kept
    )
    one = cli("dead", "revive", kept[0])
    assert (one.code, one.err) == (1, f"{kept[0]} stays a dead letter: another live task has its key\n")


def test_more_than_a_page_is_revived_though_a_page_stays(cli, session):
    for number in range(60):
        session.client.options(key="a" if number >= 5 else None).of("cli.fail").submit()
        session.drain(raise_on_failure=False)

    done = cli("dead", "revive", "--all", "--yes")

    assert (done.code, len(done.lines)) == (1, 6)
    assert session.client.dead().total == 54


def test_more_than_a_page_is_revived(cli, session):
    session.client.submit_many("cli.fail", [((n,), {}) for n in range(130)])
    session.drain(raise_on_failure=False)

    assert len(cli("dead", "revive", "--all", "--yes").lines) == 130
    assert session.client.dead().total == 0
    assert session.client.queues() == {"default": 130}


def test_named_ones_are_deleted(cli, session, failed):
    assert cli("dead", "delete", failed[0].id).code == 2
    done = cli("dead", "delete", failed[0].id, failed[1].id, "--yes")

    assert (done.code, done.out, done.err) == (0, "", "deleted: 2\n")
    assert [letter.task.id for letter in session.client.dead()] == [failed[2].id]
    assert cli("dead", "delete", failed[0].id, "-y").code == 3


@pytest.mark.parametrize("arguments", [[], ["--all", "some-id"]])
@pytest.mark.parametrize("verb", ["revive", "delete"])
def test_ids_or_all(cli, session, verb, arguments):
    done = cli("dead", verb, "--yes", *arguments)

    assert done.code == 2
    assert "name the tasks by their ids, or say --all" in done.err


# -- queues -------------------------------------------------------------------------------------


def test_a_queue_is_paused_and_resumed(cli, session):
    task = session.client.submit("cli.add", 1)
    said = cli("queues", "pause", "default").err
    assert said.startswith("default is paused since 2")
    assert said.endswith("; to go on: taskpy queues resume default\n")
    assert cli("queues", "pause", "default").err == said

    session.drain()
    assert not task.done
    assert cli("queues", "resume", "default").err == "default goes on; 1 task ready\n"
    session.drain()
    assert task.done
    assert cli("queues", "resume", "default").err == "default was not paused\n"


def test_a_name_that_may_be_wrong_is_doubted(cli, session):
    assert "is it the right one?" in cli("queues", "pause", "defualt").err
    assert cli("queues", "pause", "two words").code == 2


def test_a_queue_is_purged_on_yes_only(cli, session):
    tasks = [session.client.submit("cli.add", n) for n in range(250)]

    refused = cli("queues", "purge", "default")
    assert (refused.code, session.client.queues()) == (2, {"default": 250})
    assert "Stop 250 tasks that wait in default?" in refused.err
    done = cli("queues", "purge", "default", "--yes", "--reason", "a mistake")
    assert (done.code, done.err) == (0, "stopped: 250\n")
    assert session.client.queues() == {"default": 0}
    assert {task.state for task in tasks} == {"stopped"}
    assert tasks[0].snapshot().reason == "a mistake"
    assert cli("queues", "purge", "empty", "--yes").err == "stopped: 0\n"


# -- asking -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [
        ("y\n", 0, "stopped: 2\n"),
        ("n\n", 1, "Nothing was done.\n"),
        ("\n", 1, "Nothing was done.\n"),
        ("\x03", 130, "\n"),
    ],
)
def test_on_a_terminal_it_asks(place, typed, code, said):
    place.client.pause("default")
    tasks = place.client.submit_many("cli.add", [((1,), {}), ((2,), {})])
    terminal = Terminal(place.environment, "queues", "purge", "default")
    try:
        terminal.see("Stop 2 tasks that wait in default? [y/N]: ")
        if typed == "\x03":
            terminal.interrupt(said)
        else:
            terminal.type(typed)
            terminal.see(said)
        assert terminal.ended() == code
    finally:
        terminal.close()
    assert all(task.done for task in tasks) == (code == 0)
