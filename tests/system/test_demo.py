"""`taskpy demo`: it keeps what it claims, leaves nothing behind however it ends, and notices when something is wrong."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest
from taskpy_worker.config import WorkerConfig
from taskpy_worker.worker import running_here

from taskpy import Client
from taskpy.cli import demo, demo_tasks
from taskpy.cli.demo_checks import Checks
from tests.system.waiting import until

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "taskpy.cli", "demo"]
UNDER_A_MINUTE = 60


@pytest.fixture
def home(tmp_path):
    """A home with nothing in it."""
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def temporary(tmp_path):
    """Where temporary files go."""
    made = tmp_path / "t"
    made.mkdir()
    return made


@pytest.fixture
def environment(home, temporary):
    """The user's: his Redis is away, and his settings are not what the demo needs."""
    away = {"REDIS_URL": "redis://127.0.0.1:1", "TASKPY_REDIS_URL": "redis://127.0.0.1:1", "TASKPY_EMBEDDED": "0"}
    ours = {"HOME": str(home), "TMPDIR": str(temporary), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'worker'}"}
    if server := os.environ.get("TASKPY_TEST_SERVER"):
        ours["TASKPY_REDIS_SERVER"] = server
    return os.environ | away | ours


def run(environment):
    return subprocess.run(
        COMMAND, env=environment, cwd=environment["TMPDIR"], capture_output=True, text=True, timeout=100, check=False
    )


def left_of(environment):
    """The processes that have this environment."""
    mark = f"TMPDIR={environment['TMPDIR']}"
    found = [process for process in psutil.process_iter() if mark in environ_of(process)]
    return [process for process in found if process.pid != os.getpid()]


def environ_of(process):
    try:
        return [f"{name}={value}" for name, value in process.environ().items()]
    except psutil.Error:
        return []


def assert_nothing_is_left(environment):
    until(lambda: not left_of(environment), lambda: f"the end of {left_of(environment)}")
    assert list(Path(environment["HOME"]).rglob("*")) == []
    # A socket whose path would be too long in there stands elsewhere, and its server has removed it.
    assert list(Path(environment["TMPDIR"]).glob("taskpy-demo-*")) == []


# -- what it shows ------------------------------------------------------------------------------


def test_it_steers_kills_and_loses_nothing_in_under_a_minute(environment):
    began = time.monotonic()

    done = run(environment)

    took = time.monotonic() - began
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert took < UNDER_A_MINUTE
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.stdout

    said = dict(re.findall(r"^ *[\d.]+ s  (\w+) +(.*)$", done.stdout, re.MULTILINE))
    tasks = int(re.match(r"(\d+) tasks", said["submit"])[1])
    assert tasks > 20
    assert re.match(r"\d tasks run", said["ask"])
    assert "only the names with" in said["narrow"]
    assert "nobody asked" in said["stop"]
    assert "SIGKILL" in said["kill"]
    assert said["lost"] == f"0 of {tasks} tasks: {tasks - 1} succeeded, 1 stopped, 0 failed"
    assert said["twice"].startswith(f"0 of {tasks} tasks")
    again = re.match(r"(\d+) of (\d+) tasks of the killed worker were started again", said["again"])
    assert again[1] == again[2] > "0"
    assert "kept to" in said["message"]
    assert said["index"].startswith("equals")
    assert "Lock in" in said["query"]
    assert_nothing_is_left(environment)


def test_whoever_steers_does_not_know_the_code():
    code = "import sys, taskpy.cli.demo_steering; print('taskpy.cli.demo_tasks' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"), [(True, None, True), (True, "1", False), (False, None, False)]
)
def test_it_has_colours_for_people_only(monkeypatch, capsys, terminal, no_color, coloured):
    from taskpy.cli.demo_screen import Screen

    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)

    Screen().say("kill", "worker 1")

    assert ("\x1b" in capsys.readouterr().out) == coloured


def test_the_command_line_explains_itself():
    done = subprocess.run([*COMMAND[:-1], "--help"], capture_output=True, text=True, check=True)

    assert re.search(r"demo +Run real work on two workers", done.stdout)


def test_an_error_of_ours_is_a_message_and_no_traceback(environment):
    done = run(environment | {"TASKPY_EMBEDDED_GRACE": "a while"})

    assert done.returncode == 2
    assert done.stderr == "Error: TASKPY_EMBEDDED_GRACE must be a number of seconds, not 'a while'\n"
    assert_nothing_is_left(environment)


# -- when it ends before its time ---------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_ends_it_and_all_it_has_started(environment, number):
    with subprocess.Popen(
        COMMAND, env=environment, cwd=environment["TMPDIR"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        while "steer" not in (line := running.stdout.readline()):
            assert line, running.stderr.read()
        running.send_signal(number)
        said, complaints = running.communicate(timeout=30)

    assert (running.returncode, complaints) == (130, "")
    assert "before its time" in said
    assert_nothing_is_left(environment)


def test_a_signal_while_it_tells_the_steering_process_what_to_do_is_not_lost():
    with pytest.raises(KeyboardInterrupt), demo._Steerer() as steerer:
        steerer.wait_until_ready()
        demo._open(steerer._process.stdin).write(b"half of it")
        raise KeyboardInterrupt


def test_a_steering_process_that_has_ended_is_heard_out():
    with demo._Steerer() as steerer:
        steerer.wait_until_ready()
        steerer._process.terminate()
        steerer._process.wait(10)
        steerer.tell({"ids": ["x" * 100] * 10_000})  # more than a pipe holds

        assert list(steerer.hear()) == []
        assert steerer.complaint() == ""


def test_a_worker_that_cannot_start_is_shown_with_its_last_words(environment, tmp_path):
    broken = tmp_path / "broken" / "taskpy_worker"
    broken.mkdir(parents=True)
    (broken / "__init__.py").touch()
    (broken / "__main__.py").write_text("raise SystemExit('out of order today')")

    done = run(environment | {"PYTHONPATH": f"{broken.parent}{os.pathsep}{environment['PYTHONPATH']}"})

    assert done.returncode == 1
    assert re.search(r"Error: worker \d has ended by itself", done.stderr)
    assert "out of order today" in done.stderr
    assert_nothing_is_left(environment)


# -- the checks can fail ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client():
    with Client(f"memory://{uuid.uuid4().hex}", namespace="demo") as client:
        worker = running_here(WorkerConfig(block=0.1), client.space, wid="here", lease=5)
        yield client
        worker.close()


def checked(client, tasks, facts, claim):
    return getattr(Checks(client, tasks, facts), claim)()


@pytest.fixture
def ended(client):
    """Two packages that were indexed, and one task that was stopped, with the facts about them."""
    tasks = {name: client.task(demo_tasks.index_package, name) for name in ("json", "wsgiref")}
    tasks["json"].send({"only": "lock"})  # before the start: it ends soon
    for task in tasks.values():
        task.start()
    tasks["html"] = client.options(queue="unserved").of(demo_tasks.index_package).submit("html")
    tasks["html"].stop()
    for task in tasks.values():
        task.wait(30)
    facts = {"stopped": tasks["html"].id, "narrowed": tasks["json"].id, "interrupted": [], "only": "lock"}
    return tasks, facts


def test_a_task_that_has_not_ended_counts_as_lost(client, ended):
    tasks, facts = ended
    waiting = client.options(delay=600).of(demo_tasks.index_package).submit("http")

    assert checked(client, tasks, facts, "nothing_lost").good
    found = checked(client, {**tasks, "http": waiting}, facts, "nothing_lost")
    assert not found.good
    assert found.found.startswith("1 of 4 tasks")


def test_a_task_that_failed_is_not_passed_over(client, ended):
    tasks, facts = ended
    bad = client.submit("taskpy.cli.demo_tasks.index_package", "one", "argument too many")
    bad.wait(30)

    assert not checked(client, {**tasks, "bad": bad}, facts, "nothing_lost").good


def test_an_end_that_is_not_listed_once_is_found(client, ended):
    tasks, facts = ended

    client.space.broker.command("LPUSH", client.space.keys.recent("default"), tasks["json"].id)
    found = checked(client, {"json": tasks["json"], "wsgiref": tasks["wsgiref"]}, facts, "ended_once")

    assert not found.good
    assert checked(client, {"wsgiref": tasks["wsgiref"]}, facts, "ended_once").good


def test_a_task_that_was_not_started_again_is_found(client, ended):
    tasks, facts = ended

    assert not checked(client, tasks, facts, "begun_again").good
    assert not checked(client, tasks, facts | {"interrupted": [tasks["json"].id]}, "begun_again").good


def test_a_wrong_index_is_found(client, ended, monkeypatch):
    tasks, facts = ended
    checks = Checks(client, tasks, facts)
    assert checks.same_index().good
    assert checks.same_answer().good

    checks._results["wsgiref"]["names"].popitem()

    found = checks.same_index()
    assert not found.good
    assert "wsgiref" in found.found


def test_a_message_that_was_forgotten_is_found(client, ended):
    tasks, facts = ended

    assert checked(client, tasks, facts, "told_again").good
    assert not checked(client, tasks, facts | {"narrowed": tasks["wsgiref"].id}, "told_again").good
