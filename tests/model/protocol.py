"""The protocol as plain Python: what each verb does to the world, and what it answers. This is the specification.

There is no Redis here, no clock and no token of a call: only what must be true afterwards. Queues and lists stand as in
Redis (in at the left, out at the right). A verb that needs memory raises `errors.Busy`, and has then changed nothing.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from taskpy import errors

FINAL = {"succeeded", "failed", "stopped"}
CLOSED = 9007199254740991  # the claim number of a worker that was declared lost: none is higher


@dataclass
class Task:
    """One task, from its submission to its end; what stands in its hash, its inbox, its outbox and its events."""

    queue: str = ""
    restarts: int = 0
    state: str = "queued"
    token: str | None = None
    attempts: int = 0
    retries: int = 0
    unknowns: int = 0
    lost: int = 0  # workers, ever
    lost_before: int = 0  # ... when it made its last checkpoint
    inbox: list[bytes] = field(default_factory=list)
    received: int = 0
    acknowledged: int = 0
    beyond: str = ""  # acknowledged out of order
    marks: int = 0
    checkpoint: bytes | None = None
    senders: dict[str, tuple[int, int]] = field(default_factory=dict)  # its last number, and the one it got among all
    outbox: list[bytes] = field(default_factory=list)
    sent: int = 0
    stop: tuple[str, str] | None = None  # why, by whom
    follows: str | None = None
    within: float = math.inf
    asked: int = 0
    seen: str = ""
    progress: bytes | None = None
    lines: dict[int, bytes] = field(default_factory=dict)
    logged: int = 0
    reported: tuple[str, int] | None = None
    result: bytes | None = None
    error: bytes | None = None
    events: list[str] = field(default_factory=list)
    origin: str | None = None
    heir: str | None = None

    def runs_under(self, token: str) -> bool:
        """The fence."""
        return self.state == "running" and self.token == token


@dataclass
class Worker:
    """A child process: its lease, the number of its last claim, and what it has claimed under which token."""

    lease: str = "fresh"  # or "over", or "lost": for good
    number: int = 0
    held: dict[str, str] = field(default_factory=dict)


def owner(token: str | None) -> str:
    """The worker that a token names."""
    return (token or "").rpartition(".")[0]


class World:
    """All that Redis knows. Each verb of `ops` is a method."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}
        self.queues: dict[str, list[str]] = defaultdict(list)
        self.bells: set[str] = set()
        self.paused: set[str] = set()
        self.later: dict[str, str] = {}  # id -> "waits" or "ripe"
        self.dead: set[str] = set()
        self.recent: dict[str, list[str]] = defaultdict(list)
        self.workers: dict[str, Worker] = {}
        self.graves: set[str] = set()
        self.swept = "never"  # or "recently", or "long ago": then Redis was away
        self.held_up = False  # after an outage nobody is declared lost for his silence
        self.full = False

    # -- what several verbs do

    def _needs_memory(self) -> None:
        if self.full:
            raise errors.Busy("no memory")

    def _line_up(self, id: str, delay: float = 0, *, first: bool = False) -> None:
        if delay:
            self.later[id] = "waits"
            return
        queue = self.tasks[id].queue
        self.queues[queue].insert(len(self.queues[queue]) if first else 0, id)
        self.bells.add(queue)

    def _take_out(self, queue: str, id: str) -> bool:
        line = self.queues[queue]
        if id in line:
            del line[len(line) - 1 - line[::-1].index(id)]
            return True
        return False

    def _begin(self, task: Task, token: str) -> None:
        task.state, task.token, task.attempts = "running", token, task.attempts + 1

    def _unhold(self, id: str, token: str) -> bool:
        held, task = self.workers.get(owner(token), Worker()).held, self.tasks.get(id, Task(state=""))
        there = held.get(id) == token
        if there:
            del held[id]
            if task.state == "running" and task.token != token and owner(task.token) == owner(token):
                held[id] = task.token or ""  # a second entry in the queue: the attempt that runs stays protected
        return there

    def _finish(self, id: str, state: str, value: bytes) -> None:
        task = self.tasks[id]
        task.state, task.inbox = state, []
        if state == "failed":
            self.dead.add(id)
        elif task.marks:
            task.checkpoint = None
        task.result, task.error = (value, task.error) if state == "succeeded" else (task.result, value)
        self.recent[task.queue].insert(0, id)

    # -- from outside

    def submit(self, id: str, queue: str, delay: float, messages: list[bytes], restarts: int, **_: Any) -> str:
        if id in self.tasks:
            return self.tasks[id].state
        self._needs_memory()
        self.tasks[id] = Task(queue, restarts, inbox=list(messages), received=len(messages))
        self._line_up(id, delay)
        return "new"

    def revive(self, id: str, new_id: str, queue: str) -> str:
        old = self.tasks.get(id)
        if old is None or old.state != "failed":
            return old.state if old else "unknown"
        if old.heir:
            return "new" if old.heir == new_id else "revived"
        if new_id in self.tasks:
            return "taken"
        self._needs_memory()
        self.tasks[new_id] = Task(queue, old.restarts, origin=id)
        self._line_up(new_id)
        old.heir = new_id
        old.events.append("revive")
        self.dead.discard(id)
        return "new"

    def stop(self, id: str, queue: str, reason: str, by: str, follows: str | None, grace: float) -> str:
        task = self.tasks.get(id)
        if task is None or task.state in FINAL:
            return task.state if task else "unknown"
        self.later.pop(id, None)
        if task.stop is None:
            task.stop = (reason, by)
            task.events.append("stop")
        if task.state == "queued":
            self._finish(id, "stopped", b"stopped in its queue")
            return "stopped"
        if follows:  # only ever stricter
            task.follows = "kill" if "kill" in (task.follows, follows) else "raise"
            task.within = min(task.within, grace)
        return "stopping"

    def send(self, id: str, sender: str, number: int, body: bytes, limit: int) -> int | str:
        task = self.tasks.get(id)
        if task is None or task.state in FINAL:
            return task.state if task else "unknown"
        last, known_as = task.senders.get(sender, (0, 0))
        if last >= number:
            return known_as
        if task.received - task.acknowledged >= limit:
            return "full"
        self._needs_memory()
        task.received += 1
        task.senders[sender] = (number, task.received)
        task.inbox.append(body)
        return task.received

    def inquire(self, id: str) -> int:
        task = self.tasks.get(id)
        if task is None or task.state != "running":
            return 0
        task.asked += 1
        return task.asked

    def pause(self, queue: str) -> None:
        self.paused.add(queue)

    def resume(self, queue: str) -> None:
        self.paused.discard(queue)
        self.ring(queue)

    def ring(self, queue: str) -> None:
        if self.queues[queue]:
            self.bells.add(queue)

    def purge(self, queue: str, ids: list[str], reason: str) -> int:
        ended = 0
        for id in ids:
            if self._take_out(queue, id) and id in self.tasks and self.tasks[id].state == "queued":
                task = self.tasks[id]
                task.stop = (reason, "")
                task.events.append("stop")
                self._finish(id, "stopped", b"purged from its queue")
                ended += 1
        return ended

    # -- workers

    def join(self, wid: str, **_: Any) -> bool:
        if wid in self.graves or (wid in self.workers and self.workers[wid].lease == "lost"):
            return False
        self.workers.setdefault(wid, Worker()).lease = "fresh"
        return True

    def renew(self, wid: str, **_: Any) -> bool:
        if wid not in self.workers or self.workers[wid].lease == "lost":
            return False
        self.workers[wid].lease = "fresh"
        return True

    def claim(self, wid: str, number: int, count: int, queues: list[str]) -> list[str] | None:
        worker, token, ids = self.workers.get(wid), f"{wid}.{number}", list[str]()
        if worker is None or number < worker.number:
            return None
        if number == worker.number:
            return sorted(id for id, claimed in worker.held.items() if claimed == token)
        for queue in queues:
            if queue in self.paused:
                self.bells.discard(queue)
                continue
            line, asked = self.queues[queue], count - len(ids)
            popped = [line.pop() for _ in range(min(asked, len(line)))]
            ids += [id for id in dict.fromkeys(popped) if id not in ids]
            if len(popped) == asked:
                self.ring(queue)
            if len(ids) >= count:
                break
        worker.number = number
        worker.held |= dict.fromkeys(ids, token)
        return sorted(ids)

    def start(self, wid: str, number: int, ids: list[str]) -> list[Task | None]:
        worker, token, answers = self.workers.get(wid, Worker(number=CLOSED)), f"{wid}.{number}", list[Task | None]()
        claimed = dict(worker.held)
        for id in ids:
            task, mine = self.tasks.get(id), worker.number < CLOSED and claimed.get(id) == token
            if mine and task and task.state == "queued":
                self._begin(task, token)
            elif mine and not (task and task.runs_under(token)):  # ended, or a second entry of the id in its queue
                self._unhold(id, token)
                mine = False
            answers.append(dataclasses.replace(task) if mine and task else None)
        return answers

    def take(self, wid: str, number: int, id: str, queue: str, restarts: int) -> Task | str:
        worker, task, token = self.workers.get(wid), self.tasks.get(id), f"{wid}.{number}"
        if worker is None or worker.number == CLOSED:
            return "refused"
        if task is None:
            return "unknown"
        if number > worker.number:
            self.later.pop(id, None)
            self._take_out(queue, id)
            worker.number = number
            if task.state != "queued":
                return task.state
            self._begin(task, token)
            task.restarts = restarts
            worker.held[id] = token
        elif not task.runs_under(token):
            return "again"
        return dataclasses.replace(task)

    def heartbeat(self, wid: str, tasks: list[tuple[str, str]]) -> tuple[int, list[Task | None]]:
        worker = self.workers.get(wid)
        held = len(worker.held) if worker and worker.number < CLOSED else -1
        return held, [self.tasks[id] if id in self.tasks and self.tasks[id].runs_under(t) else None for id, t in tasks]

    def due(self, renew: Sequence[str] = (), **_: Any) -> tuple[set[str], set[str], list[bool]]:
        self.held_up = self.held_up or self.swept == "long ago"
        self.swept = "recently"
        renewed = [self.renew(wid) for wid in renew]
        silent = {"lost"} if self.held_up else {"lost", "over"}
        return (
            {wid for wid, worker in self.workers.items() if worker.lease in silent},
            {id for id, when in self.later.items() if when == "ripe"},
            renewed,
        )

    def promote(self, id: str, queue: str) -> bool:
        if self.later.get(id) != "ripe":
            return False
        del self.later[id]
        if self.tasks[id].state == "queued":
            self._line_up(id, first=True)
        return True

    def lose(self, wid: str, sure: bool) -> list[str] | None:
        worker = self.workers.get(wid)
        if worker is None:
            self.graves |= {wid} if sure else set()
            return []
        in_doubt = worker.lease == "fresh" or self.held_up or self.swept != "recently"
        if worker.lease != "lost" and not sure and in_doubt:
            return None
        worker.lease, worker.number = "lost", CLOSED
        if not worker.held:
            del self.workers[wid]
            self.graves.add(wid)
        return sorted(worker.held)

    def recover(self, id: str, queue: str, wid: str) -> bool:
        worker, task = self.workers.get(wid, Worker()), self.tasks.get(id)
        if id not in worker.held or worker.lease != "lost":
            return False
        del worker.held[id]
        if task and task.state == "queued":  # claimed, never started
            self._line_up(id, first=True)
            return True
        if task is None or task.state != "running" or owner(task.token) != wid:
            return False
        task.token = None
        task.lost += 1
        task.events.append("recover")
        since = task.lost - task.lost_before
        if task.stop:
            self._finish(id, "stopped", b"its worker was lost")
        elif since > task.restarts:
            self._finish(id, "failed", b"WorkerLost")
        else:
            task.state = "queued"
            self._line_up(id, since - 1, first=True)
        return True

    def forget(self, ids: list[str]) -> int:
        known = self.dead & set(ids)
        self.dead -= known
        return len(known)

    # -- an attempt

    def mark(
        self, id: str, token: str, number: int, upto: int, beyond: str, state: bytes | None, sent: int,
        messages: list[bytes], limit: int,
    ) -> bool:  # fmt: skip
        task = self.tasks.get(id)
        if task is None or not task.runs_under(token):
            return False
        new = messages[max(0, task.sent - sent) :]
        if number > task.marks:
            done = max(task.acknowledged, min(upto, task.received))
            del task.inbox[: done - task.acknowledged]
            task.marks, task.acknowledged, task.beyond = number, done, beyond
            if state is not None:
                task.checkpoint, task.lost_before = state, task.lost
        elif new:
            self._needs_memory()
        if new:
            task.outbox = (task.outbox + new)[-limit:]
            task.sent = sent + len(messages)
        return True

    def seen(self, id: str, token: str, question: int, taken: str) -> bool:
        task = self.tasks.get(id)
        if task is None or not task.runs_under(token):
            return False
        if int((task.seen or "0").split()[0]) <= question:
            task.seen = f"{question} {taken}"
        return True

    def report(self, id: str, token: str, number: int, progress: bytes, lines: list[bytes], limit: int) -> str:
        task = self.tasks.get(id)
        if task is None or not task.runs_under(token):
            return "fenced"
        if task.reported and task.reported[0] == token and task.reported[1] >= number:
            return "kept"
        kept = {at: line for at, line in task.lines.items() if at >= task.logged + len(lines) - limit}
        room = not self.full or len(kept) < len(task.lines) or not lines
        task.lines = kept
        if room:
            task.lines |= dict(enumerate(lines, task.logged))
            task.logged += len(lines)
        task.reported, task.progress = (token, number), progress or task.progress
        return "kept" if room else "full"

    def settle(self, endings: list[tuple[str, str, str, bytes, str | None]]) -> list[bool]:
        answers = []
        for id, token, state, value, taken in endings:
            task = self.tasks.get(id)
            if task and task.runs_under(token):
                self.workers[owner(token)].held.pop(id, None)
                task.seen = task.seen if taken is None else f"end {taken}"
                self._finish(id, state, value)
                answers.append(True)
            else:
                answers.append(bool(task and task.token == token and task.state in FINAL))  # ended so before
                if not task or task.state != "queued":  # else a failover has lost its start: it stays claimed
                    self._unhold(id, token)
        return answers

    def giveback(self, id: str, token: str, why: str, error: bytes, delay: float, **_: Any) -> bool:
        task, claimed = self.tasks.get(id), self._unhold(id, token)
        if task is None:
            return False
        if task.runs_under(token):
            if task.stop:
                self._finish(id, "failed" if error else "stopped", error)
                return True
            task.state = "queued"
            task.retries, task.error = (task.retries + 1, error) if why == "retry" else (task.retries, task.error)
            task.unknowns += why == "unknown"
            task.attempts -= why in {"unknown", "drop"}  # its function did not start
            task.events.append(why)
        elif not (task.state == "queued" and claimed):
            return task.token == token and task.state in {"queued", "stopped", "failed"}
        self._line_up(id, delay, first=why != "retry")
        return True
