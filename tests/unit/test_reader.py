"""A place in an outbox: each reader has its own, is told once of what it misses, and may be shared by threads."""

import collections
import random
import threading
import time

import pytest

from taskpy import errors, flow
from taskpy.mailbox import Outbox
from taskpy.nudge import Nudge
from taskpy.reader import Reader
from taskpy.spec import State
from taskpy.status import Mail


class Line:
    """A task that sends what the test says; `limit` messages are kept, `batch` are read at once."""

    recheck = None

    def __init__(self, *, limit=1000, batch=1000):
        self._outbox = Outbox(limit)
        self._batch = batch
        self._nudge = Nudge()
        self.state = State.RUNNING
        self.reads = 0

    def send(self, *messages):
        self._outbox.append(messages)
        self._nudge.give()

    def end(self, state=State.SUCCEEDED):
        self.state = state
        self._nudge.give()

    def read(self, index):
        self.reads += 1
        state = self.state
        page = self._outbox.read(index)
        return flow.just(Mail(state, page.first, page.messages[: self._batch], page.sent))

    def opened(self, message):
        return message

    def watch(self):
        return flow.just(self._nudge)

    def late(self):
        return flow.just(None)


def do(steps):
    return flow.drive(steps, flow.wait_here)


def take(reader, *, timeout=0.0):
    return do(reader.recv(True, timeout))


def take_all(reader):
    """What is to be had now."""
    found = []
    while True:
        try:
            found.append(take(reader))
        except (errors.Empty, errors.TaskEnded):
            return found


def test_a_reader_reads_from_its_place_on():
    line = Line()
    line.send(0, 1, 2, 3)

    assert take_all(Reader(line, 0)) == take_all(Reader(line, None)) == [0, 1, 2, 3]
    assert take_all(Reader(line, 2)) == [2, 3]
    assert take_all(Reader(line, 4)) == []


def test_two_readers_read_each_on_its_own():
    line = Line(batch=2)
    line.send(*range(5))
    one, other = Reader(line, 0), Reader(line, 0)

    assert [take(one), take(one), take(other)] == [0, 1, 0]
    assert take_all(one) == [2, 3, 4]
    assert take_all(other) == [1, 2, 3, 4]


def test_the_position_counts_what_lies_behind_the_reader():
    line = Line(batch=2)
    line.send(*range(5))
    reader = Reader(line, 1)

    assert reader.position == 1
    for behind in (2, 3, 4, 5):
        take(reader)
        assert reader.position == behind
    assert take_all(Reader(line, reader.position)) == []
    line.send(5)
    assert take(reader) == 5
    assert reader.position == 6


def test_now_is_behind_all_that_there_are():
    line = Line()
    line.send("before")
    reader = Reader(line, "now")

    assert take_all(reader) == []
    assert reader.position == 1
    line.send("after")
    assert take_all(reader) == ["after"]


def test_now_can_be_settled_before_the_first_message():
    line = Line()
    line.send("before")
    reader = Reader(line, "now")
    do(reader.settle())
    line.send("between")

    assert take_all(reader) == ["between"]
    do(reader.settle())
    assert take_all(reader) == []


def test_now_of_an_outbox_that_was_cut():
    line = Line(limit=2)
    line.send(*range(5))
    reader = Reader(line, "now")
    do(reader.settle())
    line.send(5)

    assert (take_all(reader), reader.position) == ([5], 6)


def test_what_is_missed_is_told_once():
    line = Line(limit=3)
    reader = Reader(line, 0)
    line.send(*range(5))

    with pytest.raises(errors.MessagesMissed) as missed:
        take(reader)

    assert missed.value.count == 2
    assert reader.position == 2
    assert take_all(reader) == [2, 3, 4]
    line.send(*range(5, 12))
    with pytest.raises(errors.MessagesMissed) as missed:
        take(reader)
    assert missed.value.count == 4
    assert take_all(reader) == [9, 10, 11]


def test_who_begins_at_the_oldest_misses_nothing_at_first():
    line = Line(limit=3)
    line.send(*range(5))
    reader = Reader(line, None)

    assert take_all(reader) == [2, 3, 4]
    assert reader.position == 5
    line.send(*range(5, 10))
    with pytest.raises(errors.MessagesMissed):
        take(reader)


def test_a_place_behind_all_is_where_they_end():
    line = Line()
    line.send(0, 1)
    reader = Reader(line, 9)

    assert take_all(reader) == []
    line.send(2)
    assert take_all(reader) == [2]


def test_after_the_last_message_comes_the_end():
    line = Line()
    line.send(0)
    line.end(State.FAILED)
    reader = Reader(line, 0)

    assert take(reader) == 0
    for _ in range(2):
        with pytest.raises(errors.TaskEnded):
            take(reader, timeout=None)


def test_nothing_comes_from_a_task_that_was_not_started():
    line = Line()
    line.state = State.NEW

    with pytest.raises(errors.NotStarted):
        take(Reader(line, 0), timeout=None)


def test_a_message_that_comes_wakes_the_reader():
    line = Line()
    reader = Reader(line, 0)
    threading.Timer(0.05, line.send, ["came"]).start()

    assert take(reader, timeout=10) == "came"


def test_without_blocking_it_is_empty_at_once():
    reader = Reader(Line(), 0)

    with pytest.raises(errors.Empty):
        do(reader.recv(False, None))
    began = time.monotonic()
    with pytest.raises(errors.Empty):
        take(reader, timeout=0.05)
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize("place", [-1, 1.0, True, "then", b"now"])
def test_what_is_no_place_is_refused(place):
    with pytest.raises(errors.BadArguments, match="after must be a number of messages, 'now' or None"):
        Reader(Line(), place)


def test_a_message_that_cannot_be_read_does_not_come_again(monkeypatch):
    line = Line()
    line.send("bad", "good")

    def opened(message):
        if message == "bad":
            raise errors.Malformed
        return message

    monkeypatch.setattr(line, "opened", opened)
    reader = Reader(line, 0)

    with pytest.raises(errors.Malformed):
        take(reader)
    assert take(reader) == "good"


def test_who_was_overtaken_looks_again(monkeypatch):
    line = Line(batch=1)
    line.send(0, 1)
    line.end()
    reader = Reader(line, 0)
    read = line.read

    def overtaken(index):
        page = read(index)
        if line.reads in (1, 3):  # each time, another thread takes what there is before this one notes what it read
            take(reader)
        return page

    def perform(step):
        raise AssertionError("it sleeps, and nobody will wake it")

    monkeypatch.setattr(line, "read", overtaken)
    with pytest.raises(errors.TaskEnded):
        flow.drive(reader.recv(True, None), perform)


@pytest.mark.parametrize("after", [0, None, "now"])
def test_threads_that_share_a_reader_get_each_message_once(after):
    seed = random.randrange(10**6)
    print(f"seed={seed}")
    chance = random.Random(seed)
    count = 2000
    line = Line(limit=count, batch=7)
    reader = Reader(line, after)
    do(reader.settle())
    found = [[] for _ in range(4)]

    def read(mine):
        while True:
            try:
                mine.append(take(reader, timeout=None))
            except errors.TaskEnded:
                return

    threads = [threading.Thread(target=read, args=(mine,), daemon=True) for mine in found]
    for thread in threads:
        thread.start()
    sent = 0
    while sent < count:
        some = min(chance.randint(1, 20), count - sent)
        line.send(*range(sent, sent + some))
        sent += some
    line.end()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), "it sleeps, and the task has ended"

    assert collections.Counter(message for mine in found for message in mine) == collections.Counter(range(count))
    assert all(mine == sorted(mine) for mine in found)
    assert reader.position == count
