"""What a worker can be told at its start: real daemons with each option, and the hooks of their tasks' modules."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from pathlib import Path

import click
import pytest
from click.core import ParameterSource
from taskpy_worker.__main__ import main as command

from tests.system.daemons import TASKS, environment
from tests.system.waiting import until

NOWHERE = "redis://127.0.0.1:1/0"


def run_worker(fleet, *arguments, **env):
    """Run a worker that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "taskpy_worker", *map(str, arguments)],
        cwd=TASKS,
        env=environment(
            LEDGER=str(fleet.ledger.path),
            TASKPY_REDIS_URL=fleet.url,
            TASKPY_NAMESPACE=fleet.namespace,
            TASKPY_ALIVE_FILE=str(fleet.folder / "alive"),
            **env,
        ),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def start_worker(fleet, *, ready=True, env=None, **options):
    """Start a worker that goes on until it is told to end."""
    options = {"module": "jobs", "alive_file": fleet.folder / "alive"} | options
    return fleet.worker(ready=ready, env=env, **options)


def submit(fleet, name, *args, **options):
    return fleet.client.options(**options).of(f"jobs.{name}").submit(*args)


def submit_many(fleet, count, name, *args, **options):
    return fleet.client.options(**options).of(f"jobs.{name}").submit_many([(args, {})] * count)


def assert_each_ended_once(fleet, count):
    assert sorted(Counter(entry.id for entry in fleet.ledger.ends()).values()) == [1] * count
    assert len(fleet.ledger.starts()) == count


# -- burst --------------------------------------------------------------------------------------


def test_a_burst_without_tasks_ends(fleet):
    done = run_worker(fleet, "jobs", "--burst")

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("processes", [1, 2])
def test_a_burst_ends_when_all_is_done(fleet, processes):
    submit_many(fleet, 30, "plain")

    done = run_worker(fleet, "jobs", "--burst", "-p", processes, "-c", 4)

    assert done.returncode == 0, done.stderr
    assert_each_ended_once(fleet, 30)
    assert "a child died" not in done.stderr


@pytest.mark.parametrize("processes", [1, 2])
def test_a_burst_does_what_its_tasks_submit(fleet, processes):
    submit(fleet, "tree", 4)

    done = run_worker(fleet, "jobs", "--burst", "-p", processes, "-c", 2)

    assert done.returncode == 0, done.stderr
    assert_each_ended_once(fleet, 2**5 - 1)


def test_a_burst_outlives_children_that_have_had_their_share(fleet):
    submit(fleet, "tree", 2)

    done = run_worker(fleet, "jobs", "--burst", "-c", 2, "--max-tasks-per-child", 2)

    assert done.returncode == 0, done.stderr
    assert_each_ended_once(fleet, 2**3 - 1)


def test_a_burst_outlives_a_child_that_is_killed(fleet):
    poison = fleet.client.options(restarts=0).of("steered.poison").submit()
    lingering = submit_many(fleet, 3, "linger", 0.5)

    done = run_worker(fleet, "jobs", "steered", "--burst", "-c", 4, "--lease", 1.5)

    assert done.returncode == 0, done.stderr
    assert poison.snapshot().state == "failed"
    assert {task.snapshot().state for task in lingering} == {"succeeded"}


def test_a_burst_begins_again_when_the_last_child_is_killed(fleet):
    task = submit(fleet, "perish_late")

    done = run_worker(fleet, "jobs", "--burst", "-p", 2, "--lease", 1.5)

    assert done.returncode == 0, done.stderr
    assert (task.snapshot().state, task.snapshot().attempt) == ("succeeded", 2)


# -- recycling children -------------------------------------------------------------------------


def test_children_are_replaced_after_their_share(fleet):
    worker = start_worker(fleet, max_tasks_per_child=3, concurrency=2)

    for task in submit_many(fleet, 12, "plain"):
        task.get(timeout=30)

    shares = Counter(entry.pid for entry in fleet.ledger.ends())
    assert_each_ended_once(fleet, 12)
    assert list(shares.values()) == [3, 3, 3, 3]
    assert "a child died" not in worker.log
    until(lambda: len(fleet.ledger.entries("stopped")) >= 4, "the stop hooks of the children that were replaced")


def test_there_are_no_more_than_two_generations_of_children(fleet):
    start_worker(fleet, max_tasks_per_child=1, concurrency=1)

    for task in submit_many(fleet, 5, "linger", 1.0):
        task.get(timeout=30)

    starts, ends = fleet.ledger.starts(), fleet.ledger.ends()
    at_once = [sum(s.at <= moment.at for s in starts) - sum(e.at < moment.at for e in ends) for moment in starts]
    assert_each_ended_once(fleet, 5)
    assert max(at_once) == 2


# -- reload -------------------------------------------------------------------------------------

VERSION = "from taskpy import task\n@task\ndef version(t):\n    return {}\n"


def write_version(folder, source):
    fresh = folder / "fresh"
    fresh.write_text(source)
    fresh.replace(folder / "versions.py")  # a child must not read half of it


def version_of(fleet):
    return fleet.client.options().of("versions.version").submit().get(timeout=30)


def test_a_changed_module_is_picked_up(fleet):
    folder = fleet.folder / "sources"
    folder.mkdir()
    write_version(folder, VERSION.format("'first'"))
    worker = start_worker(fleet, module="versions", cwd=folder, env={"TASKPY_RELOAD": "1"})
    [first] = worker.children()
    assert version_of(fleet) == "first"

    def noticed():
        write_version(folder, VERSION.format("'the second'"))  # again: its watcher may not be there yet
        return worker.lines("sources have changed")

    until(noticed, "the change to be noticed")
    until(lambda: first not in worker.children(), "the old child to end")
    assert version_of(fleet) == "the second"

    # Where it was written again after it had been noticed, this one is replaced, too.
    second = until(lambda: worker.children() if len(worker.children()) == 1 else None, "one child to be left")[0]
    write_version(folder, "this is no Python")
    until(lambda: worker.lines("cannot import the tasks, trying again"), "the new child to fail")
    until(lambda: second not in worker.children(), "the child before it to end")
    write_version(folder, VERSION.format("'the third one'"))
    assert version_of(fleet) == "the third one"
    assert "a child was declared lost" not in worker.log


def test_reload_says_what_it_needs(fleet, tmp_path):
    (tmp_path / "watchfiles.py").write_text("raise ImportError('not here')\n")
    path = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])

    done = run_worker(fleet, "jobs", "--reload", PYTHONPATH=path)

    assert done.returncode == 2
    assert "pip install 'taskpy[reload]'" in done.stderr


# -- queues -------------------------------------------------------------------------------------


def order_of(fleet, *queues, count):
    """Which queue each task came from, in the order in which they began."""
    of = {task.id: queue for queue in ("low", "high") for task in submit_many(fleet, count, "plain", queue=queue)}
    named = [word for queue in queues for word in ("--queue", queue)]

    done = run_worker(fleet, "jobs", "--burst", "-c", 1, *named)

    assert done.returncode == 0, done.stderr
    assert_each_ended_once(fleet, 2 * count)
    return [of[entry.id] for entry in fleet.ledger.starts()]


def test_queues_without_weights_are_served_in_their_order(fleet):
    assert order_of(fleet, "high", "low", count=20) == ["high"] * 20 + ["low"] * 20


def test_queues_with_weights_share(fleet):
    first = Counter(order_of(fleet, "high:3", "low", count=100)[:60])

    # Of 60, 45 are to be expected; that it is not even a majority is as likely as one in 100,000.
    assert 30 < first["high"] < 60


@pytest.mark.parametrize(
    ("queues", "why"),
    [
        (["high", "high:2"], "is named twice"),
        (["high:0"], "must be at least 1"),
        (["no queue"], "'no queue' is not a queue"),
    ],
)
def test_wrong_queues_are_wrong_usage(fleet, queues, why):
    done = run_worker(fleet, "jobs", "--burst", *[word for queue in queues for word in ("-q", queue)])

    assert done.returncode == 2
    assert why in done.stderr


# -- logs ---------------------------------------------------------------------------------------


def test_every_line_of_a_json_log_is_an_object(fleet):
    worker = start_worker(fleet, log_format="json", log_level="debug")
    failed = submit(fleet, "fail", "a secret")
    failed.wait(timeout=30)
    until(lambda: worker.lines("task failed"), "the log of the failure")
    worker.signal(signal.SIGTERM)
    assert worker.ended() == 0

    lines = [json.loads(line) for line in worker.log.splitlines()]
    assert all(
        {"time", "level", "logger", "process", "message"} <= line.keys()
        and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        for line in lines
    )
    [ready] = [line for line in lines if line["message"].startswith("taskpy-worker is ready")]
    assert (ready["process"], ready["namespace"], ready["concurrency"]) == (worker.pid, fleet.namespace, 10)
    [line] = [line for line in lines if line["message"].startswith("task failed")]
    assert (line["task"], line["name"], line["error"]) == (failed.id, "jobs.fail", "ValueError")
    assert (line["level"], line["logger"]) == ("info", "taskpy.worker")
    assert line["process"] != worker.pid
    assert "a secret" not in worker.log


# -- health -------------------------------------------------------------------------------------


def test_check_needs_neither_redis_nor_the_code(fleet):
    worker = start_worker(fleet)
    alive = fleet.folder / "alive"

    def check(*, module="there.is.no.such.module"):
        return run_worker(fleet, module, "--check", "--url", NOWHERE)

    until(alive.exists, "the file")
    assert check().returncode == 0

    seen = alive.stat().st_mtime
    os.utime(alive, (seen - 600, seen - 600))
    stale = check()
    # The worker lives, and may have touched it again meanwhile.
    assert stale.returncode == 5 or alive.stat().st_mtime > seen
    until(lambda: alive.stat().st_mtime > seen, "the worker to touch its file again")

    worker.signal(signal.SIGTERM)
    assert worker.ended() == 0
    ended = check()
    assert (ended.returncode, alive.exists()) == (5, False)
    assert "no worker has been here" in ended.stderr


def test_check_says_that_a_worker_hangs(fleet):
    alive = fleet.folder / "alive"
    alive.write_text("{}")
    os.utime(alive, (time.time() - 60, time.time() - 60))

    done = run_worker(fleet, "--check")

    assert done.returncode == 5
    assert re.search(r"was last seen \d+ s ago", done.stderr)


def test_ready_asks_redis(fleet):
    start_worker(fleet)

    until(lambda: run_worker(fleet, "--ready").returncode == 0, "the worker to be ready")

    away = run_worker(fleet, "--ready", "--url", NOWHERE)
    assert away.returncode == 5
    assert "127.0.0.1:1" in away.stderr
    other = run_worker(fleet, "--ready", "--namespace", "another")
    assert (other.returncode, "has joined" in other.stderr) == (5, True)
    gone = run_worker(fleet, "--ready", "--alive-file", fleet.folder / "nothing")
    assert gone.returncode == 5


def test_a_worker_whose_file_makes_no_sense_is_not_ready(fleet):
    (fleet.folder / "alive").write_text("[]")

    done = run_worker(fleet, "--ready")

    assert done.returncode == 5
    assert "Traceback" not in done.stderr


# -- systemd ------------------------------------------------------------------------------------


@pytest.fixture(params=["path", "abstract"])
def systemd(request):
    """The socket on which systemd would listen, and its name."""
    folder = Path(tempfile.mkdtemp(prefix="taskpy-"))
    name = str(folder / "notify") if request.param == "path" else f"@taskpy-{uuid.uuid4().hex}"
    if request.param == "abstract" and sys.platform != "linux":
        pytest.skip("only Linux has abstract sockets")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1))
        listening.settimeout(30)
        yield listening, name
    shutil.rmtree(folder)


def test_systemd_is_told(fleet, systemd):
    listening, name = systemd
    worker = start_worker(fleet, env={"NOTIFY_SOCKET": name})

    heard = []
    while not {"READY=1", "WATCHDOG=1"} <= set(heard):
        heard += listening.recv(4096).decode().splitlines()
    assert "STOPPING=1" not in heard
    worker.signal(signal.SIGTERM)
    while "STOPPING=1" not in heard:
        heard += listening.recv(4096).decode().splitlines()

    assert heard.count("READY=1") == 1
    assert worker.ended() == 0


# -- the environment ----------------------------------------------------------------------------

VARIABLES = {
    "--queue": ("TASKPY_QUEUES", "high:3 low", ("high:3", "low")),
    "--concurrency": ("TASKPY_CONCURRENCY", "7", 7),
    "--processes": ("TASKPY_PROCESSES", "3", 3),
    "--url": ("TASKPY_REDIS_URL", NOWHERE, NOWHERE),
    "--namespace": ("TASKPY_NAMESPACE", "other", "other"),
    "--shards": ("TASKPY_SERVE_SHARDS", "0,3-4", (0, 3, 4)),
    "--grace": ("TASKPY_GRACE", "1.5", 1.5),
    "--lease": ("TASKPY_LEASE", "2.5", 2.5),
    "--burst": ("TASKPY_BURST", "1", True),
    "--max-tasks-per-child": ("TASKPY_MAX_TASKS_PER_CHILD", "9", 9),
    "--reload": ("TASKPY_RELOAD", "true", True),
    "--alive-file": ("TASKPY_ALIVE_FILE", "here", "here"),
    "--check": ("TASKPY_CHECK", "1", True),
    "--ready": ("TASKPY_READY", "1", True),
    "--log-format": ("TASKPY_LOG_FORMAT", "json", "json"),
    "--log-level": ("TASKPY_LOG_LEVEL", "debug", "debug"),
}
OPTIONS = {option.opts[-1]: option for option in command.params if isinstance(option, click.Option)}


def test_every_option_is_in_the_table():
    assert OPTIONS.keys() - {"--version"} == VARIABLES.keys()


@pytest.mark.parametrize("option", VARIABLES)
def test_an_option_can_come_from_the_environment(monkeypatch, option):
    variable, text, value = VARIABLES[option]
    monkeypatch.setenv(variable, text)

    context = command.make_context("taskpy-worker", [])

    name = OPTIONS[option].name
    assert (context.params[name], context.get_parameter_source(name)) == (value, ParameterSource.ENVIRONMENT)


def test_a_worker_needs_no_command_line(fleet):
    submit(fleet, "plain", queue="low")

    done = run_worker(
        fleet,
        TASKPY_MODULES="jobs steered",
        TASKPY_QUEUES="high:3 low",
        TASKPY_BURST="1",
        TASKPY_CONCURRENCY="3",
        TASKPY_PROCESSES="2",
        TASKPY_LOG_FORMAT="json",
    )

    assert done.returncode == 0, done.stderr
    [ready] = [line for line in map(json.loads, done.stderr.splitlines()) if "is ready" in line["message"]]
    assert (ready["queues"], ready["processes"], ready["concurrency"]) == ("high:3,low", 2, 3)
    assert ready["server"] == f"{fleet.url} (TASKPY_REDIS_URL)"
    assert_each_ended_once(fleet, 1)


# -- hooks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain", "coroutine"])
def test_hooks_stand_around_the_child_and_its_tasks(fleet, name):
    worker = start_worker(fleet)
    task = submit(fleet, name)
    task.get(timeout=30)
    worker.signal(signal.SIGTERM)
    assert worker.ended() == 0

    seen = [(entry.word, entry.id) for entry in fleet.ledger.entries()]
    around = [(word, task.id) for word in ("before", "start", "end", "after")]
    assert seen == [("started", "-"), *around, ("stopped", "-")]


def test_each_child_has_its_hooks_once(fleet):
    submit_many(fleet, 8, "plain")

    done = run_worker(fleet, "jobs", "--burst", "-p", 2)

    assert done.returncode == 0, done.stderr
    started = Counter(entry.pid for entry in fleet.ledger.entries("started"))
    assert sorted(started.values()) == [1, 1]
    assert Counter(entry.pid for entry in fleet.ledger.entries("stopped")) == started


def test_a_start_hook_that_fails_ends_the_worker(fleet):
    submit(fleet, "plain")

    done = run_worker(fleet, "jobs", JOBS_FAIL="start")

    assert done.returncode == 1
    assert done.stderr.count("a start hook failed") == 1
    assert "ValueError: no database" in done.stderr
    assert "cannot import" not in done.stderr
    assert fleet.ledger.entries() == []
    assert fleet.client.queues()["default"] == 1


def test_a_stop_hook_that_fails_is_logged_and_the_others_run(fleet):
    done = run_worker(fleet, "jobs", "--burst", JOBS_FAIL="stop")

    assert done.returncode == 0
    assert done.stderr.count("a stop hook failed") == 1
    assert "ValueError: no database" in done.stderr
    assert len(fleet.ledger.entries("stopped")) == 1
