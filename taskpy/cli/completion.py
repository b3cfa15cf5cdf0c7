"""`taskpy completion`: the script that makes a shell complete these commands."""

import click
from click.shell_completion import get_completion_class

from taskpy.cli import screen


@click.command(epilog='Example, for ~/.bashrc: eval "$(taskpy completion bash)"')
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(*, shell: str) -> None:
    """Print the script that makes SHELL complete these commands, for its start file."""
    found = get_completion_class(shell)
    assert found is not None
    root = click.get_current_context().find_root()
    source = found(root.command, {}, "taskpy", "_TASKPY_COMPLETE")
    screen.data(source.source_template % source.source_vars())
