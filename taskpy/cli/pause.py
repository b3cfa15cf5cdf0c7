"""`taskpy pause` and `taskpy resume`: let tasks stand still, and go on. (Queues are paused by `taskpy queues pause`.)"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import exits, screen
from taskpy.cli.moments import seconds
from taskpy.cli.target import Target, pass_target
from taskpy.cli.text import clean

if TYPE_CHECKING:
    from taskpy.client import Client
    from taskpy.remote import RemoteTask

_ids = click.argument("ids", nargs=-1, required=True, metavar="ID...")


@click.command()
@_ids
@click.option("--tree", is_flag=True, help="And all tasks below them: see `taskpy tree`.")
@click.option("--no-wait", is_flag=True, help="Only ask.")
@click.option("--timeout", type=seconds, help="Wait no longer than this until they stand still; the wish holds.")
@pass_target
def pause(target: Target, /, *, ids: tuple[str, ...], tree: bool, no_wait: bool, timeout: float | None) -> None:
    """Ask tasks to stand still at their next safe point, and wait until they do.

    A safe point is where a task calls taskpy: stopped, recv, send, sleep, checkpoint, ask, yield. It keeps its slot on its
    worker, and can be stopped, asked and sent to. One that waits in its queue stands still when it has begun, so nobody
    waits for it.

    The exit code is 0 when they stand still, or wait in their queues; 1 when one has ended, 124 when the time was over
    first, 3 for an unknown id.
    """
    from taskpy.deadline import Deadline

    deadline = Deadline(timeout)

    def stand_still(handle: "RemoteTask[Any]") -> tuple[str, int]:
        if handle.pause(tree=tree) and not tree:
            return "paused", 0
        if no_wait or (handle.state != "running" and not tree):
            return "asked to pause", 0
        if handle.pause(join=True, timeout=deadline.left(), tree=tree):
            return "paused", 0
        if handle.done:
            return f"has {_ended(handle.state)}", exits.FAILED
        return "asked to pause", exits.TIMED_OUT if deadline.over else 0

    _each(target, ids, stand_still)


@click.command()
@_ids
@click.option("--tree", is_flag=True, help="And all tasks below them.")
@pass_target
def resume(target: Target, /, *, ids: tuple[str, ...], tree: bool) -> None:
    """Let tasks go on that were asked to pause. One that was not goes on as it is.

    The exit code is 0 when they go on, 1 when one has ended, 3 for an unknown id.
    """

    def go_on(handle: "RemoteTask[Any]") -> tuple[str, int]:
        paused = {"paused", "pausing"} & handle.flags
        handle.resume(tree=tree)
        return "goes on" if paused else "was not paused", 0

    _each(target, ids, go_on)


def _each(target: Target, ids: tuple[str, ...], do: "Callable[[RemoteTask[Any]], tuple[str, int]]") -> None:
    with target.client() as client:
        codes = {_one(client, id, do) for id in ids}
    click.get_current_context().exit(
        next((code for code in (exits.NOT_FOUND, exits.FAILED, exits.TIMED_OUT) if code in codes), 0)
    )


def _one(client: "Client", id: str, do: "Callable[[RemoteTask[Any]], tuple[str, int]]") -> int:
    from taskpy import errors

    try:
        word, code = do(client.attach(id))
    except errors.TaskNotFound as error:
        screen.note(str(error))
        return exits.NOT_FOUND
    except errors.TaskEnded as error:
        word, code = f"has {_ended(error.state)}", exits.FAILED
    screen.data(f"{clean(id)}  {word}")
    return code


def _ended(state: str) -> str:
    return "ended: stopped" if state == "stopped" else str(state)
