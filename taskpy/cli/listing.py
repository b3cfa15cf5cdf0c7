"""`taskpy ls`: tasks, a page at a time. Also how other commands list them."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import screen
from taskpy.cli.moments import ago, length, stamp, until
from taskpy.cli.table import Column
from taskpy.cli.target import Target, pass_target
from taskpy.cli.text import clean

if TYPE_CHECKING:
    from taskpy.listed import Outline

#: What can be listed; delayed tasks are queued ones that wait for their time.
STATES = ("queued", "delayed", "running", "succeeded", "failed", "stopped")
#: How many characters of a name, a queue or a reason a list shows.
CELL = 128

#: The flags of which a list shows one, in this order, instead of the state.
_WORDS = ("stopping", "paused", "waiting", "pausing", "delayed")

COLUMNS = (
    Column("ID"),
    Column("STATE", colours=screen.STATES),
    Column("NAME", least=12),
    Column("QUEUE", least=7),
    Column("WHEN", right=True),
    Column("TOOK", right=True, extra=True),
    Column("ATTEMPT", right=True, extra=True),
    Column("WORKER", extra=True),
    Column("SUBMITTED", extra=True),
    Column("STOP", extra=True),
)


@click.command()
@click.option("-s", "--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("-q", "--queue", metavar="QUEUE", help="Only those of this queue.")
@click.option("-p", "--page", metavar="N", type=click.IntRange(1), default=1, help="The page; 1 is the newest.")
@screen.json_option
@pass_target
def ls(target: Target, /, *, state: str | None, queue: str | None, page: int, as_json: bool) -> None:
    """List tasks, the newest first, 50 a page.

    Of those that succeeded or were stopped, the last 1,000 that ended in each queue are known; failed ones for 7 days.
    """
    with target.client() as client:
        if state == "delayed":
            found = client.delayed(queue=queue, page=page - 1)
        else:
            found = client.tasks(state=state, queue=queue, page=page - 1)
        where = client.where
    if as_json:
        screen.document({"tasks": [fields_of(one) for one in found], "page": page, "more": found.more})
        return
    show_rows(found)
    if not found:
        what = " ".join(word for word in (state, "tasks", f"of queue {queue!r}" if queue else "") if word)
        screen.note(f"No {what} {'on this page' if page > 1 else f'in {where}'}.")
    if found.more:
        screen.note(f"There are more: --page {page + 1}")


def show_rows(found: Sequence["Outline"]) -> None:
    """Print tasks as a table."""
    now = time.time()
    if found:
        screen.rows(COLUMNS, [cells_of(one, now) for one in found])


def word_of(one: "Outline") -> str:
    """The state of a task in one word, with what is a flag beside the state."""
    flags = one.flags
    return next((str(flag) for flag in _WORDS if flag in flags), str(one.state))


def cells_of(one: "Outline", now: float) -> list[str]:
    """A task as a row of the table."""
    when = until(one.due, now) if one.due is not None else ago(one.ended or one.started or one.submitted, now)
    took = length((one.ended or now) - one.started) if one.started and one.state != "queued" else ""
    return [
        clean(one.id, limit=CELL),
        word_of(one),
        clean(one.name, limit=CELL),
        clean(one.queue, limit=CELL),
        when,
        took,
        str(one.attempt or ""),
        clean(one.worker or "", limit=CELL),
        stamp(one.submitted) if one.submitted is not None else "",
        clean(one.reason or "", limit=CELL),
    ]


def fields_of(one: "Outline") -> dict[str, Any]:
    """A task as JSON; times are epoch seconds."""
    return {
        "id": one.id,
        "state": one.state,
        "name": one.name,
        "queue": one.queue,
        "attempt": one.attempt,
        "retries": one.retries,
        "lost": one.lost,
        "stopping": one.stopping,
        "flags": sorted(one.flags),
        "reason": one.reason,
        "worker": one.worker,
        "submitted": one.submitted,
        "started": one.started,
        "ended": one.ended,
        "due": one.due,
    }
