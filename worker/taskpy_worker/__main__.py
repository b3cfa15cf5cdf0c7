"""The command `taskpy-worker`: reads its options, and runs the supervisor."""

import sys
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

import taskpy
from taskpy import address, errors, spec
from taskpy.settings import Settings
from taskpy.shards import MOST
from taskpy_worker import log
from taskpy_worker.config import WorkerConfig
from taskpy_worker.liveness import Liveness, default_file, not_ready
from taskpy_worker.supervisor import Supervisor

#: Exit codes: 2 is click's own for wrong usage.
UNREACHABLE = 4
UNHEALTHY = 5


def read_shards(text: str) -> tuple[int, ...]:
    """Read which shards to serve, as in `0,3,5-7`; none: all."""
    if text.strip() == "all":
        return ()
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise click.BadParameter(f"{part.strip()!r} is no shard, nor a range of them: all, or as in 0,3,5-7")
        found.update(range(int(first), min(int(last or first), MOST) + 1))
    if not found or max(found) >= MOST:
        raise click.BadParameter(f"shards are numbered from 0 on, and there are at most {MOST}")
    return tuple(sorted(found))


@click.command(
    context_settings={
        "auto_envvar_prefix": "TASKPY",
        "help_option_names": ["-h", "--help"],
        "show_default": True,
        "max_content_width": 100,
    },
    epilog="Every option can come from the environment, as TASKPY_CONCURRENCY=20 or TASKPY_BURST=1 do; the modules as "
    "TASKPY_MODULES, the queues as TASKPY_QUEUES, --url as TASKPY_REDIS_URL.",
)
@click.argument("modules", nargs=-1, envvar="TASKPY_MODULES")
@click.option(
    "-q",
    "--queue",
    "queues",
    multiple=True,
    default=(spec.DEFAULT_QUEUE,),
    help="Serve this queue; may be repeated: the first is served first, or by chance with weights (high:3 low:1).",
)
@click.option("-c", "--concurrency", type=click.IntRange(1), default=10, help="Tasks at once in each child process.")
@click.option("-p", "--processes", type=click.IntRange(1), default=1, help="Child processes.")
@click.option(
    "--url",
    envvar="TASKPY_REDIS_URL",
    help="Where Redis is.  [default: TASKPY_REDIS_URL, REDIS_URL, else a local server]",
)
@click.option("--namespace", default=None, help="The namespace to serve.  [default: taskpy]")
@click.option(
    "--shards",
    "serve_shards",
    default="all",
    callback=lambda _context, _option, text: read_shards(text),
    help="Serve these shards of a namespace that is cut into some (TASKPY_SHARDS): all, or as in 0,3,5-7.",
)
@click.option("--grace", type=click.FloatRange(0), default=30.0, help="Seconds that running tasks get at a shutdown.")
@click.option(
    "--lease",
    type=click.FloatRange(0.1),
    default=None,
    help="Seconds after which a silent worker counts as lost; the same for all of a namespace.  [default: 15]",
)
@click.option("--burst", is_flag=True, help="End when the queues are empty.")
@click.option(
    "--max-tasks-per-child",
    "max_tasks",
    envvar="TASKPY_MAX_TASKS_PER_CHILD",
    type=click.IntRange(0),
    default=0,
    help="Replace a child after so many tasks; 0: never.",
)
@click.option("--reload", is_flag=True, help="Replace the children when a source file in this folder changes.")
@click.option(
    "--alive-file",
    type=click.Path(dir_okay=False),
    default=str(default_file()),
    help="The file that says that this worker lives.",
)
@click.option(
    "--check", is_flag=True, help="Only say, by the exit code, whether the worker of the file lives (0) or not (5)."
)
@click.option(
    "--ready", is_flag=True, help="Only say whether it lives, Redis answers and knows its processes (0), or not (5)."
)
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
@click.version_option(taskpy.__version__, prog_name="taskpy-worker")
@click.pass_context
def main(
    context: click.Context,
    /,
    *,
    modules: tuple[str, ...],
    namespace: str | None,
    check: bool,
    ready: bool,
    **options: Any,
) -> None:
    """Run the tasks that MODULES define: `package.module`, or `package.module:function` for one plain function.

    The first SIGTERM or Ctrl-C drains: nothing new is claimed, running tasks get their grace time and are then given
    back. The second one gives everything back and ends at once.

    Exit codes: 0 ended as told, 1 the tasks cannot be imported, 2 wrong usage, 4 Redis cannot be reached or used, 5 not
    alive or not ready.
    """
    if check:
        _tell(Liveness(Path(options["alive_file"])).problem())
    if context.get_parameter_source("url") is ParameterSource.ENVIRONMENT:
        options["url"] = None  # it is found there again, by a name that the log can tell
    elif options["url"] and address.has_password(options["url"]):
        raise click.UsageError("a password on the command line shows in the process list; use TASKPY_REDIS_URL instead")
    try:
        settings = Settings.from_env()
        config = WorkerConfig(
            modules=modules, namespace=namespace or settings.namespace, shards=settings.shards or 0, **options
        )
        if ready:
            _tell(not_ready(config))
        if not modules:
            raise click.UsageError("name the modules that define the tasks: taskpy-worker myapp.tasks")
        log.set_up(config.log_level, config.log_format)
        sys.exit(Supervisor(config).run())
    except errors.SpecError as error:
        raise click.UsageError(str(error)) from error
    except (errors.BrokerError, errors.ServerError) as error:
        click.echo(f"taskpy-worker: {error}", err=True)
        sys.exit(UNREACHABLE)


def _tell(problem: str | None) -> NoReturn:
    if problem is not None:
        click.echo(f"taskpy-worker: {problem}", err=True)
    sys.exit(0 if problem is None else UNHEALTHY)


if __name__ == "__main__":
    main(prog_name="taskpy-worker")
