"""What a client asks of a whole namespace, as flows: pages of tasks, its queues, its workers, and all about one task.

A list is read a page at a time: ids from the indexes that the scripts keep, then outlines of these ids. Nothing here
searches the server; what an index holds besides what was asked for is left out by Redis, in one bounded call.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from taskpy import errors, flow, naming, ops, pages, spec
from taskpy.info import KnownQueue, KnownWorker
from taskpy.keys import Keys
from taskpy.listed import Event, Outline, Snapshot
from taskpy.ops import Op
from taskpy.question import Asked
from taskpy.reported import LogLine, Progress
from taskpy.spec import State
from taskpy.unpacked import asked_of, exception_of, lines_of, not_found, progress_of

#: How many tasks a page of a list has.
PAGE = 50
#: How many tasks one call may look at to find those of a page.
SEARCHED = 1000
#: How many ids that ended last are kept of each queue.
RECENT = 1000
#: How many lines of a task's log stand in what is known about it.
LAST_LINES = 10
#: How many workers a list shows.
WORKERS = 1000


class Page(list[Outline]):
    """A page of a list of tasks. `more`: the list goes on behind it.

    It is shorter than a full one where tasks have moved on or expired since their list was written.
    """

    def __init__(self, outlines: Iterable[Outline] = (), *, more: bool = False) -> None:
        super().__init__(outlines)
        self.more = more


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A failed task that is kept, and its exception, as it is packed."""

    task: Outline
    packed: bytes

    @property
    def exception(self) -> Exception:
        """What it failed by."""
        return exception_of(self.packed)


class DeadPage(list[DeadLetter]):
    """A page of the dead letters. `more`: the list goes on behind it; `total`: how many there are.

    `ids` are all of the page, also of those that have expired since.
    """

    def __init__(self, letters: Iterable[DeadLetter], *, ids: list[str], more: bool, total: int) -> None:
        super().__init__(letters)
        self.ids = ids
        self.more = more
        self.total = total


@dataclass(frozen=True, slots=True)
class About:
    """All that is known of one task: where it stands, and what was not plain in its life, oldest first.

    `paused`: since when nothing is claimed from its queue (epoch seconds), or None. `question` is what it asks, and waits
    for; `progress` is what it reported last,
    `log` the last lines of its log. `checkpoint` is how many bytes the state of its last checkpoint has, packed; None
    without one. A checkpoint goes with the end, unless the task failed. `behind` is the id of the task that has its key,
    and whose end it waits for, which is replaced by it.
    """

    task: Snapshot
    events: list[Event]
    paused: float | None
    progress: Progress | None
    log: list[LogLine]
    checkpoint: int | None = None
    behind: str | None = None
    question: Asked | None = None


def state_of(state: State | str | None) -> State | None:
    """The state of this name; `BadArguments` for one that no list has."""
    if state is not None and (state not in list(State) or state == State.NEW):
        known = ", ".join(one for one in State if one is not State.NEW)
        raise errors.BadArguments(f"no list has tasks that are {state!r}; the states are {known}")
    return None if state is None else State(state)


# -- one task -----------------------------------------------------------------------------------


def about(keys: Keys, *, id: str, server: Callable[[], str]) -> flow.Flow[About]:
    """All that is known of a task but its messages; raises `TaskNotFound`.

    One round trip more for a task that has a key and has not begun.
    """
    naming.checked_id(id)
    asked: list[Op[Any]] = [
        pages.look(keys, id=id),
        pages.events(keys, id=id),
        pages.due_at(keys, id=id),
        pages.paused(keys),
        ops.reported(keys, id=id, index=-LAST_LINES, count=LAST_LINES),
        pages.checkpoint_size(keys, id=id),
    ]
    task, events, due, paused, reported, size = yield flow.Together(asked)
    if task is None:
        raise not_found(keys, id, server())
    log = lines_of(reported.lines)
    progress = progress_of(task.progress)
    behind = None
    if task.key is not None and task.state is State.QUEUED:
        live, *successor = (yield ops.holder(keys, key=task.key)).ids or ("",)
        behind = live if successor == [id] else None
    question = asked_of(task.question, task.number)
    return About(replace(task, due=due), events, paused.get(task.queue), progress, log, size or None, behind, question)


# -- tasks --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Index:
    """A list of ids in Redis. `state` and `queue`: what all of its tasks have in common; `limit`: the most it holds."""

    read: Callable[[int, int], Op[Any]]
    state: State | None
    queue: str | None
    limit: int

    def is_mixed(self, state: State | None, queue: str | None) -> bool:
        """Whether it holds others than those that are asked for."""
        return (state is not None and self.state is None) or (queue is not None and self.queue is None)


def tasks(keys: Keys, *, state: State | None, queue: str | None, page: int, size: int = PAGE) -> flow.Flow[Page]:
    """A page of the tasks in a state and in a queue, newest first; None: in any."""
    check_page(page)
    indexes = yield from _indexes(keys, state, queue)
    if len(indexes) == 1 and not indexes[0].is_mixed(state, queue):
        ids = yield indexes[0].read(page * size, size + 1)
        outlines = yield from _outlines(keys, _ids(ids[:size]), state)
        if state is State.RUNNING:  # they are listed by worker
            outlines.sort(key=moved, reverse=True)
        return Page(outlines, more=len(ids) > size)
    return (yield from _merged(keys, indexes, state, queue, page=page, size=size))


def delayed(keys: Keys, *, queue: str | None, page: int, size: int = PAGE) -> flow.Flow[Page]:
    """A page of the delayed tasks of a queue, those that are due next first; None: of any."""
    check_page(page)
    index = _delayed(keys)
    if queue is None:
        found = yield index.read(page * size, size + 1)
        outlines = yield from _outlines(keys, _ids(found[:size]), State.QUEUED)
        return Page(_with_due(outlines, found), more=len(found) > size)
    found = yield index.read(0, index.limit)
    end = (page + 1) * size
    outlines = []
    for op in _searches(keys, _ids(found), State.QUEUED, queue, end + 1):
        outlines += yield op
        if len(outlines) > end:
            break
    return Page(_with_due(outlines[page * size : end], found), more=len(outlines) > end)


def dead(keys: Keys, *, page: int) -> flow.Flow[DeadPage]:
    """A page of the dead letters, the one that failed last first."""
    check_page(page)
    asked: list[Op[Any]] = [pages.dead(keys, start=page * PAGE, count=PAGE + 1), pages.dead_count(keys)]
    found, total = yield flow.Together(asked)
    ids = _ids(found[:PAGE])
    outlines, exceptions = yield flow.Together([pages.outline(keys, ids=ids), pages.failures(keys, ids=ids)])
    pairs = zip(outlines, exceptions, strict=True)
    letters = [DeadLetter(one, packed) for one, packed in pairs if one is not None and packed is not None]
    return DeadPage(letters, ids=ids, more=len(found) > PAGE, total=total)


def check_page(page: int) -> None:
    """Raise `BadArguments` for what is no page."""
    if page < 0:
        raise errors.BadArguments(f"pages are counted from 0, not {page}")


def _indexes(keys: Keys, state: State | None, queue: str | None) -> flow.Flow[list[_Index]]:
    """Where tasks in this state and queue stand."""
    if state is State.FAILED:
        return [_Index(lambda s, n: pages.dead(keys, start=s, count=n), state, None, spec.KEEP_DEAD_COUNT)]
    queues, wids = ([queue] if queue is not None else []), []
    if queue is None or state in {None, State.RUNNING}:
        names, leases = yield flow.Together([pages.queues(keys), pages.leases(keys, start=0, count=WORKERS)])
        queues = queues or names
        wids = [wid for wid, _ in leases]
    running = _Index(lambda s, n: pages.holding(keys, wids=wids, start=s, count=n), State.RUNNING, None, 10 * SEARCHED)
    match state:
        case State.QUEUED:
            return [_ready(keys, name) for name in queues]
        case State.RUNNING:
            return [running]
        case None:
            return [
                running,
                _delayed(keys),
                _behind(keys),
                *(of(keys, name) for name in queues for of in (_ready, _recent)),
            ]
    return [_recent(keys, name) for name in queues]


def _ready(keys: Keys, queue: str) -> _Index:
    return _Index(lambda s, n: pages.queued(keys, queue=queue, start=s, count=n), State.QUEUED, queue, 10 * SEARCHED)


def _recent(keys: Keys, queue: str) -> _Index:
    return _Index(lambda s, n: pages.recent(keys, queue=queue, start=s, count=n), None, queue, RECENT)


def _delayed(keys: Keys) -> _Index:
    return _Index(lambda s, n: pages.delayed(keys, start=s, count=n), State.QUEUED, None, 10 * SEARCHED)


def _behind(keys: Keys) -> _Index:
    return _Index(lambda s, n: pages.behind(keys, start=s, count=n), State.QUEUED, None, 10 * SEARCHED)


def _merged(
    keys: Keys, indexes: list[_Index], state: State | None, queue: str | None, *, page: int, size: int
) -> flow.Flow[Page]:
    """A page of several indexes: as many of each as if it were the only one, then the newest of all."""
    end = (page + 1) * size
    counts = [index.limit if index.is_mixed(state, queue) else end + 1 for index in indexes]
    found = yield flow.Together([index.read(0, count) for index, count in zip(indexes, counts, strict=True)])
    searches = [op for ids in found for op in _searches(keys, _ids(ids), state, queue, end + 1)]
    rows = yield flow.Together(searches)
    outlines = {one.id: one for row in rows for one in row}
    newest = sorted(_with_due(outlines.values(), *found), key=moved, reverse=True)
    full = any(len(ids) > end for ids, index in zip(found, indexes, strict=True) if not index.is_mixed(state, queue))
    return Page(newest[page * size : end], more=full or len(newest) > end)


def _searches(
    keys: Keys, ids: Sequence[str], state: State | None, queue: str | None, count: int
) -> list[Op[list[Outline]]]:
    parts = [ids[first : first + SEARCHED] for first in range(0, len(ids), SEARCHED)]
    return [pages.chosen(keys, ids=part, count=count, state=state, queue=queue) for part in parts]


def _outlines(keys: Keys, ids: list[str], state: State | None) -> flow.Flow[list[Outline]]:
    outlines = (yield pages.outline(keys, ids=ids)) if ids else []
    return [one for one in outlines if one is not None and state in {None, one.state}]


def _ids(found: Sequence[Any]) -> list[str]:
    """The ids of an index, some of which have a time beside each."""
    return [one if isinstance(one, str) else one[0] for one in found]


def _with_due(outlines: Iterable[Outline], *found: Sequence[Any]) -> list[Outline]:
    due = dict(one for ids in found for one in ids if not isinstance(one, str))
    return [replace(one, due=due.get(one.id)) if one.state is State.QUEUED else one for one in outlines]


def moved(outline: Outline) -> float:
    """When a task moved last, as far as its outline says (epoch seconds)."""
    return outline.ended or outline.started or outline.submitted or 0.0


# -- queues and workers -------------------------------------------------------------------------


def queues(keys: Keys) -> flow.Flow[dict[str, int]]:
    """The queues that ever got a task, and how many are ready in each."""
    names = yield pages.queues(keys)
    sizes: dict[str, int] = (yield pages.queue_sizes(keys, queues=names)) if names else {}
    return sizes


def known_queues(keys: Keys) -> flow.Flow[list[KnownQueue]]:
    """The queues that ever got a task, are served or are paused, by name."""
    asked: list[Op[Any]] = [pages.queues(keys), pages.paused(keys), pages.leases(keys, start=0, count=WORKERS)]
    names, paused, leases = yield flow.Together(asked)
    heads = [pages.foremost(keys, queue=name, count=1) for name in names]
    wids = [wid for wid, _ in leases]
    more: list[Op[Any]] = [pages.queue_sizes(keys, queues=names), pages.workers(keys, wids=wids), *heads]
    sizes, found, *next_ids = yield flow.Together(more)
    outlines = yield pages.outline(keys, ids=[id for ids in next_ids for id in ids])
    oldest = {one.queue: one.submitted for one in outlines if one is not None}
    served = [queue for one in found if one and not one.lost for queue in KnownWorker.of(one).info.queues]
    return [
        KnownQueue(
            name=name,
            size=sizes.get(name, 0),
            workers=served.count(name),
            oldest=oldest.get(name),
            paused=paused.get(name),
        )
        for name in sorted({*names, *paused, *served})
    ]


def workers(keys: Keys) -> flow.Flow[list[KnownWorker]]:
    """The worker processes that are known, those with the newest lease first."""
    leases = yield pages.leases(keys, start=0, count=WORKERS)
    found = (yield pages.workers(keys, wids=[wid for wid, _ in leases])) if leases else []
    return [KnownWorker.of(worker) for worker in found if worker is not None]
