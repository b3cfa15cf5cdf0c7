"""What a client asks of a namespace with shards, as flows: of the shard that a task is in, or of all of them, merged.

With one shard each of these is the flow of `lists` or `upkeep`, and nothing more. With more of them, all are asked in few
round trips. A shard that cannot be reached fails the call: half a list would look like a whole one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from taskpy import flow, lists, naming, ops, pages, upkeep
from taskpy.info import KnownQueue, KnownWorker
from taskpy.keys import Keys
from taskpy.listed import Outline
from taskpy.lists import PAGE, DeadLetter, DeadPage, Page
from taskpy.ops import Op
from taskpy.shards import Shards
from taskpy.spec import State

# -- tasks --------------------------------------------------------------------------------------


def tasks(known: Shards, *, state: State | None, queue: str | None, page: int) -> flow.Flow[Page]:
    """A page of the tasks in a state and in a queue, newest first; None: in any."""
    if known.count == 1:
        return (yield from lists.tasks(known.root, state=state, queue=queue, page=page))
    size = _reach(page)
    found = yield from flow.together(
        [lists.tasks(keys, state=state, queue=queue, page=0, size=size) for keys in known.keys]
    )
    return _merged(found, page, lambda one: -lists.moved(one))


def delayed(known: Shards, *, queue: str | None, page: int) -> flow.Flow[Page]:
    """A page of the delayed tasks of a queue, those that are due next first; None: of any."""
    if known.count == 1:
        return (yield from lists.delayed(known.root, queue=queue, page=page))
    size = _reach(page)
    found = yield from flow.together([lists.delayed(keys, queue=queue, page=0, size=size) for keys in known.keys])
    return _merged(found, page, lambda one: one.due or 0.0)


def dead(known: Shards, *, page: int) -> flow.Flow[DeadPage]:
    """A page of the dead letters, the one that failed last first."""
    if known.count == 1:
        return (yield from lists.dead(known.root, page=page))
    size = _reach(page)
    reads: list[Op[Any]] = [pages.dead(keys, start=0, count=size + 1) for keys in known.keys]
    *found, counts = yield from _all_and(reads, [pages.dead_count(keys) for keys in known.keys])
    failed = sorted((one for some in found for one in some), key=lambda one: -one[1])
    ids = [id for id, _ in failed[page * PAGE : size]]
    parts = known.sorted_out(ids)
    asked = [of(keys, ids=some) for keys, some in parts for of in (pages.outline, pages.failures)]
    rows = (yield flow.Together(asked)) if asked else []
    letters: dict[str, DeadLetter] = {}
    for outlines, exceptions in zip(rows[::2], rows[1::2], strict=True):
        pairs = zip(outlines, exceptions, strict=True)
        letters |= {one.id: DeadLetter(one, packed) for one, packed in pairs if one is not None and packed is not None}
    kept = [letters[id] for id in ids if id in letters]
    return DeadPage(kept, ids=ids, more=len(failed) > size, total=sum(counts))


def _all_and(reads: Sequence[Op[Any]], counts: Sequence[Op[int]]) -> flow.Flow[list[Any]]:
    answers = yield flow.Together([*reads, *counts])
    return [*answers[: len(reads)], answers[len(reads) :]]


def _reach(page: int) -> int:
    """How many of each shard a page may need: they may all be of one."""
    lists.check_page(page)
    return (page + 1) * PAGE


def _merged(found: Sequence[Page], page: int, order: Callable[[Outline], float]) -> Page:
    end = _reach(page)
    merged = sorted((one for some in found for one in some), key=order)
    return Page(merged[end - PAGE : end], more=len(merged) > end or any(some.more for some in found))


# -- queues and workers -------------------------------------------------------------------------


def queues(known: Shards) -> flow.Flow[dict[str, int]]:
    """The queues that ever got a task, and how many are ready in each."""
    if known.count == 1:
        return (yield from lists.queues(known.root))
    found = yield from flow.together([lists.queues(keys) for keys in known.keys])
    return {
        name: sum(some.get(name, 0) for some in found) for name in sorted({name for some in found for name in some})
    }


def known_queues(known: Shards) -> flow.Flow[list[KnownQueue]]:
    """The queues that ever got a task, are served or are paused, by name.

    `workers` is how many serve it in the shard where the fewest do: 0, and some of its tasks wait for nobody.
    """
    if known.count == 1:
        return (yield from lists.known_queues(known.root))
    found = yield from flow.together([lists.known_queues(keys) for keys in known.keys])
    by_name: dict[str, list[KnownQueue]] = {}
    for some in found:
        for one in some:
            by_name.setdefault(one.name, []).append(one)
    return [
        KnownQueue(
            name=name,
            size=sum(one.size for one in each),
            workers=min(one.workers for one in each) if len(each) == known.count else 0,
            oldest=min((one.oldest for one in each if one.oldest is not None), default=None),
            paused=min((one.paused for one in each if one.paused is not None), default=None),
        )
        for name, each in sorted(by_name.items())
    ]


def workers(known: Shards) -> flow.Flow[list[KnownWorker]]:
    """The worker processes that are known, those with the newest lease first; each once, however many shards it serves.

    One counts as lost when it was declared so in any shard, for then it is replaced.
    """
    if known.count == 1:
        return (yield from lists.workers(known.root))
    found = yield from flow.together([lists.workers(keys) for keys in known.keys])
    by_wid: dict[str, list[KnownWorker]] = {}
    for some in found:
        for one in some:
            by_wid.setdefault(one.wid, []).append(one)
    merged = [
        KnownWorker(
            wid=wid,
            held=sum(one.held for one in each),
            lost=any(one.lost for one in each),
            info=each[0].info,
            lease_end=None if any(one.lost for one in each) else min(one.lease_end or 0.0 for one in each),
        )
        for wid, each in by_wid.items()
    ]
    return sorted(merged, key=lambda one: one.lease_end or 0.0, reverse=True)


# -- upkeep -------------------------------------------------------------------------------------


def pause(known: Shards, *, queue: str) -> flow.Flow[float]:
    """Let nothing be claimed from a queue; since when (epoch seconds)."""
    naming.checked_name(queue, "queue")
    since: list[float] = yield flow.Together([ops.pause(keys, queue=queue) for keys in known.keys])
    return min(since)


def resume(known: Shards, *, queue: str) -> flow.Flow[None]:
    """Let a paused queue be claimed from again."""
    naming.checked_name(queue, "queue")
    yield flow.Together([ops.resume(keys, queue=queue) for keys in known.keys])


def purge(known: Shards, *, queue: str, reason: str | None) -> flow.Flow[int]:
    """End as stopped what waits in a queue by now; how many tasks that were."""
    ended = yield from flow.together([upkeep.purge(keys, queue=queue, reason=reason) for keys in known.keys])
    return sum(ended)


def revive_many(known: Shards, *, ids: Sequence[str]) -> flow.Flow[list[str | None]]:
    """Submit dead letters as new tasks, each in its shard; their ids in order, None for what is no dead letter."""
    if known.count == 1:
        return (yield from upkeep.revive_many(known.root, ids=ids))
    answers: dict[Keys, Iterator[str | None]] = {}
    for keys, some in known.sorted_out([naming.checked_id(id) for id in ids]):
        answers[keys] = iter((yield from upkeep.revive_many(keys, ids=some)))
    return [next(answers[known.of(id)]) for id in ids]


def delete(known: Shards, *, ids: Sequence[str]) -> flow.Flow[int]:
    """Drop dead letters; how many there were."""
    deleted = 0
    for keys, some in known.sorted_out([naming.checked_id(id) for id in ids]):
        deleted += yield from upkeep.delete(keys, ids=some)
    return deleted
