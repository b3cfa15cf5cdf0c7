"""`taskpy retry` and `taskpy dead`: failed tasks are kept for a while as dead letters; look at them, submit them again."""

import time
from collections.abc import Callable, Collection, Iterator
from typing import TYPE_CHECKING, Any

import click

from taskpy import errors
from taskpy.cli import exits, screen
from taskpy.cli.listing import CELL, fields_of
from taskpy.cli.moments import ago
from taskpy.cli.table import Column
from taskpy.cli.target import Target, pass_target
from taskpy.cli.text import clean

if TYPE_CHECKING:
    from taskpy.client import Client
    from taskpy.listed import Outline

_COLUMNS = (
    Column("ID"),
    Column("NAME", least=12),
    Column("QUEUE", least=7),
    Column("FAILED", right=True),
    Column("ATTEMPT", right=True, extra=True),
    Column("EXCEPTION", least=12),
)


@click.command()
@click.argument("id")
@pass_target
def retry(target: Target, /, *, id: str) -> None:
    """Submit a failed task again, as a new one, and print the new id.

    The failed one stays as it is; each knows the other. The same as `taskpy dead revive`, for one.
    """
    with target.client() as client:
        screen.data(client.revive(id).id)


@click.group()
def dead() -> None:
    """List, revive and delete failed tasks, which are kept for 7 days (the dead letters)."""


@dead.command("ls", short_help="List the dead letters with their exceptions.")
@click.option("-p", "--page", metavar="N", type=click.IntRange(1), default=1, help="The page; 1 is the newest.")
@screen.json_option
@pass_target
def list_dead(target: Target, /, *, page: int, as_json: bool) -> None:
    """List the dead letters with their exceptions, the newest first, 50 a page."""
    from taskpy.cli import endings

    with target.client() as client:
        found = client.dead(page=page - 1)
        where = client.where
    letters = [(letter.task, endings.exception_fields(letter.exception)) for letter in found]
    if as_json:
        tasks = [fields_of(task) | {"exception": error} for task, error in letters]
        screen.document({"tasks": tasks, "page": page, "more": found.more, "total": found.total})
        return
    now = time.time()
    if letters:
        screen.rows(_COLUMNS, [_cells(task, endings.summary(error), now) for task, error in letters])
    else:
        screen.note(f"No dead letters {'on this page' if page > 1 else f'in {where}'}.")
    if found.more:
        screen.note(f"{found.total} in all; the next: --page {page + 1}")


def _cells(task: "Outline", exception: str, now: float) -> list[str]:
    name, queue = clean(task.name, limit=CELL), clean(task.queue, limit=CELL)
    return [task.id, name, queue, ago(task.ended, now), str(task.attempt), exception]


def _selection(command: Callable[..., Any]) -> Callable[..., Any]:
    """The arguments of what is done to dead letters."""
    command = click.option("--all", "all_of_them", is_flag=True, help="All that are there by now.")(command)
    return click.argument("ids", nargs=-1, metavar="[ID...]")(screen.yes_option(command))


@dead.command()
@_selection
@pass_target
def revive(target: Target, /, *, ids: tuple[str, ...], all_of_them: bool, yes: bool) -> None:
    """Submit dead letters again, as new tasks, and print the new ids.

    Before it does so with --all it says how many there are, and asks you.
    """
    _check(ids, all_of_them=all_of_them)
    failed = False
    with target.client() as client:
        if all_of_them:
            screen.make_sure(f"Submit {_counted(client)} again?", yes=yes)
        kept: set[str] = set()
        for part in _parts(client, ids, kept):
            handles = client.revive_many(part)
            for handle in handles:
                if handle is not None:
                    screen.data(handle.id)
            refused = [id for id, handle in zip(part, handles, strict=True) if handle is None]
            kept |= {id for id in refused if _is_dead_letter(client, id)}
            gone = [id for id in refused if id not in kept]
            failed = failed or bool(kept or (gone and not all_of_them))
            for id in refused:
                if id in kept:
                    screen.note(f"{clean(id)} stays a dead letter: another live task has its key")
                elif not all_of_them:
                    screen.note(f"{clean(id)} is no dead letter, or was revived before")
            if all_of_them:
                client.delete(gone)  # they have expired, and would stand in the way of the next ones
    if failed:
        click.get_current_context().exit(exits.FAILED)


@dead.command()
@_selection
@pass_target
def delete(target: Target, /, *, ids: tuple[str, ...], all_of_them: bool, yes: bool) -> None:
    """Delete dead letters, after asking you.

    They leave the list at once. Until their `keep` is over (1 hour, unless they were submitted with another) `show` still
    finds them, like any result.
    """
    _check(ids, all_of_them=all_of_them)
    with target.client() as client:
        what = _counted(client) if all_of_them else f"{len(ids)} dead letter{'s' * (len(ids) != 1)}"
        screen.make_sure(f"Delete {what}?", yes=yes)
        deleted = sum(client.delete(part) for part in _parts(client, ids))
    screen.note(f"deleted: {deleted}")
    if deleted < len(ids):
        click.get_current_context().exit(exits.NOT_FOUND)


def _check(ids: tuple[str, ...], *, all_of_them: bool) -> None:
    if bool(ids) == all_of_them:
        raise click.UsageError("name the tasks by their ids, or say --all")


def _counted(client: "Client") -> str:
    total = client.dead().total
    return "the one dead letter" if total == 1 else f"all {total} dead letters"


def _is_dead_letter(client: "Client", id: str) -> bool:
    try:
        found = client.attach(id).snapshot()
    except errors.TaskNotFound:
        return False
    return found.state == "failed" and found.heir is None


def _parts(client: "Client", ids: tuple[str, ...], kept: Collection[str] = ()) -> Iterator[list[str]]:
    """The ids, or all there are by now: not those that fail while we are at it. Each part leaves the list in turn.

    The caller adds to `kept` what stays in the list.
    """
    from taskpy.lists import PAGE

    if ids:
        yield list(ids)
        return
    left = client.dead().total
    while left > 0 and (part := [id for id in client.dead(page=len(kept) // PAGE).ids if id not in kept][:left]):
        yield part
        left -= len(part)
