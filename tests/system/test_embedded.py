"""The local server: one for all processes of a user, durable, and gone after the last of them, however they end."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import redis

from taskpy import embedded, embedded_folder, embedded_program, errors
from taskpy.embedded_folder import Folder

if sys.platform == "win32":
    pytest.skip("a local server needs Linux or macOS", allow_module_level=True)

ROOT = Path(__file__).parents[2]
#: The program to test with; without it, the one that a user would get.
SERVER = os.environ.get("TASKPY_TEST_SERVER")
DEADLINE_SECONDS = 30

USER = """
import sys
from pathlib import Path
from taskpy import embedded
home, server, grace = sys.argv[1:]
print(embedded.join(Path(home), server=server or None, grace=float(grace)), flush=True)
sys.stdin.read()
"""


def until(condition, what):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS} s for: {what}"
        time.sleep(0.01)


def always(condition, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            return False
        time.sleep(0.01)
    return True


class Users:
    """Processes that use the server of one folder."""

    def __init__(self, home):
        self.home = home
        self.processes = []

    def start(self, *, grace=30.0, code=USER, **options):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(self.home), SERVER or "", str(grace)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,
        )
        self.processes.append(process)
        return process

    def joined(self, **options):
        process = self.start(**options)
        return process, process.stdout.readline().strip()

    def kill_all(self):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
            process.stdin.close()
            process.stdout.close()
        self.processes.clear()


def processes_of(home, part):
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if part in "".join(line[:4]) and any(str(home) in word for word in line):
                found.append(process.pid)
    return found


def runs(home):
    return embedded.status(home).running


def connect(url):
    return redis.Redis.from_url(url, socket_timeout=10)


def join(home, **options):
    return embedded.join(home, server=SERVER, **options)


@pytest.fixture
def home(tmp_path):
    # resolved as join() does it: on macOS /var is a link.
    return tmp_path.resolve() / "home of müller"


@pytest.fixture
def users(home):
    made = Users(home)
    yield made
    made.kill_all()


@pytest.fixture(autouse=True)
def nothing_left(home):
    yield
    embedded.leave(home)
    embedded.stop(home)
    until(lambda: not processes_of(home, "embedded_keeper"), "the keeper to end with its server")


# -- one server for all -------------------------------------------------------------------------


def test_ten_processes_at_once_get_one_server(home, users):
    started = [users.start() for _ in range(10)]

    urls = {process.stdout.readline().strip() for process in started}

    assert len(urls) == 1
    assert urls.pop().startswith("unix://")
    (keeper,) = processes_of(home, "embedded_keeper")
    (server,) = psutil.Process(keeper).children()
    assert server.pid == embedded.status(home).pid


def test_the_url_is_one_that_redis_py_understands(home):
    with connect(join(home)) as client:
        assert client.ping() is True
        assert client.info("server")["process_id"] == embedded.status(home).pid


def test_joining_again_costs_nothing(home):
    first = join(home)
    files = psutil.Process().num_fds()

    assert join(home) == first
    assert join(home.parent / "." / home.name) == first
    assert psutil.Process().num_fds() == files


def test_the_callers_output_is_not_held_open(home, users):
    process = users.start()

    # Returns only when every process that holds the pipe's other end is gone.
    out, _ = process.communicate("", timeout=DEADLINE_SECONDS)

    assert out.startswith("unix://")
    assert runs(home)


def test_the_folder_is_the_users_alone(home):
    join(home)

    assert home.stat().st_mode & 0o777 == 0o700
    assert Path(embedded.status(home).socket).stat().st_mode & 0o077 == 0


# -- how it ends --------------------------------------------------------------------------------


def test_killed_users_leave_nothing_but_the_data(home, users):
    url = {users.joined(grace=0.3)[1] for _ in range(10)}.pop()
    where = Path(embedded.status(home).socket)
    with connect(url) as client:
        client.set("kept", "yes")

    users.kill_all()

    until(lambda: not runs(home), "the server to end")
    until(lambda: not processes_of(home, "embedded_keeper"), "the keeper to end")
    assert not where.exists()
    with connect(users.joined()[1]) as client:
        assert client.get("kept") == b"yes"
    log = (home / "redis.log").read_text()
    assert "Bad file format" not in log
    assert "truncated" not in log


def test_the_server_waits_for_the_next_user(home, users):
    users.joined(grace=0.5)
    pid = embedded.status(home).pid
    users.kill_all()

    users.joined(grace=0.5)

    assert always(lambda: runs(home), 1.5)
    assert embedded.status(home).pid == pid


def test_a_forked_child_is_a_user_and_its_parent_can_leave(home, users):
    code = USER.replace(
        "sys.stdin.read()", "import os\nif os.fork(): embedded.leave(Path(home))\nelse: sys.stdin.read()"
    )
    process, _ = users.joined(grace=0.1, code=code)
    process.wait(DEADLINE_SECONDS)

    assert always(lambda: runs(home), 0.7)

    process.stdin.close()
    until(lambda: not runs(home), "the server to end after the child")


def test_ctrl_c_ends_the_user_and_not_the_server(home, users):
    process, url = users.joined(start_new_session=True, stderr=subprocess.DEVNULL)

    os.killpg(process.pid, signal.SIGINT)
    process.wait(DEADLINE_SECONDS)

    server = embedded.status(home).pid
    assert os.getsid(server) != process.pid
    with connect(url) as client:
        assert client.ping()


def test_a_killed_server_comes_back_with_every_acknowledged_write(home, users):
    _, url = users.joined()
    pid = embedded.status(home).pid
    acknowledged = []

    def write():
        with connect(url) as client, contextlib.suppress(redis.ConnectionError):
            while True:
                client.rpush("written", len(acknowledged))
                acknowledged.append(len(acknowledged))

    writer = threading.Thread(target=write)
    writer.start()
    until(lambda: len(acknowledged) > 200, "writes")
    os.kill(pid, signal.SIGKILL)
    writer.join(DEADLINE_SECONDS)

    with connect(join(home)) as client:
        stored = [int(number) for number in client.lrange("written", 0, -1)]
    assert stored[: len(acknowledged)] == acknowledged
    assert embedded.status(home).pid != pid


def test_stop_ends_it_and_join_starts_it_again(home):
    with connect(join(home)) as client:
        client.set("kept", "yes")

    assert embedded.stop(home) is True
    assert embedded.stop(home) is False
    assert not runs(home)

    with connect(join(home)) as client:
        assert client.get("kept") == b"yes"


def test_status_starts_nothing(home):
    assert not embedded.status(home).running
    assert not home.exists()

    join(home)
    found = embedded.status(home)

    assert (found.home, found.running) == (home, True)
    assert found.pid > 0
    assert found.engine in {"valkey", "redis"}
    assert tuple(int(part) for part in found.version.split(".")) >= (7, 0)
    assert Path(found.program).exists()


# -- where it listens ---------------------------------------------------------------------------


@pytest.fixture
def deep(tmp_path):
    folder = tmp_path.resolve() / ("deep" * 40)
    yield folder
    embedded.leave(folder)
    embedded.stop(folder)


def test_a_long_path_gets_a_short_socket(deep):
    with connect(join(deep)) as client:
        client.set("kept", "yes")
    where = embedded.status(deep).socket

    assert len(os.fsencode(where)) <= embedded_folder.SOCKET_PATH_LIMIT
    assert deep not in Path(where).parents
    assert (deep / "appendonlydir").is_dir()
    assert embedded.stop(deep)
    assert not Path(where).exists()


def test_a_file_system_without_sockets_gets_one_elsewhere(home, monkeypatch):
    bind = socket.socket.bind

    class Refusing(socket.socket):
        def bind(self, address):
            if str(home) in address:
                raise OSError("Operation not supported")
            bind(self, address)

    monkeypatch.setattr(socket, "socket", Refusing)

    url = join(home)

    assert str(home) not in url
    with connect(url) as client:
        assert client.ping()


def test_a_stale_socket_is_replaced(home):
    home.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(home / "redis.sock"))

    url = join(home)

    assert embedded.status(home).socket == str(home / "redis.sock")
    with connect(url) as client:
        assert client.ping()


def test_no_second_server_opens_the_data_of_one_that_runs(home, monkeypatch):
    join(home)
    pid = embedded.status(home).pid
    Path(embedded.status(home).socket).unlink()
    monkeypatch.setattr(embedded, "START_SECONDS", 0.2)

    with pytest.raises(errors.ServerError, match=rf"process {pid}.*does not answer.*kill {pid}"):
        join(home)

    assert embedded.status(home).pid == pid


def test_loading_is_waited_for_however_long_it_takes(home, monkeypatch):
    home.mkdir(mode=0o700)
    folder = Folder.at(home)
    lock = folder.claim_server()
    monkeypatch.setattr(embedded, "START_SECONDS", 0.2)
    asked = []

    def load(listener):
        while len(asked) < 100:
            connection, _ = listener.accept()
            with connection:
                asked.append(connection.recv(64))
                connection.sendall(b"+PONG\r\n" if len(asked) == 100 else b"-LOADING Redis is loading\r\n")

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / "s"))
        listener.listen()
        server = threading.Thread(target=load, args=(listener,), daemon=True)
        server.start()
        before = time.monotonic()
        assert embedded._answers(folder, str(home / "s"))
        server.join()
    os.close(lock)
    assert time.monotonic() - before > embedded.START_SECONDS


# -- what it refuses ----------------------------------------------------------------------------


def test_a_server_that_ends_at_once_shows_its_log(home, tmp_path):
    broken = tmp_path / "redis-server"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Redis server v=7.4.0" || echo "no such luck"\n')
    broken.chmod(0o755)

    with pytest.raises(errors.ServerError, match=r"(?s)ended at once.*no such luck"):
        embedded.join(home, server=str(broken))

    assert not runs(home)


def test_what_one_engine_wrote_another_opens(home):
    wheel, other = embedded_program._of_wheel(), shutil.which("redis-server")
    if not (wheel and other):
        pytest.skip("needs the wheel's Valkey and a redis-server on PATH")
    for first, second in ((wheel, other), (other, wheel)):
        with connect(embedded.join(home, server=first)) as client:
            client.set("written by", first)
        embedded.stop(home)

        with connect(embedded.join(home, server=second)) as client:
            assert client.get("written by").decode() == first
        embedded.stop(home)
