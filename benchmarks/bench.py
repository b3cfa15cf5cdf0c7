"""One run's stage: the server, and the processes of whatever system is measured. Everything ends with it."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.processes import Failed, Group, Speaker
from benchmarks.server import Server
from benchmarks.systems import ROOT, Setting, System

Figures = dict[str, float]

#: Verbs that only taskpy has: they stand in `drivers/steering.py`.
STEERING = frozenset({"send", "stream", "depth", "waiting"})
#: What the harness's own environment may say about Redis and taskpy is not for the systems.
FOREIGN = ("TASKPY_", "REDIS_", "BENCH_", "PYTHONPATH")


class Bench:
    """The stage. Enter it to start the server."""

    def __init__(self, *, seconds: float = 120.0) -> None:
        #: How long one measurement may take.
        self.seconds = seconds
        self.folder = Path(tempfile.mkdtemp(prefix="taskpy-bench-"))
        self.marks = self.folder / "marks"
        self.log = self.folder / "log"
        # Nothing but the harness is importable from here: which taskpy is measured, PYTHONPATH says.
        self.stage = self.folder / "stage"
        self.stage.mkdir()
        (self.stage / "benchmarks").symlink_to(ROOT / "benchmarks")
        self._elsewhere: dict[str, str] = {}

    def __enter__(self) -> Self:
        try:
            self.server = Server(self.folder)
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.server.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def fresh(self) -> None:
        """Forget the last sample."""
        self.server.clear()
        shutil.rmtree(self.marks, ignore_errors=True)
        self.marks.mkdir()
        self.log.write_bytes(b"")

    def _environment(self, system: System, setting: Setting) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        path = os.pathsep.join(str(folder) for folder in (self.stage, *system.code))
        ours = {"BENCH_URL": self.server.url, "BENCH_MARKS": str(self.marks), "BENCH_VARIANT": setting.variant}
        return kept | ours | {"PYTHONPATH": path} | self._elsewhere

    @contextlib.contextmanager
    def elsewhere(self, url: str, **variables: str) -> Iterator[None]:
        """Have the system's processes use another server meanwhile, and see these variables."""
        self._elsewhere = {"BENCH_URL": url} | variables
        try:
            yield
        finally:
            self._elsewhere = {}

    @contextlib.contextmanager
    def workers(self, system: System, setting: Setting) -> Iterator[list[Group]]:
        """Run its workers meanwhile; they are started, and not waited for."""
        groups: list[Group] = []
        port = self.server.url.rpartition(":")[2].split("/")[0]
        try:
            for command in setting.commands:
                url = self._elsewhere.get("BENCH_URL", self.server.url)
                filled = command.format(bin=system.python.parent, url=url, marks=self.marks, port=port)
                environment = self._environment(system, setting)
                groups.append(Group(filled.split(), log=self.log, env=environment, cwd=self.stage))
            yield groups
        finally:
            for group in groups:
                group.kill()  # the server is emptied next, so nobody needs to give anything back

    @contextlib.contextmanager
    def client(self, system: System, setting: Setting, verb: str, **numbers: int) -> Iterator[Speaker]:
        """Have its driver do something meanwhile."""
        given = [f"{name}={value}" for name, value in numbers.items()]
        module = "steering" if verb in STEERING else system.driver
        command = [str(system.python), "-m", "benchmarks.drivers", module, verb, *given]
        environment = self._environment(system, setting)
        speaker = Speaker(command, log=self.log, env=environment, cwd=self.stage, seconds=self.seconds)
        try:
            yield speaker
        finally:
            speaker.end()

    def ask(self, system: System, setting: Setting, verb: str, **numbers: int) -> Figures:
        """Have its driver do something; what came of it."""
        with self.client(system, setting, verb, **numbers) as client:
            return figures_of(client.hear())


def figures_of(said: dict[str, Any]) -> Figures:
    """The figures in what a driver says."""
    if "figures" not in said:
        raise Failed(f"no figures: {said}")
    return {name: float(value) for name, value in said["figures"].items()}
