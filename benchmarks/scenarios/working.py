"""Working off what is queued, and round trips."""

from benchmarks.bench import Bench, Figures, figures_of
from benchmarks.scenarios.raw import PART
from benchmarks.scenarios.scenario import Scenario
from benchmarks.systems import System

CONSUMERS = {"batch": PART["batch"], "single": PART["single"]}


def _drained(bench: Bench, system: System, use: str, verb: str, **numbers: int) -> Figures:
    """Fill the queue, then start the workers: whoever fills does not compete with them."""
    setting = system.setting(use)
    with bench.client(system, setting, verb, **numbers) as client:
        client.hear()  # the queue is full
        with bench.workers(system, setting):
            return figures_of(client.hear())


def _drain(bench: Bench, system: System, n: int) -> Figures:
    return _drained(bench, system, "one", "drain", n=n)


def _best(bench: Bench, system: System, n: int) -> Figures:
    return _drained(bench, system, "best", "drain", n=n, processes=system.setting("best").processes)


def _reading(bench: Bench, system: System, n: int) -> Figures:
    return _drained(bench, system, "one", "reading", n=n)


def _roundtrip(bench: Bench, system: System, n: int) -> Figures:
    setting = system.setting("trip")
    with bench.workers(system, setting):
        return bench.ask(system, setting, "roundtrip", n=n)


SCENARIOS = (
    Scenario(
        "drain", "drain, one worker process", _drain, 4, 1, calibration=CONSUMERS, coroutines=True, in_seconds=True
    ),
    Scenario(
        "best", "drain, best setting", _best, 5, 1, calibration=CONSUMERS, use="best", coroutines=True, in_seconds=True
    ),
    Scenario("reading", "drain while all results are read", _reading, 20_000, 5_000, "ours", CONSUMERS),
    Scenario(
        "roundtrip", "submit to result", _roundtrip, 500, 200, use="trip", calibration={"pingpong": PART["pingpong"]}
    ),
)
