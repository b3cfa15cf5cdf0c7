"""What Redis answers, as data: one dataclass an answer, and how it is read from the reply. Times are seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

from taskpy import errors, shards
from taskpy.spec import Follows, State, StopReason, Wish
from taskpy.taken import Taken

#: A grace time from here on is none: what waits for it could not count so far.
LONGEST_SECONDS = 1e11


def text(data: bytes) -> str:
    """Bytes from Redis as text; foreign bytes must not make a worker fall."""
    return data.decode(errors="replace")


def texts(data: Sequence[bytes]) -> list[str]:
    """Several bytes from Redis as text."""
    return [text(item) for item in data]


def seconds(ms: bytes | int | None) -> float | None:
    """A time stamp of Redis as epoch seconds."""
    return None if ms is None else int(ms) / 1000


def counted(data: bytes | int) -> int:
    """A number of things; raises ValueError for what is none."""
    number = int(data)
    if not 0 <= number < 2**63:
        raise ValueError("no count")
    return number


def pairs(flat: Sequence[Any]) -> list[tuple[Any, Any]]:
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


def shard_count(reply: Any) -> int:
    """Read into how many shards a namespace is cut."""
    count = int(reply)
    if not 1 <= count <= shards.MOST:
        raise ValueError("no number of shards")
    return count


def wish_of(said: bytes) -> Wish | None:
    """Read a stop that was asked for, as the scripts write it: what follows, in how many ms, by whom, why.

    Raises Malformed.
    """
    if not said:
        return None
    try:
        follows, ms, by, reason = text(said).split(" ", 3)
        grace = float(ms) / 1000
    except ValueError as error:
        raise errors.Malformed(f"{said!r:.200} is not a wish to stop") from error
    if not 0 <= grace < LONGEST_SECONDS:  # NaN is not, either
        raise errors.Malformed(f"{said!r:.200} is not a wish to stop")
    known = cast("Follows", follows) if follows in ("raise", "kill") else None  # a newer taskpy may know others
    return Wish(StopReason(reason, "" if by == "-" else by), known, grace)


@dataclass(slots=True)
class Started:
    """An attempt that begins. `wish`: it was asked to stop already. `lost` counts the workers it has outlived.

    `received` and `sent` count all messages there have ever been, `acknowledged` are those of the inbox that are done with
    (see `Taken`), acknowledged in so many steps. `checkpoint` is the state of the last one, packed. `children` are all that
    earlier attempts have spawned, `orders` counts what it was ever to attend to: see `Orders`.
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
    children: int = 0
    orders: int = 0

    @classmethod
    def of(cls, id: str, token: str, row: Any) -> Self | None:
        """Read one row of the reply of `start`; None: not this worker's (any more).

        One that cannot be read has an empty spec, as which its task fails alone: the others of its claim go on.
        """
        if row == 0:
            return None
        queue, spec, *story = row
        try:
            if len(story) == 1:  # it has none yet, but for the number of its attempt
                return cls(id, token, text(queue), spec, counted(story[0]), 0, 0, 0, "0 ", 0, 0, 0, None, None)
            acknowledged, checkpoint, wish, *counts = story
            attempt, retries, unknowns, lost, acknowledgements, received, sent, children, orders = map(counted, counts)
            heard = wish_of(wish)
            Taken.load(text(acknowledged))
        except (errors.Malformed, TypeError, ValueError):
            return cls(id, token, text(queue), b"", 0, 0, 0, 0, "0", 0, 0, 0, None, None)
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
            wish=heard,
            checkpoint=checkpoint or None,
            children=children,
            orders=orders,
        )


@dataclass(frozen=True, slots=True)
class Beat:
    """What a worker must know of a task it runs. `received` counts all messages ever sent to it, `orders` all `Orders`."""

    lost: bool = False
    received: int = 0
    wish: Wish | None = None
    orders: int = 0

    @classmethod
    def of(cls, fate: Any) -> Self:
        """Read one answer of `heartbeat`: -1 lost, a count of messages, or this with a wish to stop and orders."""
        if isinstance(fate, list):
            received, wish, orders = fate
            return cls(received=received, wish=wish_of(wish), orders=counted(orders))
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

    `next` is in seconds from now, None when no task is delayed. Each list is cut; ask again after a full one. `renewed`
    says of each worker whose lease was to be prolonged whether it was. All below the tasks in `felling` are to be stopped.
    """

    wids: list[str]
    ids: list[str]
    next: float | None
    surplus: list[str]
    renewed: list[bool]
    felling: list[str]

    @classmethod
    def of(cls, reply: Any) -> Self:
        """Read the reply of `due`."""
        wids, ids, wait, surplus, renewed, felling = reply
        soon = None if wait < 0 else wait / 1000
        known = [bool(known) for known in renewed]
        return cls(texts(wids), texts(ids), soon, texts(surplus), known, texts(felling))


@dataclass(frozen=True, slots=True)
class Children:
    """A page of the children of a task, of `count` that it has ever spawned, with its state (None: no such task).

    `wish`: all below it are to stop; `felling` is the number of its entry among those whose
    trees are to be stopped, '' when it has none.
    """

    state: State | None
    felling: str
    wish: Wish | None
    count: int
    ids: list[str]

    @classmethod
    def of(cls, reply: Any) -> Self:
        """Read the reply of `children`."""
        state, felling, wish, count, ids = reply
        known = State(text(state)) if state else None
        return cls(known, text(felling), wish_of(wish), counted(count), [text(id) for id in ids if id])


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


#: What `status` reads of a task.
STATUS_FIELDS = ("st", "res", "exc", "stop", "by", "pr", "tok", "pz", "pd", "pn", "pq", "pi")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a task stands, why it was asked to stop, and how far it has come, packed.

    `question` is what it asks and has no answer to, packed, and `number` counts what it has ever asked. `pausing`: it was
    asked to stand still, `paused`: it does. `data` is its result when it succeeded, its exception when it failed, how it was stopped when it was.
    """

    state: State
    data: bytes | None
    stop: StopReason | None = None
    progress: bytes | None = None
    question: bytes | None = None
    number: int = 0
    pausing: bool = False
    paused: bool = False

    @classmethod
    def of(cls, row: Any) -> Self | None:
        """Read the reply of `status`; None: no such task."""
        said, result, exception, reason, by, progress, token, *desk = row
        if said is None:
            return None
        state = State(text(said))
        data = result if state is State.SUCCEEDED else exception if state.done else None
        stop = None if reason is None else StopReason(text(reason), text(by or b""))
        if state.done or not any(desk):
            return cls(state, data, stop, progress)
        pause, parked, number, question, answered = desk
        pausing = pause is not None and stop is None  # a stop wakes it
        return cls(
            state,
            data,
            stop,
            progress,
            question=question if answered is None else None,
            number=counted(number or 0),
            pausing=pausing,
            paused=pausing and parked == token and state is State.RUNNING,  # who takes over has not come so far
        )


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
