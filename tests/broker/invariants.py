"""What must hold after every step, whatever was called, in whatever order, however late (I1 to I8, I14, I15)."""

from typing import Any

from taskpy.taken import Taken

FINAL = {b"succeeded", b"failed", b"stopped"}
CLOSED = 9007199254740991
#: What follows a stop, the stricter the later.
FOLLOWS = [None, b"raise", b"kill"]


class Observer:
    """Reads a namespace after each step and says what is wrong with it."""

    def __init__(self, rig: Any) -> None:
        self.rig = rig
        self.ends: dict[bytes, Any] = {}
        self.tokens: dict[tuple[bytes, bytes], bytes] = {}
        self.lost: set[bytes] = set()
        self.marks: dict[bytes, tuple[int, int, int]] = {}
        self.stops: dict[bytes, tuple[Any, Any]] = {}
        self.strictness: dict[bytes, tuple[int, float]] = {}
        self.ended: set[str] = set()  # the keys of ended tasks, which are not read each time

    def check(self, *, all: bool = False) -> None:
        """Raise AssertionError when an invariant does not hold; `all`: read ended tasks again, too."""
        found = self.rig.everything(but=() if all else self.ended)
        prefix = f"{{{self.rig.keys.namespace}}}:"
        tasks: dict[bytes, Any] = {}
        held: dict[bytes, Any] = {}
        for key, value in found.items():
            kind, _, name = key.removeprefix(prefix).partition(":")
            if kind == "t" and ":" not in name:
                tasks[name.encode()] = value
            if kind == "held":
                held[name.encode()] = value
        queued = {id for key, ids in found.items() if key.startswith(f"{prefix}q:") for id in ids}
        later = {id for id, _ in found.get(f"{prefix}later", [])}
        entries = {key: entry.split() for key, entry in found.get(f"{prefix}keyed", {}).items()}
        successors = {names[1] for names in entries.values() if len(names) > 1}
        behind = {id for id, _ in found.get(f"{prefix}behind", [])}
        assert behind == successors, f"I15: {behind} wait for their turn, and not {successors}"
        self._check_keys(tasks, entries)
        leases = dict(found.get(f"{prefix}lease", []))
        for id, task in tasks.items():
            self._check_place(id, task, queued | later | successors, held)
            self._check_task(id, task, found.get(f"{prefix}t:{id.decode()}:in", []))
        for wid, entries in held.items():
            assert wid in leases, f"I3: {wid!r} holds tasks and has no lease"
            assert leases[wid] or int(entries[b"#"]) == CLOSED, f"I4: {wid!r} is lost and may claim"
            if not leases[wid]:
                self.lost.add(wid)
            assert not leases[wid] or wid not in self.lost, f"I4: {wid!r} is back from the dead"

    @staticmethod
    def _check_keys(tasks: dict[bytes, Any], entries: dict[bytes, list[bytes]]) -> None:
        live: dict[bytes, set[bytes]] = {}
        for id, task in tasks.items():
            if b"key" in task and task[b"st"] not in FINAL:
                live.setdefault(task[b"key"], set()).add(id)
        assert live == {key: {*names} for key, names in entries.items()}, f"I15: {live} are live, and not {entries}"
        for key, ids in live.items():
            running = [id for id in ids if tasks[id][b"st"] == b"running"]
            assert len(running) <= 1, f"I15: {running} run with the key {key!r}"

    @staticmethod
    def _check_place(id: bytes, task: Any, waiting: set[bytes], held: dict[bytes, Any]) -> None:
        if task[b"st"] == b"queued":
            somewhere = id in waiting or any(id in entries for entries in held.values())
            assert somewhere, f"I1: {id!r} is queued and nowhere: stuck"
        if task[b"st"] == b"running":
            wid = task[b"tok"].rpartition(b".")[0]
            assert id in held.get(wid, {}), f"I2: {id!r} is running and {wid!r} does not hold it: stuck"

    def _check_task(self, id: bytes, task: Any, inbox: list[bytes]) -> None:
        if task[b"st"] in FINAL:
            end = {name: task.get(name) for name in (b"st", b"res", b"exc", b"ended")}
            assert self.ends.setdefault(id, end) == end, f"I7: the end of {id!r} has changed"
            keys = self.rig.keys
            self.ended |= {of(id.decode()) for of in (keys.task, keys.inbox, keys.outbox, keys.events)}
        else:
            assert id not in self.ends, f"I7: {id!r} had ended, and lives again"
            received, acknowledged = int(task.get(b"in", 0)), int(task.get(b"ib", 0))
            assert len(inbox) == received - acknowledged >= 0, f"I8: the inbox of {id!r} does not match its counters"
            ranges = task.get(b"ibx", b"").decode()
            beyond = Taken.load(f"{acknowledged} {ranges}").beyond
            assert all(acknowledged < n <= received for n in beyond), (
                f"I8: {id!r} has taken what it cannot have: {ranges}"
            )
            assert acknowledged + 1 not in beyond, f"I8: {id!r} keeps a message that it is done with: {ranges}"
        self._check_marks(id, task)
        self._check_stop(id, task)
        if task[b"st"] == b"running":
            begun = self.tokens.setdefault((id, task[b"tok"]), task[b"started"])
            assert begun == task[b"started"], f"I6: {task[b'tok']!r} has started {id!r} twice"

    def _check_marks(self, id: bytes, task: Any) -> None:
        number, acknowledged, state = (int(task.get(field, 0)) for field in (b"ck", b"ib", b"cp"))
        before = self.marks.get(id, (0, 0, 0))
        assert number >= before[0], f"I8: the marks of {id!r} go back from {before[0]} to {number}"
        assert acknowledged >= before[1], f"I8: {id!r} takes back what it has acknowledged"
        assert number > before[0] or (acknowledged, state) in (before[1:], (before[1], 0)), f"I8: no mark of {id!r}"
        if task[b"st"] in FINAL:  # the states of the walk are numbers that grow
            assert b"cp" not in task or task[b"st"] == b"failed", f"I8: {id!r} has ended and keeps its state"
        else:
            assert state >= before[2], f"I8: the state of {id!r} goes back from {before[2]} to {state}"
        self.marks[id] = number, acknowledged, state
        assert int(task.get(b"cb", 0)) <= int(task.get(b"crash", 0)), f"I8: {id!r} counts workers that it has not lost"

    def _check_stop(self, id: bytes, task: Any) -> None:
        asked = task.get(b"stop"), task.get(b"by")
        before = self.stops.get(id, (None, None))
        assert before[0] is None or asked == before, f"I14: the stop of {id!r} was {before}, and is {asked}"
        self.stops[id] = asked
        rank, deadline = FOLLOWS.index(task.get(b"then")), float(task.get(b"until", "inf"))
        strict, until = self.strictness.get(id, (0, float("inf")))
        assert rank >= strict and deadline <= until, f"I14: the stop of {id!r} has become milder"  # noqa: PT018 - one rule
        self.strictness[id] = rank, deadline
