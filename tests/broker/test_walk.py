"""A random walk over all verbs, with repeated calls and late copies of any earlier call; the invariants hold throughout.

A seed that fails is printed; TASKPY_TEST_SEED walks it again.
"""

import os
import random
import time
from typing import Any

from taskpy import ops
from taskpy.answers import Started
from taskpy.spec import State
from taskpy.taken import Taken
from tests.broker.invariants import Observer

STEPS = 1200
#: Nothing may expire while we walk.
LEASE = 3600.0
QUEUES = ["low", "high"]
#: A verb's share of the steps.
WEIGHTS = {
    "submit": 8,
    "submit_keyed": 3,
    "claim": 15,
    "start": 20,
    "take": 4,
    "settle": 8,
    "giveback": 6,
    "stop": 6,
    "send": 8,
    "mark": 16,
    "report": 4,
    "adopt": 1,
    "inquire": 1,
    "seen": 2,
}
WEIGHTS |= {
    "renew": 1,
    "heartbeat": 1,
    "lose": 3,
    "recover": 6,
    "due": 1,
    "promote": 3,
    "revive": 2,
    "forget": 1,
    "ring": 1,
    "pause": 1,
    "resume": 3,
    "purge": 1,
}
WEIGHTS |= {"second_entry": 5, "late": 16}
#: What a copy may change: it asks for something anew.
NOT_REPEATED = {"renew", "due", "inquire", "second_entry"}


class Walk:
    """Knows just enough of the world to make calls that mean something, most of the time."""

    def __init__(self, rig: Any, seed: int) -> None:
        self.rig = rig
        self.random = random.Random(seed)
        self.observer = Observer(rig)
        self.ids: list[str] = []
        self.queue_of: dict[str, str] = {}
        self.wids: list[str] = []
        self.numbers: dict[str, int] = {}
        self.claims: list[tuple[str, int, list[str]]] = []
        self.attempts: list[tuple[str, str, str]] = []  # wid, id, token
        self.said: dict[tuple[str, str], int] = {}
        self.calls: list[Any] = []
        self.paused: set[str] = set()
        self.starts = 0
        self.states = 0
        self.reports = 0
        self.steps = 0

    def step(self) -> None:
        """One call, now and then repeated, then the invariants."""
        while len(self.wids) < 3:
            self._join()
        verb = self.random.choices(list(WEIGHTS), WEIGHTS.values())[0]
        if verb == "late":
            if self.calls:
                late = self.random.choice(self.calls[self.random.choice([-200, -20]) :])
                self._learn_pause(late)
                self.rig.run(late)
        else:
            op = getattr(self, verb)()
            if op is not None:
                self._call(verb, op)
        self.steps += 1
        self.observer.check(all=self.steps % 100 == 0)

    def _call(self, verb: str, op: Any) -> None:
        answer = self.rig.run(op)
        self._learn_pause(op)
        self._learn(verb, op, answer)
        self.calls = [*self.calls[-200:], op]
        if verb not in NOT_REPEATED and self.random.random() < 0.2:
            # A second purge may take out a second entry, which `start` would drop.
            but = self.observer.ended | (set(op.keys[:1]) if verb == "purge" else set())
            before = self.rig.everything(but=but)
            self.rig.run(op)
            assert self.rig.everything(but=but) == before, (
                f"I11: a repeated {verb} changed something: {op.keys} {op.args}"
            )

    def _learn_pause(self, op: Any) -> None:
        if op.verb in {"pause", "resume"}:
            self.paused = self.paused | {op.args[0]} if op.verb == "pause" else self.paused - {op.args[0]}

    def _learn(self, verb: str, op: Any, answer: Any) -> None:
        if verb == "claim" and answer:
            wid = op.keys[0].rpartition(":")[2]
            assert not {self._queue(id) for id in answer} & self.paused, f"I13: {answer} are of a paused queue"
            self.claims = [*self.claims[-5:], (wid, self.numbers[wid], answer)]
        if verb == "start":
            wid = op.keys[0].rpartition(":")[2]
            begun = [(wid, started.id, started.token) for started in answer if started is not None]
            assert len(set(begun)) == len(begun), f"I6: {begun} starts a task twice in one answer"
            self.starts += len(begun)
            self.attempts = [*self.attempts[-10:], *begun]
        if verb == "take" and isinstance(answer, Started):
            self.starts += 1
            self.attempts = [*self.attempts[-10:], (op.keys[0].rpartition(":")[2], answer.id, answer.token)]
        if verb == "lose" and answer is not None:
            wid = op.args[0]
            self.wids = [known for known in self.wids if known != wid]

    def _join(self) -> None:
        wid = f"w{len(self.numbers)}"
        self.numbers[wid] = 0
        self.wids.append(wid)
        self._call("join", self.rig.op("join", wid=wid, lease=LEASE))

    def _any_id(self) -> str:
        return self.random.choice(self.ids[-8:] or ["nobody"])

    def _queue(self, id: str) -> str:
        return self.queue_of.get(id, "low")

    def _waits_for_its_turn(self, id: str) -> bool:
        return any(id in self.rig.holder(key=key).ids[1:] for key in "kl")

    def _attempt(self) -> tuple[str, str, str]:
        return self.random.choice(self.attempts or [("w0", "nobody", "w0.1")])

    # -- one method a verb ----------------------------------------------------------------------

    def submit(self) -> Any:
        id, queue = f"t{len(self.ids)}", self.random.choice(QUEUES)
        self.ids.append(id)
        self.queue_of[id] = queue
        delay, messages = self.random.choice([0, 0, 60]), [b"m"] * self.random.randint(0, 2)
        return self.rig.op("submit", id=id, queue=queue, delay=delay, messages=messages, restarts=1, keep=600)

    def submit_keyed(self) -> Any:
        key, conflict = self.random.choice("kkl"), self.random.choice(["reject", "join", "send", "replace", "replace"])
        id, queue, known = f"t{len(self.ids)}", self.random.choice(QUEUES), self.rig.holder(key=key)
        self.ids.append(id)
        self.queue_of[id] = queue
        queues = [self._queue(holder) for holder in known.ids]
        given = {"key": key, "conflict": conflict, "known": known, "queues": queues, "messages": [b"m"]}
        delay = self.random.choice([0, 0, 60])
        return self.rig.op("submit_keyed", id=id, queue=queue, delay=delay, restarts=1, keep=600, limit=5, **given)

    def claim(self) -> Any:
        wid = self.random.choice(self.wids)
        self.numbers[wid] += 1
        count = self.random.choice([1, 2, 5])
        return self.rig.op("claim", wid=wid, number=self.numbers[wid], count=count, queues=QUEUES)

    def start(self) -> Any:
        if not self.claims:
            return None
        wid, number, ids = self.random.choice(self.claims)
        return self.rig.op("start", wid=wid, number=number, ids=ids)

    def take(self) -> Any:
        wid, id = self.random.choice(self.wids), self._any_id()
        if self._waits_for_its_turn(id):  # another system does not know it
            return None
        self.numbers[wid] += 1
        return self.rig.op(
            "take", wid=wid, number=self.numbers[wid], id=id, queue=self._queue(id), restarts=self.random.randint(0, 3)
        )

    def settle(self) -> Any:
        wid, id, token = self._attempt()
        state = self.random.choice([State.SUCCEEDED, State.FAILED, State.STOPPED])
        value = b"%d" % self.random.getrandbits(32)
        taken = self.random.choice([None, self._taken(id, self.rig.fields(id))])
        ending = ops.Ending(id, self._queue(id), token, state, value, taken=taken)
        return self.rig.op("settle", wid=wid, endings=[ending])

    def giveback(self) -> Any:
        wid, id, token = self._attempt()
        if self.claims and self.random.random() < 0.3:
            wid, number, ids = self.random.choice(self.claims)
            id, token = self.random.choice(ids), ops.token_of(wid, number)
        why = self.random.choice(["retry", "release", "unknown", "drop", "unbegun"])
        delay, error = self.random.choice([0, 0, 60]), self.random.choice([b"", b"e"])
        queue = self._queue(id)
        return self.rig.op("giveback", id=id, queue=queue, wid=wid, token=token, why=why, error=error, delay=delay)

    def stop(self) -> Any:
        id = self.random.choice([self._any_id(), self._attempt()[1]])
        follows, grace = self.random.choice([None, "raise", "kill"]), self.random.randint(0, 600)
        reason, by = self.random.choice("xy"), self.random.choice("xy")
        return self.rig.op("stop", id=id, queue=self._queue(id), reason=reason, by=by, follows=follows, grace=grace)

    def send(self) -> Any:
        id, sender = self._any_id(), self.random.choice("xy")
        number = self.said[id, sender] = self.said.get((id, sender), 0) + 1
        return self.rig.op("send", id=id, sender=sender, number=number, body=b"m", limit=5)

    def mark(self) -> Any:
        _, id, token = self._attempt()
        fields = self.rig.fields(id)
        given = {"sent": int(fields.get("on", 0)), "messages": [b"m"] * self.random.randint(0, 2)}
        if self.random.random() < 0.8:
            given |= {"number": int(fields.get("ck", 0)) + 1, "acknowledged": self._taken(id, fields)}
        if self.random.random() < 0.5 and "number" in given:
            self.states += 1
            given["state"] = b"%d" % self.states
        return self.rig.op("mark", id=id, token=token, limit=3, **given)

    def _taken(self, id: str, fields: dict[str, str]) -> Taken:
        """What is acknowledged, and some of what is not."""
        taken = Taken.load(f"{fields.get('ib', 0)} {fields.get('ibx', '')}")
        for number in range(taken.upto + 1, int(fields.get("in", 0)) + 1):
            if number not in taken and self.random.random() < 0.5:
                taken.add(number)
        return taken

    def inquire(self) -> Any:
        return self.rig.op("inquire", id=self.random.choice([self._any_id(), self._attempt()[1]]))

    def seen(self) -> Any:
        _, id, token = self._attempt()
        fields = self.rig.fields(id)
        question = self.random.randint(0, int(fields.get("asked", 0)))
        return self.rig.op("seen", id=id, token=token, question=question, taken=self._taken(id, fields))

    def report(self) -> Any:
        _, id, token = self._attempt()
        self.reports += 1
        lines = [b"l"] * self.random.randint(0, 3)
        progress = self.random.choice([b"", b"p%d" % self.reports])
        return self.rig.op("report", id=id, token=token, number=self.reports, progress=progress, lines=lines, limit=4)

    def adopt(self) -> Any:
        _, id, token = self._attempt()
        return self.rig.op("adopt", id=id, token=token, restarts=self.random.randint(0, 3))

    def renew(self) -> Any:
        return self.rig.op("renew", wid=self.random.choice([*self.wids, "w0"]), lease=LEASE)

    def heartbeat(self) -> Any:
        wid, id, token = self._attempt()
        return self.rig.op("heartbeat", wid=wid, tasks=[(id, token)])

    def lose(self) -> Any:
        wid = self.random.choice(self.wids)
        if self.random.random() < 0.5:
            return self.rig.op("lose", wid=wid, sure=True)
        self.rig.raw.zadd(self.rig.keys.lease(), {wid: 1}, xx=True)  # silent for long
        self.rig.due()
        return self.rig.op("lose", wid=wid, sure=False)

    def recover(self) -> Any:
        wid = self.random.choice(list(self.numbers)[-6:])
        ids = list(self.rig.held(wid=wid).tokens) or [self._any_id()]
        id = self.random.choice(ids)
        return self.rig.op("recover", id=id, queue=self._queue(id), wid=wid)

    def due(self) -> Any:
        return self.rig.op("due")

    def promote(self) -> Any:
        ids = [id for id, _ in self.rig.delayed(count=100)] or [self._any_id()]
        id = self.random.choice(ids)
        self.rig.raw.zadd(self.rig.keys.later(), {id: 1}, xx=True)  # its time has come
        return self.rig.op("promote", id=id, queue=self._queue(id))

    def revive(self) -> Any:
        ids = [id for id, _ in self.rig.dead(count=100)] or [self._any_id()]
        id, new_id = self.random.choice(ids), f"t{len(self.ids)}"
        self.ids.append(new_id)
        self.queue_of[new_id] = self._queue(id)
        return self.rig.op("revive", id=id, new_id=new_id, queue=self.queue_of[new_id])

    def forget(self) -> Any:
        return self.rig.op("forget", ids=[id for id, _ in self.rig.dead(count=2)])

    def pause(self) -> Any:
        return self.rig.op("pause", queue=self.random.choice(QUEUES))

    def resume(self) -> Any:
        return self.rig.op("resume", queue=self.random.choice(QUEUES))

    def purge(self) -> Any:
        queue = self.random.choice(QUEUES)
        ids = self.rig.foremost(queue=queue, count=2)
        return self.rig.op("purge", queue=queue, ids=ids) if ids else None

    def ring(self) -> Any:
        return self.rig.op("ring", queue=self.random.choice(QUEUES))

    def second_entry(self) -> Any:
        """Stale entries in a queue are allowed everywhere."""
        id = self.random.choice([self._any_id(), self._attempt()[1]])
        if self._waits_for_its_turn(id):  # it has never been there
            return
        self.rig.raw.rpush(self.rig.keys.queue(self._queue(id)), id)

    # -- the end --------------------------------------------------------------------------------

    def finish(self) -> None:
        """Nothing is stuck: lose every worker, and one more ends all that is left."""
        for wid in self.numbers:
            while ids := self.rig.lose(wid=wid, sure=True):
                for id in ids:
                    self.rig.recover(id=id, queue=self._queue(id), wid=wid)
                self.observer.check()
        assert not [id for key in "kl" for id in self.rig.holder(key=key).ids[1:]], "its turn has not come"
        for id, _ in self.rig.delayed(count=10_000):
            self.rig.raw.zadd(self.rig.keys.later(), {id: 1})
            self.rig.promote(id=id, queue=self._queue(id))
        for queue in QUEUES:
            self.rig.resume(queue=queue)
        self.rig.join(wid="last")
        number = 0
        while ids := self.rig.claim(wid="last", number=(number := number + 1), count=100, queues=QUEUES):
            begun = [s for s in self.rig.start(wid="last", number=number, ids=ids) if s is not None]
            endings = [ops.Ending(s.id, self._queue(s.id), s.token, State.SUCCEEDED, b"last") for s in begun]
            assert all(self.rig.settle(wid="last", endings=endings))
            self.observer.check()
        assert self.rig.held(wid="last").tokens == {}


def test_the_invariants_hold_whatever_is_called(sync_rig):
    seed = int(os.environ.get("TASKPY_TEST_SEED") or time.time_ns() % 10**6)
    print(f"TASKPY_TEST_SEED={seed}")
    walk = Walk(sync_rig, seed)
    for _ in range(STEPS):
        walk.step()
    walk.finish()
    walk.observer.check(all=True)

    for id in walk.ids:
        task = sync_rig.look(id=id)
        assert task is None or task.state.done, f"{id} is {task.state}"
    assert walk.starts > STEPS / 60, "it has hardly run anything"  # mostly a tenth; long pauses make it less
    keys = sync_rig.keys
    staying = {keys.meta(), keys.queues(), keys.lease(), keys.dead(), keys.held("last"), *map(keys.bell, QUEUES)}
    staying |= {*map(keys.recent, QUEUES)}
    for key in sync_rig.all_keys():
        assert key in staying or sync_rig.raw.pttl(key) > 0, f"{key} stays for ever"
