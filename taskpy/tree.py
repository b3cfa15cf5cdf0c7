"""Trees of tasks in Redis: who stands below a task, and asking all of them to stop. Any process may, and again.

A task that is to stop with all below it spawns nothing any more, from the moment on at which that stands in it. Only then
its children are read, and asked in their turn; so whoever was spawned before is found, and nobody is spawned after.
"""

import os
from collections.abc import Iterable

from taskpy import errors, flow, ops
from taskpy.answers import Children
from taskpy.family import parent_ended
from taskpy.identity import who
from taskpy.keys import Keys
from taskpy.spec import Wish

#: How many children are read at once.
PAGE = 1000


def children(keys: Keys, id: str) -> flow.Flow[list[str] | None]:
    """The ids of the children of a task, in the order in which they were spawned; None: no such task."""
    found: Children = yield ops.children(keys, id=id, count=PAGE)
    return None if found.state is None else (yield from _all_of(keys, id, found))


def below(keys: Keys, id: str) -> flow.Flow[list[str]]:
    """The ids of all tasks below this one, those nearer to it first."""
    known = {id: None}  # in order
    level = [id]
    while level:
        families = yield from flow.together([children(keys, each) for each in level])
        level = unknown(known, [child for family in families for child in family or ()])
    return list(known)[1:]


def unknown(known: dict[str, None], ids: Iterable[str]) -> list[str]:
    """Those of these tasks that were not met before: whoever wrote garbage into a tree may have made a circle of it."""
    found = [id for id in dict.fromkeys(ids) if id not in known]
    known.update(dict.fromkeys(found))
    return found


def fell(keys: Keys, id: str, wish: Wish | None = None) -> flow.Flow[int]:
    """Ask all below a task to stop that spawns nothing any more; how many were asked.

    Without a wish as it stands in the task; and where none does, because it has ended.
    """
    found: Children = yield ops.children(keys, id=id, count=PAGE)
    wish = wish or found.wish or parent_ended(id)
    entries = [(id, found.felling)]
    known: dict[str, None] = {id: None}
    level = unknown(known, (yield from _all_of(keys, id, found)))
    while level:
        yield from flow.together([_stop(keys, child, wish) for child in level])
        firsts = yield from flow.together([_first_page(keys, child) for child in level])
        entries += [(child, first.felling) for child, first in zip(level, firsts, strict=True)]
        families = yield from flow.together(
            [_all_of(keys, child, first) for child, first in zip(level, firsts, strict=True)]
        )
        level = unknown(known, [child for family in families for child in family])
    # Only now: whoever is interrupted before leaves it to the sweep.
    yield from flow.together([_felled(keys, each, entry) for each, entry in entries if entry])
    return len(known) - 1


def pause(keys: Keys, id: str, pausing: bool) -> flow.Flow[None]:
    """Ask all below a task to stand still, or to go on. Whoever it spawns meanwhile begins as it was told itself before."""
    known: dict[str, None] = {id: None}
    level = [id]
    while level:
        families = yield from flow.together([children(keys, each) for each in level])
        level = unknown(known, [child for family in families for child in family or ()])
        yield from flow.together([_pause(keys, child, pausing) for child in level])


def _pause(keys: Keys, id: str, pausing: bool) -> flow.Flow[None]:
    if pausing:
        yield ops.pause_task(keys, id=id, name=os.urandom(8).hex(), by=who(), tree=True)
    else:
        yield ops.resume_task(keys, id=id, name=os.urandom(8).hex(), by=who())


def _first_page(keys: Keys, id: str) -> flow.Flow[Children]:
    found: Children = yield ops.children(keys, id=id, count=PAGE)
    return found


def _all_of(keys: Keys, id: str, found: Children) -> flow.Flow[list[str]]:
    ids = list(found.ids)
    for first in range(PAGE, found.count, PAGE):
        page: Children = yield ops.children(keys, id=id, first=first, count=PAGE)
        if not page.ids:  # the number is garbage
            break
        ids += page.ids
    return ids


def _stop(keys: Keys, id: str, wish: Wish) -> flow.Flow[None]:
    queue: str | None = yield ops.locate(keys, id=id)
    if queue is not None:  # else it was not kept any longer
        yield ops.stop(
            keys,
            id=id,
            queue=queue,
            reason=wish.reason,
            by=wish.reason.by,
            follows=wish.follows,
            grace=wish.grace,
            tree=True,
        )


def _felled(keys: Keys, id: str, entry: str) -> flow.Flow[None]:
    yield ops.felled(keys, id=id, entry=entry)


def check_spawned(answer: str) -> None:
    """Raise what a submission was refused by, when a parent has spawned it that may not any more."""
    if answer in ("fenced", "stopping"):
        raise errors.LeaseLost if answer == "fenced" else errors.Stopped
