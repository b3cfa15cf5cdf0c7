"""What Redis answers to lists and pages, as data: tasks with all that is known of them, their events, workers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from taskpy.answers import seconds, shard_count, text
from taskpy.spec import Flag, Follows, State, flags_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """A task in a list, without what may be large. `worker` is the one that runs it or ran it last.

    The counters are apart: attempts started, retries used, workers lost. `submitted`, `started` and `ended` are epoch
    seconds, and so is `due`, which is known where delayed tasks are listed. `asks`: it has asked, and nobody has answered;
    `pausing`: it was asked to stand still; `parked`: the token of the attempt that said that it does.
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
    asks: bool = False
    pausing: bool = False
    parked: str | None = None
    due: float | None = None

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop (then `reason` is not None) and has not ended."""
        return self.reason is not None and not self.state.done

    @property
    def flags(self) -> frozenset[Flag]:
        """What is to be said of it beside its state."""
        return flags_of(
            self.state,
            delayed=self.due is not None,
            stopping=self.stopping,
            asks=self.asks,
            pausing=self.pausing,
            paused=self.parked is not None and self.parked == self.token,
        )

    @property
    def worker(self) -> str | None:
        """The wid of the worker that holds it, or did last."""
        return self.token.rpartition(".")[0] if self.token else None


#: The fields of a task's hash that an `Outline` is read from, in order; of one with ? in front, whether it is there.
OUTLINE_FIELDS = (
    *("st", "q", "name", "att", "ret", "crash", "stop", "tok", "submitted", "started", "ended"),
    *("pz", "pd", "pi", "?pq"),
)


def _outlined(id: str, row: Sequence[Any]) -> dict[str, Any]:
    """The fields of an `Outline` by name, from what HMGET gave for OUTLINE_FIELDS."""
    state, queue, name, attempt, retries, lost, reason, token, *stamps, pause, parked, answered, question = row
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
        "asks": bool(question) and answered is None,
        "pausing": pause is not None,
        "parked": None if parked is None else text(parked),
    }


def outline_of(id: str, row: Sequence[Any]) -> Outline | None:
    """Read one row of the reply of `outline`; None: no such task (any more), or none that taskpy has written.

    One task of garbage must not hide the others of its list; whoever looks at it by itself is told.
    """
    try:
        return None if row[0] is None else Outline(**_outlined(id, row))
    except (ArithmeticError, ValueError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Outline):
    """All that is known of a task but its messages. `result` when it succeeded, `exception` when it failed.

    `error` is the exception of an attempt that was retried, before the end. `origin` is the dead letter that it was
    revived from, `heir` the task that it was revived as. `unknowns` counts how often no worker knew its name,
    `restarts` how often it may be started again after a lost worker; `keep` is in seconds. Of messages are counted those
    `received` into its inbox, those of them that it has `acknowledged`, and those it has `sent`. `progress` is how far it
    has come, as it is packed; `logged` counts the log lines that were kept, of which the last ones still are.

    `acknowledgements` counts how often it has acknowledged messages or stored a checkpoint. Where it was asked to stop,
    `by` says who did, `follows` what happens after `deadline` (epoch seconds) when it has not ended; `note` says how it
    was stopped, where that was not plain. `key` is the key that it had while it lived, `parent` the task that has spawned
    it, `children` counts those it has spawned. `question` is what it asks, packed, `number` counts what it has ever asked;
    `pause` says since when (epoch seconds) and by whom it is to pause.
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
    acknowledgements: int = 0
    by: str = ""
    follows: Follows | None = None
    deadline: float | None = None
    note: str = ""
    key: str | None = None
    parent: str | None = None
    children: int = 0
    question: bytes | None = None
    number: int = 0
    pause: tuple[float, str] | None = None


#: The fields of a task's hash that a `Snapshot` is read from, in order.
SNAPSHOT_FIELDS = (
    *(name.removeprefix("?") for name in OUTLINE_FIELDS),
    *("spec", "res", "exc", "origin", "heir", "keep", "by", "then", "until", "pr", "key", "parent"),
    *("unk", "mc", "in", "ib", "on", "lg", "ck", "cn", "pn"),
)
_FOLLOWS: dict[bytes | None, Follows] = {b"raise": "raise", b"kill": "kill"}


def snapshot_of(id: str, row: Sequence[Any]) -> Snapshot | None:
    """Read the reply of `look`; None: no such task (any more)."""
    if row[0] is None:
        return None
    outlined = _outlined(id, row[: len(OUTLINE_FIELDS)])
    behind = row[len(OUTLINE_FIELDS) :]
    spec, result, error, origin, heir, keep, by, follows, until, progress, key, parent, *counts = behind
    numbers = (int(count or 0) for count in counts)
    unknowns, restarts, received, acknowledged, sent, logged, marks, children, asked = numbers
    pause, _, _, question = row[len(OUTLINE_FIELDS) - 4 : len(OUTLINE_FIELDS)]
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
        acknowledgements=marks,
        by=text(by or b""),
        parent=None if parent is None else text(parent),
        children=children,
        follows=_FOLLOWS.get(follows),
        deadline=seconds(until),
        note=text(error or b"") if state is State.STOPPED else "",
        key=None if key is None else text(key),
        question=question if outlined["asks"] and not state.done else None,
        number=asked,
        pause=None if pause is None or state.done else _pause_of(text(pause)),
    )


def _pause_of(said: str) -> tuple[float, str]:
    ms, _, by = said.partition(" ")
    return int(ms) / 1000, by


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
    """What stands in the namespace, None before its first worker, and what time it is on its server (epoch seconds).

    `shards` is into how many it is cut.
    """

    version: int | None
    lease: float | None
    clock: float
    shards: int = 1

    @classmethod
    def of(cls, reply: Any) -> Self:
        """Read the reply of `namespace`."""
        (version, lease, shards), now = reply
        known = None if version is None else int(version)
        return cls(known, seconds(lease), now / 1000, shard_count(shards or 1))


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
