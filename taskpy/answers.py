"""What Redis answers, as data: one dataclass an answer, and how it is read from the reply. Times are seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from taskpy.spec import State


def text(data: bytes) -> str:
    """Bytes from Redis as text; foreign bytes must not make a worker fall."""
    return data.decode(errors="replace")


def texts(data: Sequence[bytes]) -> list[str]:
    """Several bytes from Redis as text."""
    return [text(item) for item in data]


def seconds(ms: bytes | int | None) -> float | None:
    """A time stamp of Redis as epoch seconds."""
    return None if ms is None else int(ms) / 1000


def pairs(flat: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """The pairs of a flat reply, such as that of a script that returns HGETALL."""
    return list(zip(flat[::2], flat[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class Agreement:
    """What the workers of a namespace agree on: the version of the data model, the lease in seconds."""

    version: int
    lease: float

    @classmethod
    def of(cls, reply: Any) -> Self:
        """Read the reply of `agree`."""
        version, lease = reply
        return cls(int(version), int(lease) / 1000)


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt that begins. `stopping`: it was asked to stop already. `lost` counts the workers it has outlived.

    `acknowledged`, `received` and `sent` are absolute counts of messages.
    """

    id: str
    token: str
    queue: str
    spec: bytes
    attempt: int
    retries: int
    unknowns: int
    lost: int
    acknowledged: int
    received: int
    sent: int
    stopping: bool

    @classmethod
    def of(cls, id: str, token: str, row: Any) -> Self | None:
        """Read one row of the reply of `start`; None: not this worker's (any more)."""
        if row == 0:
            return None
        queue, spec, *counts = row
        attempt, retries, unknowns, lost, acknowledged, received, sent, stopping = map(int, counts)
        return cls(
            id, token, text(queue), spec, attempt, retries, unknowns, lost, acknowledged, received, sent, bool(stopping)
        )


@dataclass(frozen=True, slots=True)
class Beat:
    """What a worker must know of a task it runs. `received` counts all messages ever sent to it."""

    lost: bool
    stopping: bool
    received: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How many tasks the worker holds (-1: it was declared lost), and how each that it asked for fares."""

    held: int
    tasks: list[Beat]

    @classmethod
    def of(cls, reply: Any) -> Self:
        """Read the reply of `heartbeat`: per task 0 lost, 1 well, 2 to stop, and 4 for each message received."""
        held, *codes = reply
        return cls(held, [Beat(lost=code == 0, stopping=code % 4 == 2, received=code // 4) for code in codes])


@dataclass(frozen=True, slots=True)
class Held:
    """What a worker holds, claimed or running: the token of each task, and the number of its last claim.

    No number: the worker is not known.
    """

    number: int | None
    tokens: dict[str, str]

    @classmethod
    def of(cls, reply: Any) -> Self:
        """Read the reply of `held`."""
        tokens = {text(field): text(value) for field, value in pairs(reply)}
        number = tokens.pop("#", None)
        return cls(None if number is None else int(number), tokens)


@dataclass(frozen=True, slots=True)
class Due:
    """Work for whoever sweeps: workers to `lose`, tasks to `promote`, dead letters to `forget`.

    `next` is in seconds from now, None when no task is delayed. Each list is cut; ask again after a full one.
    """

    wids: list[str]
    ids: list[str]
    next: float | None
    surplus: list[str]

    @classmethod
    def of(cls, reply: Any) -> Self:
        """Read the reply of `due`."""
        wids, ids, wait, surplus = reply
        return cls(texts(wids), texts(ids), None if wait < 0 else wait / 1000, texts(surplus))


@dataclass(frozen=True, slots=True)
class Mail:
    """A look into a task's outbox: its state (None: no such task), how many messages it ever sent, and some of them.

    `first` is the place of `messages[0]`, counted from 0; those between the place asked for and `first` were cut.
    """

    state: State | None
    sent: int
    first: int
    messages: list[bytes]

    @classmethod
    def of(cls, reply: Any, index: int) -> Self:
        """Read the reply of `receive` from place `index` on."""
        if not reply:
            return cls(None, 0, index, [])
        state, sent, first, messages = reply
        return cls(State(text(state)), sent, first, list(messages))


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a task stands: its state, its result or exception by then, and how far it has come, as they are packed."""

    state: State
    value: bytes | None
    progress: bytes | None

    @classmethod
    def of(cls, row: Any) -> Self | None:
        """Read the reply of `status`; None: no such task."""
        if row[0] is None:
            return None
        state = State(text(row[0]))
        value = row[1] if state is State.SUCCEEDED else row[2] if state is State.FAILED else None
        return cls(state, value, row[3])


@dataclass(frozen=True, slots=True)
class Reported:
    """A look into what a task has reported: its state (None: no such task), its progress, and lines of its log.

    `next` is the place behind the last line here, counted from 0.
    """

    state: State | None
    progress: bytes | None
    next: int
    lines: list[bytes]

    @classmethod
    def of(cls, reply: Any, index: int) -> Self:
        """Read the reply of `reported` from place `index` on."""
        if not reply:
            return cls(None, None, index, [])
        state, progress, behind, lines = reply
        return cls(State(text(state)), progress or None, behind, [line for line in lines if line is not None])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A task in a list, without what may be large. `worker` is the one that runs it or ran it last.

    The counters are apart: attempts started, retries used, workers lost. `submitted`, `started` and `ended` are epoch
    seconds, and so is `due`, which is known where delayed tasks are listed.
    """

    id: str
    state: State
    queue: str
    name: str
    attempt: int
    retries: int
    lost: int
    reason: str | None
    token: str | None
    submitted: float | None
    started: float | None
    ended: float | None
    due: float | None = None

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop (then `reason` is not None) and has not ended."""
        return self.reason is not None and not self.state.done

    @property
    def worker(self) -> str | None:
        """The wid of the worker that holds it, or did last."""
        return self.token.rpartition(".")[0] if self.token else None


#: The fields of a task's hash that an `Outline` is read from, in order.
OUTLINE_FIELDS = ("st", "q", "name", "att", "ret", "crash", "stop", "tok", "submitted", "started", "ended")


def _outlined(id: str, row: Sequence[Any]) -> dict[str, Any]:
    """The fields of an `Outline` by name, from what HMGET gave for OUTLINE_FIELDS."""
    state, queue, name, attempt, retries, lost, reason, token, *stamps = row
    submitted, started, ended = map(seconds, stamps)
    return {
        "id": id,
        "state": State(text(state)),
        "queue": text(queue or b""),
        "name": text(name or b""),
        "attempt": int(attempt or 0),
        "retries": int(retries or 0),
        "lost": int(lost or 0),
        "reason": None if reason is None else text(reason),
        "token": None if token is None else text(token),
        "submitted": submitted,
        "started": started,
        "ended": ended,
    }


def outline_of(id: str, row: Sequence[Any]) -> Outline | None:
    """Read one row of the reply of `outline`; None: no such task (any more)."""
    return None if row[0] is None else Outline(**_outlined(id, row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Outline):
    """All that is known of a task but its messages. `result` when it succeeded, `exception` when it failed.

    `error` is the exception of an attempt that was retried, before the end. `origin` is the dead letter that it was
    revived from, `heir` the task that it was revived as. `unknowns` counts how often no worker knew its name,
    `restarts` how often it may be started again after a lost worker; `keep` is in seconds. Of messages are counted those
    `received` into its inbox, those of them that it has `acknowledged`, and those it has `sent`. `progress` is how far it
    has come, as it is packed; `logged` counts the log lines that were kept, of which the last ones still are.
    """

    spec: bytes
    result: bytes | None
    exception: bytes | None
    error: bytes | None
    origin: str | None
    heir: str | None
    unknowns: int
    restarts: int
    keep: float
    received: int
    acknowledged: int
    sent: int
    progress: bytes | None = None
    logged: int = 0


#: The fields of a task's hash that a `Snapshot` is read from, in order.
SNAPSHOT_FIELDS = (
    *OUTLINE_FIELDS,
    *("spec", "res", "exc", "origin", "heir", "keep", "unk", "mc", "in", "ib", "on", "lg", "pr"),
)


def snapshot_of(id: str, row: Sequence[Any]) -> Snapshot | None:
    """Read the reply of `look`; None: no such task (any more)."""
    if row[0] is None:
        return None
    outlined = _outlined(id, row[: len(OUTLINE_FIELDS)])
    spec, result, error, origin, heir, keep, *counts, progress = row[len(OUTLINE_FIELDS) :]
    unknowns, restarts, received, acknowledged, sent, logged = (int(count or 0) for count in counts)
    state = outlined["state"]
    return Snapshot(
        **outlined,
        spec=spec or b"",
        result=result if state is State.SUCCEEDED else None,
        exception=error if state is State.FAILED else None,
        error=None if state.done else error,
        origin=None if origin is None else text(origin),
        heir=None if heir is None else text(heir),
        unknowns=unknowns,
        restarts=restarts,
        keep=seconds(keep) or 0.0,
        received=received,
        acknowledged=acknowledged,
        sent=sent,
        progress=progress,
        logged=logged,
    )


@dataclass(frozen=True, slots=True)
class Event:
    """Something in a task's life that was not plain: when (epoch seconds), one word, and what belongs to the word."""

    time: float
    word: str
    detail: str

    @classmethod
    def of(cls, line: bytes) -> Self:
        """Read one line of the list of events."""
        ms, word, *detail = text(line).split(" ", 2)
        return cls(int(ms) / 1000, word, "".join(detail))


@dataclass(frozen=True, slots=True)
class Namespace:
    """What stands in the namespace, None before its first worker, and what time it is on its server (epoch seconds)."""

    version: int | None
    lease: float | None
    clock: float

    @classmethod
    def of(cls, reply: Any) -> Self:
        """Read the reply of `namespace`."""
        (version, lease), now = reply
        return cls(None if version is None else int(version), seconds(lease), now / 1000)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker in a list: the end of its lease (epoch seconds), what it says of itself, how many tasks it holds.

    No lease end: it was declared lost.
    """

    wid: str
    lease_end: float | None
    info: bytes | None
    held: int

    @property
    def lost(self) -> bool:
        """Whether it was declared lost, and its tasks are being given back."""
        return self.lease_end is None

    @classmethod
    def of(cls, wid: str, row: Any) -> Self | None:
        """Read one row of the reply of `workers`; None: not known (any more)."""
        end, info, held = row
        if end is None:
            return None
        return cls(wid, float(end) / 1000 or None, info, held)
