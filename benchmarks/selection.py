"""Which systems and scenarios a run has."""

import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks import peers, systems
from benchmarks.options import Options
from benchmarks.scenarios import ALL
from benchmarks.scenarios.scenario import Scenario
from benchmarks.systems import System


class Unknown(Exception):
    """Something was named that there is not."""


def scenarios(options: Options) -> list[Scenario]:
    """The scenarios that were named, in the order in which they run."""
    return [ALL[name] for name in ALL if options.scenarios is None or name in options.scenarios]


def chosen(options: Options, base: Path | None = None, known: Sequence[System] = peers.ALL) -> list[System]:
    """The systems: the raw limits, taskpy, what it is compared with, and the peers that were named."""
    names = {system.name for system in known}
    if missing := set(options.peers or ()) - names:
        raise Unknown(f"there is no {', '.join(sorted(missing))}; there are: {' '.join(sorted(names))}")
    wanted = [system for system in known if options.peers is None or system.name in options.peers]
    found = [systems.raw(), *ours(base), *wanted]
    return [system for system in found if options.variants is None or system.variant in options.variants]


def ours(base: Path | None = None) -> list[System]:
    """taskpy, with plain functions and with coroutines; each beside the same of another commit, if there is one."""
    processes = max(2, os.cpu_count() or 2)
    folders = {"taskpy": systems.ROOT} | ({"base": base} if base else {})
    return [
        systems.taskpy(code=code, name=name, asynchronous=asynchronous, processes=processes)
        for asynchronous in (False, True)
        for name, code in folders.items()
    ]
