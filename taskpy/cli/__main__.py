"""The command `taskpy`: names its commands, and says what went wrong in one line."""

import sys

import click

import taskpy
from taskpy import errors
from taskpy.cli.demo import demo


class _Commands(click.Group):
    """Shows an error of taskpy as a message; a traceback is for bugs."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except errors.TaskpyError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(taskpy.__version__, prog_name="taskpy")
def commands() -> None:
    """Steerable background tasks: see them at work."""


commands.add_command(demo)


def main() -> None:
    """Run the command line."""
    sys.exit(commands(prog_name="taskpy"))


if __name__ == "__main__":
    main()
