"""`taskpy queues`: what waits where; pause, resume and purge."""

import time
from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import exits, screen
from taskpy.cli.listing import CELL, fields_of, show_rows
from taskpy.cli.moments import ago, stamp
from taskpy.cli.table import Column
from taskpy.cli.target import Target, pass_target
from taskpy.cli.text import clean, counted

if TYPE_CHECKING:
    from taskpy.client import Client
    from taskpy.info import KnownQueue

_COLUMNS = (
    Column("QUEUE", least=12),
    Column("READY", right=True),
    Column("WORKERS", right=True),
    Column("OLDEST", right=True),
    Column("STATE", colours={"paused": "yellow", "no worker": "red"}),
)


@click.group()
def queues() -> None:
    """List, pause, resume and purge queues."""


@queues.command("ls", short_help="List the queues, with what waits in each.")
@screen.json_option
@pass_target
def list_queues(target: Target, /, *, as_json: bool) -> None:
    """List the queues: how many tasks are ready, how many workers serve it, when the next one was submitted."""
    with target.client() as client:
        known = client.known_queues()
        where = client.where
    if as_json:
        screen.document({"queues": [_fields(queue) for queue in known]})
    elif known:
        now = time.time()
        screen.rows(_COLUMNS, [_cells(queue, now) for queue in known])
    else:
        screen.note(f"No queues in {where}.")


@queues.command(short_help="Show one queue, and what waits in it.")
@click.argument("queue")
@screen.json_option
@pass_target
def show(target: Target, /, *, queue: str, as_json: bool) -> None:
    """Show one queue: what is known of it, and the tasks that were submitted last."""
    with target.client() as client:
        known = _known(client, queue)
        if known is None:
            screen.note(f"No queue {clean(queue)!r} in {client.where}: nothing was ever submitted to it.")
            click.get_current_context().exit(exits.NOT_FOUND)
        waiting = client.tasks(state="queued", queue=queue)
        delayed = client.delayed(queue=queue)
    if as_json:
        lists = {"ready": [fields_of(one) for one in waiting], "delayed": [fields_of(one) for one in delayed]}
        screen.document(_fields(known) | lists)
        return
    screen.data(f"{screen.styled(clean(known.name, limit=CELL), bold=True)}  {_sentence(known, time.time())}")
    for title, found in ("ready, the last first", waiting), ("delayed, the next first", delayed):
        if found:
            screen.data()
            screen.data(screen.styled(title, bold=True))
            show_rows(found)
            if found.more:
                state = "queued" if found is waiting else "delayed"
                screen.note(f"There are more: taskpy ls --state {state} --queue {clean(queue)} --page 2")


@queues.command()
@click.argument("queue")
@pass_target
def pause(target: Target, /, *, queue: str) -> None:
    """Let no worker take from a queue until it is resumed. What runs goes on, and tasks can be submitted."""
    with target.client() as client:
        since = client.pause(queue)
        known = _known(client, queue)
    screen.note(f"{clean(queue)} is paused since {stamp(since)}; to go on: taskpy queues resume {clean(queue)}")
    if known is not None and not known.workers and not known.size:
        screen.note("Nothing waits in a queue of this name, and no worker serves it; is it the right one?")


@queues.command()
@click.argument("queue")
@pass_target
def resume(target: Target, /, *, queue: str) -> None:
    """Let workers take from a paused queue again."""
    with target.client() as client:
        known = _known(client, queue)
        client.resume(queue)
    if known is None or known.paused is None:
        screen.note(f"{clean(queue)} was not paused")
    else:
        screen.note(f"{clean(queue)} goes on; {counted(known.size, 'task')} ready")


@queues.command()
@click.argument("queue")
@click.option("--reason", help="Why; it stays with the tasks.")
@screen.yes_option
@pass_target
def purge(target: Target, /, *, queue: str, reason: str | None, yes: bool) -> None:
    """End as stopped all that waits in a queue by now, after asking you.

    Who waits for these tasks is told. What runs goes on, and delayed tasks stay.
    """
    with target.client() as client:
        size = client.queues().get(queue, 0)
        screen.make_sure(f"Stop {counted(size, 'task')} that wait in {clean(queue)}?", yes=yes)
        ended = client.purge(queue, reason=reason)
    screen.note(f"stopped: {ended}")


def _known(client: "Client", queue: str) -> "KnownQueue | None":
    return next((known for known in client.known_queues() if known.name == queue), None)


def _state(queue: "KnownQueue") -> str:
    if queue.paused is not None:
        return "paused"
    return "no worker" if queue.size and not queue.workers else ""


def _cells(queue: "KnownQueue", now: float) -> list[str]:
    name = clean(queue.name, limit=CELL)
    return [name, str(queue.size), str(queue.workers), ago(queue.oldest, now), _state(queue)]


def _fields(queue: "KnownQueue") -> dict[str, Any]:
    return {
        "name": queue.name,
        "ready": queue.size,
        "workers": queue.workers,
        "oldest": queue.oldest,
        "paused": queue.paused,
    }


def _sentence(queue: "KnownQueue", now: float) -> str:
    said = [f"{queue.size} ready", counted(queue.workers, "worker")]
    if queue.oldest is not None:
        said.append(f"the next was submitted {ago(queue.oldest, now)}")
    if queue.paused is not None:
        said.append(f"paused {ago(queue.paused, now)}")
    return ", ".join(said)
