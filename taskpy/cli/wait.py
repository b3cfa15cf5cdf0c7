"""`taskpy wait`: until tasks have ended. Also what `submit --wait` does."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import exits, screen, values
from taskpy.cli.moments import seconds
from taskpy.cli.target import Target, pass_target

if TYPE_CHECKING:
    from taskpy.client import Client
    from taskpy.remote import RemoteTask

#: Which exit code counts when several tasks end differently: the first of these.
_GRAVEST = (exits.NOT_FOUND, exits.TIMED_OUT, exits.FAILED)


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--timeout", type=seconds, help="Wait no longer than this for all of them: 90, 5m, 2h.")
@screen.json_option
@pass_target
def wait(target: Target, /, *, ids: tuple[str, ...], timeout: float | None, as_json: bool) -> None:
    """Wait for tasks to end, and print their results.

    Of one task its result is printed: text as it is, anything else as JSON. Of several a line each, in the order given:
    id, state, result or exception. --json prints a line of JSON each.

    The exit code is 0 when all succeeded, 1 when one failed or was stopped, 124 when the time was over first, 3 for an id
    that is not known.
    """
    with target.client() as client:
        await_ends(client, ids, timeout, as_json=as_json)


def await_ends(client: "Client", ids: Sequence[str], timeout: float | None, *, as_json: bool) -> None:
    """Wait for these tasks, print how they end, and end the command with the code that says so."""
    from taskpy.deadline import Deadline

    deadline = Deadline(timeout)
    codes = {_await_end(client.attach(id), deadline.left(), as_json=as_json, alone=len(ids) == 1) for id in ids}
    for code in _GRAVEST:
        if code in codes:
            click.get_current_context().exit(code)


def _await_end(handle: "RemoteTask[Any]", timeout: float | None, *, as_json: bool, alone: bool) -> int:
    from taskpy import errors
    from taskpy.cli import endings

    try:
        ended = handle.wait(timeout)
    except errors.TaskNotFound as error:
        screen.note(str(error))
        return exits.NOT_FOUND
    state = handle.state
    fields = endings.result_fields(lambda: handle.result)
    exception = endings.exception_fields(handle.exception)
    if as_json:
        screen.line({"id": handle.id, "state": state, "done": ended, **fields, "exception": exception})
    elif not alone:
        said = endings.summary(exception) or fields["unreadable"] or ("" if state != "succeeded" else _shown(handle))
        screen.data(f"{handle.id}  {state:<9}  {said}".rstrip())
    elif state == "succeeded" and not fields["unreadable"]:
        screen.data(_shown(handle))
    elif state == "succeeded":
        screen.note(f"task {handle.id} has succeeded; its result cannot be read here: {fields['unreadable']}")
    else:
        screen.note(_sentence(handle.id, str(state), endings.summary(exception)))
    if not ended:
        return exits.TIMED_OUT
    return 0 if state == "succeeded" else exits.FAILED


def _shown(handle: "RemoteTask[Any]") -> str:
    return values.plain(handle.result)


def _sentence(id: str, state: str, exception: str) -> str:
    if exception:
        return f"task {id} failed: {exception}"
    return f"task {id} was stopped" if state == "stopped" else f"task {id} is {state}; the time is over, it goes on"
