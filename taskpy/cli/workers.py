"""`taskpy workers`: who is there, what it serves, how much it does."""

from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import screen
from taskpy.cli.listing import CELL
from taskpy.cli.moments import ago, short
from taskpy.cli.table import Column
from taskpy.cli.target import Target, pass_target
from taskpy.cli.text import clean

if TYPE_CHECKING:
    from taskpy.info import KnownWorker

_COLUMNS = (
    Column("HOST", least=8),
    Column("PID", right=True),
    Column("QUEUES", least=8),
    Column("RUNNING", right=True),
    Column("STARTED", right=True),
    Column("LEASE", right=True, colours={"lost": "red", "silent": "red"}),
    Column("TASKS", right=True, extra=True),
    Column("WORKER", extra=True),
)


@click.command()
@screen.json_option
@pass_target
def workers(target: Target, /, *, as_json: bool) -> None:
    """List the worker processes.

    RUNNING is what it has claimed, of what it can run at once; LEASE is how long it is trusted without being heard of;
    TASKS is how many functions it knows.
    """
    with target.client() as client:
        known = client.workers()
        now = client.namespace().clock
        where = client.where
    if as_json:
        screen.document({"workers": [_fields(worker) for worker in known]})
    elif known:
        screen.rows(_COLUMNS, [_cells(worker, now) for worker in known])
    else:
        screen.note(f"No workers in {where}; start one: taskpy-worker yourmodule")


def _cells(worker: "KnownWorker", now: float) -> list[str]:
    info = worker.info
    return [
        clean(info.host, limit=CELL),
        str(info.pid or ""),
        clean(", ".join(info.queues), limit=CELL),
        f"{worker.held}/{info.concurrency}",
        ago(info.started or None, now),
        _lease(worker, now),
        str(info.tasks),
        clean(worker.wid, limit=CELL),
    ]


def _lease(worker: "KnownWorker", now: float) -> str:
    if worker.lost or worker.lease_end is None:
        return "lost"
    return short(worker.lease_end - now) if worker.lease_end > now else "silent"


def _fields(worker: "KnownWorker") -> dict[str, Any]:
    info = worker.info
    return {
        "id": worker.wid,
        "host": info.host,
        "pid": info.pid,
        "queues": list(info.queues),
        "running": worker.held,
        "concurrency": info.concurrency,
        "tasks": info.tasks,
        "started": info.started,
        "lease_end": worker.lease_end,
        "lost": worker.lost,
    }
