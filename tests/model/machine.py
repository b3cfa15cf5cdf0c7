"""Calls every verb of the protocol in any order, on a server and on the model, and compares both after each step."""

import copy
import time
import uuid
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from taskpy import errors, ops
from taskpy.answers import Started
from taskpy.keys import Keys
from taskpy.spec import State
from taskpy.taken import Taken
from tests.model.protocol import FINAL, Task, World, owner
from tests.model.reading import FAR, PAST, parts, world_of

QUEUES = ["low", "high"]
#: Nothing expires by itself while we look; time passes where a rule says so.
LEASE = 3600.0

any_of = st.integers(0, 5)  # which of the last ones
queues = st.sampled_from(QUEUES)
delays = st.sampled_from([0.0, 0.0, 3000.0])
bodies = st.lists(st.sampled_from([b"m", b"n"]), max_size=2)


class ProtocolMachine(RuleBasedStateMachine):
    """Knows what a client and a worker know: the ids, the claims, the tokens; of Redis it knows nothing."""

    #: What `rig` is; in a list, for hypothesis asks each attribute of the class what it is, and a rig answers anything.
    rigs: list[Any] = []  # noqa: RUF012 - each test has a class of its own

    @property
    def rig(self) -> Any:
        """The server."""
        return self.rigs[0]

    def __init__(self) -> None:
        super().__init__()
        self.rig.keys = Keys(f"model-{uuid.uuid4().hex}")
        self.world = World()
        self.began = time.time_ns() // 10**6
        self.ids: list[str] = []
        self.wids: list[str] = []
        self.numbers: dict[str, int] = {}
        self.claims: list[tuple[str, int, list[str]]] = []
        self.attempts: list[tuple[str, str]] = []  # id, token
        self.said: dict[tuple[str, str], int] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.snapshot: tuple[World, dict[str, tuple[int, bytes]]] | None = None
        self.ends: dict[str, Any] = {}
        self.count = 0
        self.answer_may_be_lost = False

    def teardown(self) -> None:
        self._memory(full=False)
        if keys := self.rig.all_keys():
            self.rig.raw.delete(*keys)

    # -- a call, here and there

    def call(self, verb: str, **given: Any) -> Any:
        """Make a call on the server and on the model: both answer the same."""
        self.calls = [*self.calls[-30:], (verb, given)]
        answer = self._call(verb, given)
        self.answer_may_be_lost = True
        return answer

    def _call(self, verb: str, given: dict[str, Any]) -> Any:
        self.answer_may_be_lost = False
        expected = answer = None
        try:
            expected = modelled(getattr(self.world, verb)(**for_model(verb, given)))
        except errors.Busy:
            expected = "no memory"
        try:
            answer = getattr(self.rig, verb)(**given)
        except errors.Busy:
            answer = "no memory"
        told = seen_by_caller(verb, answer)
        assert told == expected, f"{verb} {given}: the server says {told!r}, the model says {expected!r}"
        if verb == "recover":  # it waits for some seconds, which a slow test may take
            for id in self.world.later:
                if self.world.later[id] == "waits":
                    self._change("zadd", self.rig.keys.later(), {id: FAR}, xx=True)
        return answer

    @invariant()
    def agree(self) -> None:
        """Redis is as the model says, and the model keeps the invariants."""
        found, expected = parts(world_of(self.rig, self.began)), parts(self.world)
        for name in found.keys() | expected.keys():
            assert found.get(name) == expected.get(name), f"{name}: {found.get(name)} and not {expected.get(name)}"
        waiting = {id for ids in self.world.queues.values() for id in ids} | self.world.later.keys()
        held = {id for worker in self.world.workers.values() for id in worker.held}
        for id, task in self.world.tasks.items():
            assert task.state != "queued" or id in waiting | held, f"I1: {id} is stuck"
            if task.state == "running":
                assert id in self.world.workers[owner(task.token)].held, f"I2: {id} is stuck"
            if task.state in FINAL:
                end = task.state, task.result, task.error
                assert self.ends.setdefault(id, end) == end, f"I7: the end of {id} has changed"
            assert id not in self.ends or task.state in FINAL, f"I7: {id} lives again"
            assert task.state in FINAL or len(task.inbox) == task.received - task.acknowledged, f"I8: inbox of {id}"
        idle = {queue for queue, ids in self.world.queues.items() if ids} - self.world.paused - self.world.bells
        assert not idle, f"work waits in {idle}, and no bell rings"

    # -- what is known

    def _id(self, n: int) -> str:
        return self.ids[-1 - n % len(self.ids)] if self.ids else "nobody"

    def _wid(self, n: int) -> str:
        return self.wids[-1 - n % len(self.wids)]

    def _holder(self, n: int) -> str:
        """A worker that has tasks, where there is one."""
        holders = [wid for wid, worker in self.world.workers.items() if worker.held]
        return holders[n % len(holders)] if holders else self._wid(n)

    def _queue(self, id: str) -> str:
        return self.world.tasks[id].queue if id in self.world.tasks else "low"

    def _task(self, id: str) -> Task:
        return self.world.tasks.get(id, Task())

    def _attempt(self, n: int) -> tuple[str, str]:
        return self.attempts[-1 - n % len(self.attempts)] if self.attempts else ("nobody", "w0.1")

    def _number(self, wid: str) -> int:
        self.numbers[wid] = self.numbers.get(wid, 0) + 1
        return self.numbers[wid]

    def _next(self) -> int:
        self.count += 1
        return self.count

    def _began(self, started: Started | None) -> None:
        if started is not None:
            self.attempts = [*self.attempts[-5:], (started.id, started.token)]

    # -- from outside

    @initialize()
    def world_begins(self) -> None:
        """Two workers, three tasks, and one that runs: what is worth looking at begins here."""
        for _ in range(2):
            self.join()
        for restarts in (2, 1, 0):
            self.submit("low", 0.0, [b"m", b"n"], restarts)
        self.work(0, 1, ["low"])

    @rule(queue=queues, delay=delays, messages=bodies, restarts=st.integers(0, 2))
    def submit(self, queue: str, delay: float, messages: list[bytes], restarts: int) -> None:
        id = f"t{len(self.ids)}"
        self.ids.append(id)
        self.call("submit", id=id, queue=queue, delay=delay, messages=messages, restarts=restarts, keep=6e5)

    @rule(n=any_of, k=any_of)
    def revive(self, n: int, k: int) -> None:
        id = sorted(self.world.dead)[n % len(self.world.dead)] if self.world.dead else self._id(n)
        new_id = f"t{len(self.ids)}" if k else self._id(n)
        self.ids += [new_id] if k else []
        self.call("revive", id=id, new_id=new_id, queue=self._queue(id))

    @rule(n=any_of, reason=st.sampled_from("xy"), by=st.sampled_from("xy"), follows=st.sampled_from([None, "raise", "kill"]),
          grace=st.sampled_from([1000.0, 5000.0]), running=st.booleans())  # fmt: skip
    def stop(self, n: int, reason: str, by: str, follows: Any, grace: float, running: bool) -> None:
        id = self._attempt(n)[0] if running else self._id(n)
        self.call("stop", id=id, queue=self._queue(id), reason=reason, by=by, follows=follows, grace=grace)

    @rule(n=any_of, sender=st.sampled_from("xy"), body=st.sampled_from([b"m", b"n"]))
    def send(self, n: int, sender: str, body: bytes) -> None:
        id = self._id(n)
        number = self.said[id, sender] = self.said.get((id, sender), 0) + 1
        self.call("send", id=id, sender=sender, number=number, body=body, limit=4)

    @rule(n=any_of)
    def inquire(self, n: int) -> None:
        self.call("inquire", id=self._attempt(n)[0])

    @rule(queue=queues)
    def pause(self, queue: str) -> None:
        self.call("pause", queue=queue)

    @rule(queue=queues)
    def resume(self, queue: str) -> None:
        self.call("resume", queue=queue)

    @rule(queue=queues)
    def purge(self, queue: str) -> None:
        if ids := [*dict.fromkeys(self.world.queues[queue][-2:])]:
            self.call("purge", queue=queue, ids=ids, reason="purged")

    # -- workers

    @rule()
    def join(self) -> None:
        wid = f"w{len(self.wids)}"
        self.wids.append(wid)
        self.call("join", wid=wid, lease=LEASE)

    @rule(n=any_of)
    def renew(self, n: int) -> None:
        self.call("renew", wid=self._wid(n), lease=LEASE)

    @rule(n=any_of, count=st.sampled_from([1, 2, 5]), order=st.sampled_from([QUEUES, QUEUES[::-1], ["low"]]))
    def claim(self, n: int, count: int, order: list[str]) -> None:
        wid = self._wid(n)
        number = self._number(wid)
        if ids := self.call("claim", wid=wid, number=number, count=count, queues=order):
            self.claims = [*self.claims[-5:], (wid, number, ids)]

    @rule(n=any_of)
    def start(self, n: int) -> None:
        if self.claims:
            wid, number, ids = self.claims[-1 - n % len(self.claims)]
            for started in self.call("start", wid=wid, number=number, ids=ids):
                self._began(started)

    @rule(n=any_of, count=st.sampled_from([1, 2, 5]), order=st.sampled_from([["low"], ["low"], ["high"], QUEUES]))
    def work(self, n: int, count: int, order: list[str]) -> None:
        """What a worker mostly does: it hears the bell, claims, and starts."""
        self._change("rpop", self.rig.keys.bell(order[0]))
        self.world.bells.discard(order[0])
        known = self.claims
        self.claim(n, count, order)
        if self.claims is not known:
            self.start(0)
        else:
            self.call("ring", queue=order[0])

    @rule(n=any_of, k=any_of, restarts=st.integers(0, 2))
    def take(self, n: int, k: int, restarts: int) -> None:
        wid, id = self._wid(n), self._id(k)
        given = {"id": id, "queue": self._queue(id), "restarts": restarts}
        answer = self.call("take", wid=wid, number=self._number(wid), **given)
        self._began(answer if isinstance(answer, Started) else None)

    @rule(n=any_of)
    def heartbeat(self, n: int) -> None:
        id, token = self._attempt(n)
        self.call("heartbeat", wid=owner(token), tasks=[(id, token)])

    @rule(n=any_of, count=st.integers(0, 2))
    def due(self, n: int, count: int) -> None:
        self.call("due", lease=LEASE, renew=[self._wid(n + k) for k in range(count)])

    @rule(n=any_of)
    def promote(self, n: int) -> None:
        id = sorted(self.world.later)[n % len(self.world.later)] if self.world.later else self._id(n)
        self.call("promote", id=id, queue=self._queue(id))

    @rule(n=any_of, sure=st.booleans())
    def lose(self, n: int, sure: bool) -> None:
        self.call("lose", wid=self._holder(n), lease=LEASE, sure=sure)

    @rule(n=any_of, k=any_of)
    def recover(self, n: int, k: int) -> None:
        wid = self._holder(n)
        held = sorted(self.world.workers[wid].held) if wid in self.world.workers else []
        id = held[k % len(held)] if held else self._id(k)
        self.call("recover", id=id, queue=self._queue(id), wid=wid)

    @rule(n=any_of)
    def forget(self, n: int) -> None:
        self.call("forget", ids=[*sorted(self.world.dead)[:1], self._id(n)][: 1 + n % 2])

    # -- an attempt

    @rule(n=any_of, skip=st.sampled_from([0, 0, 1]), upto=st.integers(0, 3), ahead=st.integers(0, 1),
          state=st.booleans(), messages=bodies, acknowledge=st.booleans())  # fmt: skip
    def mark(
        self, n: int, skip: int, upto: int, ahead: int, state: bool, messages: list[bytes], acknowledge: bool
    ) -> None:
        id, token = self._attempt(n)
        task = self._task(id)
        given: dict[str, Any] = {"sent": task.sent, "messages": messages}
        if acknowledge or state:
            done = task.acknowledged + upto
            given |= {"number": task.marks + 1, "acknowledged": Taken(done, [done + 2] if ahead else [])}
            given |= {"state": b"%d" % self._next()} if state else {}
        self.call("mark", id=id, token=token, limit=3, **given)

    @rule(n=any_of, upto=st.integers(0, 3))
    def seen(self, n: int, upto: int) -> None:
        id, token = self._attempt(n)
        self.call("seen", id=id, token=token, question=self._task(id).asked, taken=Taken(upto))

    @rule(n=any_of, lines=bodies, progress=st.booleans())
    def report(self, n: int, lines: list[bytes], progress: bool) -> None:
        (id, token), number = self._attempt(n), self._next()
        said = b"%d" % number if progress else b""
        self.call("report", id=id, token=token, number=number, progress=said, lines=lines, limit=3)

    @rule(n=any_of, state=st.sampled_from([State.SUCCEEDED, State.FAILED, State.STOPPED]), told=st.booleans())
    def settle(self, n: int, state: State, told: bool) -> None:
        id, token = self._attempt(n)
        value = b"%d" % self._next()
        ending = ops.Ending(id, self._queue(id), token, state, value, taken=Taken(1) if told else None)
        self.call("settle", wid=owner(token), endings=[ending])

    @rule(n=any_of, why=st.sampled_from(["retry", "release", "unknown", "drop"]), error=st.sampled_from([b"", b"e"]),
          delay=delays, claimed=st.booleans())  # fmt: skip
    def giveback(self, n: int, why: Any, error: bytes, delay: float, claimed: bool) -> None:
        id, token = self._attempt(n)
        if claimed and self.claims:
            wid, number, ids = self.claims[-1 - n % len(self.claims)]
            id, token = ids[n % len(ids)], f"{wid}.{number}"
        queue = self._queue(id)
        self.call("giveback", id=id, queue=queue, wid=owner(token), token=token, why=why, error=error, delay=delay)

    # -- what the network does

    @rule()
    def the_last_call_again(self) -> None:
        """Its answer was lost."""
        if self.calls and self.answer_may_be_lost:
            verb, given = self.calls[-1]
            before = copy.deepcopy(parts(self.world))
            self._call(verb, given)
            if verb not in {"renew", "inquire", "purge"} and not given.get(
                "renew"
            ):  # these ask anew; a second purge takes second entries out
                assert parts(self.world) == before, f"I11: the model lets a second {verb} change something"

    @rule(n=st.integers(0, 30))
    def a_late_copy(self, n: int) -> None:
        """A connection that was given up delivers what was sent on it."""
        if self.calls:
            self._call(*self.calls[-1 - n % len(self.calls)])

    # -- what time, people and machines do

    @rule(n=any_of)
    def a_second_entry(self, n: int) -> None:
        """An id stands twice in its queue."""
        id = self._id(n)
        self._change("rpush", self.rig.keys.queue(self._queue(id)), id)
        self.world.queues[self._queue(id)].append(id)
        self.call("ring", queue=self._queue(id))

    @rule()
    def time_passes_for_delays(self) -> None:
        for id in self.world.later:
            self.world.later[id] = "ripe"
            self._change("zadd", self.rig.keys.later(), {id: PAST}, xx=True)

    @rule(n=any_of)
    def a_lease_runs_out(self, n: int) -> None:
        wid = self._holder(n)
        if wid in self.world.workers and self.world.workers[wid].lease == "fresh":
            self.world.workers[wid].lease = "over"
            self._change("zadd", self.rig.keys.lease(), {wid: PAST}, xx=True)

    @rule()
    def redis_was_away(self) -> None:
        self.world.swept = "long ago"
        self._change("hset", self.rig.keys.meta(), "swept", PAST)

    @rule()
    def the_guard_is_over(self) -> None:
        self.world.held_up = False
        self._change("hset", self.rig.keys.meta(), "hold", 0)

    @rule(n=any_of, sure=st.booleans())
    def a_worker_is_gone(self, n: int, sure: bool) -> None:
        """It is lost, all that it held is given back, and another takes it; what it says later is late."""
        wid = self._holder(n)
        if not sure:
            self.a_lease_runs_out(n)
            self.call("due", lease=LEASE)
        for id in self.call("lose", wid=wid, lease=LEASE, sure=sure) or []:
            self.call("recover", id=id, queue=self._queue(id), wid=wid)
        self.join()
        self.work(0, 5, QUEUES)

    @rule(n=any_of)
    def a_worker_comes_back_late(self, n: int) -> None:
        """It was frozen, and says all that it had to say."""
        self.renew(n)
        self.claim(n, 2, QUEUES)
        self.heartbeat(n)
        self.settle(n, State.SUCCEEDED, True)

    @precondition(lambda self: not self.world.full)
    @rule()
    def a_replica_keeps_up(self) -> None:
        raw, keys = self.rig.raw, self.rig.all_keys()
        self.snapshot = copy.deepcopy(self.world), {key: (max(0, raw.pttl(key)), raw.dump(key)) for key in keys}

    @precondition(lambda self: self.snapshot and not self.world.full)
    @rule()
    def the_replica_takes_over(self) -> None:
        """All that was written since is lost: Redis forgets, and nobody else does."""
        assert self.snapshot is not None
        world, dumped = self.snapshot
        if keys := self.rig.all_keys():
            self.rig.raw.delete(*keys)
        for key, (ttl, data) in dumped.items():
            self.rig.raw.restore(key, ttl, data)
        self.world = copy.deepcopy(world)
        self.answer_may_be_lost = False
        self.ends.clear()

    def _change(self, command: str, *args: Any, **options: Any) -> None:
        """Change something by hand, though the server be full."""
        full, self.answer_may_be_lost = self.world.full, False
        self._memory(full=False)
        getattr(self.rig.raw, command)(*args, **options)
        self._memory(full=full)

    def _memory(self, *, full: bool) -> None:
        if self.world.full != full:
            self.world.full, self.answer_may_be_lost = full, False
            self.rig.raw.config_set("maxmemory", int(full))


class RealServerMachine(ProtocolMachine):
    """A real server may be full, too."""

    @rule()
    def memory_is_full(self) -> None:
        self._memory(full=True)

    @rule()
    def memory_is_free(self) -> None:
        self._memory(full=False)


# -- the same call, and the same answer, in the words of both sides


def for_model(verb: str, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an op as the model takes them."""
    given = {name: value for name, value in given.items() if name != "lease"}
    match verb:
        case "mark":
            done = given.pop("acknowledged", None) or Taken()
            given = {"number": 0, "state": None} | given | {"upto": done.upto, "beyond": done.ranges()}
        case "seen":
            given["taken"] = given["taken"].dump()
        case "settle":
            endings = [
                (e.id, e.token, e.state.value, e.value, None if e.taken is None else e.taken.dump())
                for e in given["endings"]
            ]
            given = {"endings": endings}
    return given


def modelled(answer: Any) -> Any:
    """An answer of the model, brought into the form of `seen_by_caller`."""
    match answer:
        case Task():
            acknowledged = f"{answer.acknowledged} {answer.beyond}"
            counts = answer.attempts, answer.retries, answer.unknowns, answer.lost, answer.marks
            wish = (*answer.stop, answer.follows) if answer.stop else None
            return *counts, answer.received, answer.sent, acknowledged, answer.checkpoint, wish
        case [int() as held, [*tasks]]:
            beats = [(t.received, (*t.stop, t.follows) if t.stop else None) if t else "lost" for t in tasks]
            return held, beats
        case list():
            return [modelled(each) for each in answer]
    return answer


def seen_by_caller(verb: str, answer: Any) -> Any:
    """What is compared of a server's answer."""
    match verb:
        case "claim" | "lose":
            return answer and sorted(answer)
        case "start":
            return [started(each) if each else None for each in answer]
        case "take" if isinstance(answer, Started):
            return started(answer)
        case "heartbeat":
            return answer.held, ["lost" if b.lost else (b.received, wish(b.wish)) for b in answer.tasks]
        case "due":
            return {*answer.wids}, {*answer.ids}, answer.renewed
        case "pause":
            return None
    return answer


def started(it: Started) -> Any:
    """What a worker is told of a task that it starts."""
    counts = it.attempt, it.retries, it.unknowns, it.lost, it.acknowledgements, it.received, it.sent
    return *counts, it.acknowledged, it.checkpoint, wish(it.wish)


def wish(it: Any) -> Any:
    """A stop, as a worker is told of it; the time it leaves depends on the clock."""
    return it and (str(it.reason), it.reason.by, it.follows)
