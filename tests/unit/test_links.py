"""Kept connections: one write and one read a call, and never the reply of another call."""

import hiredis
import pytest
import redis
from redis._parsers import Encoder
from redis.connection import PythonRespSerializer

from taskpy import links
from taskpy.links import REST_SECONDS, Links


class Connection:
    """A connection of redis-py, as far as it is needed; replies are what a test has put there."""

    def __init__(self):
        self.sent = []
        self.replies = []
        self.disconnects = 0
        self.stale = False

    def connect(self):
        pass

    def pack_commands(self, commands):
        return list(commands)

    def send_packed_command(self, packed, check_health):
        assert not check_health
        self.sent += packed

    def read_response(self):
        reply = self.replies.pop(0)
        if isinstance(reply, BaseException):
            raise reply
        return reply

    def can_read(self):
        if isinstance(self.stale, Exception):
            raise self.stale
        return self.stale

    def disconnect(self):
        self.disconnects += 1
        self.replies.clear()


class Pool:
    """Hands out the connections it was given."""

    def __init__(self, *connections):
        self.free = list(connections)
        self.released = []

    def get_connection(self):
        return self.free.pop(0)

    def release(self, connection):
        self.released.append(connection)


@pytest.fixture
def connection():
    return Connection()


@pytest.fixture(autouse=True)
def packed_by_redis_py(monkeypatch):
    """As it is without hiredis: a test sees the commands."""
    monkeypatch.setattr(links, "_pack", None)


@pytest.fixture
def made(connection):
    return Links(Pool(connection))


def test_one_connection_serves_one_call_after_the_other(made, connection):
    connection.replies = [b"a", [b"b"]]

    assert made.call(("GET", "x")) == b"a"
    assert made.call(("BRPOP", "y", 1)) == [b"b"]
    assert connection.sent == [("GET", "x"), ("BRPOP", "y", 1)]
    assert connection.disconnects == 0


def test_many_commands_go_at_once_and_an_error_reply_is_an_answer(made, connection):
    refused = redis.ResponseError("WRONGTYPE")
    connection.replies = [b"a", refused, b"c"]

    assert made.call_many([("A",), ("B",), ("C",)]) == [b"a", refused, b"c"]
    assert connection.disconnects == 0


@pytest.mark.parametrize(
    "command",
    [("GET", "x"), ("SCRIPT LOAD", "return 1"), ("EVALSHA", "sha", 1, "kéy", b"\xff", 2.5, ""), ("BRPOP", "a", "b", 3)],
)
def test_hiredis_packs_a_command_as_redis_py_does(made, connection, monkeypatch, command):
    monkeypatch.setattr(links, "_pack", hiredis.pack_command)
    connection.replies = [b"a"]

    made.call(command)

    expected = PythonRespSerializer(6000, Encoder("utf-8", "strict", decode_responses=False).encode).pack(*command)
    assert b"".join(connection.sent) == b"".join(expected)


def test_what_there_is_to_do_meanwhile_is_done_between_the_commands_and_their_replies(made, connection):
    connection.replies = [b"a", b"b"]
    seen = []

    replies = made.call_many(
        [("A",), ("B",)], meanwhile=lambda: seen.append((len(connection.sent), len(connection.replies)))
    )

    assert seen == [(2, 2)]
    assert replies == [b"a", b"b"]


def test_an_error_reply_is_raised_and_the_connection_goes_on(made, connection):
    connection.replies = [redis.ResponseError("WRONGTYPE"), b"fine"]

    with pytest.raises(redis.ResponseError):
        made.call(("GET", "x"))
    assert made.call(("GET", "x")) == b"fine"
    assert connection.disconnects == 0


@pytest.mark.parametrize("fault", [redis.ConnectionError(), redis.TimeoutError(), KeyboardInterrupt(), OSError()])
def test_after_any_other_fault_no_reply_of_then_can_be_read(made, connection, fault):
    connection.replies = [fault, b"of the call before"]

    with pytest.raises(type(fault)):
        made.call(("GET", "x"))

    assert connection.disconnects == 1


def test_a_fault_in_the_middle_of_many_ends_the_connection(made, connection):
    connection.replies = [b"a", redis.TimeoutError(), b"c"]

    with pytest.raises(redis.TimeoutError):
        made.call_many([("A",), ("B",), ("C",)])

    assert connection.disconnects == 1


@pytest.mark.parametrize("stale", [True, redis.ConnectionError()])
def test_one_that_was_closed_while_it_rested_is_connected_anew_and_nobody_sees_it(made, connection, monkeypatch, stale):
    connection.replies = [b"a"]
    made.call(("A",))
    now = links.time.monotonic()
    monkeypatch.setattr(links.time, "monotonic", lambda: now + REST_SECONDS * 2)
    connection.stale = stale

    connection.disconnect = lambda: connection.replies.append(b"from a new one")
    assert made.call(("B",)) == b"from a new one"


def test_one_that_did_not_rest_is_not_looked_at(made, connection):
    connection.replies = [b"a", b"b"]
    made.call(("A",))
    connection.stale = AssertionError("it was looked at")

    assert made.call(("B",)) == b"b"


def test_closed_they_go_back_to_their_pool(made, connection):
    connection.replies = [b"a"]
    made.call(("A",))

    made.close()

    assert connection.disconnects == 1
    assert made._pool.released == [connection]
