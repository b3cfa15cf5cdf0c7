"""The verbs of a running task, from inside: each is fenced by the token of the attempt."""

from collections.abc import Sequence
from typing import Literal

from taskpy import spec as specs
from taskpy.answers import text
from taskpy.answers_desk import Orders, Posed, Withdrawn
from taskpy.keys import Keys
from taskpy.ops.op import Arg, Op, ms, plain, scripted
from taskpy.taken import Taken


def adopt(keys: Keys, *, id: str, token: str, restarts: int | None = None, keep: float | None = None) -> Op[bool]:
    """Fill in options that the submitter did not give (he may know the name only); False: fenced."""
    args: list[Arg] = [token, "" if restarts is None else restarts, "" if keep is None else ms(keep)]
    return scripted("adopt", [keys.task(id)], args, bool)


def spawn(
    keys: Keys,
    *,
    parent: str,
    token: str,
    id: str,
    queue: str,
    name: str,
    spec: bytes,
    children: specs.Children = "wait",
    delay: float = 0.0,
    restarts: int | None = None,
    keep: float | None = None,
) -> Op[str]:
    """Accept a task as a child of the running one; `children` says what becomes of its children when that one ends.

    Answers 'new', the state of the task of this id, 'fenced', or 'stopping': all below the parent are to stop.
    """
    restarts = specs.RESTARTS if restarts is None else restarts
    keep = specs.KEEP_SECONDS if keep is None else keep
    return scripted(
        "spawn",
        [keys.task(id), keys.queue(queue), keys.bell(queue), keys.later(), keys.queues(), keys.task(parent)],
        [id, queue, name, spec, ms(delay), restarts, ms(keep), parent, token, children],
        text,
    )


def fetch(keys: Keys, *, id: str, skip: int, count: int) -> Op[list[bytes]]:
    """Read up to `count` (1 or more) messages of a task's inbox, from the inside, after `skip` unacknowledged ones."""
    return plain("fetch", ["LRANGE", keys.inbox(id), skip, skip + count - 1], list)


def mark(
    keys: Keys,
    *,
    id: str,
    token: str,
    number: int = 0,
    acknowledged: Taken | None = None,
    state: bytes | None = None,
    sent: int,
    messages: Sequence[bytes] = (),
    limit: int = specs.OUTBOX_LIMIT,
    settled: int = 0,
) -> Op[bool]:
    """Acknowledge messages, with or without the state of a checkpoint, and send messages, in one fenced step.

    `number` counts the acknowledgements in the life of the task from 1, 0 is none; `acknowledged` are all inbox
    messages that are done with. `sent` counts the outbox messages before these (at most 1000). So a repeated call, or an
    old one that comes late, adds nothing. `settled`: the task has the answer to its own question of this number, and needs
    it no more. False: fenced.
    """
    done = acknowledged or Taken()
    with_state = "0" if state is None else f"1 {settled}" if settled else "1"
    args: list[Arg] = [token, number, done.upto, done.ranges(), with_state, state or b"", sent, limit]
    return scripted("mark", [keys.task(id), keys.inbox(id), keys.outbox(id)], [*args, *messages], bool)


def seen(keys: Keys, *, id: str, token: str, question: int, taken: Taken) -> Op[bool]:
    """Answer `inquire`: these messages the task has taken; False: fenced."""
    return scripted("seen", [keys.task(id)], [token, question, taken.dump()], bool)


#: What became of a report; `full`: its progress was kept, and its lines were not, for the server has no memory.
Kept = Literal["kept", "fenced", "full"]
_KEPT: dict[int, Kept] = {1: "kept", 0: "fenced", 2: "full"}


def report(
    keys: Keys,
    *,
    id: str,
    token: str,
    number: int,
    progress: bytes = b"",
    lines: Sequence[bytes] = (),
    limit: int = specs.LOG_LIMIT,
) -> Op[Kept]:
    """Keep how far a task has come, and lines of its log (at most 1000), in one fenced step.

    `number` counts the reports of this attempt from 1: a repeated one, or an old one that arrives late, adds nothing.
    """
    return scripted("report", [keys.task(id)], [token, number, progress, limit, *lines], _KEPT.__getitem__)


def orders(keys: Keys, *, id: str, token: str, known: int = 0, most: int = specs.QUESTION_LIMIT) -> Op[Orders | None]:
    """Read what a running attempt is to attend to, with `most` questions behind the last one `known`; None: fenced."""
    return scripted("orders", [keys.task(id)], [token, known, most], Orders.of)


def respond(
    keys: Keys, *, id: str, token: str, answers: Sequence[tuple[int, bytes]], limit: int = specs.QUESTION_LIMIT
) -> Op[bool]:
    """Answer questions that were put to a task, each by its number; False: fenced.

    The first answer to a question counts. Of answers that nobody fetches, the last `limit` are kept.
    """
    flat = [part for pair in answers for part in pair]
    return scripted("respond", [keys.task(id)], [token, limit, *flat], bool)


#: What came of it: it stands there, another attempt owns it, or there is another order, such as that it goes on.
Parked = Literal["parked", "fenced", "ordered"]
_PARKED: dict[int, Parked] = {1: "parked", 0: "fenced", 2: "ordered"}


def park(keys: Keys, *, id: str, token: str, orders: int) -> Op[Parked]:
    """Say that a task that was asked to pause stands still; `orders` counts the orders that it knows, see `Orders`."""
    return scripted("park", [keys.task(id)], [token, orders], _PARKED.__getitem__)


def pose(keys: Keys, *, id: str, token: str, count: int, question: bytes) -> Op[Posed | None]:
    """Ask whoever is there; `count` numbers the questions of this attempt from 1; None: fenced.

    The question of an earlier attempt, asked again, goes on, with its answer where it has one.
    """
    return scripted("pose", [keys.task(id)], [token, count, question], Posed.of)


def withdraw(keys: Keys, *, id: str, token: str, number: int) -> Op[Withdrawn]:
    """Wait no longer for an answer to the question of this number in the life of the task."""
    return scripted("withdraw", [keys.task(id)], [token, number], Withdrawn.of)
