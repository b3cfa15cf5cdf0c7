"""One pub/sub connection for all: who watches is nudged, who listens gets each message, and breaks are healed."""

import logging
import queue
import threading
import time

import pytest
import redis

from taskpy import subscriber
from taskpy.nudge import Nudge
from taskpy.outage import Outage
from taskpy.subscriber import Subscriber
from tests.unit.waiting import until


class Connection:
    """A pub/sub connection that is only made up: it confirms subscriptions, and says what the test has it say."""

    def __init__(self):
        self.subscribed = set()
        self.commands = []
        self.closed = threading.Event()
        self.closed_by = None
        self.connection = self  # redis-py's own, below its PubSub
        self._incoming = queue.SimpleQueue()

    def subscribe(self, *channels):
        self.commands.append(("subscribe", *channels))
        for channel in channels:
            self.subscribed.add(channel)
            self._incoming.put([b"subscribe", channel.encode(), 1])

    def unsubscribe(self, *channels):
        self.commands.append(("unsubscribe", *channels))
        self.subscribed.difference_update(channels)

    def says(self, channel, data=b"x"):
        self._incoming.put([b"message", channel.encode(), data])

    def breaks(self):
        self._incoming.put(redis.ConnectionError("broken"))

    def can_read(self, timeout):
        try:
            self._next = self._incoming.get(timeout=timeout)
        except queue.Empty:
            return False
        return True

    def read_response(self, disconnect_on_error=True):
        if not disconnect_on_error and not self.can_read(subscriber.TICK_SECONDS):  # nobody has looked before
            raise redis.TimeoutError("nothing was said")
        if isinstance(self._next, Exception):
            raise self._next
        return self._next

    def handle_message(self, said):
        kind, channel, data = said
        return {"type": kind.decode(), "channel": channel, "data": data}

    def disconnect(self):
        self._incoming.put(redis.ConnectionError("closed"))

    def close(self):
        self.closed_by = threading.current_thread().name
        self.closed.set()
        self.disconnect()


class World:
    """A subscriber, and the connections it has made."""

    def __init__(self, *, gives_up):
        self.connections = []
        self.refused = 0
        self.subscriber = Subscriber(self._connect, Outage("redis://there"), gives_up=gives_up)

    @property
    def connection(self):
        return self.connections[-1]

    def _connect(self):
        if self.refused:
            self.refused -= 1
            raise redis.ConnectionError("refused")
        self.connections.append(Connection())
        return self.connection


@pytest.fixture(params=[True, False], ids=["gives_up", "is_looked_at"])
def world(request, monkeypatch):
    monkeypatch.setattr(subscriber, "TICK_SECONDS", 0.02)
    monkeypatch.setattr(subscriber, "LINGER_SECONDS", 0.0)
    monkeypatch.setattr(subscriber.retry, "reconnect_delay", lambda failures: 0.001)
    made = World(gives_up=request.param)
    yield made
    made.subscriber.close()


def test_a_message_nudges_who_watches_the_channel(world):
    watched, other = world.subscriber.watch("a"), world.subscriber.watch("b")
    seen, unmoved = watched.count, other.count

    world.connection.says("a")

    assert watched.wait(seen, 10)
    assert other.count == unmoved


def test_all_watchers_of_a_channel_share_one_subscription(world):
    first, second = world.subscriber.watch("a"), world.subscriber.watch("a")

    assert first is second
    assert isinstance(first, Nudge)
    assert len(world.connections) == 1


def test_many_channels_are_subscribed_by_one_command_and_left_by_one(world):
    kept = world.subscriber.watch("kept")
    known = world.subscriber.watch("b")

    nudges = world.subscriber.watch_all(["a", "b", "c", "kept"])

    assert nudges[1] is known
    assert nudges[3] is kept
    assert world.connection.commands[-1] == ("subscribe", "a", "c")
    seen = [nudge.count for nudge in nudges]
    world.connection.says("c")
    assert nudges[2].wait(seen[2], 10)
    assert [nudge.count for nudge in nudges[:2]] == seen[:2]

    with world.subscriber._lock:  # so that all go at the same time
        for channel in ["a", "b", "c", "kept", "b"]:
            world.subscriber.unwatch(channel)
    until(lambda: world.connection.subscribed == {"kept"}, "the channels to be left")
    assert world.connection.commands[3:] == [("unsubscribe", "b", "a", "c")]


def test_who_watches_many_is_confirmed_of_all_however_long_it_takes(world, monkeypatch):
    world.subscriber.watch("first")
    monkeypatch.setattr(subscriber, "CONFIRM_SECONDS", 5.0)
    dispatch = world.subscriber._dispatch
    monkeypatch.setattr(world.subscriber, "_dispatch", lambda message: (time.sleep(0.001), dispatch(message)))

    world.subscriber.watch_all([str(number) for number in range(200)])

    assert all(entry.confirmed.is_set() for entry in world.subscriber._channels.values())


def test_a_server_that_confirms_nothing_is_waited_for_once_not_for_each(world, monkeypatch):
    world.subscriber.watch("first")
    monkeypatch.setattr(subscriber, "CONFIRM_SECONDS", 0.2)
    monkeypatch.setattr(world.subscriber, "_dispatch", lambda message: None)

    began = time.monotonic()
    world.subscriber.watch_all([str(number) for number in range(100)])

    assert time.monotonic() - began < 10


def test_a_listener_gets_each_message_in_order(world):
    heard = []
    world.subscriber.listen("a", heard.append)

    for number in range(5):
        world.connection.says("a", b"%d" % number)

    until(lambda: heard == [b"0", b"1", b"2", b"3", b"4"], "five messages")


def test_a_listener_that_fails_does_not_deafen_the_others(world, caplog):
    heard = []
    world.subscriber.listen("a", lambda data: 1 / 0)
    world.subscriber.listen("a", heard.append)

    world.connection.says("a", b"1")
    world.connection.says("a", b"2")

    until(lambda: heard == [b"1", b"2"], "two messages")
    assert "a listener failed: channel=a" in caplog.text


def test_who_listens_no_more_hears_no_more(world):
    heard, others = [], []
    world.subscriber.listen("a", heard.append)
    world.subscriber.listen("a", others.append)
    world.subscriber.unlisten("a", heard.append)

    world.connection.says("a", b"1")

    until(lambda: others == [b"1"], "a message")
    assert heard == []


def test_after_a_break_everything_is_subscribed_again_and_everybody_looks(world, caplog):
    a, b = world.subscriber.watch("a"), world.subscriber.watch("b")
    seen_a, seen_b = a.count, b.count
    broken = world.connection

    broken.breaks()

    assert a.wait(seen_a, 10)
    assert b.wait(seen_b, 10)
    assert broken.closed.is_set()
    assert world.connection is not broken
    assert world.connection.subscribed == {"a", "b"}
    seen_a = a.count
    world.connection.says("a")
    assert a.wait(seen_a, 10)


def test_an_outage_is_said_once_however_often_it_tries(world, caplog):
    a = world.subscriber.watch("a")
    seen = a.count
    world.refused = 5

    with caplog.at_level(logging.WARNING):
        world.connection.breaks()
        assert a.wait(seen, 10)

    assert len([record for record in caplog.records if "does not answer" in record.message]) == 1


def test_a_server_that_is_not_there_yet_is_waited_for(world):
    world.refused = 3

    a = world.subscriber.watch("a")

    until(lambda: world.connections and world.connection.subscribed == {"a"}, "the subscription")
    seen = a.count
    world.connection.says("a")
    assert a.wait(seen, 10)


def test_reconnecting_on_purpose_is_no_outage(world, caplog):
    a = world.subscriber.watch("a")
    deaf, seen = world.connection, a.count

    world.subscriber.reconnect()

    assert a.wait(seen, 10)
    assert deaf.closed.is_set()
    assert world.connection is not deaf
    assert not caplog.records


@pytest.mark.parametrize("leave", ["reconnect", "close"])
def test_only_the_thread_that_reads_gives_the_connection_back(world, leave):
    # In redis-py's pool somebody else would be handed it while that thread still reads, and connects, on it.
    world.subscriber.watch("a")
    first = world.connection

    getattr(world.subscriber, leave)()

    assert first.closed.wait(10)
    assert first.closed_by == "taskpy-subscriber"


def test_a_channel_that_nobody_watches_is_left(world):
    world.subscriber.watch("kept")
    world.subscriber.watch("left")
    world.subscriber.unwatch("left")

    until(lambda: world.connection.subscribed == {"kept"}, "the channel to be left")


def test_a_channel_is_left_also_where_messages_never_cease(world):
    world.subscriber.watch("busy")
    world.subscriber.watch("left")
    world.subscriber.unwatch("left")

    def still_there():
        world.connection.says("busy")
        return world.connection.subscribed == {"busy"}

    until(still_there, "the channel to be left")


def test_the_last_channel_stays_for_a_connection_without_any_cannot_be_read(world):
    world.subscriber.watch("last")
    world.subscriber.unwatch("last")
    world.subscriber.listen("other", lambda data: None)

    until(lambda: world.connection.subscribed == {"other"}, "the channel to be left")


def test_a_channel_that_was_just_left_is_still_subscribed(world, monkeypatch):
    monkeypatch.setattr(subscriber, "LINGER_SECONDS", 100.0)
    first = world.subscriber.watch("a")
    world.subscriber.watch("b")
    world.subscriber.unwatch("a")

    assert world.subscriber.watch("a") is first
    assert world.connection.subscribed == {"a", "b"}


def test_what_was_said_on_a_channel_that_is_left_is_nothing(world):
    world.subscriber.watch("a")

    world.connection.says("unknown")

    seen = world.subscriber.watch("a").count
    world.connection.says("a")
    assert world.subscriber.watch("a").wait(seen, 10)


def test_closing_ends_the_thread_at_once(world, monkeypatch):
    monkeypatch.setattr(subscriber, "TICK_SECONDS", 30.0)
    world.subscriber.watch("a")

    began = time.monotonic()
    world.subscriber.close()

    assert time.monotonic() - began < 10
    assert not world.subscriber._thread.is_alive()
    assert world.connection.closed.is_set()
