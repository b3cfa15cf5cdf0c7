"""The control: what is left behind on purpose is noticed, and named."""

import socket
import subprocess
import sys
import threading
import time

import fakeredis
import pytest

from tests import leaks


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(leaks, "PATIENCE_SECONDS", 0.05)
    return leaks.present()


def test_a_thread_that_goes_on_is_noticed(impatient):
    over = threading.Event()
    thread = threading.Thread(target=over.wait, name="left-on-purpose")
    thread.start()

    [left] = leaks.left_since(impatient)

    assert left.startswith("thread left-on-purpose")
    over.set()
    thread.join()
    assert leaks.left_since(impatient) == []


def test_a_child_that_was_not_waited_for_is_noticed(impatient):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    left = leaks.left_since(impatient)

    assert any(one.startswith(f"child process {child.pid}: {sys.executable}") for one in left)
    child.communicate(b"\n")
    assert leaks.left_since(impatient) == []


def test_an_open_file_and_a_connection_are_noticed(impatient, tmp_path):
    file = (tmp_path / "x").open("w")
    ends = socket.socketpair()

    left = leaks.left_since(impatient)

    assert len(left) == 3
    assert any(one.endswith(str(tmp_path / "x")) for one in left)
    assert sum("socket:" in one for one in left) == 2
    for each in (file, *ends):
        each.close()
    assert leaks.left_since(impatient) == []


def test_a_connection_of_fakeredis_hides_no_descriptor():
    with fakeredis.FakeRedis(version=(7, 0)) as redis:
        redis.ping()
        [connection] = redis.connection_pool._available_connections

        assert connection._sock.fileno() > 0, "a number of its own making"
        assert leaks._number(connection) is None


def test_what_goes_by_itself_in_time_is_nothing_left():
    before = leaks.present()
    threading.Thread(target=time.sleep, args=(0.05,)).start()

    assert leaks.left_since(before) == []


def test_looking_costs_little():
    took = []
    for _ in range(20):
        began = time.process_time()
        leaks.present()
        took.append(time.process_time() - began)

    assert min(took) < 0.0025, "it is done twice a test"


def test_keys_that_will_never_go_are_named():
    with fakeredis.FakeRedis(version=(7, 0)) as redis:
        for name, state in (("ended", "failed"), ("runs", "running"), ("fine", "stopped")):
            redis.hset(f"{{x}}:t:{name}", "st", state)
        redis.expire("{x}:t:fine", 60)
        for key in ("t:ended:events", "t:runs:in", "t:gone:out", "held:lost", "held:lives", "recent:q", "new"):
            redis.lpush(f"{{x}}:{key}", "1")
        redis.zadd("{x}:lease", {"lives": 1})
        redis.set("{x}:w:lives", "")
        redis.set("{y}:t:other", "")

        left = leaks.keys_left(redis, "x")

    named = {one.split(" of ")[0].removeprefix("{x}:") for one in left}
    assert named == {"t:ended", "t:ended:events", "t:gone:out", "held:lost", "w:lives", "new"}
