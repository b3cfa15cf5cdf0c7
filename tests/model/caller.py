"""Makes each call on a server and on the model, and compares both; knows what a client and a worker know."""

import time
import uuid
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, invariant

from taskpy import errors
from taskpy.answers import Started
from taskpy.answers_keyed import Holders
from taskpy.keys import Keys
from taskpy.spec import FLAGS, TRANSITIONS, Flag, State, flags_of
from tests.model.protocol import FINAL, Task, World, owner
from tests.model.reading import FAR, parts, world_of
from tests.model.words import for_model, modelled, seen_by_caller

#: The rows of the table of states that Redis performs: from, to, and by which verb.
ROWS = {
    (str(row.origin), str(row.target), row.verb)
    for row in TRANSITIONS
    if row.where == "worker" or (row.where == "everywhere" and row.origin != "new")
}
#: What sets and clears flags: the flag, whether it holds then, and the verb.
FLAG_ROWS = {(rule.flag, True, verb) for rule in FLAGS for verb in rule.set_by}
FLAG_ROWS |= {(rule.flag, False, verb) for rule in FLAGS for verb in rule.cleared_by}
#: Those that were seen in this process.
SEEN: set[tuple[str, str, str]] = set()
SEEN_FLAGS: set[tuple[Flag, bool, str]] = set()


class Caller(RuleBasedStateMachine):
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
        self.known: dict[str, Holders] = {}  # what was read of a key last
        self.posed: dict[tuple[str, str], int] = {}  # questions of an attempt
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.snapshot: tuple[World, dict[str, tuple[int, bytes]]] | None = None
        self.ends: dict[str, Any] = {}
        self.grown: dict[str, list[str]] = {}  # the children of those below whom all are to stop
        self.entries: dict[tuple[str, str], int] = {}
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
        before, flags = {id: task.state for id, task in self.world.tasks.items()}, self._flags()
        expected = answer = None
        try:
            told_model = for_model(verb, given)
            if verb == "felled":  # of which entry, the model knows by a number
                told_model = {"id": given["id"], "entry": self.entries.get((given["id"], given["entry"]))}
            expected = modelled(getattr(self.world, verb)(**told_model))
        except errors.Busy:
            expected = "no memory"
        try:
            answer = getattr(self.rig, verb)(**given)
        except errors.Busy:
            answer = "no memory"
        if verb == "children" and answer.felling:
            self.entries[given["id"], answer.felling] = self.world.felling.get(given["id"], 0)
        told = seen_by_caller(verb, answer)
        assert told == expected, f"{verb} {given}: the server says {told!r}, the model says {expected!r}"
        for id, task in self.world.tasks.items():
            if (was := before.get(id, "new")) != task.state:
                assert (was, task.state, verb) in ROWS, f"{verb}: {id} goes from {was} to {task.state}"
                SEEN.add((was, task.state, verb))
        self._compare(verb, flags, self._flags())
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
        waiting |= {successor for _, successor, _ in self.world.keyed.values() if successor}
        held = {id for worker in self.world.workers.values() for id in worker.held}
        for id, task in self.world.tasks.items():
            assert task.state != "queued" or id in waiting | held, f"I1: {id} is stuck"
            if task.state == "running":
                assert id in self.world.workers[owner(task.token)].held, f"I2: {id} is stuck"
            if task.tree:
                assert self.grown.setdefault(id, [*task.children]) == task.children, f"I15: the tree of {id} grows"
            if task.state in FINAL:
                end = task.state, task.result, task.error
                assert self.ends.setdefault(id, end) == end, f"I7: the end of {id} has changed"
            assert id not in self.ends or task.state in FINAL, f"I7: {id} lives again"
            assert task.state in FINAL or len(task.inbox) == task.received - task.acknowledged, f"I8: inbox of {id}"
        for key in {task.key for task in self.world.tasks.values() if task.key}:
            live = {id for id, task in self.world.tasks.items() if task.key == key and task.state not in FINAL}
            assert live == {*self.world.holders(key)}, f"I15: {live} are live, and {key} names others"
            assert sum(self.world.tasks[id].state == "running" for id in live) <= 1, f"I15: two with the key {key} run"
        idle = {queue for queue, ids in self.world.queues.items() if ids} - self.world.paused - self.world.bells
        assert not idle, f"work waits in {idle}, and no bell rings"

    def _flags(self) -> dict[str, frozenset[Flag]]:
        """The flags of all tasks."""
        return {
            id: flags_of(
                State(task.state),
                delayed=id in self.world.later,
                stopping=task.stop is not None,
                asks=task.question is not None and task.answer_name is None,
                pausing=task.pausing is not None,
                paused=task.parked is not None and task.parked == task.token,
            )
            for id, task in self.world.tasks.items()
        }

    def _compare(self, verb: str, before: dict[str, frozenset[Flag]], after: dict[str, frozenset[Flag]]) -> None:
        """What a call does to flags stands in the table; an end clears them all."""
        for id, flags in after.items():
            state, was = self.world.tasks[id].state, before.get(id, frozenset())
            assert not any(state not in rule.states for rule in FLAGS if rule.flag in flags), (
                f"{id} is {state}: {flags}"
            )
            changes = {(flag, flag in flags, verb) for flag in was ^ flags if state not in FINAL or flag in flags}
            assert changes <= FLAG_ROWS, f"{verb} changes flags of {id}: {changes - FLAG_ROWS}"
            SEEN_FLAGS.update(changes)
            if verb == "stop" and state in FINAL:  # it ends what waits, and clears what it would clear
                SEEN_FLAGS.update({(flag, False, verb) for flag in was} & FLAG_ROWS)

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

    def _waits_for_its_turn(self, id: str) -> bool:
        return any(id == successor for _, successor, _ in self.world.keyed.values())

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
