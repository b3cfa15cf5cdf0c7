"""What a client does to tasks and queues beyond steering one task, as flows: revive and delete dead letters, purge."""

from collections.abc import Callable, Iterator, Sequence

from taskpy import errors, flow, naming, ops, pages, spec
from taskpy.keys import Keys
from taskpy.unpacked import not_found

#: How many tasks one call ends, moves or drops.
BATCH = 100
#: The reason that a purged task shows when none was given.
PURGED = "purged"


def revive(keys: Keys, *, id: str, server: Callable[[], str]) -> flow.Flow[str]:
    """Submit a dead letter as a new task; its id.

    Raises `TaskNotFound`, `UsageError` for a task that did not fail or was revived before, or `KeyTaken` when another live
    task has its key.
    """
    [(answer, new_id)] = yield from _revived(keys, [naming.checked_id(id)])
    if answer.startswith("keyed "):  # that task may be gone, which the script sees when it is named
        [(answer, new_id)] = yield from _revived(keys, [id], answer.partition(" ")[2])
    if answer == "unknown":
        raise not_found(keys, id, server())
    if answer.startswith("keyed "):
        holder = answer.partition(" ")[2]
        raise errors.KeyTaken(holder, f"task {holder} has the key of task {id}; revive it when that one has ended")
    if answer != "new":
        raise errors.UsageError(f"task {id} is {answer}; only a failed task can be revived, and only once")
    return new_id


def revive_many(keys: Keys, *, ids: Sequence[str]) -> flow.Flow[list[str | None]]:
    """Submit dead letters as new tasks; their ids in order, None for what is no dead letter (any more).

    One whose key another live task has stays a dead letter, and is None, too.
    """
    new_ids: list[str | None] = []
    for part in _parts(ids):
        answers = yield from _revived(keys, [naming.checked_id(id) for id in part])
        new_ids += [new_id if answer == "new" else None for answer, new_id in answers]
    return new_ids


def _revived(keys: Keys, ids: Sequence[str], holder: str = "") -> flow.Flow[list[tuple[str, str]]]:
    queues = yield flow.Together([ops.locate(keys, id=id) for id in ids])
    new_ids = [naming.new_id(keys.shard) for _ in ids]
    asked = zip(ids, new_ids, queues, strict=True)
    # For an id that is not there any queue will do: the script answers before it touches one.
    answers = yield flow.Together(
        [
            ops.revive(keys, id=id, new_id=new_id, queue=queue or spec.DEFAULT_QUEUE, holder=holder)
            for id, new_id, queue in asked
        ]
    )
    return list(zip(answers, new_ids, strict=True))


def delete(keys: Keys, *, ids: Sequence[str]) -> flow.Flow[int]:
    """Drop dead letters; how many there were."""
    deleted = 0
    for part in _parts(ids):
        deleted += yield ops.forget(keys, ids=[naming.checked_id(id) for id in part])
    return deleted


def purge(keys: Keys, *, queue: str, reason: str | None) -> flow.Flow[int]:
    """End as stopped what waits in a queue by now, the oldest first; how many tasks that were."""
    naming.checked_name(queue, "queue")
    sizes = yield pages.queue_sizes(keys, queues=[queue])
    left, ended = sizes[queue], 0
    while left > 0:
        ids = yield pages.foremost(keys, queue=queue, count=min(left, BATCH))
        if not ids:
            break
        ended += yield ops.purge(keys, queue=queue, ids=ids, reason=reason or PURGED)
        left -= len(ids)
    return ended


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(ids), BATCH):
        yield ids[first : first + BATCH]
