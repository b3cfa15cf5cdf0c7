"""The command line as a whole: help, exit codes, where it connects, what it writes where; and its documentation."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

import taskpy
from taskpy import errors, settings
from taskpy.cli import __main__ as cli_main
from taskpy.cli import exits
from taskpy.cli.target import Target
from tests.cli.conftest import COMMAND, environment
from tests.system.servers import Server, free_port
from tests.system.waiting import until

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text()


def all_commands(group=cli_main.commands, path=()):
    """Every command that is no group, by its words."""
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if isinstance(command, click.Group):
            yield from all_commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(all_commands())
every_command = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)


def run(*arguments, python=(), **variables):
    """Run a command, with a local server in no place where it could be."""
    command = [COMMAND[0], *python, *COMMAND[1:], *arguments]
    return subprocess.run(
        command, env=environment(**variables), capture_output=True, text=True, timeout=30, check=False
    )


# -- help ---------------------------------------------------------------------------------------


def test_the_commands_are_those_that_were_promised():
    promised = "demo submit ls show tree wait send recv logs attach ask answer pause resume stop retry queues workers doctor completion"
    promised += " dead/ls dead/revive dead/delete server/status server/stop server/path"
    promised += " queues/ls queues/show queues/pause queues/resume queues/purge"

    assert {"/".join(words) for words in COMMANDS} | {"queues"} == set(promised.split())


@every_command
def test_every_command_explains_itself_and_its_options(cli, words):
    done = cli(*words, "--help")

    assert done.code == 0
    assert max(map(len, done.lines)) <= 80
    for option in COMMANDS[words].params:
        assert not isinstance(option, click.Option) or option.help


def test_the_help_says_what_each_command_does(cli):
    out = cli("--help").out

    for commands in cli_main.SECTIONS.values():
        for name, _, text in commands:
            assert re.search(rf"^  {name} +{re.escape(text)}$", out, re.MULTILINE)
    for code in (1, 2, 3, 4, 5, 124, 130):
        assert f"{code} " in out.partition("Exit codes:")[2]
    assert cli("--version").out == f"taskpy, version {taskpy.__version__}\n"


def test_help_does_not_wait_for_redis():
    done = run("--help", python=["-X", "importtime"])

    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert done.returncode == 0
    assert {"click", "taskpy.cli.target"} <= imported
    assert imported.isdisjoint({"redis", "msgpack", "asyncio", "taskpy.client", "taskpy.broker", "taskpy.space"})


def test_no_command_is_imported_with_redis():
    modules = {command.callback.__module__ for command in COMMANDS.values()} - {"taskpy.cli.demo"}
    code = f"import sys, {', '.join(modules)}; sys.exit('redis' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], env=environment(), check=False).returncode == 0


def test_nothing_of_it_needs_the_worker():
    code = "import sys; sys.modules['taskpy_worker'] = None; import runpy; sys.argv = ['taskpy', 'ls', '--help'];"
    code += "runpy.run_module('taskpy.cli', run_name='__main__')"

    assert (
        subprocess.run([sys.executable, "-c", code], env=environment(), check=False, capture_output=True).returncode
        == 0
    )


@pytest.mark.parametrize("arguments", [["nosuch"], ["ls", "--nosuch"], ["show"], ["queues", "pause"]])
def test_wrong_usage(cli, arguments):
    done = cli(*arguments)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: taskpy ")


def test_an_option_in_the_wrong_place_is_told_its_right_one(cli):
    assert "taskpy --url ... queues ls" in cli("queues", "ls", "--url", "redis://x").err
    assert "taskpy --namespace ... ls" in cli("ls", "--namespace", "x").err


# -- where --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["redis://:hunter2@h/0", "redis://me:hunter2@h/0", "rediss://h/0?password=hunter2", "redis://:hun:ter2@x@h"]
)
def test_a_password_on_the_command_line_is_refused_and_not_repeated(cli, url):
    done = cli("--url", url, "ls")

    assert done.code == 2
    assert "shows in the list of processes" in done.err
    assert "TASKPY_REDIS_URL" in done.err
    assert "hunter2" not in done.err
    assert "ter2" not in done.err


def test_a_password_comes_from_the_environment_and_is_never_shown():
    server = Server(tcp=True, password="hunter2").start()
    try:
        url = f"redis://:hunter2@127.0.0.1:{server.port}/0"
        for arguments in (["doctor"], ["show", "nobody"], ["submit", "a.b"]):
            done = run(*arguments, TASKPY_REDIS_URL=url)
            assert "hunter2" not in done.stdout + done.stderr
            assert done.returncode in {0, exits.NOT_FOUND, exits.UNHEALTHY}
        wrong = run("ls", TASKPY_REDIS_URL=url.replace("hunter2", "hunter3"))
        assert wrong.returncode == exits.UNREACHABLE
        assert "hunter3" not in wrong.stdout + wrong.stderr
        assert "Traceback" not in wrong.stderr
    finally:
        server.close()


def test_namespaces_are_apart(cli, session):
    cli("--namespace", "one", "submit", "cli.add", "1")

    assert len(cli("--namespace", "one", "ls", "--json").json["tasks"]) == 1
    assert cli("--namespace", "two", "ls", "--json").json["tasks"] == []
    assert cli("--namespace", "not one", "ls").code == 2


# -- exit codes ---------------------------------------------------------------------------------


def test_redis_is_away(cli, monkeypatch):
    patient = Target.client
    monkeypatch.setattr(Target, "client", lambda self: patient(self, timeout=0.3))
    with settings.meanwhile(TASKPY_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0"):
        done = cli("ls")

    assert (done.code, done.out) == (exits.UNREACHABLE, "")
    assert "is the server running, and is this the right address?" in done.err


@pytest.mark.parametrize(("url", "code"), [("http://x", exits.USAGE), ("redis+sentinel://h", exits.USAGE)])
def test_an_address_that_cannot_be_one(url, code):
    done = run("ls", TASKPY_REDIS_URL=url)

    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_no_server_at_all():
    done = run("ls")

    assert done.returncode == exits.UNREACHABLE
    assert "TASKPY_EMBEDDED=0 forbids a local one; set TASKPY_REDIS_URL" in done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.TaskNotFound(), 3),
        (errors.Unreachable(), 4),
        (errors.SubmitUncertain("id"), 4),
        (errors.Busy(), 4),
        (errors.Refused(), 4),
        (errors.ServerError(), 4),
        (errors.BadArguments(), 2),
        (errors.BadName(), 2),
        (errors.NotSendable(), 2),
        (errors.TooLarge(), 2),
        (errors.Full(), 124),
        (errors.TaskTimeout(), 124),
        (errors.TaskEnded("failed"), 1),
        (errors.UsageError(), 1),
        (errors.Malformed(), 1),
    ],
)
def test_every_error_has_its_code(cli, session, monkeypatch, error, code):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr("taskpy.client.Client.workers", fail)
    done = cli("workers")
    assert (done.code, done.out, done.err) == (code, "", f"Error: {error}\n")


def test_ctrl_c(cli, session, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("taskpy.client.Client.workers", interrupt)
    assert cli("workers").code == exits.INTERRUPTED


def test_ctrl_c_while_waiting(place):
    task = place.client.submit("cli.held")
    process = subprocess.Popen(
        [*COMMAND, "recv", "--follow", task.id], env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    channel = place.client.space.keys.task(task.id)
    until(lambda: place.client.redis.pubsub_numsub(channel)[0][1], "it to wait")
    process.send_signal(signal.SIGINT)

    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err.strip()) == (exits.INTERRUPTED, b"", b"")


def test_a_reader_that_has_enough_is_no_bug(place):
    place.client.submit_many("cli.add", [((n,), {}) for n in range(40)])
    line = f"{' '.join(COMMAND)} ls | head -1"

    done = subprocess.run(
        line, shell=True, env=place.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.startswith("ID ")
    assert done.stderr == ""


def test_text_that_the_terminal_cannot_show(place):
    task = place.client.submit("cli.add", "世界 ", b="👍")
    task.wait(10)

    done = place.run("wait", task.id, PYTHONIOENCODING="latin-1")
    assert (done.code, done.out) == (0, "\\u4e16\\u754c \\U0001f44d\n")


# -- colours ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_without_no_color(place, variables, coloured):
    script = shutil.which("script")
    if script is None:
        pytest.skip("needs script(1)")
    place.client.submit("cli.add", 1).wait(10)
    line = f"stty cols 80; {' '.join(COMMAND)} ls"

    command = [script, "-qec", line, "/dev/null"]
    shown = subprocess.run(
        command, env=place.environment | variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    assert ("\x1b[32msucceeded" in shown.stdout) == coloured
    assert ("\x1b" in shown.stdout) == coloured
    assert "\x1b" not in place.run("ls").out


# -- completion ---------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_one(cli, shell):
    done = cli("completion", shell)

    assert done.code == 0
    assert "_TASKPY_COMPLETE" in done.out
    if program := shutil.which(shell):
        checked = subprocess.run([program, "-n"], input=done.out, text=True, capture_output=True, check=False)
        assert (checked.returncode, checked.stderr) == (0, "")


def test_commands_are_completed():
    done = run(_TASKPY_COMPLETE="bash_complete", COMP_WORDS="taskpy queues p", COMP_CWORD="2")

    assert done.stdout.split() == ["plain,pause", "plain,purge"]
    assert cli_main.commands.get_command(click.Context(cli_main.commands), "nosuch") is None


def test_another_shell_is_wrong_usage(cli):
    assert cli("completion", "csh").code == 2


# -- the local server ---------------------------------------------------------------------------


def test_the_local_server_is_looked_at_and_ended(tmp_path):
    home = {"TASKPY_HOME": str(tmp_path / "home"), "TASKPY_EMBEDDED": "1", "TASKPY_EMBEDDED_GRACE": "5"}
    if server := os.environ.get("TASKPY_TEST_SERVER"):
        home["TASKPY_REDIS_SERVER"] = server

    away = run("server", "status", **home)
    assert (away.returncode, away.stdout) == (3, f"no local server runs; its data would be in {tmp_path / 'home'}\n")
    assert run("server", "stop", **home).stderr == "It did not run.\n"
    assert run("submit", "cli.add", "1", **home).returncode == 0
    there = run("server", "status", **home)
    assert there.returncode == 0
    assert re.match(r"(redis|valkey) [\d.]+ runs: process \d+, socket /", there.stdout)
    assert '"running": true' in run("server", "status", "--json", **home).stdout
    assert len(run("ls", **home).stdout.splitlines()) == 2
    ended = run("server", "stop", **home)
    assert (ended.returncode, ended.stderr) == (0, "It has ended; its data is kept.\n")
    assert run("server", "status", **home).returncode == 3
    assert run("server", "path", **home).stdout == f"{tmp_path / 'home'}\n"


# -- the documentation --------------------------------------------------------------------------


def section_of(words):
    """What the document says of a command."""
    return DOCUMENT.partition(f"### `taskpy {' '.join(words)}`\n")[2].partition("\n### ")[0].partition("\n## ")[0]


@every_command
def test_the_document_explains_the_command_and_its_options(words):
    said = section_of(words)

    assert said.strip()
    for option in COMMANDS[words].params:
        if isinstance(option, click.Option):
            assert [name for name in option.opts if f"`{name}`" not in said] == []


def test_the_document_names_no_command_and_no_option_that_is_gone():
    named = {tuple(words.split()) for words in re.findall(r"^### `taskpy ([a-z ]+)`$", DOCUMENT, re.MULTILINE)}
    assert named == COMMANDS.keys()
    for words, command in COMMANDS.items():
        there = {name for option in command.params if isinstance(option, click.Option) for name in option.opts}
        told = set(re.findall(r"^\| (`-.*?`) \|", section_of(words), re.MULTILINE))
        assert {name for row in told for name in re.findall(r"`(-[\w-]+)`", row)} <= there


def test_the_document_lists_the_exit_codes():
    rows = set(map(int, re.findall(r"^\| (\d+) \|", DOCUMENT.partition("## Exit codes")[2], re.MULTILINE)))

    constants = {value for name, value in vars(exits).items() if name.isupper() and isinstance(value, int)}
    assert rows == constants | {0}
