"""The ladder: where a client and a worker look for Redis, and what they say when there is none."""

import pathlib
import subprocess
import sys

import pytest

from taskpy import address, embedded, errors
from taskpy.settings import Settings


@pytest.fixture
def local(monkeypatch):
    """The folders that a local server was asked for, instead of the servers."""
    asked = []

    def join(home, **_):
        asked.append(str(home))
        return "unix:///there"

    monkeypatch.setattr(embedded, "join", join)
    return asked


def resolve(url=None, **env):
    return address.resolve(url, Settings.from_env({"HOME": "/h", "TASKPY_HOME": "/h/taskpy", **env}))


@pytest.mark.parametrize(
    ("url", "env", "found", "source"),
    [
        ("redis://a", {"TASKPY_REDIS_URL": "redis://b", "REDIS_URL": "redis://c"}, "redis://a", "argument"),
        (None, {"TASKPY_REDIS_URL": "redis://b", "REDIS_URL": "redis://c"}, "redis://b", "TASKPY_REDIS_URL"),
        (None, {"REDIS_URL": "rediss://c"}, "rediss://c", "REDIS_URL"),
        (None, {}, "unix:///there", "embedded"),
        (None, {"REDIS_URL": ""}, "unix:///there", "embedded"),
        ("memory://x", {}, "memory://x", "argument"),
    ],
)
def test_the_first_rung_that_is_there_holds(local, url, env, found, source):
    there = resolve(url, **env)

    assert (there.url, there.source) == (found, source)


def test_the_local_server_may_be_named_with_its_folder(local):
    resolve("embedded:///some/where")
    resolve(TASKPY_REDIS_URL="embedded://")

    assert local == ["/some/where", "/h/taskpy"]


def test_the_last_rung_can_be_taken_away(local):
    with pytest.raises(errors.ServerError, match="TASKPY_EMBEDDED=0 forbids"):
        resolve(TASKPY_EMBEDDED="0")

    assert resolve("embedded://", TASKPY_EMBEDDED="0").source == "embedded"


def test_an_unknown_kind_of_url_is_an_error_that_names_the_known_ones(local):
    with pytest.raises(errors.BadArguments, match=r"ftp://x.*not a Redis URL.*rediss://.*memory://"):
        resolve("ftp://x")


def test_a_user_without_a_home_needs_one_for_the_local_server_only(monkeypatch):
    def no_home(_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "expanduser", no_home)

    assert address.resolve("redis://a", Settings.from_env({})).url == "redis://a"
    with pytest.raises(errors.ServerError, match="set TASKPY_HOME"):
        address.resolve(None, Settings.from_env({}))


def test_a_password_is_not_shown(local):
    there = resolve("redis://user:secret@host:6379/0")

    assert "secret" not in f"{there} {there!r}"
    assert "user:***@host" in str(there)


def test_a_worker_refuses_a_server_that_its_children_would_not_see():
    command = [sys.executable, "-m", "taskpy_worker", "json", "--url", "memory://x"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 2
    assert "memory:// is a server inside one process" in done.stderr
