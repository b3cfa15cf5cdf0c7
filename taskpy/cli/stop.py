"""`taskpy stop`: ask tasks to stop, and wait for their end."""

from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import exits, screen
from taskpy.cli.moments import seconds
from taskpy.cli.target import Target, pass_target
from taskpy.cli.text import clean, counted

if TYPE_CHECKING:
    from taskpy.client import Client
    from taskpy.remote import RemoteTask
    from taskpy.spec import Follows

#: How much of a reason, or of who asked, is shown.
LONG = 200


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--reason", help="Why; it stays with the task.")
@click.option(
    "--then",
    type=click.Choice(["raise", "kill"]),
    help="What follows when one has not ended after its grace time: raise Stopped inside it, or then end it by force.",
)
@click.option("--grace", metavar="SECONDS", type=seconds, help="The grace time before --then; 10 s unless you say so.")
@click.option("--tree", is_flag=True, help="Also all that it has spawned, and what these have.")
@click.option("--no-wait", is_flag=True, help="Only ask; --then follows all the same.")
@click.option("--timeout", type=seconds, help="Wait no longer than this for their end.")
@screen.yes_option
@pass_target
def stop(
    target: Target,
    /,
    *,
    ids: tuple[str, ...],
    reason: str | None,
    then: "Follows | None",
    grace: float | None,
    tree: bool,
    no_wait: bool,
    timeout: float | None,
    yes: bool,
) -> None:
    """Ask tasks to stop, wait for their end, and print how each has ended, who asked, and why.

    A task that waits in its queue is stopped at once. One that runs is asked; it ends when its function obeys. One that
    has ended stays as it is. For several tasks at once it asks you first.

    With --then it does not take no for an answer. "raise" raises Stopped inside the function, which may still clean up;
    "kill" does so, too, and a second later ends the task, whatever its function does. Asked again, a stop can only
    become stricter, and the first reason counts.

    With --tree all below it are asked, too, also those that it is spawning at this moment, and though it has ended itself.

    The exit code is 0 when all have ended, however they did, 124 when the time was over first, 3 for an unknown id.
    """
    if grace is not None and then is None:
        raise click.UsageError("--grace is the time before --then: say what follows, --then raise or --then kill")
    if len(ids) > 1:
        screen.make_sure(f"Stop {len(ids)} tasks?", yes=yes)
    with target.client() as client:
        codes = _stop_all(client, ids, reason, then, grace, tree=tree, no_wait=no_wait, timeout=timeout)
    click.get_current_context().exit(next((code for code in (exits.NOT_FOUND, exits.TIMED_OUT) if code in codes), 0))


def _stop_all(
    client: "Client",
    ids: tuple[str, ...],
    reason: str | None,
    then: "Follows | None",
    grace: float | None,
    *,
    tree: bool,
    no_wait: bool,
    timeout: float | None,
) -> set[int]:
    """Ask all of them before waiting for any; the exit codes of each."""
    from taskpy import errors
    from taskpy.deadline import Deadline
    from taskpy.spec import GRACE_SECONDS

    codes: set[int] = set()
    asked: list[RemoteTask[Any]] = []
    for id in ids:
        try:
            handle = client.attach(id)
            left = GRACE_SECONDS if grace is None else grace
            handle.stop(join=False, reason=reason, grace=left, then=then, tree=tree)
            asked.append(handle)
        except errors.TaskNotFound as error:
            screen.note(str(error))
            codes.add(exits.NOT_FOUND)
    deadline = Deadline(timeout)
    for handle in asked:
        try:
            if not no_wait and not handle.wait(deadline.left()):
                codes.add(exits.TIMED_OUT)
            if tree and not no_wait:
                handle.stop(timeout=deadline.left(), tree=True)  # asked again, to wait for those below it
            screen.data(f"{handle.id}  {_ending(handle)}")
            if tree and (below := _below(client, handle.id)):
                screen.data(f"  {below[0]}")
                if below[1] and not no_wait:
                    codes.add(exits.TIMED_OUT)
        except errors.TaskNotFound:  # one that is not kept at all
            screen.data(f"{handle.id}  ended")
    return codes


def _below(client: "Client", id: str) -> tuple[str, int] | None:
    """What became of all below a task, in words, and how many have not ended; None: there are none."""
    tasks = [branch.task for branch in client.tree(id).walk() if branch.id != id]
    running = sum(task is not None and not task.state.done for task in tasks)
    if not tasks:
        return None
    what = "all have ended" if not running else f"{running} asked to stop"
    return f"{counted(len(tasks), 'task')} below it: {what}", running


def _ending(handle: "RemoteTask[Any]") -> str:
    """How a task stands that was asked to stop: `stopped  by ann@web-3:4711: wrong site (stopped in its queue)`."""
    state, reason = handle.state, handle.stop_reason
    word = str(state) if state.done else "asked to stop"
    if reason is None:  # it had ended before anybody asked
        return word
    return word + "  " + asked(reason, reason.by, handle.snapshot().note if state == "stopped" else "")


def asked(reason: str, by: str, note: str = "") -> str:
    """Who asked a task to stop, why, and what was not plain about how it came to that, in one line."""
    who = f"by {clean(by, limit=LONG)}" if by else "by somebody"
    because = f": {clean(reason, limit=LONG)}" if reason else ""
    return who + because + (f" ({clean(note, limit=LONG)})" if note else "")
