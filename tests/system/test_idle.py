"""An idle worker is nearly silent: what goes over its connections is counted on the wire, command by command."""

from collections import Counter

import pytest

import taskpy
from tests.system.conftest import Fleet
from tests.system.proxy import CountingProxy
from tests.system.waiting import until

LEASE = 0.9
#: How many turns of the supervisor a look at the wire takes; there are three in a lease.
BEATS = 12
#: The claimer waits so long for a bell, in seconds.
BLOCK = 5.0
#: The share of the commands that may lie on either side of the moments between which we count.
SLACK = 2

#: All that an idle worker has to say: its supervisor a few times a lease, and each child.
IDLE = {"due", "heartbeat", "BRPOP", "claim"}
#: What a connection, or a script, needs once: one of either may be opened late, when two duties happen to speak at once.
ONCE = {"CLIENT", "SCRIPT"}


@pytest.fixture
def proxied(own_server, tmp_path):
    """A namespace behind a proxy that counts; the test's own client goes past it."""
    proxy = CountingProxy(own_server.port)
    made = Fleet(own_server, tmp_path)
    made.proxy = proxy
    yield made
    made.close()
    proxy.close()


def said_in(proxy, beats):
    """The commands that went by while the supervisor took so many turns."""
    first = len(proxy.commands)

    def over():
        return Counter(command.word for command in proxy.commands[first:])["due"] >= beats

    until(over, f"{beats} turns of the supervisor")
    return proxy.commands[first:]


def settled_down(fleet):
    """Have one task run, and wait until all that is said only once was said."""
    assert fleet.submit("echo", 1).get(30) == [1]
    first = len(fleet.proxy.commands)
    until(
        lambda: {"due", "heartbeat"} <= {command.word for command in fleet.proxy.commands[first:]},
        "the first beats after the task",
    )


def assert_only_idle_words(commands, *, heartbeats=BEATS / 3, blocks=BEATS * LEASE / 3 / BLOCK, processes=1):
    words = Counter(command.word for command in commands)
    assert sum(words.pop(word, 0) for word in ONCE) <= 2 * processes, words
    assert set(words) <= IDLE, words
    assert words["due"] <= BEATS + SLACK, words
    assert abs(words["heartbeat"] - heartbeats * processes) <= SLACK * processes, words
    for word in ("BRPOP", "claim"):
        assert words[word] <= (blocks + 1) * processes, words


def test_an_idle_worker_says_a_few_words_a_lease_and_nothing_else(proxied):
    worker = proxied.worker(url=proxied.proxy.url, lease=LEASE)
    settled_down(proxied)
    [child] = worker.children()

    commands = said_in(proxied.proxy, BEATS)

    assert_only_idle_words(commands)
    by_connection = {}
    for command in commands:
        by_connection.setdefault(command.connection, set()).add(command.word)
    uses = list(by_connection.values())
    assert uses.count({"due"}) == 1
    assert {"BRPOP"} in uses or not any("BRPOP" in words for words in uses)
    assert len(uses) <= 4  # the supervisor's, the bell's, two for commands; and the one of pub/sub says nothing
    assert proxied.server.connections_of(child) <= 4
    assert proxied.server.connections_of(worker.pid) <= 1
    subscribed = [c for c in proxied.server.client.client_list() if c["name"].endswith(f":{child}") and int(c["sub"])]
    assert len(subscribed) == 1


def test_two_hundred_waiting_tasks_cost_no_word_more(proxied):
    worker = proxied.worker(url=proxied.proxy.url, lease=LEASE, concurrency=201)
    settled_down(proxied)
    tasks = proxied.submit_many(100, "converse") + proxied.submit_many(100, "converse_async")
    for task in tasks:
        assert task.recv(timeout=20) == "begun"
    [child] = worker.children()

    commands = said_in(proxied.proxy, BEATS)

    assert_only_idle_words(commands, heartbeats=BEATS)
    asked = [int(command.arguments[1]) - 2 for command in commands if command.word == "heartbeat"]
    # The first one may have been made, and have waited for a connection, before the last task began.
    assert set(asked[1:]) == {200}, "each heartbeat asks about all tasks, in one call"
    assert proxied.server.connections_of(child) <= 4

    for task in tasks:
        task.send("hello")
    for task in tasks:
        task.stop(join=False)
    assert [task.get(30) for task in tasks] == [["hello"]] * 200
    assert proxied.server.connections_of(child) <= 4


def test_a_full_worker_does_not_even_wait_for_a_bell(proxied):
    proxied.worker(url=proxied.proxy.url, lease=LEASE, concurrency=2)
    settled_down(proxied)
    tasks = proxied.submit_many(2, "deaf")
    proxied.wait_for_starts(tasks)
    proxied.submit("deaf")

    commands = said_in(proxied.proxy, BEATS)

    assert_only_idle_words(commands, heartbeats=BEATS, blocks=0)
    assert Counter(command.word for command in commands)["claim"] == 0


def test_several_children_each_say_their_own(proxied):
    worker = proxied.worker(url=proxied.proxy.url, lease=LEASE, processes=2)
    settled_down(proxied)
    until(lambda: proxied.proxy.words()["SUBSCRIBE"] >= 4, "both children to listen")

    def waiting_for_a_bell():
        return len({command.connection for command in proxied.proxy.commands if command.word == "BRPOP"})

    until(lambda: waiting_for_a_bell() == 2, "both children to have claimed, and to wait")
    said_in(proxied.proxy, 2)  # what the later one says only once

    commands = said_in(proxied.proxy, BEATS)

    assert_only_idle_words(commands, processes=2)
    assert all(proxied.server.connections_of(child) <= 4 for child in worker.children())


def test_a_waiting_client_says_nothing_until_it_is_woken(proxied):
    task = proxied.submit("converse")  # and no worker is there yet
    with taskpy.Client(proxied.proxy.url, namespace=proxied.namespace) as client:
        handle = client.attach(task.id)
        proxied.worker()
        assert handle.recv(timeout=20) == "begun"
        before = len(proxied.proxy.commands)
        assert not handle.wait(1.0)
        said = Counter(command.word for command in proxied.proxy.commands[before:])

    assert set(said) <= {"HMGET", "SUBSCRIBE", "CLIENT"}  # with its name, where this opens the connection
    assert said["HMGET"] <= 4
    task.stop()
