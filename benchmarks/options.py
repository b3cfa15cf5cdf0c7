"""What a run is told on its command line."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.systems import ROOT

RESULTS = ROOT / "benchmarks" / "results" / "latest.json"
#: Those that a quick run takes along: the fastest ones.
QUICK_PEERS = ("huey", "dramatiq")
QUICK_VARIANTS = ("fast", "async")


@dataclass(frozen=True)
class Options:
    """The options of a run; None is everything."""

    scenarios: tuple[str, ...] | None
    peers: tuple[str, ...] | None
    variants: tuple[str, ...] | None
    quick: bool
    repetitions: int
    tasks: int | None
    base: str | None
    json: Path | None
    picture: bool
    report: bool


def words(text: str) -> tuple[str, ...]:
    """The words of a list with commas or spaces."""
    return tuple(text.replace(",", " ").split())


def read(arguments: Sequence[str], known: Sequence[str]) -> Options:
    """The options of a command line; ends the program when they make no sense."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="taskpy and the others, side by side.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"which; else all: {' '.join(known)}")
    parser.add_argument("--only", type=words, default=(), help="the same, as a list with commas")
    parser.add_argument("--peers", type=words, help="which of the others; 'none' for taskpy alone")
    parser.add_argument("--variants", type=words, help="which variants: fast, safe, async")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer, in less than five minutes")
    parser.add_argument("--repetitions", type=int, help="how often each is measured (3; quick: 2)")
    parser.add_argument("--tasks", type=int, help="the size of each sample, instead of what each has")
    parser.add_argument("--base", help="a commit to compare with; then nobody else, unless --peers names them")
    parser.add_argument("--json", type=Path, help="where the results go (a full run: benchmarks/results/latest.json)")
    parser.add_argument("--report", action="store_true", help="measure nothing: show the results that are there")
    given = parser.parse_args(arguments)
    scenarios = (*given.scenarios, *given.only) or None
    for name in scenarios or ():
        if name not in known:
            parser.error(f"there is no scenario {name!r}; there are: {' '.join(known)}")
    whole = not (given.quick or scenarios or given.peers or given.variants or given.base or given.tasks)
    peers = given.peers or (("none",) if given.base else QUICK_PEERS if given.quick else None)
    variants = given.variants or (QUICK_VARIANTS if given.quick else None)
    return Options(
        scenarios=scenarios,
        peers=() if peers == ("none",) else peers,
        variants=variants,
        quick=given.quick,
        repetitions=given.repetitions or (2 if given.quick else 3),
        tasks=given.tasks,
        base=given.base or None,
        json=given.json or (RESULTS if whole or given.report else None),
        picture=whole or given.report,
        report=given.report,
    )
