"""The verbs of whoever submits and steers tasks, and of whoever looks after queues."""

from collections.abc import Sequence
from typing import Any

from taskpy import spec as specs
from taskpy.answers import (
    STATUS_FIELDS,
    Agreement,
    Children,
    Mail,
    Receipt,
    Reported,
    Standing,
    shard_count,
    text,
    texts,
)
from taskpy.answers_desk import Response
from taskpy.keys import Keys
from taskpy.ops.op import Arg, Op, end_keys, ms, plain, scripted, task_keys
from taskpy.spec import Follows

#: The version of what taskpy keeps in Redis. A worker refuses a namespace of another version.
VERSION = 1

#: How many characters of a stop's reason are kept; a list of events holds up to 100 of them.
_REASON_LENGTH = 500

# -- the namespace ------------------------------------------------------------------------------


def agree(keys: Keys, *, version: int, lease: float) -> Op[Agreement]:
    """Write the version and the lease (seconds) of the namespace unless they stand there; answers what stands there."""
    return scripted("agree", [keys.meta()], [version, ms(lease)], Agreement.of)


def divide(keys: Keys, *, shards: int) -> Op[int]:
    """Write into how many shards the namespace is cut unless that is decided; answers what stands there.

    A namespace that has tasks or workers already is not cut: 1.
    """
    return scripted("divide", [keys.meta(), keys.queues()], [shards], shard_count)


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
        [id, queue, name, spec, ms(delay), restarts, ms(keep), *messages],
        text,
    )


def submit_many(
    keys: Keys,
    *,
    queue: str,
    name: str,
    tasks: Sequence[tuple[str, bytes]],
    delay: float = 0.0,
    restarts: int | None = None,
    keep: float | None = None,
) -> Op[list[str]]:
    """Accept tasks, at most 1000, each given as its id and its spec, as `submit` does each; the answers in order."""
    restarts = specs.RESTARTS if restarts is None else restarts
    keep = specs.KEEP_SECONDS if keep is None else keep
    places = [keys.queue(queue), keys.bell(queue), keys.later(), keys.queues()]
    args: list[Arg] = [queue, name, ms(delay), restarts, ms(keep)]
    for id, packed in tasks:
        args += [id, packed]
    return scripted("submit_many", [*places, *(keys.task(id) for id, _ in tasks)], args, texts)


def revive(keys: Keys, *, id: str, new_id: str, queue: str, holder: str = "") -> Op[str]:
    """Submit the spec of a dead letter as a new task that knows the old one; `queue` is the old task's.

    Answers 'new', 'unknown', the state of a task that has not failed, 'revived' when it was revived as another task
    before, 'taken' when another task has the new id, or 'keyed' and the id of the task that has its key. `holder` is
    that id, as an earlier call (with another `new_id`) has answered: when that task is gone, the key is free.
    """
    own = [keys.task(id), keys.events(id), keys.task(new_id), keys.queue(queue), keys.bell(queue), keys.dead()]
    of_key = [keys.keyed(), keys.behind(), keys.later(), keys.answer(new_id), keys.task(holder)]
    return scripted("revive", [*own, *of_key], [id, new_id, holder], text)


# -- a task, from outside ---------------------------------------------------------------------------


def locate(keys: Keys, *, id: str) -> Op[str | None]:
    """Read the queue of a task, which never changes; None when no task has this id."""
    return plain("locate", ["HGET", keys.task(id), "q"], lambda answer: None if answer is None else text(answer))


def status(keys: Keys, *, id: str) -> Op[Standing | None]:
    """Read where a task stands, how far it has come, what it asks and what came of it; None: no such task."""
    return plain("status", ["HMGET", keys.task(id), *STATUS_FIELDS], Standing.of)


def stop(
    keys: Keys,
    *,
    id: str,
    queue: str,
    reason: str = "",
    by: str = "",
    follows: Follows | None = None,
    grace: float = 0,
    tree: bool = False,
) -> Op[str]:
    """Ask a task to stop; the first reason counts, its first 500 characters, and `by` (a word) who gave it.

    `follows` says what happens when it has not ended within `grace` seconds; asked again, that can only become stricter.
    With `tree` it spawns nothing any more, though it has ended, and is in `felling` until all below it were asked, too:
    which the caller does (`children`, `stop` of each with `tree`, at last `felled`), or else the sweep. Answers
    'unknown', 'stopping', or a final state.
    """
    args: list[Arg] = [id, keys.worker(""), reason[:_REASON_LENGTH], by, follows or "", ms(grace)]
    places = [*task_keys(keys, id, queue), *end_keys(keys)]
    return scripted("stop", places, [*args, "tree" if tree else ""], text)


def children(keys: Keys, *, id: str, first: int = 0, count: int = 1000) -> Op[Children]:
    """Read up to `count` (at most 1000) children of a task from place `first` on, in the order in which they were spawned."""
    return scripted("children", [keys.task(id), keys.felling()], [id, first, count], Children.of)


def felled(keys: Keys, *, id: str, entry: str) -> Op[bool]:
    """Note that all below a task were asked to stop; `entry` is its `Children.felling`, as it was read before that."""
    return scripted("felled", [keys.task(id), keys.felling()], [id, entry], bool)


def parent(keys: Keys, *, id: str) -> Op[tuple[str | None] | None]:
    """Read the parent of a task, `(None,)` when it has none; None: no such task."""

    def decode(row: Any) -> tuple[str | None] | None:
        state, found = row
        return None if state is None else (None if found is None else text(found),)

    return plain("parent", ["HMGET", keys.task(id), "st", "parent"], decode)


def _number_or_word(answer: Any) -> int | str:
    """The number that something was given, or the word that says why it has none."""
    return answer if isinstance(answer, int) else text(answer)


def send(
    keys: Keys, *, id: str, sender: str, number: int, body: bytes, limit: int = specs.INBOX_LIMIT
) -> Op[int | str]:
    """Put a message into a task's inbox; `sender` numbers its messages from 1.

    Answers its number among all messages to the task, or 'full', 'unknown' or the final state of an ended task.
    """
    return scripted(
        "send", [keys.task(id), keys.inbox(id)], [id, keys.worker(""), sender, number, body, limit], _number_or_word
    )


def receipt(keys: Keys, *, id: str) -> Op[Receipt | None]:
    """Read which of its messages a task has taken, as far as its worker has said; None: no such task."""
    return plain("receipt", ["HMGET", keys.task(id), "st", "ib", "ibx", "seen"], Receipt.of)


def inquire(keys: Keys, *, id: str) -> Op[int]:
    """Ask the worker of a running task which messages the task has taken: a `Receipt` with this number is its answer.

    Answers 0 when the task does not run.
    """
    return scripted("inquire", [keys.task(id)], [id, keys.worker("")], int)


def ask(
    keys: Keys, *, id: str, sender: str, number: int, question: bytes, limit: int = specs.QUESTION_LIMIT
) -> Op[int | str]:
    """Put a question to a task; `sender` numbers what it asks from 1.

    Answers its number among all questions to the task, or 'full', 'unknown' or the final state of an ended task.
    """
    return scripted("ask", [keys.task(id)], [id, keys.worker(""), sender, number, question, limit], _number_or_word)


def response(keys: Keys, *, id: str, number: int) -> Op[Response | None]:
    """Read what a task has answered to a question, and where it stands; None: no such task."""
    return plain("response", ["HMGET", keys.task(id), "st", f"a:{number}", "qo"], lambda row: Response.of(row, number))


def retract(keys: Keys, *, id: str, number: int) -> Op[bool]:
    """Forget a question to a task and its answer, for nobody waits for it; True: it was open until now."""
    return scripted("retract", [keys.task(id)], [number], bool)


def answered(keys: Keys, *, id: str) -> Op[tuple[int, str]]:
    """Read the number of the last question that a task asked, and who has answered it ('': nobody, or nobody knows)."""
    return plain("answered", ["HMGET", keys.task(id), "pn", "pw"], lambda row: (int(row[0] or 0), text(row[1] or b"")))


def answer(keys: Keys, *, id: str, number: int, answer: bytes, name: str, by: str = "") -> Op[str]:
    """Answer the question of this number that a task asks; the first answer counts, `by` (a word) says whose it is.

    `name` is this answer's own, so that one sent twice is one. Answers 'accepted', 'answered' (by another one), 'none' (the
    task does not ask this, any more), 'unknown', or a final state.
    """
    return scripted("answer", [keys.task(id)], [id, keys.worker(""), number, answer, name, by], text)


def pause_task(keys: Keys, *, id: str, name: str, by: str = "", tree: bool = False) -> Op[str]:
    """Ask a task to pause at its next safe point; `by` (a word) says who, `name` is this call's own.

    With `tree` all that it spawns from then on is to pause, too; who was spawned before is for the caller to ask.

    Answers 'paused' (it stands still), 'pausing', 'unknown', or a final state.
    """
    return scripted(
        "pause_task", [keys.task(id), keys.events(id)], [id, keys.worker(""), by, name, "tree" if tree else ""], text
    )


def resume_task(keys: Keys, *, id: str, name: str, by: str = "") -> Op[str]:
    """Let a task that was asked to pause go on; `by` (a word) says who, `name` is this call's own.

    Answers its state, or 'unknown'.
    """
    return scripted("resume_task", [keys.task(id), keys.events(id)], [id, keys.worker(""), by, name], text)


def receive(keys: Keys, *, id: str, index: int, count: int) -> Op[Mail]:
    """Read up to `count` (1 or more) messages of a task's outbox from place `index` on, together with its state."""
    return scripted("receive", [keys.task(id), keys.outbox(id)], [index, count], lambda answer: Mail.of(answer, index))


def reported(keys: Keys, *, id: str, index: int, count: int, limit: int = specs.LOG_LIMIT) -> Op[Reported]:
    """Read up to `count` (1 to 1000) lines of a task's log from place `index` on, with its state and its progress.

    An `index` below 0 counts from the end.
    """
    return scripted("reported", [keys.task(id)], [index, count, limit], lambda answer: Reported.of(answer, index))


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
    per_task = [key for id in ids for key in task_keys(keys, id, queue)[:-1]]
    shared = [keys.queue(queue), keys.recent(queue), *end_keys(keys)]
    return scripted("purge", [*shared, *per_task], [reason[:_REASON_LENGTH], *ids], int)
