"""`taskpy submit`: a task by its name, from a shell."""

from typing import Any

import click

from taskpy.cli import screen, values, wait
from taskpy.cli.moments import seconds
from taskpy.cli.target import Target, pass_target


@click.command(epilog='Example: taskpy submit myapp.tasks.crawl https://example.org depth=3 \'tags=["a", "b"]\' --wait')
@click.argument("name")
@click.argument("args", nargs=-1)
@click.option("-q", "--queue", metavar="QUEUE", help="The queue it goes to.  [default: default]")
@click.option("--delay", type=seconds, help="Begin no earlier than after so long: 90, 5m, 2h.")
@click.option("--retries", metavar="N", type=click.IntRange(0), help="How often it is run again after a failure.")
@click.option("--keep", type=seconds, help="How long its result is kept.  [default: 1h]")
@click.option("--key", metavar="KEY", help="One live task per key: see --on-conflict.")
@click.option(
    "--on-conflict",
    type=click.Choice(["reject", "join", "send", "replace"]),
    help="When another live task has the key: fail, name that one, or stop it and begin after its end.  [default: reject]",
)
@click.option("-w", "--wait", "waits", is_flag=True, help="Wait for its end, and print its result.")
@click.option("--timeout", type=seconds, help="With --wait: no longer than this.")
@screen.json_option
@pass_target
def submit(
    target: Target,
    /,
    *,
    name: str,
    args: tuple[str, ...],
    waits: bool,
    timeout: float | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Submit a task by its name, and print its id.

    Each of ARGS is JSON where it is JSON, else text; `key=value` is a keyword argument. A text that looks like something
    else is quoted as JSON: '"123"', '"a=b"'. Behind -- an argument may begin with a dash.
    """
    if timeout is not None and not waits:
        raise click.UsageError("--timeout is for --wait")
    positional, keywords = values.arguments(args)
    with target.client() as client:
        given = {option: value for option, value in options.items() if value is not None}
        handle = client.options(**given)(name, *positional, **keywords)
        handle.start()
        if waits:
            screen.note(f"submitted {handle.id}")
            wait.await_ends(client, [handle.id], timeout, as_json=as_json)
        elif as_json:
            where = {"name": name, "queue": options["queue"] or "default"}
            screen.document({"id": handle.id} | where | ({"joined": handle.joined} if options["key"] else {}))
        else:
            screen.data(handle.id)
