"""A few seconds of `make chaos`, so that it works when it is needed; its figures come from longer runs."""

import json
import os
import subprocess
import sys

import pytest

from tests.chaos.controls import ROOT, SAFETIES
from tests.chaos.options import CONTROLS


@pytest.mark.timeout(240)  # what lost several workers waits long before it is started again
def test_a_few_seconds_of_chaos_break_nothing(tmp_path):
    figures = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.chaos", "--seconds", "4", "--seed", "1", "--json", str(figures)]

    # Its logs go with the test's folder.
    here = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(command, check=False, cwd=ROOT, env=here, capture_output=True, text=True, timeout=200)

    assert done.returncode == 0, done.stdout + done.stderr
    [run] = json.loads(figures.read_text())
    assert run["accepted"] == sum(run["ended"].values()) > 10
    assert sum(run["faults"].values()) > 3


@pytest.mark.parametrize("control", CONTROLS)
def test_each_control_takes_out_something_that_is_there(control):
    verb, safety, _ = SAFETIES[control]

    assert (ROOT / "taskpy" / "lua" / f"{verb}.lua").read_text().count(safety) == 1
