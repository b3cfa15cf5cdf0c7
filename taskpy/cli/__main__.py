"""The command `taskpy`: names its commands, and turns errors into a message and an exit code.

A command's module is imported when it is used: nobody waits for redis to see the help.
"""

import importlib
import sys
from collections.abc import Mapping

import click

import taskpy
from taskpy import errors
from taskpy.cli import exits
from taskpy.cli.target import Target, checked_url
from taskpy.cli.text import clean

#: The commands, by what they are about: name, its module in this package, and what it does in a few words.
SECTIONS: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "Tasks": (
        ("submit", "submit", "Submit a task by its name."),
        ("ls", "listing", "List tasks, the newest first."),
        ("show", "show", "Show all that is known of a task."),
        ("tree", "tree", "Show a task and all that it has spawned."),
        ("wait", "wait", "Wait for tasks to end, and print their results."),
    ),
    "Steering": (
        ("attach", "attach", "Follow what a task sends, and type into its inbox."),
        ("send", "mail", "Send a value to a task."),
        ("recv", "mail", "Print what a task sends."),
        ("logs", "logs", "Print the log records of a task."),
        ("ask", "ask", "Ask a task, and print its answer."),
        ("answer", "ask", "Answer what a task asks."),
        ("pause", "pause", "Let tasks stand still at their next safe point."),
        ("resume", "pause", "Let paused tasks go on."),
        ("stop", "stop", "Ask tasks to stop, and wait for their end."),
    ),
    "Failures": (
        ("retry", "dead", "Submit a failed task again, as a new one."),
        ("dead", "dead", "List, revive and delete failed tasks."),
    ),
    "Operating": (
        ("queues", "queues", "List, pause, resume and purge queues."),
        ("workers", "workers", "List the worker processes."),
        ("server", "server", "Look at the local server, or end it."),
        ("doctor", "doctor", "Check whether everything is well, and say what to do."),
    ),
    "More": (
        ("demo", "demo", "Run real work on two workers, steer it, kill one of them."),
        ("completion", "completion", "Print what makes a shell complete these commands."),
    ),
}

_MODULES = {name: module for commands in SECTIONS.values() for name, module, _ in commands}
#: How an error of taskpy ends the command; the first class that fits counts.
_EXITS: tuple[tuple[tuple[type[errors.TaskpyError], ...], int], ...] = (
    ((errors.TaskNotFound,), exits.NOT_FOUND),
    ((errors.BrokerError, errors.ServerError), exits.UNREACHABLE),
    ((errors.SpecError,), exits.USAGE),
    ((errors.TaskTimeout, errors.Empty, errors.Full, errors.NoAnswer), exits.TIMED_OUT),
)


def _exit_of(error: errors.TaskpyError) -> int:
    return next((code for classes, code in _EXITS if isinstance(error, classes)), exits.FAILED)


class Commands(click.Group):
    """The commands, by sections and imported late."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in the order of the help."""
        del ctx
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in _MODULES:
            return None
        command: click.Command = getattr(importlib.import_module(f"taskpy.cli.{_MODULES[cmd_name]}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by sections."""
        del ctx
        longest = max(map(len, _MODULES))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(longest), text) for name, _, text in commands])

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; what it raises becomes a message and an exit code."""
        try:
            return super().invoke(ctx)
        except errors.TaskpyError as error:
            click.echo(f"Error: {clean(str(error), lines=True)}", err=True)
            raise click.exceptions.Exit(_exit_of(error)) from error
        except click.NoSuchOption as error:
            if error.option_name in {"--url", "--namespace"} and error.ctx is not None:
                where = f"taskpy {error.option_name} ... {error.ctx.command_path.partition(' ')[2]}"
                raise click.UsageError(f"{error.option_name} stands before the command: {where}") from error
            raise
        except (KeyboardInterrupt, click.Abort) as error:
            click.echo(err=True)
            raise click.exceptions.Exit(exits.INTERRUPTED) from error


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=exits.EXPLAINED,
    options_metavar="[--url URL] [--namespace NAME]",
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.option(
    "--url",
    metavar="URL",
    callback=checked_url,
    help="Where Redis is.  [default: TASKPY_REDIS_URL, REDIS_URL, else a local server]",
)
@click.option("--namespace", metavar="NAME", help="Which tasks there.  [default: TASKPY_NAMESPACE, else taskpy]")
@click.version_option(taskpy.__version__, prog_name="taskpy")
@click.pass_context
def commands(ctx: click.Context, *, url: str | None, namespace: str | None) -> None:
    """Submit tasks, and steer them while they run, from any host."""
    ctx.obj = Target(url, namespace)


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # what others wrote must not end us
    sys.exit(commands(prog_name="taskpy"))


if __name__ == "__main__":
    main()
