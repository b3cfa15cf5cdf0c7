"""A local server's folder: whose it is, whose data it holds, and where a socket can be made. No server is started."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from taskpy import embedded, embedded_folder, errors
from taskpy.embedded_folder import Folder, Record

if sys.platform == "win32":
    pytest.skip("a local server needs Linux or macOS", allow_module_level=True)


@pytest.fixture
def home(tmp_path):
    folder = tmp_path.resolve() / "home"
    folder.mkdir(mode=0o700)
    return folder


# -- whose it is --------------------------------------------------------------------------------


def test_a_new_folder_is_for_this_user_alone(home):
    Folder.at(home / "in" / "it").prepare()

    assert (home / "in" / "it").stat().st_mode & 0o777 == 0o700


def test_a_folder_open_to_others_is_closed_only_when_it_is_ours(home):
    home.chmod(0o755)
    (home / "thesis.tex").touch()

    with pytest.raises(errors.ServerError, match="open to others"):
        Folder.at(home).prepare()

    assert home.stat().st_mode & 0o777 == 0o755
    (home / "thesis.tex").unlink()
    Folder.at(home).prepare()
    assert home.stat().st_mode & 0o777 == 0o700


def test_another_users_folder_is_refused(home, monkeypatch):
    monkeypatch.setattr(os, "getuid", lambda: home.stat().st_uid + 1)

    with pytest.raises(errors.ServerError, match="belongs to another user"):
        Folder.at(home).prepare()


def test_a_folder_that_cannot_be_made_says_what_to_set(home):
    (home / "file").touch()

    with pytest.raises(errors.ServerError, match="TASKPY_HOME"):
        embedded.join(home / "file" / "home")


# -- whose data it holds ------------------------------------------------------------------------


def test_the_record_comes_back(home):
    folder = Folder.at(home)
    assert folder.read_record() is None

    record = Record(engine="valkey", version="9.1.2", program="/bin/valkey-server", socket="/run/s")
    folder.write_record(record)

    assert folder.read_record() == record


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('{"layout": 99, "engine": "valkey", "version": "12.0.0"}', "another version of taskpy"),
        ("{}", "another version of taskpy"),
        ("[]", "another version of taskpy"),
        ("no json", "cannot be read"),
    ],
)
def test_data_of_an_unknown_layout_is_not_opened(home, written, message):
    (home / "engine.json").write_text(written)

    with pytest.raises(errors.ServerError, match=message):
        embedded.join(home)

    embedded.leave(home)
    assert not (home / "redis.log").exists()


@pytest.mark.parametrize("name", ["appendonlydir", "dump.rdb"])
def test_data_of_another_server_is_not_opened(home, name):
    (home / name).mkdir()

    with pytest.raises(errors.ServerError, match="not written by a server of taskpy's"):
        embedded.join(home)

    embedded.leave(home)
    assert not (home / "redis.log").exists()


# -- where a socket can be made -----------------------------------------------------------------


def test_a_folder_of_our_name_that_others_can_write_is_a_trap(monkeypatch):
    with tempfile.TemporaryDirectory(prefix="taskpy-") as folder:  # pytest's own would be too long for a socket
        assert_a_trap_is_avoided(Path(folder).resolve(), monkeypatch)


def assert_a_trap_is_avoided(home, monkeypatch):
    deep = home / ("deep" * 40)
    deep.mkdir()
    trap = home / f"taskpy-{os.getuid()}"
    trap.mkdir()
    trap.chmod(0o777)
    monkeypatch.setattr(tempfile, "tempdir", str(home))
    monkeypatch.setattr(embedded_folder, "SOCKET_PATH_LIMIT", len(str(trap)) + 40)

    assert str(trap) not in Folder.at(deep).choose_socket()

    trap.chmod(0o700)
    assert str(trap) in Folder.at(deep).choose_socket()


def test_without_any_place_for_a_socket_the_message_names_the_folder(home, monkeypatch):
    monkeypatch.setattr(embedded_folder, "SOCKET_PATH_LIMIT", 3)

    with pytest.raises(errors.ServerError, match=f"no unix socket can be made in {home}"):
        Folder.at(home).choose_socket()
