"""`taskpy stop`: ask tasks to stop, and wait for their end."""

from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import exits, screen
from taskpy.cli.moments import seconds
from taskpy.cli.target import Target, pass_target

if TYPE_CHECKING:
    from taskpy.client import Client
    from taskpy.remote import RemoteTask


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--reason", help="Why; it stays with the task.")
@click.option("--no-wait", is_flag=True, help="Only ask.")
@click.option("--timeout", type=seconds, help="Wait no longer than this for their end.")
@screen.yes_option
@pass_target
def stop(
    target: Target, /, *, ids: tuple[str, ...], reason: str | None, no_wait: bool, timeout: float | None, yes: bool
) -> None:
    """Ask tasks to stop, wait for their end, and print how each has ended.

    A task that waits in its queue is stopped at once. One that runs is asked; it ends when its function obeys. One that
    has ended stays as it is. For several tasks at once it asks you first.

    The exit code is 0 when all have ended, however they did, 124 when the time was over first, 3 for an unknown id.
    """
    if len(ids) > 1:
        screen.make_sure(f"Stop {len(ids)} tasks?", yes=yes)
    with target.client() as client:
        codes = _stop_all(client, ids, reason, no_wait=no_wait, timeout=timeout)
    click.get_current_context().exit(next((code for code in (exits.NOT_FOUND, exits.TIMED_OUT) if code in codes), 0))


def _stop_all(
    client: "Client", ids: tuple[str, ...], reason: str | None, *, no_wait: bool, timeout: float | None
) -> set[int]:
    """Ask all of them before waiting for any; the exit codes of each."""
    from taskpy import errors
    from taskpy.deadline import Deadline

    codes: set[int] = set()
    asked: list[RemoteTask[Any]] = []
    for id in ids:
        try:
            handle = client.attach(id)
            handle.stop(join=False, reason=reason)
            asked.append(handle)
        except errors.TaskNotFound as error:
            screen.note(str(error))
            codes.add(exits.NOT_FOUND)
    deadline = Deadline(timeout)
    for handle in asked:
        try:
            if not no_wait and not handle.wait(deadline.left()):
                codes.add(exits.TIMED_OUT)
            state = handle.state
            screen.data(f"{handle.id}  {state if state.done else 'asked to stop'}")
        except errors.TaskNotFound:  # one that is not kept at all
            screen.data(f"{handle.id}  ended")
    return codes
