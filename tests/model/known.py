"""What Redis knows, as plain Python: tasks, workers, queues; and what several verbs do to them."""

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass, field

from taskpy import errors

#: Numbers the entries of trees that are to be stopped: a new one differs from all before it.
_entries = itertools.count(1)
FINAL = {"succeeded", "failed", "stopped"}
CLOSED = 9007199254740991  # the claim number of a worker that was declared lost: none is higher


@dataclass
class Task:
    """One task, from its submission to its end; what stands in its hash, its inbox, its outbox and its events."""

    queue: str = ""
    restarts: int = 0
    keep: int = 0  # ms
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
    key: str | None = None
    parent: str | None = None
    children: list[str] = field(default_factory=list)
    kin: str | None = None  # what becomes of its children when it ends
    tree: tuple[str, str, str | None] | None = None  # all below it are to stop: why, by whom, and what follows
    below_within: float = math.inf
    orders: int = 0  # ever
    questions: int = 0  # ever put to it
    open: list[int] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    put: dict[int, bytes] = field(default_factory=dict)
    replies: dict[int, bytes] = field(default_factory=dict)
    posed: int = 0  # questions that it has ever asked
    posed_by: tuple[str, int] | None = None  # the attempt, and the number of the question in it
    question: bytes | None = None
    answer: bytes | None = None
    answer_name: str | None = None
    answer_by: str | None = None
    pausing: str | None = None  # by whom
    pausing_below: str | None = None  # by whom what it spawns is to pause, too
    parked: str | None = None  # the attempt that stands still
    pause_names: list[str] = field(default_factory=list)

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


class Known:
    """All that Redis knows."""

    def __init__(self) -> None:
        self.shards: int | None = None
        self.tasks: dict[str, Task] = {}
        self.queues: dict[str, list[str]] = defaultdict(list)
        self.bells: set[str] = set()
        self.paused: set[str] = set()
        self.later: dict[str, str] = {}  # id -> "waits" or "ripe"
        self.dead: set[str] = set()
        self.keyed: dict[str, tuple[str, str | None, bool]] = {}  # who has a key, who waits for its end, delayed
        self.answers: dict[str, str] = {}  # to submissions that were refused
        self.felling: dict[str, int] = {}  # tasks below which all are to be stopped, each with the number of its entry
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

    def _order(self, task: Task) -> None:
        task.orders += 1

    def _unhold(self, id: str, token: str) -> bool:
        held, task = self.workers.get(owner(token), Worker()).held, self.tasks.get(id, Task(state=""))
        there = held.get(id) == token
        if there:
            del held[id]
            if task.state == "running" and task.token != token and owner(task.token) == owner(token):
                held[id] = task.token or ""  # a second entry in the queue: the attempt that runs stays protected
        return there

    def _fell(self, id: str) -> None:
        self.felling[id] = next(_entries)

    def _finish(self, id: str, state: str, value: bytes) -> None:
        task = self.tasks[id]
        if task.kin == "stop" or (task.kin == "wait" and state != "succeeded"):
            self._fell(id)
        task.state, task.inbox = state, []
        if state == "failed":
            self.dead.add(id)
        elif task.marks:
            task.checkpoint = None
        task.result, task.error = (value, task.error) if state == "succeeded" else (task.result, value)
        if task.key is not None:
            self._vacate(task.key, id)
        self.recent[task.queue].insert(0, id)

    def _vacate(self, key: str, id: str) -> None:
        live, successor, delayed = self.keyed.get(key, (None, None, False))
        if live == id and successor:
            self.keyed[key] = (successor, None, False)
            self.later[successor] = "waits" if delayed else "ripe"
        elif live == id:
            del self.keyed[key]
        elif successor == id:
            self.keyed[key] = (str(live), None, False)

    def holders(self, key: str) -> tuple[str, ...]:
        """Who has the key, and behind it who waits for its end."""
        return tuple(id for id in self.keyed.get(key, ())[:2] if isinstance(id, str))
