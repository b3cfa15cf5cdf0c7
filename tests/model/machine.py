"""Calls every verb of the protocol in any order, on a server and on the model, which are compared after each step."""

import copy
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from taskpy import ops
from taskpy.answers import Started
from taskpy.answers_keyed import Holders, Placed
from taskpy.spec import State
from taskpy.taken import Taken
from tests.model.caller import Caller
from tests.model.protocol import owner
from tests.model.reading import PAST, parts

QUEUES = ["low", "high"]
#: Nothing expires by itself while we look; time passes where a rule says so.
LEASE = 3600.0

any_of = st.integers(0, 5)  # which of the last ones
queues = st.sampled_from(QUEUES)
delays = st.sampled_from([0.0, 0.0, 3000.0])
bodies = st.lists(st.sampled_from([b"m", b"n"]), max_size=2)


class ProtocolMachine(Caller):
    """What clients, workers, networks and machines do."""

    # -- from outside

    @initialize()
    def world_begins(self) -> None:
        """Two workers, three tasks, and one that runs: what is worth looking at begins here."""
        for _ in range(2):
            self.join()
        for restarts in (2, 1, 0):
            self.submit("low", 0.0, [b"m", b"n"], restarts)
        self.work(0, 1, ["low"])

    @rule(shards=st.sampled_from([1, 16]))
    def divide(self, shards: int) -> None:
        self.call("divide", shards=shards)

    @rule(queue=queues, delay=delays, messages=bodies, restarts=st.integers(0, 2))
    def submit(self, queue: str, delay: float, messages: list[bytes], restarts: int) -> None:
        id = f"t{len(self.ids)}"
        self.ids.append(id)
        self.call("submit", id=id, queue=queue, delay=delay, messages=messages, restarts=restarts, keep=6e5)

    @rule(queue=queues, delay=delays, messages=bodies, restarts=st.integers(0, 2), key=st.sampled_from("kkl"),
          conflict=st.sampled_from(["reject", "join", "send", "replace", "replace"]))  # fmt: skip
    def submit_keyed(
        self, queue: str, delay: float, messages: list[bytes], restarts: int, key: str, conflict: Any
    ) -> None:
        id = f"t{len(self.ids)}"
        self.ids.append(id)
        given = {"id": id, "queue": queue, "delay": delay, "messages": messages, "restarts": restarts, "keep": 6e5}
        given |= {"key": key, "conflict": conflict, "by": "x", "grace": 1000.0, "limit": 4}
        known = self.known.get(key, Holders())  # which may be out of date
        while True:
            queues = [self._queue(holder) for holder in known.ids]
            answer = self.call("submit_keyed", known=known, queues=queues, **given)
            if not isinstance(answer, Placed) or answer.word != "again":
                break
            self.known[key] = known = answer.holders

    @rule(n=any_of, key=st.sampled_from("kl"))
    def one_that_runs_is_replaced(self, n: int, key: str) -> None:
        self.submit_keyed("low", 0.0, [], 1, key, "replace")
        self.take(n, 0, 1)
        self.submit_keyed("low", 0.0, [], 1, key, "replace")

    @rule(n=any_of)
    def one_stands_still(self, n: int) -> None:
        self.call("pause_task", id=self._attempt(n)[0], name=f"n{self._next()}", by="ann", tree=False)
        self.park(n, 0)

    @rule(n=any_of, key=st.sampled_from("kl"), parks=st.booleans(), ends=st.booleans())
    def one_that_is_to_pause_is_replaced(self, n: int, key: str, parks: bool, ends: bool) -> None:
        self.submit_keyed("low", 0.0, [], 1, key, "replace")
        self.take(n, 0, 1)
        self.call("pause_task", id=self._attempt(0)[0], name=f"n{self._next()}", by="ann", tree=False)
        if parks:
            self.park(0, 0)
        self.submit_keyed("low", 0.0, [], 1, key, "replace")
        if ends:
            self.settle(0, State.STOPPED, told=False)

    @rule(queue=queues, delay=delays, fresh=st.integers(0, 2), known=any_of, restarts=st.integers(0, 2))
    def submit_many(self, queue: str, delay: float, fresh: int, known: int, restarts: int) -> None:
        ids = [f"t{len(self.ids) + number}" for number in range(fresh)]
        tasks = [(id, b"spec") for id in [self._id(known), *ids]]
        self.ids += ids
        self.call("submit_many", queue=queue, tasks=tasks, delay=delay, restarts=restarts, keep=6e5)

    @rule(n=any_of, k=any_of)
    def revive(self, n: int, k: int) -> None:
        id = sorted(self.world.dead)[n % len(self.world.dead)] if self.world.dead else self._id(n)
        new_id = f"t{len(self.ids)}" if k else self._id(n)
        self.ids += [new_id] if k else []
        self.call("revive", id=id, new_id=new_id, queue=self._queue(id))

    @rule(n=any_of, reason=st.sampled_from("xy"), by=st.sampled_from("xy"), follows=st.sampled_from([None, "raise", "kill"]),
          grace=st.sampled_from([1000.0, 5000.0]), running=st.booleans(), tree=st.booleans())  # fmt: skip
    def stop(self, n: int, reason: str, by: str, follows: Any, grace: float, running: bool, tree: bool) -> None:
        id = self._attempt(n)[0] if running else self._id(n)
        wish = {"reason": reason, "by": by, "follows": follows, "grace": grace, "tree": tree}
        self.call("stop", id=id, queue=self._queue(id), **wish)

    @rule(n=any_of, behind=st.integers(0, 1))
    def fell(self, n: int, behind: int) -> None:
        """All below a task were asked to stop; or by an entry that has been replaced, by somebody who is late."""
        id = sorted(self.world.felling)[n % len(self.world.felling)] if self.world.felling else self._id(n)
        found = self.call("children", id=id, first=0, count=9)
        self.call("felled", id=id, entry=str(int(found.felling) - behind) if found.felling.isdecimal() else "0")

    @rule(n=any_of, sender=st.sampled_from("xy"), body=st.sampled_from([b"m", b"n"]))
    def send(self, n: int, sender: str, body: bytes) -> None:
        id = self._id(n)
        number = self.said[id, sender] = self.said.get((id, sender), 0) + 1
        self.call("send", id=id, sender=sender, number=number, body=body, limit=4)

    @rule(n=any_of)
    def inquire(self, n: int) -> None:
        self.call("inquire", id=self._attempt(n)[0])

    @rule(n=any_of, running=st.booleans(), sender=st.sampled_from("xy"), question=st.sampled_from([b"q", b"r"]))
    def ask(self, n: int, running: bool, sender: str, question: bytes) -> None:
        id, sender = self._attempt(n)[0] if running else self._id(n), f"{sender}?"
        number = self.said[id, sender] = self.said.get((id, sender), 0) + 1
        self.call("ask", id=id, sender=sender, number=number, question=question, limit=3)

    @rule(n=any_of, back=st.integers(0, 3), looks=st.booleans())
    def retract(self, n: int, back: int, looks: bool) -> None:
        id = self._attempt(n)[0]
        number = max(1, self._task(id).questions - back)
        self.call("response" if looks else "retract", id=id, number=number)

    @rule(n=any_of, back=st.integers(0, 1))
    def answer(self, n: int, back: int) -> None:
        id, word = self._attempt(n)[0], f"n{self._next()}"
        self.call("answer", id=id, number=self._task(id).posed - back, answer=word.encode(), name=word, by="ann")

    @rule(n=any_of, running=st.booleans(), tree=st.booleans())
    def pause_task(self, n: int, running: bool, tree: bool) -> None:
        id = self._attempt(n)[0] if running else self._id(n)
        self.call("pause_task", id=id, name=f"n{self._next()}", by="ann", tree=tree)

    @rule(n=any_of)
    def resume_task(self, n: int) -> None:
        self.call("resume_task", id=self._attempt(n)[0], name=f"n{self._next()}", by="bob")

    @rule(queue=queues)
    def pause(self, queue: str) -> None:
        self.call("pause", queue=queue)

    @rule(queue=queues)
    def resume(self, queue: str) -> None:
        self.call("resume", queue=queue)

    @rule(queue=queues, n=any_of)
    def purge(self, queue: str, n: int) -> None:
        ids = [*dict.fromkeys([*self.world.queues[queue][-2:], self._id(n)])]  # one may have been claimed meanwhile
        self.call("purge", queue=queue, ids=[id for id in ids if self._queue(id) == queue], reason="purged")

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
        if self._waits_for_its_turn(id):  # another system does not know it
            return
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

    @rule(n=any_of, restarts=st.sampled_from([None, 0, 3]), keep=st.sampled_from([None, 9e5]))
    def adopt(self, n: int, restarts: int | None, keep: float | None) -> None:
        id, token = self._attempt(n)
        self.call("adopt", id=id, token=token, restarts=restarts, keep=keep)

    @rule(n=any_of, queue=queues, delay=delays, children=st.sampled_from(["wait", "stop", "leave"]))
    def spawn(self, n: int, queue: str, delay: float, children: str) -> None:
        (parent, token), id = self._attempt(n), f"t{len(self.ids)}"
        self.ids.append(id)
        given = {"queue": queue, "delay": delay, "restarts": 1, "keep": 6e5, "children": children}
        self.call("spawn", parent=parent, token=token, id=id, **given)

    @rule(n=any_of, skip=st.sampled_from([0, 0, 1]), upto=st.integers(-1, 3), ahead=st.integers(0, 1),
          state=st.booleans(), messages=bodies, acknowledge=st.booleans(), back=st.integers(0, 2))  # fmt: skip
    def mark(
        self, n: int, skip: int, upto: int, ahead: int, state: bool, messages: list[bytes], acknowledge: bool, back: int
    ) -> None:
        id, token = self._attempt(n)
        task = self._task(id)
        given: dict[str, Any] = {"sent": task.sent, "messages": messages}
        if acknowledge or state:
            done = max(0, task.acknowledged + upto)
            given |= {"number": task.marks + 1, "acknowledged": Taken(done, [done + 2] if ahead else [])}
            given |= {"state": b"%d" % self._next(), "settled": max(0, task.posed - back)} if state else {}
        self.call("mark", id=id, token=token, limit=3, **given)

    @rule(n=any_of, known=st.integers(0, 2))
    def orders(self, n: int, known: int) -> None:
        id, token = self._attempt(n)
        self.call("orders", id=id, token=token, known=known, most=2)

    @rule(n=any_of, back=st.integers(0, 3), count=st.integers(1, 3))
    def respond(self, n: int, back: int, count: int) -> None:
        id, token = self._attempt(n)
        first = max(1, self._task(id).questions - back)
        answers = [(number, b"%d" % self._next()) for number in range(first, first + count)]
        self.call("respond", id=id, token=token, answers=answers, limit=2)

    @rule(n=any_of, ahead=st.integers(0, 1), question=st.sampled_from([b"?", b"?", b"!"]))
    def pose(self, n: int, ahead: int, question: bytes) -> None:
        id, token = self._attempt(n)
        count = self.posed[token, id] = max(1, self.posed.get((token, id), 0) + ahead)
        self.call("pose", id=id, token=token, count=count, question=question)

    @rule(n=any_of, back=st.integers(0, 1))
    def withdraw(self, n: int, back: int) -> None:
        id, token = self._attempt(n)
        self.call("withdraw", id=id, token=token, number=self._task(id).posed - back)

    @rule(n=any_of, behind=st.sampled_from([0, 0, 1]))
    def park(self, n: int, behind: int) -> None:
        id, token = self._attempt(n)
        self.call("park", id=id, token=token, orders=self._task(id).orders - behind)

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

    @rule(n=any_of, why=st.sampled_from(["retry", "release", "unknown", "drop", "unbegun"]), error=st.sampled_from([b"", b"e"]),
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
            # Some ask anew; and a second purge takes second entries out.
            if verb not in {"renew", "inquire", "purge"} and not given.get("renew"):
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
        if self._waits_for_its_turn(id):  # it has never been there
            return
        self._change("rpush", self.rig.keys.queue(self._queue(id)), id)
        self.world.queues[self._queue(id)].append(id)
        self.call("ring", queue=self._queue(id))

    @rule(n=any_of)
    def who_runs_it_claims_it_too(self, n: int) -> None:
        """The second entry of an id comes to the worker that runs it."""
        id, token = self._attempt(n)
        self._change("rpush", self.rig.keys.queue(self._queue(id)), id)
        self.world.queues[self._queue(id)].append(id)
        self.call("ring", queue=self._queue(id))
        wid = owner(token)
        number = self._number(wid)
        if ids := self.call("claim", wid=wid, number=number, count=1, queues=[self._queue(id)]):
            self.claims = [*self.claims[-5:], (wid, number, ids)]

    @rule()
    def time_passes_for_delays(self) -> None:
        for id in self.world.later:
            self.world.later[id] = "ripe"
            self._change("zadd", self.rig.keys.later(), {id: PAST}, xx=True)
        for key, (live, successor, delayed) in self.world.keyed.items():
            if delayed:
                self.world.keyed[key] = (live, successor, False)
                self._change("zadd", self.rig.keys.behind(), {successor: PAST}, xx=True)

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
        self.grown.clear()

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
