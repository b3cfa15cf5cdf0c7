"""The load: tasks of every kind, messages from several senders, stops, readers. Each keeps what its task must come to."""

import contextlib
import random
import threading
import time
import traceback
from dataclasses import dataclass, field
from typing import Any

from taskpy import errors

#: How many tasks are under way at once: less than there are slots, so that what is lost finds room.
UNDER_WAY = 12
SENDERS = 3
KINDS = {
    "fold": 5,
    "fold_async": 4,
    "listen": 3,
    "listen_async": 2,
    "work": 8,
    "fragile": 2,
    "flaky": 2,
    "hopeless": 1,
    "polite": 3,
    "polite_async": 2,
    "rude": 2,
    "rude_async": 2,
    "withdrawn": 1,
    "count_up": 3,
    "replacing": 2,
}
#: What is polite ends when it is asked; the others only because something follows.
STOPPED = {"polite", "polite_async", "rude", "rude_async", "withdrawn"}
FOLDING = {"fold", "fold_async"}
LISTENING = {"listen", "listen_async"}


@dataclass
class Stop:
    """A stop that was accepted: the state by then, and the times (epoch seconds) around the call."""

    state: str
    asked: float
    confirmed: float
    then: str | None


@dataclass
class Load:
    """One task, and all that the world did to it."""

    kind: str
    id: str = ""
    stop: Stop | None = None
    messages: dict[int, tuple[int, int]] = field(default_factory=dict)  # by the number in the receipt
    expected: int = 0
    streamed: list[tuple[int, Any]] = field(default_factory=list)  # position behind it, value
    replaced: list[str] = field(default_factory=list)  # the ids of those that had its key before it, the oldest first
    state: str = ""
    error: str = ""  # what the driver itself ran into

    @property
    def sent(self):
        """The messages, in the order of their receipts."""
        return [list(self.messages[number]) for number in sorted(self.messages)]


class Loader:
    """Keeps so many tasks under way until it is told to end."""

    def __init__(self, world, seed):
        self._world = world
        self._chance = random.Random(seed)
        self._over = threading.Event()
        self._room = threading.Semaphore(UNDER_WAY)
        self._threads = []
        self.loads = []
        self._submitter = threading.Thread(target=self._submit_for_ever, daemon=True)
        self._submitter.start()

    def finish(self, seconds):
        """Begin no more; wait so long for what was begun."""
        self._over.set()
        deadline = time.monotonic() + seconds
        self._submitter.join(seconds)
        for load, thread in zip(self.loads, self._threads, strict=True):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                load.error = "whoever waits for it waits still"

    def _submit_for_ever(self):
        while not self._over.is_set():
            if not self._room.acquire(timeout=0.2):
                continue
            load = Load(self._chance.choices(list(KINDS), list(KINDS.values()))[0])
            self.loads.append(load)
            thread = threading.Thread(target=self._drive, args=(load, self._chance.random()), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _drive(self, load, seed):
        try:
            getattr(self, "_" + load.kind.removesuffix("_async"))(load, random.Random(seed))
        except Exception:  # it is for the oracle to say so
            load.error = traceback.format_exc(limit=-4)
        finally:
            self._room.release()

    def _begin(self, load, *args, name=None, **options):
        task = self._world.client.options(keep=3600, **options).of(f"chaotic.{name or load.kind}").task(*args)
        while True:
            with contextlib.suppress(errors.SubmitUncertain):
                task.start()
                break
        load.id = task.id
        return task

    def _end(self, load, task):
        task.wait()
        load.state = str(task.state)

    # -- one method for each kind ---------------------------------------------------------------

    def _fold(self, load, chance):
        self._converse(load, chance, chance.choice([1, 1, 1, 4, 7]))

    def _listen(self, load, chance):
        self._converse(load, chance)

    def _converse(self, load, chance, *args):
        each, pause = chance.randint(8, 25), chance.uniform(0.0, 0.1)
        load.expected = each * SENDERS
        task = self._begin(load, load.expected, *args)

        def send(sender):
            handle = self._world.client.attach(load.id)
            for number in range(each):
                try:
                    receipt = handle.send([sender, number], timeout=120)
                except errors.TaskEnded as ended:
                    load.error = f"a message could not be sent: {ended!r}"
                    return
                load.messages[receipt] = (sender, number)
                time.sleep(pause)

        senders = [threading.Thread(target=send, args=(sender,), daemon=True) for sender in range(SENDERS)]
        for thread in senders:
            thread.start()
        for thread in senders:
            thread.join()
        self._end(load, task)

    def _work(self, load, chance):
        self._end(load, self._begin(load, chance.choice([chance.uniform(0.05, 1.0), chance.uniform(1.5, 4.0)])))

    def _fragile(self, load, chance):
        self._end(load, self._begin(load, chance.uniform(0.05, 1.0)))

    def _flaky(self, load, chance):
        self._end(load, self._begin(load))

    def _hopeless(self, load, chance):
        self._end(load, self._begin(load))

    def _polite(self, load, chance):
        self._stop_after(load, self._begin(load), chance.uniform(0.0, 2.0), then=None)

    def _rude(self, load, chance):
        then = chance.choice(["raise", "kill"])
        self._stop_after(load, self._begin(load), chance.uniform(0.0, 2.0), then=then)

    def _withdrawn(self, load, chance):
        task = self._begin(load, 1.0, name="work", delay=60.0)
        self._stop_after(load, task, chance.uniform(0.0, 0.3), then=None)

    def _stop_after(self, load, task, seconds, then):
        time.sleep(seconds)
        asked = time.time()
        state = task.stop(join=False, grace=0.3, then=then)
        load.stop = Stop(str(state), asked, time.time(), then)
        self._end(load, task)

    def _replacing(self, load, chance):
        """One task after the other with one key, which is joined in between; the last one works to its end."""
        key = f"{chance.getrandbits(64):x}"
        for _ in range(chance.randint(1, 4)):
            self._begin(load, name="polite", key=key, on_conflict="replace")
            newest = load.id
            self._begin(load, 0.0, name="work", key=key, on_conflict="join")
            if load.id != newest:
                load.error = f"{load.id} has joined, and {newest} has the key"
                return
            load.replaced.append(newest)
            time.sleep(chance.uniform(0.0, 1.0))
        self._end(load, self._begin(load, chance.uniform(0.05, 1.0), name="work", key=key, on_conflict="replace"))

    def _count_up(self, load, chance):
        load.expected = chance.randint(10, 60)
        task = self._begin(load, load.expected, chance.uniform(0.0, 0.04))
        stream = self._world.client.attach(load.id).stream()
        for value in stream:
            load.streamed.append((stream.position, value))
        self._end(load, task)
