"""`taskpy send` and `taskpy recv`: one value to a task; what a task sends."""

from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import exits, screen, values
from taskpy.cli.moments import seconds
from taskpy.cli.target import Target, pass_target

if TYPE_CHECKING:
    from taskpy.handle import Stream
    from taskpy.reader import Place
    from taskpy.remote import RemoteTask


@click.command(epilog='Example: taskpy send ID \'{"only": "lock"}\'')
@click.argument("id")
@click.argument("value")
@click.option("--to", metavar="NAME", help="The inbox it is for; without it, whoever takes from all.")
@click.option("--timeout", type=seconds, help="Wait no longer than this for room in its inbox.")
@screen.json_option
@pass_target
def send(target: Target, /, *, id: str, value: str, to: str | None, timeout: float | None, as_json: bool) -> None:
    """Send VALUE to a task: JSON where it is JSON, else text.

    --json prints the number of the message, by which a program can ask whether it was taken: {"number": ...}.

    The exit code is 0 when the value is in the task's inbox, 1 when the task has ended, 124 when the inbox stayed full.
    """
    with target.client() as client:
        number = client.attach(id).send(values.read(value), timeout=timeout, to=to)
    if as_json:
        screen.line({"number": number})


@click.command()
@click.argument("id")
@click.option("-f", "--follow", is_flag=True, help="Go on until the task ends.")
@click.option("-n", "--count", metavar="N", type=click.IntRange(1), help="End after so many messages; wait for them.")
@click.option("--timeout", type=seconds, help="Wait no longer than this for a message.")
@values.after_option
@screen.json_option
@pass_target
def recv(
    target: Target,
    /,
    *,
    id: str,
    follow: bool,
    count: int | None,
    timeout: float | None,
    after: "Place",
    as_json: bool,
) -> None:
    """Print what a task sends, a line each, from the oldest message that is kept.

    Without an option it prints what is there, and ends. --follow and --count wait for more, --timeout does for a while.
    Text is printed as it is, anything else as JSON; --json makes a line of JSON of each: {"message": ..., "position": N}.
    With that position, --after N goes on behind the message, in another terminal or on another host.

    The exit code is 1 when the task ended before it had sent N messages, 124 when none came within --timeout.
    """
    with target.client() as client:
        waits = follow or count is not None or timeout is not None
        handle = client.attach(id)
        stream = handle.stream(after, timeout=timeout if waits else 0)
        code = _print_messages(handle, stream, count, waits=waits, as_json=as_json)
    click.get_current_context().exit(code)


def _print_messages(
    handle: "RemoteTask[Any]", stream: "Stream", count: int | None, *, waits: bool, as_json: bool
) -> int:
    from taskpy import errors

    printed = 0
    while count is None or printed < count:
        try:
            message = next(stream)
        except StopIteration:
            if count is not None:
                screen.note(f"the task has ended ({handle.state}), and has sent {printed} of {count} messages")
            return 0 if count is None else exits.FAILED
        except errors.Empty:
            return exits.TIMED_OUT if waits else 0
        except (errors.MessagesMissed, errors.WireError) as error:
            screen.note(str(error))
            continue
        printed += 1
        if as_json:
            screen.line({"message": values.jsonable(message), "position": stream.position})
        else:
            screen.data(values.plain(message))
    return 0
