"""What is compared: taskpy, the raw limits, and the peers; each with its environment, its settings and its commands."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMESPACE = "bench"


@dataclass(frozen=True, slots=True)
class Setting:
    """How workers are run: commands with `{bin}` and `{url}` in them, and what is said about that."""

    commands: tuple[str, ...]
    text: str
    #: About how many no-op tasks a second: a drain takes as many tasks as it needs to last.
    pace: int = 1000
    #: How many processes run tasks.
    processes: int = 1
    #: What workers and clients find in BENCH_VARIANT.
    variant: str = "fast"


@dataclass(frozen=True, slots=True)
class System:
    """One system in one variant."""

    name: str
    variant: str
    driver: str
    python: Path
    #: By use: "one" process, the "best" setting, and "trip" and "stop" where these need another one.
    settings: Mapping[str, Setting]
    #: What goes before the installed packages.
    code: tuple[Path, ...] = ()
    has_bulk: bool = False
    has_stop: bool = False
    #: What it does less than the others, or needs to be read with.
    note: str = ""
    #: Which repository state it is, when two are compared.
    commit: str = ""
    requirements: tuple[str, ...] = field(default=())

    @property
    def label(self) -> str:
        """How tables call it."""
        return self.name if self.variant == "fast" else f"{self.name} ({self.variant})"

    @property
    def ours(self) -> bool:
        """Whether it is taskpy, in whatever state."""
        return self.driver == "taskpy"

    def setting(self, use: str) -> Setting:
        """The setting for a use."""
        return self.settings.get(use) or self.settings["one"]


def raw() -> System:
    """What redis-py can do without a queue."""
    return System("raw", "fast", "raw", Path(sys.executable), {"one": Setting((), "redis-py with hiredis")})


def _worker(options: str) -> str:
    return f"{{bin}}/taskpy-worker benchmarks.drivers.taskpy_tasks --url {{url}} --namespace {NAMESPACE} {options}"


def taskpy_worker(*, concurrency: int = 10, processes: int = 1, variant: str = "fast") -> Setting:
    """A real worker."""
    command = _worker(f"-c {concurrency} -p {processes} --log-level warning --alive-file {{marks}}/alive")
    text = f"taskpy-worker -c {concurrency} -p {processes}"
    return Setting((command,), text, pace=22000 if processes == 1 else 28000, processes=processes, variant=variant)


def taskpy(*, asynchronous: bool = False, code: Path = ROOT, name: str = "taskpy", processes: int = 2) -> System:
    """taskpy as it stands in a folder. It has one setting, which is safe from crashes."""
    variant = "async" if asynchronous else "fast"
    return System(
        name,
        variant,
        "taskpy",
        Path(sys.executable),
        {
            "one": taskpy_worker(variant=variant),
            "best": taskpy_worker(processes=processes, variant=variant),
        },
        code=(code, code / "worker"),
        has_bulk=True,
        has_stop=True,
        note="always safe from crashes",
    )
