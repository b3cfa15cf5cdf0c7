"""What to say to Redis: one function a verb, each returns an `Op`. The verbs of tasks and workers; no I/O.

Every op may be sent again when its answer was lost: the same call twice has the effect of one. Times are seconds of
Redis's clock here, milliseconds in Redis. What lists and pages read is in `pages.py`, the keys are in `keys.py`,
the answers in `answers.py`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from taskpy import script as scripts
from taskpy import spec as specs
from taskpy.answers import Agreement, Due, Heartbeat, Held, Mail, Started, text, texts
from taskpy.keys import Keys
from taskpy.script import Script
from taskpy.spec import State

T = TypeVar("T")
Arg = str | bytes | int | float

#: The version of what taskpy keeps in Redis. A worker refuses a namespace of another version.
VERSION = 1

#: No time in Redis is longer, in milliseconds (317 years): Lua writes larger numbers as 1e+14.
_LONGEST_MS = 10**13
#: How many characters of a stop's reason are kept; a list of events holds up to 100 of them.
_REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Op(Generic[T]):
    """One thing to say to Redis: a plain `command`, or a `script` with its keys and arguments.

    `verb` is the word for it in logs, `decode` reads the answer.
    """

    verb: str
    command: tuple[Arg, ...]
    script: Script | None
    keys: tuple[str, ...]
    args: tuple[Arg, ...]
    decode: Callable[[Any], T]

    @property
    def wire(self) -> tuple[Arg, ...]:
        """The command as it is sent; a script goes by its hash."""
        if self.script is None:
            return self.command
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.args)


def plain(verb: str, command: Iterable[Arg], decode: Callable[[Any], T]) -> Op[T]:
    """An op that is a plain command."""
    return Op(verb, tuple(command), None, (), (), decode)


def scripted(verb: str, keys: Iterable[str], args: Iterable[Arg], decode: Callable[[Any], T]) -> Op[T]:
    """An op that is the script of the same name."""
    return Op(verb, (), scripts.load(verb), tuple(keys), tuple(args), decode)


def _ms(seconds: float) -> int:
    return min(round(seconds * 1000), _LONGEST_MS)


def token_of(wid: str, number: int) -> str:
    """The token of a claim: it fences everything that is done to the tasks of the claim."""
    return f"{wid}.{number}"


def _task_keys(keys: Keys, id: str, queue: str) -> tuple[str, ...]:
    """What a script touches that may end a task: task, inbox, outbox, events, recent."""
    return keys.task(id), keys.inbox(id), keys.outbox(id), keys.events(id), keys.recent(queue)


# -- the namespace ------------------------------------------------------------------------------


def agree(keys: Keys, *, version: int, lease: float) -> Op[Agreement]:
    """Write the version and the lease (seconds) of the namespace unless they stand there; answers what stands there."""
    return scripted("agree", [keys.meta()], [version, _ms(lease)], Agreement.of)


# -- a task comes in ----------------------------------------------------------------------------


def submit(
    keys: Keys,
    *,
    id: str,
    queue: str,
    name: str,
    spec: bytes,
    delay: float = 0.0,
    restarts: int | None = None,
    keep: float | None = None,
    messages: Sequence[bytes] = (),
) -> Op[str]:
    """Accept a task, with the messages that wait in its inbox; answers 'new', or the state of the task of this id."""
    restarts = specs.RESTARTS if restarts is None else restarts
    keep = specs.KEEP_SECONDS if keep is None else keep
    return scripted(
        "submit",
        [keys.task(id), keys.queue(queue), keys.bell(queue), keys.later(), keys.queues(), keys.inbox(id)],
        [id, queue, name, spec, _ms(delay), restarts, _ms(keep), *messages],
        text,
    )


def revive(keys: Keys, *, id: str, new_id: str, queue: str) -> Op[str]:
    """Submit the spec of a dead letter as a new task that knows the old one; `queue` is the old task's.

    Answers 'new', 'unknown', the state of a task that has not failed, 'revived' when it was revived as another task
    before, or 'taken' when another task has the new id.
    """
    return scripted(
        "revive",
        [keys.task(id), keys.events(id), keys.task(new_id), keys.queue(queue), keys.bell(queue), keys.dead()],
        [id, new_id],
        text,
    )


# -- a task, from outside ---------------------------------------------------------------------------


def locate(keys: Keys, *, id: str) -> Op[str | None]:
    """Read the queue of a task, which never changes; None when no task has this id."""
    return plain("locate", ["HGET", keys.task(id), "q"], lambda answer: None if answer is None else text(answer))


def status(keys: Keys, *, id: str) -> Op[tuple[State, bytes | None] | None]:
    """Read a task's state, with its result when it succeeded and its exception when it failed; None: no such task."""

    def decode(row: Any) -> tuple[State, bytes | None] | None:
        if row[0] is None:
            return None
        state = State(text(row[0]))
        return state, row[1] if state is State.SUCCEEDED else row[2] if state is State.FAILED else None

    return plain("status", ["HMGET", keys.task(id), "st", "res", "exc"], decode)


def stop(keys: Keys, *, id: str, queue: str, reason: str = "") -> Op[str]:
    """Ask a task to stop; the first reason counts, its first 500 characters.

    Answers 'unknown', 'stopping', or a final state.
    """
    args = [id, keys.worker(""), reason[:_REASON_LENGTH]]
    return scripted("stop", [*_task_keys(keys, id, queue), keys.later()], args, text)


def send(keys: Keys, *, id: str, sender: str, number: int, body: bytes, limit: int = specs.INBOX_LIMIT) -> Op[str]:
    """Put a message into a task's inbox; `sender` numbers its messages from 1.

    Answers 'ok', 'full', 'unknown' or the final state of an ended task.
    """
    return scripted("send", [keys.task(id), keys.inbox(id)], [id, keys.worker(""), sender, number, body, limit], text)


def receive(keys: Keys, *, id: str, index: int, count: int) -> Op[Mail]:
    """Read up to `count` (1 or more) messages of a task's outbox from place `index` on, together with its state."""
    return scripted("receive", [keys.task(id), keys.outbox(id)], [index, count], lambda answer: Mail.of(answer, index))


# -- a queue, from outside ------------------------------------------------------------------------


def pause(keys: Keys, *, queue: str) -> Op[float]:
    """Let nothing be claimed from a queue until it is resumed; answers since when it is paused (epoch seconds)."""
    return scripted("pause", [keys.paused()], [queue], lambda ms: int(ms) / 1000)


def resume(keys: Keys, *, queue: str) -> Op[None]:
    """Let a queue be claimed from again, and ring its bell when it is not empty."""
    return scripted("resume", [keys.paused(), keys.queue(queue), keys.bell(queue)], [queue], lambda _: None)


def purge(keys: Keys, *, queue: str, ids: Sequence[str], reason: str = "") -> Op[int]:
    """End those of these tasks that wait in the queue, as stopped, at most 1000; answers how many it were.

    The ids are what the caller has read from the end of the queue that is served next, in any order.
    """
    per_task = [key for id in ids for key in _task_keys(keys, id, queue)[:-1]]
    return scripted("purge", [keys.queue(queue), keys.recent(queue), *per_task], [reason[:_REASON_LENGTH], *ids], int)


# -- a running task, from inside --------------------------------------------------------------------


def adopt(keys: Keys, *, id: str, token: str, restarts: int | None = None, keep: float | None = None) -> Op[bool]:
    """Fill in options that the submitter did not give (he may know the name only); False: fenced."""
    args: list[Arg] = [token, "" if restarts is None else restarts, "" if keep is None else _ms(keep)]
    return scripted("adopt", [keys.task(id)], args, bool)


def fetch(keys: Keys, *, id: str, skip: int, count: int) -> Op[list[bytes]]:
    """Read up to `count` (1 or more) messages of a task's inbox, from the inside, after `skip` unacknowledged ones."""
    return plain("fetch", ["LRANGE", keys.inbox(id), skip, skip + count - 1], list)


def mark(
    keys: Keys,
    *,
    id: str,
    token: str,
    acknowledged: int,
    sent: int,
    messages: Sequence[bytes] = (),
    limit: int = specs.OUTBOX_LIMIT,
) -> Op[bool]:
    """Acknowledge messages and send messages, in one fenced step; False: fenced.

    `acknowledged` counts all inbox messages that are done with, `sent` all outbox messages before these (at most
    1000), so a repeated call adds nothing.
    """
    return scripted(
        "mark", [keys.task(id), keys.inbox(id), keys.outbox(id)], [token, acknowledged, sent, limit, *messages], bool
    )


# -- workers ------------------------------------------------------------------------------------


def join(keys: Keys, *, wid: str, lease: float, info: bytes = b"") -> Op[bool]:
    """Make a worker known, with what it says of itself; False when this wid was declared lost: take a new one."""
    return scripted("join", [keys.lease(), keys.held(wid), keys.worker(wid)], [wid, _ms(lease), info], bool)


def renew(keys: Keys, *, wid: str, lease: float, info: bytes = b"") -> Op[bool]:
    """Prolong the lease of a worker; without `info` the last one stays. False is final: it was declared lost."""
    return scripted("renew", [keys.lease(), keys.worker(wid)], [wid, _ms(lease), info], bool)


def claim(keys: Keys, *, wid: str, number: int, count: int, queues: Sequence[str]) -> Op[list[str] | None]:
    """Take up to `count` (at most 1000) ids from the queues, in their order; nothing from those that are paused.

    `number` counts the claims of this worker from 1; the same number again gives the same ids. None: refused, because
    the worker is not known, was declared lost, or has made a later claim.
    """
    pairs = [key for queue in queues for key in (keys.queue(queue), keys.bell(queue))]
    return scripted(
        "claim",
        [keys.held(wid), keys.paused(), *pairs],
        [number, count, token_of(wid, number), *queues],
        lambda answer: None if answer == 0 else texts(answer),
    )


def start(keys: Keys, *, wid: str, number: int, ids: Sequence[str]) -> Op[list[Started | None]]:
    """Start tasks of one claim, at most 1000; None stands for one that is not this worker's (any more)."""
    token = token_of(wid, number)

    def decode(answer: Any) -> list[Started | None]:
        return [Started.of(id, token, row) for id, row in zip(ids, answer, strict=True)]

    return scripted("start", [keys.held(wid), *map(keys.task, ids)], [token, *ids], decode)


def take(keys: Keys, *, wid: str, number: int, id: str, queue: str, restarts: int) -> Op[Started | str]:
    """Claim and start one task by its id, which another system has handed out; `restarts` are those it has from now on.

    Otherwise answers its state, 'unknown', 'refused' (this worker is not known, or was declared lost) or 'again' (a
    late copy of an earlier call).
    """
    token = token_of(wid, number)

    def decode(answer: Any) -> Started | str:
        started = Started.of(id, token, answer) if isinstance(answer, list) else None
        return started or text(answer)

    task_keys = [keys.held(wid), keys.task(id), keys.queue(queue), keys.later()]
    return scripted("take", task_keys, [id, number, token, restarts], decode)


def heartbeat(keys: Keys, *, wid: str, tasks: Sequence[tuple[str, str]]) -> Op[Heartbeat]:
    """Ask about running tasks, each given as (id, token): the net under the nudges of pub/sub."""
    task_keys = [keys.task(id) for id, _ in tasks]
    return scripted("heartbeat", [keys.held(wid), *task_keys], [token for _, token in tasks], Heartbeat.of)


def ring(keys: Keys, *, queue: str) -> Op[None]:
    """Ring the bell of a queue that is not empty, for the next idle worker: the caller took a ring it cannot use."""
    return scripted("ring", [keys.queue(queue), keys.bell(queue)], [], lambda _: None)


def held(keys: Keys, *, wid: str) -> Op[Held]:
    """Read what a worker holds, claimed or running."""
    return scripted("held", [keys.held(wid)], [], Held.of)


# -- what any worker does for all ---------------------------------------------------------------


def tell(keys: Keys, *, wid: str, text: str) -> Op[int]:
    """Say something on a worker's own channel; answers how many heard it."""
    return plain("tell", ["PUBLISH", keys.worker(wid), text], int)


def due(
    keys: Keys, *, lease: float, keep_dead: float = specs.KEEP_DEAD_SECONDS, dead_count: int = specs.KEEP_DEAD_COUNT
) -> Op[Due]:
    """Name the silent workers, the tasks whose delay is over and the dead letters that are too old or too many."""
    args = [_ms(lease), _ms(keep_dead), dead_count]
    return scripted("due", [keys.lease(), keys.later(), keys.meta(), keys.dead()], args, Due.of)


def promote(keys: Keys, *, id: str, queue: str) -> Op[bool]:
    """Move a delayed task whose time has come into its queue; `queue` may be '' when the task is gone."""
    return scripted("promote", [keys.task(id), keys.queue(queue), keys.bell(queue), keys.later()], [id], bool)


def forget(keys: Keys, *, ids: Sequence[str]) -> Op[int]:
    """Drop dead letters, at most 1000: as results they still stay their `keep`. Answers how many were dead letters."""
    per_task = [key for id in ids for key in (keys.task(id), keys.outbox(id), keys.events(id))]
    return scripted("forget", [keys.dead(), *per_task], ids, int)


def lose(keys: Keys, *, wid: str, lease: float, sure: bool) -> Op[list[str] | None]:
    """Declare a worker lost, for good, and name what it held; forget it when that is nothing.

    `sure`: the caller saw its process end. Without it Redis checks that the lease is over. None: not lost.
    """
    return scripted(
        "lose",
        [keys.lease(), keys.held(wid), keys.worker(wid), keys.meta()],
        [wid, _ms(lease), int(sure)],
        lambda answer: None if answer == 0 else texts(answer),
    )


def recover(keys: Keys, *, id: str, queue: str, wid: str, keep_dead: float = specs.KEEP_DEAD_SECONDS) -> Op[bool]:
    """Give back one task of a worker that was declared lost; `queue` may be '' when the task is gone."""
    others = [keys.queue(queue), keys.bell(queue), keys.held(wid), keys.lease(), keys.later(), keys.dead()]
    return scripted("recover", [*_task_keys(keys, id, queue), *others], [id, wid, _ms(keep_dead)], bool)


# -- an attempt ends ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ending:
    """How a task ends: `value` is its result when it succeeded, else its exception.

    `keep` is how long it is kept, in seconds; None: as it was submitted.
    """

    id: str
    queue: str
    token: str
    state: State
    value: bytes
    keep: float | None = None


def settle(
    keys: Keys, *, wid: str, endings: Sequence[Ending], keep_dead: float = specs.KEEP_DEAD_SECONDS
) -> Op[list[bool]]:
    """End tasks of one worker; True: ended so (now or before), False: fenced, another attempt owns it."""
    per_task = [key for e in endings for key in _task_keys(keys, e.id, e.queue)]
    args: list[Arg] = [_ms(keep_dead)]
    for e in endings:
        args += [e.id, e.token, e.state, e.value, "" if e.keep is None else _ms(e.keep)]
    return scripted("settle", [keys.held(wid), keys.dead(), *per_task], args, lambda answer: [bool(a) for a in answer])


#: Why a task goes back to its queue: it failed and asks for another run; it is handed over; nobody here knows its
#: name; or the worker lost track of it. In the last two cases its function did not start.
Why = Literal["retry", "release", "unknown", "drop"]


def giveback(
    keys: Keys,
    *,
    id: str,
    queue: str,
    wid: str,
    token: str,
    why: Why,
    error: bytes = b"",
    delay: float = 0.0,
    keep_dead: float = specs.KEEP_DEAD_SECONDS,
) -> Op[bool]:
    """Return a task to its queue, after `delay` seconds.

    A task that was asked to stop ends instead: failed when there is an `error`, else stopped.

    False: it is not this attempt's (any more); then only the worker's own list is cleaned.
    """
    return scripted(
        "giveback",
        [*_task_keys(keys, id, queue), keys.queue(queue), keys.bell(queue), keys.held(wid), keys.later(), keys.dead()],
        [id, token, why, error, _ms(delay), _ms(keep_dead)],
        bool,
    )
