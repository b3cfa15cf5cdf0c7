"""What Redis answers, as data: one dataclass an answer, and how it is read from the reply. Times are seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

from taskpy.spec import Follows, State, StopReason, Wish
from taskpy.taken import Taken


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


def wish_of(said: bytes) -> Wish | None:
    """Read a stop that was asked for, as the scripts write it: what follows, in how many ms, by whom, why."""
    if not said:
        return None
    follows, ms, by, reason = text(said).split(" ", 3)
    known = cast("Follows", follows) if follows in ("raise", "kill") else None  # a newer taskpy may know others
    return Wish(StopReason(reason, "" if by == "-" else by), known, float(ms) / 1000)


@dataclass(frozen=True, slots=True)
class Started:
    """An attempt that begins. `wish`: it was asked to stop already. `lost` counts the workers it has outlived.

    `received` and `sent` count all messages there have ever been, `acknowledged` are those of the inbox that are done with
    (see `Taken`), acknowledged in so many steps. `checkpoint` is the state of the last one, packed.
    """

    id: str
    token: str
    queue: str
    spec: bytes
    attempt: int
    retries: int
    unknowns: int
    lost: int
    acknowledged: str
    acknowledgements: int
    received: int
    sent: int
    wish: Wish | None
    checkpoint: bytes | None

    @classmethod
    def of(cls, id: str, token: str, row: Any) -> Self | None:
        """Read one row of the reply of `start`; None: not this worker's (any more)."""
        if row == 0:
            return None
        queue, spec, acknowledged, checkpoint, wish, *counts = row
        attempt, retries, unknowns, lost, acknowledgements, received, sent = map(int, counts)
        return cls(
            id=id,
            token=token,
            queue=text(queue),
            spec=spec,
            attempt=attempt,
            retries=retries,
            unknowns=unknowns,
            lost=lost,
            acknowledged=text(acknowledged),
            acknowledgements=acknowledgements,
            received=received,
            sent=sent,
            wish=wish_of(wish),
            checkpoint=checkpoint or None,
        )


@dataclass(frozen=True, slots=True)
class Beat:
    """What a worker must know of a task it runs. `received` counts all messages ever sent to it."""

    lost: bool = False
    received: int = 0
    wish: Wish | None = None

    @classmethod
    def of(cls, fate: Any) -> Self:
        """Read one answer of `heartbeat`: -1 lost, a count of messages, or one with a wish to stop."""
        if isinstance(fate, list):
            return cls(received=fate[0], wish=wish_of(fate[1]))
        return cls(lost=True) if fate < 0 else cls(received=fate)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How many tasks the worker holds (-1: it was declared lost), and how each that it asked for fares."""

    held: int
    tasks: list[Beat]

    @classmethod
    def of(cls, reply: Any) -> Self:
        """Read the reply of `heartbeat`."""
        held, *fates = reply
        return cls(held, [Beat.of(fate) for fate in fates])


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
    """Where a task stands, why it was asked to stop, and how far it has come, packed.

    `data` is its result when it succeeded, its exception when it failed, how it was stopped when it was.
    """

    state: State
    data: bytes | None
    stop: StopReason | None = None
    progress: bytes | None = None

    @classmethod
    def of(cls, row: Any) -> Self | None:
        """Read the reply of `status`; None: no such task."""
        if row[0] is None:
            return None
        state = State(text(row[0]))
        data = row[1] if state is State.SUCCEEDED else row[2] if state.done else None
        reason, by = row[3:5]
        stop = None if reason is None else StopReason(text(reason), text(by or b""))
        return cls(state, data, stop, row[5])


@dataclass(frozen=True, slots=True)
class Receipt:
    """Which of its messages a task has taken, as its worker last said; `question` is the `inquire` that it answered.

    `running`: there is a worker to be asked.
    """

    running: bool
    question: int
    taken: Taken

    @classmethod
    def of(cls, row: Any) -> Self | None:
        """Read the reply of `receipt`."""
        state, acknowledged, beyond, seen = row
        if state is None:
            return None
        question, _, said = text(seen or b"0 0").partition(" ")
        taken = Taken.load(f"{int(acknowledged or 0)} {text(beyond or b'')}") | Taken.load(said)
        return cls(state == b"running", int(question) if question.isdecimal() else 0, taken)


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
