"""What a task is, as plain data: its spec, its options, its states and how it may end.

Owns the words for states and flags, and the one table of what leads from one to another. Knows nothing of Redis, threads or bytes.
"""

import enum
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from taskpy import errors, values
from taskpy.naming import checked_key, checked_name
from taskpy.retry import Backoff

#: The queue of a task whose submitter named none.
DEFAULT_QUEUE = "default"
#: How long a result is kept, in seconds.
KEEP_SECONDS = 3600.0
#: How long a failed task is kept as a dead letter, in seconds.
KEEP_DEAD_SECONDS = 7 * 24 * 3600.0
#: How many dead letters a namespace keeps.
KEEP_DEAD_COUNT = 10_000
#: How often a task is started again after its worker was lost.
RESTARTS = 2
#: How many messages wait in a task's inbox before senders must wait.
INBOX_LIMIT = 1000
#: How many messages a task's outbox keeps for readers.
OUTBOX_LIMIT = 1000
#: How many lines of a task's log are kept for readers.
LOG_LIMIT = 1000
#: How many questions may wait for a task's answer, and how many answers are kept that nobody has fetched.
QUESTION_LIMIT = 100
#: How long a worker that is not heard from keeps its tasks, in seconds, unless the namespace says otherwise.
LEASE_SECONDS = 15.0


class State(enum.StrEnum):
    """Where a task stands. What else may be said of it is a `Flag` beside it, not a state."""

    NEW = "new"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def done(self) -> bool:
        """Whether this state is final."""
        return not MOVES[self]


class Flag(enum.StrEnum):
    """What may be said of a task beside its state, while it has not ended.

    That its worker shuts down is told to the task alone: it is `draining` there.
    """

    DELAYED = "delayed"
    STOPPING = "stopping"
    WAITING = "waiting"
    PAUSING = "pausing"
    PAUSED = "paused"


#: Where a transition happens: on a worker, in a thread or a process of its own, or in all of these places.
Where = Literal["worker", "local", "everywhere"]


@dataclass(frozen=True, slots=True)
class Transition:
    """One way from a state to another: by which verb, in which places, and when."""

    origin: State
    target: State
    verb: str
    where: Where
    when: str


#: Every way from a state to another. What is not here does not happen.
TRANSITIONS: tuple[Transition, ...] = (
    Transition(State.NEW, State.QUEUED, "submit", "worker", "it was submitted"),
    Transition(State.NEW, State.QUEUED, "submit_many", "worker", "it was submitted with others"),
    Transition(State.NEW, State.QUEUED, "submit_keyed", "worker", "it was submitted, and has its key, or waits for it"),
    Transition(State.NEW, State.QUEUED, "spawn", "worker", "another task has spawned it"),
    Transition(State.NEW, State.QUEUED, "revive", "worker", "it takes the place of one that has failed"),
    Transition(State.NEW, State.RUNNING, "start", "local", "it was started"),
    Transition(State.NEW, State.STOPPED, "stop", "everywhere", "it was stopped before its start"),
    Transition(State.QUEUED, State.RUNNING, "start", "worker", "a worker has claimed it, and starts it"),
    Transition(State.QUEUED, State.RUNNING, "take", "worker", "another system has handed it out, and it starts"),
    Transition(State.QUEUED, State.STOPPED, "stop", "worker", "it was stopped while it waited"),
    Transition(
        State.QUEUED, State.STOPPED, "submit_keyed", "worker", "another one has taken its place while it waited"
    ),
    Transition(State.QUEUED, State.STOPPED, "purge", "worker", "its queue was purged"),
    Transition(State.RUNNING, State.SUCCEEDED, "settle", "everywhere", "its function has returned"),
    Transition(State.RUNNING, State.FAILED, "settle", "everywhere", "its function has raised"),
    Transition(State.RUNNING, State.STOPPED, "settle", "everywhere", "it has obeyed a stop, or was ended by force"),
    Transition(State.RUNNING, State.QUEUED, "giveback", "worker", "it is tried again, handed over, or was not known"),
    Transition(State.RUNNING, State.FAILED, "giveback", "worker", "it would be tried again, and was asked to stop"),
    Transition(State.RUNNING, State.STOPPED, "giveback", "worker", "it would be handed over, and was asked to stop"),
    Transition(State.RUNNING, State.QUEUED, "recover", "worker", "its worker was lost"),
    Transition(State.RUNNING, State.FAILED, "recover", "worker", "its worker was lost, once too often"),
    Transition(State.RUNNING, State.STOPPED, "recover", "worker", "its worker was lost, and it was asked to stop"),
)

#: Every legal move. A state without moves is final.
MOVES: Mapping[State, frozenset[State]] = {
    state: frozenset(one.target for one in TRANSITIONS if one.origin is state) for state in State
}


@dataclass(frozen=True, slots=True)
class FlagRule:
    """One flag: in which states it may hold, what sets it and what clears it (besides the end), and where it is seen.

    `seen` names what it is read from in Redis.
    """

    flag: Flag
    states: frozenset[State]
    set_by: tuple[str, ...]
    cleared_by: tuple[str, ...]
    seen: str
    says: str


def flags_of(
    state: State, *, delayed: bool, stopping: bool, asks: bool, pausing: bool, paused: bool
) -> frozenset[Flag]:
    """The flags of a task. `pausing`: it was asked to pause; `paused`: the attempt that runs has said that it does."""
    if state.done:
        return frozenset()
    pausing = pausing and not stopping  # a stop wakes it
    paused = pausing and paused and state is State.RUNNING
    said = {
        Flag.DELAYED: delayed and state is State.QUEUED,
        Flag.STOPPING: stopping,
        Flag.WAITING: asks,
        Flag.PAUSING: pausing and not paused,
        Flag.PAUSED: paused,
    }
    return frozenset(flag for flag, holds in said.items() if holds)


_WAITS, _RUNS = frozenset({State.QUEUED}), frozenset({State.RUNNING})

#: Every flag. A final state has none.
FLAGS: tuple[FlagRule, ...] = (
    FlagRule(
        Flag.DELAYED,
        _WAITS,
        ("submit", "submit_many", "submit_keyed", "spawn", "giveback", "recover", "settle"),
        ("promote", "take", "stop", "start"),
        "`later`",
        "its time has not come: it was submitted so, is tried again later, waits after a lost worker, or is about to follow the task that had its key; a second entry in"
        " its queue may start it",
    ),
    FlagRule(Flag.STOPPING, _RUNS, ("stop", "submit_keyed"), (), "`stop`", "it was asked to stop"),
    FlagRule(
        Flag.WAITING,
        _WAITS | _RUNS,
        ("pose",),
        ("answer", "withdraw", "mark"),
        "`pq` without `pi`",
        "it has asked, and nobody has answered; a checkpoint of an attempt that has the answer ends it where Redis has lost that in a failover",
    ),
    FlagRule(
        Flag.PAUSING,
        _WAITS | _RUNS,
        ("pause_task", "spawn", "giveback", "recover"),
        ("park", "resume_task", "stop", "submit_keyed"),
        "`pz` without `stop`, unless it is paused",
        "it was asked to pause, and does not stand still (yet)",
    ),
    FlagRule(
        Flag.PAUSED,
        _RUNS,
        ("park",),
        ("resume_task", "stop", "submit_keyed", "giveback", "recover"),
        "`pz` without `stop`, and `pd` names the attempt",
        "it stands still",
    ),
)


class StopReason(str):
    """Why a task is to stop, '' where nobody said; `by` says who asked, such as `ann@web-3:4711`."""

    __slots__ = ("by",)
    by: str

    def __new__(cls, reason: str = "", by: str = "") -> Self:
        """Make one."""
        made = super().__new__(cls, reason)
        made.by = by
        return made

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (str(self), self.by)


#: What follows when a task that was asked to stop has not ended within its grace time: `Stopped` is raised inside it; or,
#: and then, it is ended by force.
Follows = Literal["raise", "kill"]
#: What becomes of the children of a task when it ends: it counts as running until they have ended; they are asked to stop;
#: nothing.
Children = Literal["wait", "stop", "leave"]
#: The grace time of a stop unless another one is given, in seconds.
GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Wish:
    """A stop that was asked for: why and by whom, and what follows after `grace` seconds from when it is heard.

    Without `follows` it is only asked for, however long it takes. With `tree`, all below the task are to stop, too.
    """

    reason: StopReason = field(default_factory=StopReason)
    follows: Follows | None = None
    grace: float = 0.0
    tree: bool = False


class Verdict(enum.Enum):
    """How one run of a task's function came out."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    RETRY = "retry"  # the function asked to be run again
    RELEASED = "released"  # handed over to another worker
    LOST = "lost"  # another worker owns the task: nothing may be said about it here


@dataclass(slots=True)
class Outcome:
    """How one run of a task's function came out, with its value or its exception.

    `final` says that a failure must not be retried, whatever the options say. `delay` is what a retry asked for, in
    seconds. `note` says how a task was stopped, where that was not plain.
    """

    verdict: Verdict
    value: Any = None
    error: BaseException | None = None
    final: bool = False
    delay: float | None = None
    note: str = ""


#: What becomes of a task whose key another live task has: it is refused; the submitter gets a handle of the other one, or
#: sends what it had for the new one to the other one; or the other one is stopped, and this one begins after its end.
Conflict = Literal["reject", "join", "send", "replace"]
#: What it is where the submitter does not say.
CONFLICT: Conflict = "reject"
_CONFLICTS = typing.get_args(Conflict)


_OPTION_TYPES: tuple[tuple[str, tuple[type, ...], str], ...] = (
    ("delay", (int, float), "a number of seconds of at least 0"),
    ("time_limit", (int, float), "a number of seconds of at least 0"),
    ("keep", (int, float), "a number of seconds of at least 0"),
    ("retries", (int,), "a whole number of at least 0"),
    ("restarts", (int,), "a whole number of at least 0"),
    ("backoff", (int, float, Backoff), "a number of seconds of at least 0, or a Backoff"),
    ("handover", (bool,), "True or False"),
)


def _allowed(value: Any, kinds: tuple[type, ...]) -> bool:
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        return False
    most = 2**63 if isinstance(value, int) else float("inf")
    return not isinstance(value, int | float) or 0 <= value < most


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a task is to be run. None means: not given; see `over`.

    `delay`, `time_limit` and `keep` are in seconds; an attempt that runs longer than `time_limit` is stopped. `retries` counts the runs after a failure, `restarts` those after a lost
    worker. `handover` says that a task may be begun again elsewhere when its worker drains. `children` says what becomes of
    those that it has spawned when it ends: it counts as running until they have ended ("wait", so it is by itself), they are
    asked to stop ("stop"), or nothing ("leave"). Of the tasks of one `key` one is live in a namespace, at most;
    `on_conflict` says what becomes of the next one.
    """

    queue: str | None = None
    delay: float | None = None
    time_limit: float | None = None
    retries: int | None = None
    backoff: Backoff | float | None = None
    restarts: int | None = None
    keep: float | None = None
    handover: bool | None = None
    key: str | None = None
    on_conflict: Conflict | None = None
    children: Children | None = None

    def __post_init__(self) -> None:
        if self.queue is not None:
            checked_name(self.queue, "queue")
        if self.key is not None:
            checked_key(self.key)
        if self.on_conflict not in (None, *_CONFLICTS):
            known = ", ".join(map(repr, _CONFLICTS))
            raise errors.BadArguments(f"on_conflict must be one of {known}, not {values.shown(self.on_conflict)}")
        if self.children not in (None, "wait", "stop", "leave"):
            raise errors.BadArguments(f"children must be 'wait', 'stop' or 'leave', not {values.shown(self.children)}")
        for name, kind, wanted in _OPTION_TYPES:
            value = getattr(self, name)
            if value is not None and not _allowed(value, kind):
                raise errors.BadArguments(f"{name} must be {wanted}, not {values.shown(value)}")

    def over(self, base: "Options") -> "Options":
        """These options, filled up from `base` where they are not given."""
        if self is NO_OPTIONS or base is NO_OPTIONS:  # mostly so, and much quicker
            return base if self is NO_OPTIONS else self
        return replace(base, **self.given())

    def given(self) -> dict[str, Any]:
        """The options that were given, by name."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Options":
        """Options from keywords; an unknown one is an error that lists the known ones."""
        if not given:
            return NO_OPTIONS
        known = cls.__slots__
        if unknown := sorted(set(given) - set(known)):
            raise errors.BadArguments(f"unknown option {unknown[0]!r}; the options are {', '.join(known)}")
        return cls(**given)


#: Where no option was given.
NO_OPTIONS = Options()


class _Missing(enum.Enum):
    MISSING = "missing"

    def __repr__(self) -> str:
        return "MISSING"


#: Stands for `prev` where a task has no predecessor (None is a value like any other).
MISSING = _Missing.MISSING


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """What to run: a registered name, its arguments and the options that the submitter gave.

    `prev` is the predecessor's output in a Chain, `parent` the id of the task that spawned this one. `headers` are
    for tracing and the like; `extra` keeps the fields that a newer taskpy wrote, so that nothing is lost on the way.
    """

    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: Options = NO_OPTIONS
    prev: Any = MISSING
    parent: str | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def queue(self) -> str:
        """The queue this task goes to."""
        return self.options.queue or DEFAULT_QUEUE
