"""`taskpy tree`: a task and all that it has spawned, as a tree."""

import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import screen
from taskpy.cli.listing import CELL, fields_of, word_of
from taskpy.cli.moments import ago
from taskpy.cli.target import Target, pass_target
from taskpy.cli.text import clean, counted, cut

if TYPE_CHECKING:
    from taskpy.branches import Branch

#: What stands in front of a child, and below it in front of its own children: of all but the last one, and of the last one.
_LINES = (("├── ", "│   "), ("└── ", "    "))
_PLAIN = (("|-- ", "|   "), ("`-- ", "    "))


@click.command()
@click.argument("id")
@screen.json_option
@pass_target
def tree(target: Target, /, *, id: str, as_json: bool) -> None:
    """Show a task and all that it has spawned: the state of each, its name, and when it began or ended.

    Below a task that is not kept any longer nothing is known.
    """
    with target.client() as client:
        top = client.tree(id)
    if as_json:
        screen.document(_document(top))
        return
    columns, now = screen.wide(), time.time()
    for text in _drawn(top, now):
        screen.data(text if columns is None else cut(text, columns))
    count = sum(1 for _ in top.walk())
    screen.note(f"{counted(count, 'task')}.")


def _document(top: "Branch") -> dict[str, Any]:
    made: dict[str, dict[str, Any]] = {}
    for branch in reversed(list(top.walk())):  # the children of each before it
        fields = {"id": branch.id, "state": None} if branch.task is None else fields_of(branch.task)
        made[branch.id] = fields | {"children": [made[child.id] for child in branch.children]}
    return made[top.id]


def _drawn(top: "Branch", now: float) -> Iterator[str]:
    lines = _LINES if _can_draw() else _PLAIN
    waiting = [(top, "", "")]
    while waiting:
        branch, front, below = waiting.pop()
        yield front + _described(branch, now)
        last = len(branch.children) - 1
        children = []
        for place, child in enumerate(branch.children):
            corner, stem = lines[place == last]
            children.append((child, below + corner, below + stem))
        waiting += reversed(children)


def _described(branch: "Branch", now: float) -> str:
    task = branch.task
    if task is None:
        return f"{branch.id}  not kept any longer"
    when = ago(task.ended or task.started or task.submitted, now)
    return f"{branch.id}  {word_of(task)}  {clean(task.name, limit=CELL)}  {when}"


def _can_draw() -> bool:
    try:
        _LINES[0][0].encode(sys.stdout.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True
