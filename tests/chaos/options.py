"""What a run is told: how long, which seed, what is taken out. Imports nothing of taskpy, so that a copy may stand in."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

CONTROLS = ("fence", "lease", "dedupe", "checkpoint-number", "turn")


@dataclass(frozen=True)
class Options:
    """The options of a run. Times are seconds."""

    seconds: float
    seed: int
    control: str | None
    outage: float | None
    json: Path | None
    workers: int = 3
    processes: int = 2
    concurrency: int = 3
    #: Short, so that a minute has many of them.
    lease: float = 1.5
    grace: float = 2.0

    @property
    def again(self) -> str:
        """The command that repeats it."""
        if self.outage is not None:
            return f"make chaos OUTAGE={self.outage:g}"
        control = f" CONTROL={self.control}" if self.control else ""
        return f"make chaos SECONDS={self.seconds:g} SEED={self.seed}{control}"


def read(arguments: list[str]) -> Options:
    """The options of a command line."""
    parser = argparse.ArgumentParser(prog="make chaos", description="Break everything at random, and look what holds.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long faults go on")
    parser.add_argument("--seed", type=int, default=None, help="decides which faults come when")
    parser.add_argument("--control", choices=CONTROLS, help="take this safety out: the run must fail")
    parser.add_argument("--outage", type=float, help="only this: the server is killed, and away for so long")
    parser.add_argument("--json", type=Path, help="where the figures go; else into the temporary folder")
    given = parser.parse_args(arguments)
    seed = int.from_bytes(os.urandom(3)) if given.seed is None else given.seed
    return Options(given.seconds, seed, given.control, given.outage, given.json)
