"""Many submit with one key at once, while its tasks end: one is live at any time, the newest one runs, nobody is lost.

A seed that fails is printed; TASKPY_TEST_SEED runs it again.
"""

import itertools
import os
import random
import threading
import time

import pytest
from places import SOON
from taskpy_worker.config import WorkerConfig
from taskpy_worker.worker import running_here

import taskpy
from taskpy import Client, errors, task
from taskpy.space import Space

#: How often a task is replaced while it ends, over all keys; how many keys are tried at once.
ROUNDS = 1000
KEYS = 25
#: How long a task runs, and how long a submitter waits, at most; in seconds.
SHORT = 0.02

_lock = threading.Lock()
_live: dict[str, int] = {}
_most: dict[str, int] = {}


@task(name="test_keyed_races.counted")
def counted(t, key, seconds):
    """Run for a while; notes how many with this key run at once."""
    with _lock:
        _live[key] = _live.get(key, 0) + 1
        _most[key] = max(_most.get(key, 0), _live[key])
    try:
        t.sleep(seconds)
        return t.id
    finally:
        with _lock:
            _live[key] -= 1


@pytest.fixture
def client(real_url):
    """A client of a real server, which a worker in this process serves."""
    namespace = "keyed-races"
    space = Space(real_url, namespace=namespace, timeout=None)
    config = WorkerConfig(url=real_url, namespace=namespace, concurrency=2 * KEYS, block=0.5)
    worker = running_here(config, space, wid=f"w{os.urandom(4).hex()}", lease=60.0)
    with Client(real_url, namespace=namespace) as client:
        yield client
        assert client.redis.hgetall(client.space.keys.keyed()) == {}
    worker.close()
    space.close()


@pytest.fixture
def seed():
    """Printed when the test fails."""
    seed = int(os.environ.get("TASKPY_TEST_SEED") or time.time_ns() % 10**6)
    print(f"TASKPY_TEST_SEED={seed}")
    return seed


def at_once(each, count):
    """Call this in so many threads, with a number; the first error of one is raised here."""
    failed = []

    def call(number):
        try:
            each(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=call, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3 * SOON)
        assert not thread.is_alive(), "a submitter hangs"
    if failed:
        raise failed[0]


def test_whoever_replaces_one_that_ends_runs_after_it(client, seed):
    def replace_again_and_again(number):
        key, chance = f"replace:{number}", random.Random(f"{seed} {number}")
        handles = []
        for _ in range(ROUNDS // KEYS):
            options = client.options(key=key, on_conflict="replace")
            handles.append(options.of(counted).submit(key, chance.uniform(0, SHORT)))
            time.sleep(chance.uniform(0, SHORT))
        assert handles[-1].get(timeout=SOON) == handles[-1].id, "the newest one has run"
        for handle, newer in itertools.pairwise(handles):
            assert handle.wait(SOON), f"{handle} never ended"
            assert handle.state in ("succeeded", "stopped")
            assert handle.stop_reason in (None, f"replaced by {newer.id}")

    at_once(replace_again_and_again, KEYS)

    assert {_most[f"replace:{number}"] for number in range(KEYS)} == {1}


@pytest.mark.parametrize("conflict", ["reject", "join", "replace"])
def test_of_many_that_submit_one_key_one_is_live(client, seed, conflict):
    accepted, refused = [], []

    def submit(number):
        chance = random.Random(f"{seed} {number}")
        for turn in range(40):
            key = f"{conflict}:{turn % 5}"
            try:
                handle = client.options(key=key, on_conflict=conflict).of(counted).submit(key, chance.uniform(0, SHORT))
            except taskpy.KeyTaken as error:
                refused.append(error.id)
            else:
                accepted.append(handle)
                refused.extend([handle.id] if handle.joined else [])
            time.sleep(chance.uniform(0, SHORT))

    at_once(submit, 8)

    for handle in accepted:
        assert handle.wait(SOON), f"{handle} never ended"
    own = {handle.id for handle in accepted if not handle.joined}
    assert set(refused) <= own, "who was refused or joined was told of a task that was accepted"
    assert bool(refused) == (conflict != "replace")
    assert {_most[f"{conflict}:{number}"] for number in range(5)} == {1}


def test_what_is_sent_by_key_arrives_once(client, seed):
    sent = []

    def send(number):
        chance = random.Random(f"{seed} {number}")
        for turn in range(40):
            message = f"{number}.{turn}"
            sent.append((client.options(key="send").of(gathered).send_or_start(message), message))
            time.sleep(chance.uniform(0, SHORT))

    at_once(send, 8)

    for handle in {handle for handle, _ in sent}:
        given = [message for to, message in sent if to == handle]
        taken = handle.get(timeout=SOON)  # what comes between its last look and its end is with nobody, as with `send`
        assert len(taken) == len(set(taken)), "a message has arrived twice"
        assert set(taken) <= set(given), "a message has gone to another task than was said"
        assert handle.snapshot().received == len(given), "each message that was sent has arrived once"


@task(name="test_keyed_races.gathered")
def gathered(t):
    """Take messages until none has come for a moment."""
    messages = []
    while True:
        try:
            messages.append(t.recv(timeout=SHORT))
        except errors.Empty:
            return messages
