"""The raw limits, as results of their own. The same verbs run before each sample of the other scenarios, smaller."""

from benchmarks.bench import Bench, Figures
from benchmarks.scenarios.scenario import Scenario
from benchmarks.systems import System

#: How often each verb of `drivers/raw.py` does it: alone, and as a calibration.
WHOLE = {"push": 10_000, "pingpong": 2_000, "pubsub": 1_000, "batch": 50_000, "single": 5_000, "pair": 50_000}
PART = {"push": 2_000, "pingpong": 400, "pubsub": 200, "rested": 40, "batch": 20_000, "single": 1_500, "pair": 20_000}


def _run(bench: Bench, system: System, pushes: int) -> Figures:
    found: Figures = {}
    for verb, n in WHOLE.items():
        bench.fresh()
        figures = bench.ask(system, system.setting("one"), verb, n=max(100, n * pushes // WHOLE["push"]))
        found |= {f"{verb}_{name}": value for name, value in figures.items()}
    return found


SCENARIOS = (Scenario("raw", "raw limits", _run, full=10_000, quick=4_000, wants="raw"),)
