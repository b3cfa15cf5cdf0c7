"""The command `taskpy-worker`: reads its options, and runs the supervisor."""

import sys
from typing import Any

import click
from click.core import ParameterSource

import taskpy
from taskpy import address, errors, spec
from taskpy.settings import Settings
from taskpy_worker import log
from taskpy_worker.config import WorkerConfig
from taskpy_worker.supervisor import Supervisor

#: Exit codes: 2 is click's own for wrong usage.
UNREACHABLE = 4


@click.command(context_settings={"auto_envvar_prefix": "TASKPY", "show_default": True})
@click.argument("modules", nargs=-1, required=True)
@click.option(
    "-q",
    "--queue",
    "queues",
    multiple=True,
    default=(spec.DEFAULT_QUEUE,),
    help="Serve this queue; may be repeated, first is served first.",
)
@click.option("-c", "--concurrency", type=click.IntRange(1), default=10, help="Tasks at once in each child process.")
@click.option("-p", "--processes", type=click.IntRange(1), default=1, help="Child processes.")
@click.option("--url", envvar="TASKPY_REDIS_URL", help="Where Redis is; without it REDIS_URL, else a local server.")
@click.option("--namespace", default=None, help="The namespace to serve.  [default: taskpy]")
@click.option("--grace", type=click.FloatRange(0), default=30.0, help="Seconds that running tasks get at a shutdown.")
@click.option(
    "--lease",
    type=click.FloatRange(0.1),
    default=None,
    help="Seconds after which a silent worker counts as lost; the same for all of a namespace.  [default: 15]",
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
@click.version_option(taskpy.__version__, prog_name="taskpy-worker")
@click.pass_context
def main(
    context: click.Context, /, modules: tuple[str, ...], namespace: str | None, log_level: str, **options: Any
) -> None:
    """Run the tasks that MODULES define: `package.module`, or `package.module:function` for one plain function.

    The first SIGTERM or Ctrl-C drains: nothing new is claimed, running tasks get their grace time and are then given
    back. The second one gives everything back and ends at once.
    """
    log.set_up(log_level)
    if context.get_parameter_source("url") is ParameterSource.COMMANDLINE and address.has_password(options["url"]):
        raise click.UsageError("a password on the command line shows in the process list; use TASKPY_REDIS_URL instead")
    try:
        config = WorkerConfig(
            modules=modules, namespace=namespace or Settings.from_env().namespace, log_level=log_level, **options
        )
        sys.exit(Supervisor(config).run())
    except errors.SpecError as error:
        raise click.UsageError(str(error)) from error
    except (errors.BrokerError, errors.ServerError) as error:
        click.echo(f"taskpy-worker: {error}", err=True)
        sys.exit(UNREACHABLE)


if __name__ == "__main__":
    main(prog_name="taskpy-worker")
