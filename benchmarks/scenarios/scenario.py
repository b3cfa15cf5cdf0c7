"""What a scenario is: what it measures, at which systems, with which raw limit beside it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.bench import Bench, Figures
from benchmarks.systems import System

#: Which systems a scenario is for.
Wants = Literal["raw", "all", "bulk", "stop", "ours"]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing to measure. `run` gets the stage, cleared, the system, and the size."""

    name: str
    what: str
    run: Callable[[Bench, System, int], Figures]
    #: How large a full and a quick one are: tasks, trips, or seconds times the system's pace.
    full: int
    quick: int
    wants: Wants = "all"
    #: Verbs of `drivers/raw.py` that run right before each sample, and how often each.
    calibration: dict[str, int] = field(default_factory=dict)
    #: Which setting of the system it uses; "client" where no worker runs.
    use: str = "one"
    #: Whether taskpy's `async def` tasks are measured, too.
    coroutines: bool = False
    #: Whether it takes so long that a quick run does it only once.
    slow: bool = False
    #: Whether the size is seconds, for which the system's pace has the tasks.
    in_seconds: bool = False

    def takes(self, system: System) -> bool:
        """Whether it is for this system."""
        if system.variant == "async" and not self.coroutines:
            return False
        return {
            "raw": system.name == "raw",
            "all": system.name != "raw",
            "bulk": system.has_bulk,
            "stop": system.has_stop,
            "ours": system.ours,
        }[self.wants]

    def repetitions(self, wanted: int, *, quick: bool) -> int:
        """How often it is measured."""
        return 1 if quick and self.slow else wanted

    def size(self, system: System, *, quick: bool, tasks: int | None) -> int:
        """How large a sample of this system is."""
        if tasks is not None:
            return tasks
        size = self.quick if quick else self.full
        return size * system.setting(self.use).pace if self.in_seconds else size
