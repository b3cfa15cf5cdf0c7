"""kill -9 at random moments, and drains: what a task with checkpoints has in the end is the exact fold of its messages."""

import functools
import os
import random
import signal
import threading
import time

import pytest

from tests.system.tasks.folding_oracle import NOTHING, folded
from tests.system.waiting import until

SENDERS = 3


class Senders:
    """Several senders at once, each numbering its own messages; what they sent is known by the receipts' numbers."""

    def __init__(self, fleet, task, each, *, pause, named=False):
        self.sent = {}  # number of the message -> (sender, its number)
        self._lock = threading.Lock()
        arguments = [(fleet.client.attach(task.id), sender, each, pause, named) for sender in range(SENDERS)]
        self._threads = [threading.Thread(target=self._send, args=args, daemon=True) for args in arguments]
        for thread in self._threads:
            thread.start()

    def _send(self, handle, sender, each, pause, named):
        for number in range(each):
            got = handle.send([sender, number], timeout=60, to=f"from-{sender}" if named else None)
            with self._lock:
                self.sent[got] = (sender, number)
            time.sleep(pause)

    def finish(self):
        """Wait until all is sent; the messages in their order."""
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive()
        numbers = sorted(self.sent)
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "the receipts number them without a gap"
        return [self.sent[number] for number in sorted(self.sent)]


def start_workers(fleet, kills):
    """Start so many that none of their children is replaced late, as one is that dies young again and again."""
    for worker in [fleet.worker(module="folding", concurrency=2, ready=False) for _ in range(1 + kills // 3)]:
        worker.ready()


def kill_whoever_runs_it(fleet, task, kills, seed):
    """SIGKILL the child that runs the task, so many times, each a random moment after it has begun."""
    chance = random.Random(seed)
    print(f"seed {seed}")
    known = 0
    for _ in range(kills):
        entry = until(lambda known=known: next(iter(fleet.ledger.starts()[known:]), None), fleet.logs, seconds=40)
        known = len(fleet.ledger.starts())
        time.sleep(chance.uniform(0, 0.08))  # the moment is what is random here, not what is waited for
        if task.done:
            return known
        os.kill(entry.pid, signal.SIGKILL)
    return known


@pytest.mark.parametrize(("name", "every", "kills"), [("fold", 1, 20), ("fold", 7, 7), ("fold_async", 3, 7)], ids=str)
@pytest.mark.timeout(300)
def test_the_state_is_the_exact_fold_of_all_messages(fleet, record_property, name, every, kills):
    start_workers(fleet, kills)
    each = 50 * kills // SENDERS
    count = each * SENDERS
    task = fleet.client.submit(f"folding.{name}", count, every)
    senders = Senders(fleet, task, each, pause=0.04)
    seed = int.from_bytes(os.urandom(3))

    kill_whoever_runs_it(fleet, task, kills, seed)

    messages = senders.finish()
    assert task.get(120) == functools.reduce(lambda state, message: folded(state, *message), messages, NOTHING)
    attempts = task.snapshot().attempt
    record_property(f"kill -9 of a child with {name} (a checkpoint every {every})", attempts - 1)
    print(f"{attempts} attempts, seed {seed}")
    assert attempts > kills * 0.4, "most kills have hit it"
    assert task.snapshot().acknowledged == count


@pytest.mark.timeout(300)
def test_messages_that_overtake_each_other_are_taken_once(fleet):
    start_workers(fleet, kills=9)
    each = 120
    task = fleet.client.submit("folding.fold_by_inbox", each * SENDERS)
    senders = Senders(fleet, task, each, pause=0.01, named=True)

    kill_whoever_runs_it(fleet, task, 9, int.from_bytes(os.urandom(3)))

    senders.finish()
    of_one = [functools.reduce(lambda state, n, s=s: folded(state, s, n), range(each), NOTHING) for s in range(SENDERS)]
    assert task.get(120) == {f"from-{sender}": state for sender, state in enumerate(of_one)}


@pytest.mark.parametrize("name", ["fold", "fold_async"])
@pytest.mark.timeout(300)
def test_a_drain_repeats_no_message_to_a_task_that_checkpoints_each(fleet, name):
    running = fleet.worker(module="folding", grace=60)
    each, drains = 15, 3
    count = each * SENDERS * drains
    task = fleet.client.submit(f"folding.{name}", count, 1)
    messages = []
    for drain in range(1, drains + 1):
        until(lambda drain=drain: len(fleet.ledger.starts()) >= drain, fleet.logs)
        following = fleet.worker(module="folding", grace=60)
        senders = Senders(fleet, task, each, pause=0.01)
        known = len(messages)
        until(lambda known=known: task.snapshot().acknowledged > known + 3, fleet.logs)
        running.signal(signal.SIGTERM)
        assert running.ended() == 0
        running = following
        messages += senders.finish()

    assert task.get(60) == functools.reduce(lambda state, message: folded(state, *message), messages, NOTHING)
    handled = [entry.word for entry in fleet.ledger.entries() if entry.word.startswith("message-")]
    assert handled == [f"message-{number}" for number in range(1, count + 1)], "each once, in order"
    assert task.snapshot().lost == 0
    assert {event.word for event in fleet.client.events(task.id)} == {"release"}


def test_only_workers_lost_since_the_last_checkpoint_count(fleet):
    worker = fleet.worker(module="folding")
    task = fleet.client.options(restarts=1).of("folding.fold").submit(6, 1)
    for number in range(5):
        until(lambda number=number: len(fleet.ledger.starts()) > number, fleet.logs)
        task.send([0, number])
        until(lambda number=number: task.snapshot().acknowledged > number, fleet.logs)  # there it has come further
        for pid in worker.children():
            os.kill(pid, signal.SIGKILL)
    task.send([0, 5])
    assert task.get(60)["count"] == 6
    assert task.snapshot().lost == 5


def test_a_state_of_an_older_form_is_upgraded(fleet):
    worker = fleet.worker(module="folding")
    old = fleet.client.submit("folding.versioned")
    assert old.recv(timeout=20) == "stored"
    # The same task, as the next version of its code: a worker on which the name stands for the function of today.
    worker.signal_all(signal.SIGKILL)
    fleet.worker(module="folding_next")
    assert old.get(60) == {"was": [1, 2], "version": 1}


def test_a_state_of_a_form_that_nobody_knows_is_said_to_be_one(fleet):
    worker = fleet.worker(module="folding")
    old = fleet.client.submit("folding.versioned")
    assert old.recv(timeout=20) == "stored"
    worker.signal_all(signal.SIGKILL)
    fleet.worker(module="folding_later")
    with pytest.raises(Exception, match="checkpoint has version 1"):
        old.get(60)
