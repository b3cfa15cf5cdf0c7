"""The benchmarks run: with a real server and a real worker, very small; and they leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.system.daemons import running
from tests.system.waiting import until

ROOT = Path(__file__).parents[2]


def command(folder, *arguments):
    """A run whose temporary files are below this folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *arguments, "--peers", "none", "--repetitions", "1"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "temporary"
    made.mkdir()
    return made


def test_a_small_run_has_figures_and_leaves_nothing(folder, tmp_path):
    path = tmp_path / "results.json"

    with command(folder, "drain", "roundtrip", "--variants", "fast", "--tasks", "20", "--json", str(path)) as run:
        out, errors = run.communicate(timeout=100)

    assert run.returncode == 0, errors
    found = {sample["scenario"]: sample for sample in json.loads(path.read_text())["samples"]}
    assert {name: sample["error"] for name, sample in found.items()} == {"drain": "", "roundtrip": ""}
    assert found["drain"]["figures"]["per_second"] > 0
    assert found["drain"]["raw"]["batch_per_second"] > 0
    assert found["roundtrip"]["figures"]["p50_ms"] > 0
    assert "| submit to result, p50 | ≤ 3 x raw ping-pong |" in out
    assert list(folder.iterdir()) == []


def test_what_is_interrupted_leaves_nothing(folder):
    with command(folder, "idle", "--tasks", "60") as run:
        until(lambda: len(children(run.pid)) >= 3, "a server, a worker and its child")
        began = children(run.pid)
        os.kill(run.pid, signal.SIGINT)
        run.communicate(timeout=60)

    assert run.returncode == 130
    assert not any(running(process.pid) for process in began)
    assert list(folder.iterdir()) == []


def children(pid):
    return psutil.Process(pid).children(recursive=True)
