"""`taskpy server`: the local server, which runs where no Redis is named."""

import click

from taskpy.cli import exits, screen
from taskpy.settings import Settings


@click.group()
def server() -> None:
    """Look at the local server, or end it.

    It is started by the first process that needs one, where no Redis is named, and ends 30 s after the last.
    """


@server.command()
@screen.json_option
def status(*, as_json: bool) -> None:
    """Say whether it runs, and what it is. The exit code is 3 when it does not run."""
    from taskpy import embedded

    found = embedded.status(Settings.from_env().home)
    if as_json:
        names = ("running", "pid", "socket", "engine", "version", "program")
        screen.document({"home": str(found.home), **{name: getattr(found, name) for name in names}})
    elif found.running:
        screen.data(f"{found.engine} {found.version} runs: process {found.pid}, socket {found.socket}")
        screen.data(f"its data is in {found.home}, its program is {found.program}")
    else:
        screen.data(f"no local server runs; its data would be in {found.home}")
    if not found.running:
        click.get_current_context().exit(exits.NOT_FOUND)


@server.command()
def stop() -> None:
    """End it, whoever uses it. Its data is kept; the next process that needs it starts it again."""
    from taskpy import embedded

    home = Settings.from_env().home
    if embedded.stop(home):
        screen.note("It has ended; its data is kept.")
    else:
        screen.note("It did not run.")


@server.command()
def path() -> None:
    """Print the folder of its data."""
    from taskpy import embedded

    screen.data(str(embedded.status(Settings.from_env().home).home))
