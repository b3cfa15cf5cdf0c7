"""What lists and pages read, for people: of one task, of queues, of workers. Reads only, each call bounded.

Lists are read newest first and a page at a time: ids first, then `outline` of these ids. An id may outlive its task;
then there is no outline.
"""

from collections.abc import Sequence
from typing import Any

from taskpy import script as scripts
from taskpy.answers import pairs, text, texts
from taskpy.keys import Keys
from taskpy.listed import (
    OUTLINE_FIELDS,
    SNAPSHOT_FIELDS,
    Event,
    Namespace,
    Outline,
    Snapshot,
    Worker,
    outline_of,
    snapshot_of,
)
from taskpy.ops import Op, guarded, plain, scripted
from taskpy.spec import State

# -- tasks --------------------------------------------------------------------------------------


def look(keys: Keys, *, id: str) -> Op[Snapshot | None]:
    """Read all that is known of a task but its messages; None: no such task (any more)."""
    return plain("look", ["HMGET", keys.task(id), *SNAPSHOT_FIELDS], lambda row: snapshot_of(id, row))


def checkpoint_size(keys: Keys, *, id: str) -> Op[int]:
    """Read how many bytes the state of its last checkpoint has, as it is packed; 0: there is none."""
    return plain("checkpoint_size", ["HSTRLEN", keys.task(id), "cp"], int)


def outline(keys: Keys, *, ids: Sequence[str]) -> Op[list[Outline | None]]:
    """Read what a list shows of its tasks, without specs and results."""

    def decode(rows: Any) -> list[Outline | None]:
        return [outline_of(id, row) for id, row in zip(ids, rows, strict=True)]

    return scripted("outline", map(keys.task, ids), OUTLINE_FIELDS, decode)


def chosen(
    keys: Keys, *, ids: Sequence[str], count: int, state: State | None = None, queue: str | None = None
) -> Op[list[Outline]]:
    """Read, as `outline` does, the first of these tasks (at most 1000) that are in this state and in this queue."""

    def decode(flat: Any) -> list[Outline]:
        found = [outline_of(ids[place - 1], row) for place, row in zip(flat[::2], flat[1::2], strict=True)]
        return [one for one in found if one is not None]

    args = (state or "", queue or "", count, *OUTLINE_FIELDS)
    return scripted("chosen", map(keys.task, ids), args, decode)


def failures(keys: Keys, *, ids: Sequence[str]) -> Op[list[bytes | None]]:
    """Read the exceptions of these tasks, as they are packed; None for one without."""
    return Op(
        "failures", (), scripts.load("outline"), tuple(map(keys.task, ids)), ("exc",), lambda rows: [r[0] for r in rows]
    )


def due_at(keys: Keys, *, id: str) -> Op[float | None]:
    """Read when a delayed task is due (epoch seconds); None for one that is not delayed."""
    return plain("due_at", ["ZSCORE", keys.later(), id], lambda ms: None if ms is None else float(ms) / 1000)


def events(keys: Keys, *, id: str) -> Op[list[Event]]:
    """Read what was not plain in a task's life, oldest first."""
    return plain("events", ["LRANGE", keys.events(id), 0, -1], lambda lines: [Event.of(line) for line in lines])


# -- queues -------------------------------------------------------------------------------------


def queues(keys: Keys) -> Op[list[str]]:
    """Read the names of all queues that ever got a task, sorted."""
    return plain("queues", ["SMEMBERS", keys.queues()], lambda names: sorted(map(text, names)))


def queue_sizes(keys: Keys, *, queues: Sequence[str]) -> Op[dict[str, int]]:
    """Count the ids in these queues."""
    return scripted("queue_sizes", map(keys.queue, queues), [], lambda sizes: dict(zip(queues, sizes, strict=True)))


def queued(keys: Keys, *, queue: str, start: int, count: int) -> Op[list[str]]:
    """Read ids that are ready in a queue; the last of them is served next."""
    return plain("queued", ["LRANGE", keys.queue(queue), start, start + count - 1], texts)


def foremost(keys: Keys, *, queue: str, count: int) -> Op[list[str]]:
    """Read the ids that are served next in a queue; the last of them first."""
    return plain("foremost", ["LRANGE", keys.queue(queue), -count, -1], texts)


def paused(keys: Keys) -> Op[dict[str, float]]:
    """Read which queues are paused, and since when (epoch seconds)."""

    def decode(flat: Any) -> dict[str, float]:
        return {text(queue): int(ms) / 1000 for queue, ms in pairs(flat)}

    return scripted("paused", [keys.paused()], [], decode)


def recent(keys: Keys, *, queue: str, start: int, count: int) -> Op[list[str]]:
    """Read the ids that ended last in a queue."""
    return plain("recent", ["LRANGE", keys.recent(queue), start, start + count - 1], texts)


def delayed(keys: Keys, *, start: int, count: int) -> Op[list[tuple[str, float]]]:
    """Read delayed ids and when they are due (epoch seconds), the next one first."""
    return _ranked("delayed", keys.later(), start, count, newest_first=False)


def behind(keys: Keys, *, start: int, count: int) -> Op[list[str]]:
    """Read ids that wait for the end of the task with their key."""
    return plain("behind", ["ZRANGE", keys.behind(), start, start + count - 1], texts)


def dead(keys: Keys, *, start: int, count: int) -> Op[list[tuple[str, float]]]:
    """Read the dead letters' ids and when they failed (epoch seconds)."""
    return _ranked("dead", keys.dead(), start, count, newest_first=True)


def dead_count(keys: Keys) -> Op[int]:
    """Count the dead letters."""
    return plain("dead_count", ["ZCARD", keys.dead()], int)


# -- workers ------------------------------------------------------------------------------------


def leases(keys: Keys, *, start: int, count: int) -> Op[list[tuple[str, float]]]:
    """Read the workers' ids and when their leases end (epoch seconds; 0: declared lost), the last one first."""
    return _ranked("leases", keys.lease(), start, count, newest_first=True)


def holding(keys: Keys, *, wids: Sequence[str], start: int, count: int) -> Op[list[str]]:
    """Read ids that these workers hold, claimed or running, worker by worker."""
    return scripted("holding", map(keys.held, wids), [start, count], texts)


def namespace(keys: Keys) -> Op[Namespace]:
    """Read what all workers agree on, and the time on the server."""
    return scripted("namespace", [keys.meta()], [], Namespace.of)


def workers(keys: Keys, *, wids: Sequence[str]) -> Op[list[Worker | None]]:
    """Read what a list shows of these workers."""

    def decode(rows: Any) -> list[Worker | None]:
        return [Worker.of(wid, row) for wid, row in zip(wids, rows, strict=True)]

    per_worker = [key for wid in wids for key in (keys.worker(wid), keys.held(wid))]
    return scripted("workers", [keys.lease(), *per_worker], wids, decode)


def _ranked(verb: str, key: str, start: int, count: int, *, newest_first: bool) -> Op[list[tuple[str, float]]]:
    """A page of a sorted set whose scores are times."""

    def decode(flat: Any) -> list[tuple[str, float]]:
        return [(text(member), float(score) / 1000) for member, score in pairs(flat)]

    args = (start, start + count - 1, "REV" if newest_first else "")
    return Op(verb, (), scripts.load("ranked"), (key,), args, guarded(verb, decode))
