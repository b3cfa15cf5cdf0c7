"""`taskpy logs`: the log records of a task."""

import click

from taskpy.cli import reports, screen
from taskpy.cli.target import Target, pass_target


@click.command()
@click.argument("id")
@click.option("-f", "--follow", is_flag=True, help="Go on until the task ends.")
@screen.json_option
@pass_target
def logs(target: Target, /, *, id: str, follow: bool, as_json: bool) -> None:
    """Print the log records of a task, from the oldest that is kept: the last 1,000, over all its attempts.

    --json makes a line of JSON of each: {"time", "level", "logger", "text"}.
    """
    with target.client() as client:
        for line in client.attach(id).logs(follow=follow):
            if as_json:
                screen.line(reports.line_fields(line))
            else:
                screen.data(reports.log_text(line, colours=screen.has_colours()))
