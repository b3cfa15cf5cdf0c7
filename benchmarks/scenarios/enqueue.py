"""Putting tasks into a queue, with no worker there; and what that costs in Redis."""

from benchmarks.bench import Bench, Figures
from benchmarks.scenarios.raw import PART
from benchmarks.scenarios.scenario import Scenario
from benchmarks.systems import System


def _single(bench: Bench, system: System, n: int) -> Figures:
    return bench.ask(system, system.setting("one"), "enqueue", n=n)


def _bulk(bench: Bench, system: System, n: int) -> Figures:
    return bench.ask(system, system.setting("one"), "bulk", n=n)


def _memory(bench: Bench, system: System, n: int) -> Figures:
    bench.ask(system, system.setting("one"), "fill", n=1000)  # what is there once, however many tasks there are
    before = _used(bench)
    bench.ask(system, system.setting("one"), "fill", n=n)
    return {"bytes_per_task": (_used(bench) - before) / n}


def _used(bench: Bench) -> int:
    return int(bench.server.redis.info("memory")["used_memory_dataset"])


SCENARIOS = (
    Scenario(
        "enqueue", "submit, one call each", _single, 5_000, 2_000, use="client", calibration={"push": PART["push"]}
    ),
    Scenario("bulk", "submit many", _bulk, 20_000, 10_000, "bulk", use="client", calibration={"push": PART["push"]}),
    Scenario("memory", "memory of Redis for each queued task", _memory, 20_000, 5_000, "ours", use="client"),
)
