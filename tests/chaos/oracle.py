"""What must hold, whatever was broken. Each sentence that does not hold is one line of `wrong`."""

import functools
import threading
import time
from collections import Counter, defaultdict

from taskpy import codec
from taskpy.spec import State
from tests.chaos.load import FOLDING, LISTENING, STOPPED
from tests.chaos.tasks.chaotic import NOTHING, folded

FINAL = {"succeeded", "failed", "stopped"}
#: Keys that stay, by what they begin with; beside them `held` and `lease` of workers that live.
LASTING = ("queues", "meta", "recent:", "dead", "lease", "held:")
#: The same machine, two programs that read its clock.
CLOCK_SECONDS = 0.005


class Watch:
    """Listens on the channels of all tasks, past the proxy: which final states were said, and how often."""

    def __init__(self, world):
        self._world = world
        self.said = defaultdict(list)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def close(self):
        """Listen no more."""
        self._over.set()
        self._thread.join(10)

    def _listen(self):
        prefix = f"{{{self._world.namespace}}}:t:"
        while not self._over.is_set():
            try:
                with self._world.server.client.pubsub() as heard:
                    heard.psubscribe(f"{prefix}*")
                    while not self._over.is_set():
                        message = heard.get_message(timeout=0.5)
                        if message and message["type"] == "pmessage":
                            word = message["data"].split(b" ", 1)[0].decode()
                            if word in FINAL:
                                self.said[message["channel"].decode().removeprefix(prefix)].append(word)
            except Exception:  # the server is away; what is said then is read from the hash
                time.sleep(0.05)


class Oracle:
    """Looks at the world after the last fault."""

    def __init__(self, world, loads, faults, watch):
        self._world = world
        self._loads = [load for load in loads if load.id]
        self._all = loads
        self._faults = faults
        self._watch = watch
        self.wrong = []
        self.by_id = defaultdict(list)
        for entry in world.ledger.entries():
            self.by_id[entry.id].append(entry)
        self.snapshots = {load.id: world.direct.attach(load.id).snapshot() for load in self._loads}
        self.events = {load.id: Counter(e.word for e in world.direct.events(load.id)) for load in self._loads}
        self.extra_starts = 0

    def check(self):
        """Look at everything; what is wrong."""
        for load in self._all:
            if load.error:
                self._wrong(load, f"its driver failed: {load.error}")
        for load in self._loads:
            self._check_end(load)
            self._check_starts(load)
            self._check_words(load)
            if load.stop:
                self._check_stop(load)
            self._check_replaced(load)
            if load.kind == "count_up":
                self._check_stream(load)
        if self.extra_starts > self.bound:
            self.wrong.append(f"{self.extra_starts} extra starts, and at most {self.bound} tasks were hit")
        return self.wrong

    @functools.cached_property
    def bound(self):
        """How many tasks can have been running where faults struck that may cause a start."""
        return sum(fault.slots for fault in self._faults)

    def _wrong(self, load, what):
        self.wrong.append(f"{load.kind} {load.id or '(not accepted)'}: {what}")

    # -- the end --------------------------------------------------------------------------------

    def _check_end(self, load):
        found = self.snapshots[load.id]
        if not found.state.done:
            self._wrong(load, f"has not ended: {found.state}, events {dict(self.events[load.id])}")
            return
        said = self._watch.said[load.id]
        if len(said) > 1 or any(word != found.state for word in said):
            self._wrong(load, f"is {found.state}, and on its channel was said: {said}")
        if load.state and load.state != found.state:
            self._wrong(load, f"its handle saw {load.state}, and now it is {found.state}")
        expected = self._expected_states(load, found)
        if found.state not in expected:
            self._wrong(load, f"is {found.state}, and should be {' or '.join(expected)}")
        if found.state == State.SUCCEEDED:
            self._check_result(load, found)

    @staticmethod
    def _expected_states(load, found):
        if load.kind == "hopeless":
            return [State.FAILED]
        if load.kind == "fragile":
            return [State.FAILED if found.lost > found.restarts else State.SUCCEEDED]
        if load.kind in STOPPED:
            polite = load.kind.startswith("polite")
            return [State.SUCCEEDED, State.STOPPED] if polite else [State.STOPPED]
        return [State.SUCCEEDED]

    def _check_result(self, load, found):
        result = codec.load_result(found.result)
        if result["attempt"] != found.attempt:
            self._wrong(load, f"ended by the result of attempt {result['attempt']}, the last one is {found.attempt}")
        if load.kind in FOLDING | LISTENING:
            numbers = sorted(load.messages)
            if numbers != list(range(1, load.expected + 1)):
                self._wrong(load, f"its receipts have the numbers {numbers}, and not 1 to {load.expected}")
        if load.kind in FOLDING and result["state"] != functools.reduce(folded, load.sent, NOTHING):
            self._wrong(load, f"its state {result['state']} is not the fold of its {len(load.sent)} messages")
        if load.kind in LISTENING and result["heard"] != load.sent:
            self._wrong(load, f"heard {result['heard']}, and was sent {load.sent}")

    # -- the effects outside of Redis -----------------------------------------------------------

    def _check_starts(self, load):
        found, events = self.snapshots[load.id], self.events[load.id]
        starts = [entry for entry in self.by_id[load.id] if entry.word == "start"]
        if twice := [token for token, count in Counter(entry.token for entry in starts).items() if count > 1]:
            self._wrong(load, f"the attempts {twice} were started more than once")
        wanted = events["retry"] + events["release"]
        if found.attempt > 1 + wanted + events["recover"]:
            self._wrong(load, f"had {found.attempt} attempts, and only these reasons: {dict(events)}")
        if events["recover"] != found.lost:
            self._wrong(load, f"lost {found.lost} workers, and its events say {events['recover']}")
        if len(starts) > found.attempt:
            self._wrong(load, f"was started {len(starts)} times in {found.attempt} attempts")
        self.extra_starts += max(0, len(starts) - 1 - wanted)

    def _check_words(self, load):
        """In one attempt messages come in order, from the first on; a checkpoint that was stored is never lost."""
        heard, stored = defaultdict(list), 0
        for entry in self.by_id[load.id]:
            word, _, number = entry.word.partition("-")
            if word == "heard":
                heard[entry.token].append([int(n) for n in number.split("-")])
            elif word == "stored":
                stored = max(stored, int(number))
            elif word == "from" and int(number) < stored:
                self._wrong(load, f"attempt {entry.attempt} began at {number}, and {stored} were in a checkpoint")
        for token, messages in heard.items():
            if messages != load.sent[: len(messages)]:
                self._wrong(load, f"attempt {token} heard {messages}, and was sent {load.sent}")

    def _check_stop(self, load):
        found, stop = self.snapshots[load.id], load.stop
        if found.started is not None and found.started > stop.confirmed + CLOCK_SECONDS:
            late = found.started - stop.confirmed
            self._wrong(load, f"attempt {found.attempt} was started {late:.3f} s after the stop was accepted")
        if load.kind == "withdrawn" and self.by_id[load.id]:
            self._wrong(load, "was started, and was stopped long before it was due")

    def _check_replaced(self, load):
        """Those that had its key have ended, and before it was started."""
        started = self.snapshots[load.id].started
        for id in load.replaced:
            found = self._world.direct.attach(id).snapshot()
            if found.state not in (State.SUCCEEDED, State.STOPPED):
                self._wrong(load, f"has replaced {id}, which is {found.state}")
            elif started is not None and started < found.ended:
                self._wrong(
                    load, f"was started {found.ended - started:.3f} s before the end of {id}, which it has replaced"
                )

    def _check_stream(self, load):
        positions = [position for position, _ in load.streamed]
        if positions != list(range(1, len(positions) + 1)):
            self._wrong(load, f"a reader was at {positions}")
        found = self.snapshots[load.id]
        if found.state.done and len(positions) != found.sent:
            self._wrong(load, f"{found.sent} were sent, and {len(positions)} were read")
        attempt, following = 0, 0
        for _, (by, number) in load.streamed:
            if by > attempt:
                attempt, following = by, 0
            if by < attempt or number != following:
                self._wrong(load, f"streamed {[value for _, value in load.streamed]}")
                return
            following += 1
        if found.state == State.SUCCEEDED and (attempt, following) != (found.attempt, load.expected):
            self._wrong(load, f"ended with attempt {found.attempt}, and its last words are those of {attempt}")

    # -- what is left ---------------------------------------------------------------------------

    def leftovers(self):
        """What is in the namespace that should not be there when all has ended; nothing, once the workers have tidied up."""
        redis, prefix = self._world.direct.redis, f"{{{self._world.namespace}}}:"
        found = []
        names = [key.decode().removeprefix(prefix) for key in redis.scan_iter(f"{prefix}*", count=1000)]
        leased = {wid.decode() for wid in redis.zrange(f"{prefix}lease", 0, -1)}
        for name in names:
            kind, _, rest = name.partition(":")
            if kind in {"q", "later"}:
                found.append(f"{name} is not empty")
            if kind == "held":
                if redis.hlen(f"{prefix}{name}") > 1:
                    found.append(f"{name} has tasks")
                if rest not in leased:
                    found.append(f"{name} has no lease")
            elif redis.ttl(f"{prefix}{name}") == -1 and not name.startswith((*LASTING, "bell:")):
                found.append(f"{name} stays for ever")
        return found
