"""`taskpy send` and `taskpy recv`: one value to a task; what a task sends."""

from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import exits, screen, values
from taskpy.cli.moments import seconds
from taskpy.cli.target import Target, pass_target

if TYPE_CHECKING:
    from taskpy.remote import RemoteTask


@click.command(epilog='Example: taskpy send ID \'{"only": "lock"}\'')
@click.argument("id")
@click.argument("value")
@click.option("--timeout", type=seconds, help="Wait no longer than this for room in its inbox.")
@pass_target
def send(target: Target, /, *, id: str, value: str, timeout: float | None) -> None:
    """Send VALUE to a task: JSON where it is JSON, else text.

    The exit code is 0 when the value is in the task's inbox, 1 when the task has ended, 124 when the inbox stayed full.
    """
    with target.client() as client:
        client.attach(id).send(values.read(value), timeout=timeout)


@click.command()
@click.argument("id")
@click.option("-f", "--follow", is_flag=True, help="Go on until the task ends.")
@click.option("-n", "--count", metavar="N", type=click.IntRange(1), help="End after so many messages; wait for them.")
@click.option("--timeout", type=seconds, help="Wait no longer than this for a message.")
@screen.json_option
@pass_target
def recv(target: Target, /, *, id: str, follow: bool, count: int | None, timeout: float | None, as_json: bool) -> None:
    """Print what a task sends, a line each, from the oldest message that is kept.

    Without an option it prints what is there, and ends. --follow and --count wait for more, --timeout does for a while.
    Text is printed as it is, anything else as JSON; --json makes a line of JSON of each: {"message": ...}.

    The exit code is 1 when the task ended before it had sent N messages, 124 when none came within --timeout.
    """
    with target.client() as client:
        waits = follow or count is not None or timeout is not None
        code = _print_messages(client.attach(id), count, block=waits, timeout=timeout, as_json=as_json)
    click.get_current_context().exit(code)


def _print_messages(
    handle: "RemoteTask[Any]", count: int | None, *, block: bool, timeout: float | None, as_json: bool
) -> int:
    from taskpy import errors

    printed = 0
    while count is None or printed < count:
        try:
            message = handle.recv(block=block, timeout=timeout)
        except errors.TaskEnded as error:
            if count is not None:
                screen.note(f"{error}, and has sent {printed} of {count} messages")
            return 0 if count is None else exits.FAILED
        except errors.Empty:
            return exits.TIMED_OUT if block else 0
        except (errors.MessagesMissed, errors.WireError) as error:
            screen.note(str(error))
            continue
        printed += 1
        if as_json:
            screen.line({"message": values.jsonable(message)})
        else:
            screen.data(values.plain(message))
    return 0
