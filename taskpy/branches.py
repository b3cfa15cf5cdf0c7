"""A tree of tasks as it is shown: a task, what a list shows of it, and the tasks that it has spawned."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from taskpy import flow, naming, pages, tree
from taskpy.keys import Keys
from taskpy.listed import Outline
from taskpy.unpacked import not_found

#: How many tasks are read at once.
PAGE = 500


@dataclass(frozen=True, slots=True)
class Branch:
    """A task and those that it has spawned, in that order. `task` is None for one that was not kept any longer."""

    id: str
    task: Outline | None
    children: list["Branch"] = field(default_factory=list)

    def walk(self) -> Iterator["Branch"]:
        """This branch and all below it, each before its children."""
        waiting = [self]
        while waiting:
            branch = waiting.pop()
            yield branch
            waiting += reversed(branch.children)


def branch(keys: Keys, *, id: str, server: Callable[[], str]) -> flow.Flow[Branch]:
    """The tree below a task; raises `TaskNotFound`."""
    [top] = yield from _outlined(keys, [naming.checked_id(id)])
    if top.task is None:
        raise not_found(keys, id, server())
    level, known = [top], {id: None}
    while level:
        families = yield from flow.together([tree.children(keys, each.id) for each in level])
        fresh = [tree.unknown(known, family or ()) for family in families]
        below = yield from _outlined(keys, [id for family in fresh for id in family])
        rest = iter(below)
        for parent, family in zip(level, fresh, strict=True):
            parent.children.extend(next(rest) for _ in family)
        level = below
    return top


def _outlined(keys: Keys, ids: list[str]) -> flow.Flow[list[Branch]]:
    found: list[Branch] = []
    for first in range(0, len(ids), PAGE):
        batch = ids[first : first + PAGE]
        outlines: list[Outline | None] = yield pages.outline(keys, ids=batch)
        found += [Branch(id, outline) for id, outline in zip(batch, outlines, strict=True)]
    return found
