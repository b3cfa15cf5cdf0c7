"""Kept connections to a Cluster: to the node that has the keys, and by redis-py's own client where that is not sure."""

import pytest
import redis

import taskpy.links
from taskpy.cluster_links import ClusterLinks

A, B = "{a}:key", "{b}:key"


class Connection:
    """A connection to a node: answers each command with what a test has put there, else by naming the node."""

    def __init__(self, node):
        self.node = node
        self.waiting = []

    def connect(self):
        pass

    def disconnect(self):
        self.waiting.clear()

    def can_read(self):
        return False

    def pack_commands(self, commands):
        return list(commands)

    def send_packed_command(self, packed, check_health):
        self.node.writes.append(len(packed))
        self.waiting += packed

    def read_response(self):
        command = self.waiting.pop(0)
        answer = self.node.answers.pop(0) if self.node.answers else f"{self.node.name} {command[0]}"
        if isinstance(answer, BaseException):
            raise answer
        return answer


class Node:
    """A node, and its pool."""

    __hash__ = None  # as with redis-py 5.0

    def __init__(self, name):
        self.name = name
        self.answers = []
        self.writes = []
        self.connection_pool = self

    def get_connection(self):
        return Connection(self)

    def release(self, connection):
        pass


class Cluster:
    """Two nodes, as redis-py's client knows them; `asked` is what it was asked itself."""

    def __init__(self):
        self.a, self.b = Node("a"), Node("b")
        self.asked = []
        self.covered = True

    def get_node_from_key(self, key):
        if not self.covered:
            raise redis.exceptions.SlotNotCoveredError("no node")
        return self.a if key == A else self.b

    def get_redis_connection(self, node):
        return node

    def execute_command(self, *command):
        self.asked.append(command)
        return "slowly"


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def links(cluster, monkeypatch):
    monkeypatch.setattr(taskpy.links, "_pack", None)  # as it is without hiredis: a test sees the commands
    made = ClusterLinks(lambda: cluster)
    yield made
    made.close()


def test_a_command_goes_to_the_node_of_its_key(cluster, links):
    assert links.call(("GET", A)) == "a GET"
    assert links.call(("EVALSHA", "sha", 2, B, A, "argument")) == "b EVALSHA"
    assert links.call(("BRPOP", A, B, 1)) == "a BRPOP"
    assert cluster.asked == []


@pytest.mark.parametrize(
    "command", [("SCRIPT LOAD", "source"), ("EVALSHA", "sha", 0), ("PUBLISH", "channel", "x"), ("PING",)]
)
def test_what_has_no_key_is_left_to_redis_py(cluster, links, command):
    assert links.call(command) == "slowly"
    assert cluster.asked == [command]


def test_many_go_to_each_node_in_one_write_and_the_replies_come_in_order(cluster, links):
    commands = [("GET", A), ("SET", B), ("HGET", A), ("TTL", B), ("DEL", A)]

    assert links.call_many(commands) == ["a GET", "b SET", "a HGET", "b TTL", "a DEL"]
    assert (cluster.a.writes, cluster.b.writes) == ([3], [2])


@pytest.mark.parametrize("doubted", [False, True])
def test_what_there_is_to_do_meanwhile_is_done_once(cluster, links, doubted):
    if doubted:
        for node in (cluster.a, cluster.b):
            node.answers = [redis.ConnectionError()]
            with pytest.raises(redis.ConnectionError):
                links.call(("GET", A if node is cluster.a else B))
    done = []

    links.call_many([("GET", A), ("GET", B), ("DEL", A)], meanwhile=lambda: done.append("it"))

    assert done == ["it"]


def test_an_error_among_many_stands_in_its_place(cluster, links):
    cluster.a.answers = ["one", redis.ResponseError("WRONGTYPE"), "three"]

    one, two, three = links.call_many([("GET", A)] * 3)

    assert (one, three) == ("one", "three")
    assert isinstance(two, redis.ResponseError)


@pytest.mark.parametrize(
    "answer",
    [
        redis.exceptions.MovedError("1 127.0.0.1:7001"),
        redis.exceptions.AskError("1 127.0.0.1:7001"),
        redis.exceptions.TryAgainError("later"),
        redis.exceptions.ClusterDownError("The cluster is down"),
    ],
)
def test_slots_on_their_way_are_left_to_redis_py(cluster, links, answer):
    cluster.a.answers = [answer]
    assert links.call(("GET", A)) == "slowly"

    cluster.a.answers = [answer]
    assert links.call_many([("GET", A), ("GET", B)]) == ["a GET", "b GET"]  # it has moved back meanwhile


@pytest.mark.parametrize("error", [redis.ConnectionError, redis.TimeoutError, ConnectionResetError])
@pytest.mark.parametrize("many", [False, True])
def test_a_node_that_did_not_answer_is_asked_by_redis_py_until_it_does(cluster, links, error, many):
    cluster.a.answers = [error()]
    with pytest.raises(error):
        links.call_many([("GET", A)]) if many else links.call(("GET", A))

    assert links.call_many([("GET", A), ("GET", B)]) == ["slowly", "b GET"]

    assert links.call(("GET", A)) == "a GET"
    assert cluster.asked == [("GET", A)]


def test_a_slot_that_nobody_has_is_looked_for_anew(cluster, links):
    cluster.covered = False

    assert links.call(("GET", A)) == "slowly"


def test_a_node_with_a_new_pool_gets_new_connections(cluster, links):
    assert links.call(("GET", A)) == "a GET"
    before, cluster.a = cluster.a, Node("a")

    assert links.call(("GET", A)) == "a GET"
    assert (before.writes, cluster.a.writes) == ([1], [1])
