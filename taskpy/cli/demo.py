"""`taskpy demo`: real work on two workers, steered by a third process while it runs, with one worker killed.

Tells the story. What it runs on is in `demo_stage`, the work in `demo_tasks`, the third process in `demo_steering`, the
proof in `demo_checks`.
"""

import contextlib
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, Any

import click

from taskpy import RemoteTask
from taskpy.cli import demo_stage, demo_tasks
from taskpy.cli.demo_checks import Checks
from taskpy.cli.demo_screen import Screen
from taskpy.cli.demo_stage import DemoFailed, Stage
from taskpy.deadline import Deadline

#: The exit code of what a signal has ended.
INTERRUPTED = 130

Tasks = dict[str, RemoteTask[Any]]


@click.command()
def demo() -> None:
    """Run real work on two workers, steer it, kill one of them, and show that nothing was lost.

    Takes less than a minute. Uses a server, workers and a folder of its own, whatever the environment names, and
    leaves nothing behind.
    """
    screen = Screen()
    try:
        with Stage() as stage:
            Story(stage, screen).tell()
    except DemoFailed as failure:
        raise click.ClickException(str(failure)) from failure
    except KeyboardInterrupt:
        screen.say("ended", "before its time; nothing of it is left")
        sys.exit(INTERRUPTED)
    screen.say("done", "everything was ended and removed again")


class Story:
    """The demo, scene by scene."""

    def __init__(self, stage: Stage, screen: Screen) -> None:
        self._stage = stage
        self._say = screen.say
        self._title = screen.title

    def tell(self) -> None:
        """Tell all of it; raises `DemoFailed` when something is not as it should be."""
        python = ".".join(platform.python_version_tuple()[:2])
        self._title(f"Which names does the standard library of Python {python} use, and where?")
        self._present()
        with _Steerer() as steerer:
            steerer.wait_until_ready()
            tasks = self._submit()
            facts = self._steer(steerer, tasks)
        self._wait_for_all(tasks)
        self._check(Checks(self._stage.client, tasks, facts))

    def _present(self) -> None:
        self._say("server", f"{self._stage.server}, its own, on a unix socket in a temporary folder")
        self._stage.wait_until_ready()
        pids = " and ".join(str(worker.pid) for worker in self._stage.workers)
        self._say("workers", f"taskpy-worker, processes {pids}, each {demo_stage.CONCURRENCY} tasks at once")

    def _submit(self) -> Tasks:
        packages = demo_tasks.packages()
        handles = self._stage.client.submit_many(demo_tasks.index_package, [((name,), {}) for name in packages])
        files = sum(len(demo_tasks.files_of(name)) for name in packages)
        megabytes = sum(map(demo_tasks.size_of, packages)) / 1e6
        self._say("submit", f"{len(handles)} tasks, one a package: {files} files, {megabytes:.1f} MB of source")
        return dict(zip(packages, handles, strict=True))

    def _steer(self, steerer: "_Steerer", tasks: Tasks) -> dict[str, Any]:
        self._say("steer", f"process {steerer.pid} takes over: it has the ids, not the code")
        steerer.tell(
            {
                "url": self._stage.url,
                "namespace": demo_stage.NAMESPACE,
                "ids": [task.id for task in tasks.values()],
                "groups": {worker.number: worker.pid for worker in self._stage.workers},
            }
        )
        facts: dict[str, Any] | None = None
        for word, said in steerer.hear():
            if word == "facts":
                facts = said
            else:
                self._say(word, said)
        if facts is None:
            raise DemoFailed(steerer.complaint())
        return facts

    def _wait_for_all(self, tasks: Tasks) -> None:
        deadline = Deadline(demo_stage.PATIENCE_SECONDS)
        for package, task in tasks.items():
            if not task.wait(deadline.left()):
                raise DemoFailed(
                    f"{package} is {task.state} after {demo_stage.PATIENCE_SECONDS:g} s; it should have ended"
                )
        self._say("end", f"all {len(tasks)} tasks have ended")

    def _check(self, checks: Checks) -> None:
        bad = 0
        for check in checks.all():
            found = check()
            bad += not found.good
            self._say(found.word if found.good else "FAILED", found.found)
        if bad:
            raise DemoFailed(f"{bad} of {len(checks.all())} checks failed, see above")


class _Steerer:
    """The third process. It is there before there are tasks, so that it can begin with the first of them."""

    def __enter__(self) -> "_Steerer":
        command = [sys.executable, "-m", "taskpy.cli.demo_steering"]
        self._process = demo_stage.start(command, stdin=subprocess.PIPE, output=subprocess.PIPE, errors=subprocess.PIPE)
        return self

    def __exit__(self, *_: object) -> None:
        demo_stage.end(self._process)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with contextlib.suppress(BrokenPipeError):  # what was still to be told when a signal came
                _open(pipe).close()

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Wait until it listens: on a fast machine the tasks do not wait for it."""
        if not _open(self._process.stdout).readline():
            raise DemoFailed(self.complaint())

    def tell(self, told: dict[str, Any]) -> None:
        """Tell it what to do, once."""
        stdin = _open(self._process.stdin)
        with contextlib.suppress(BrokenPipeError):  # it has ended, and its complaint is read where nothing is heard
            stdin.write(json.dumps(told).encode())
            stdin.close()

    def hear(self) -> Iterator[tuple[str, Any]]:
        """What it says, as (word, said), until it ends."""
        for line in _open(self._process.stdout):
            word, said = json.loads(line)
            yield word, said

    def complaint(self) -> str:
        """What it wrote before it failed."""
        return _open(self._process.stderr).read().decode(errors="replace").strip()


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
