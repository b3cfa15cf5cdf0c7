"""What shards bring on a Cluster of three local nodes: the same work with 1, 3 and 12, by 1 and by 2 worker processes.

All of it shares the cores of this machine, so the ratios say what shards cost and bring *here*; where each node has a core of
its own, they can only be better.
"""

from benchmarks.bench import Bench, Figures, figures_of
from benchmarks.cluster import Cluster
from benchmarks.scenarios.scenario import Scenario
from benchmarks.systems import System, taskpy_worker

COUNTS = (1, 3, 12)
PROCESSES = (1, 2)


def _shards(bench: Bench, system: System, n: int) -> Figures:
    found: Figures = {}
    with Cluster(bench.server.program, bench.folder) as cluster:
        for shards in COUNTS:
            with bench.elsewhere(cluster.url, TASKPY_SHARDS=str(shards)):
                setting = system.setting("one")
                for verb in ("enqueue", "bulk"):
                    cluster.clear()
                    found[f"{verb}_{shards}"] = bench.ask(system, setting, verb, n=n // 10)["per_second"]
                for processes in PROCESSES:
                    cluster.clear()
                    bench.fresh()
                    setting = taskpy_worker(processes=processes)
                    with bench.client(system, setting, "drain", n=n, processes=processes) as client:
                        client.hear()  # the queues are full
                        with bench.workers(system, setting):
                            figures = figures_of(client.hear())
                    found[f"drain_{shards}_by_{processes}"] = figures["per_second"]
    return found | _ratios(found)


def _ratios(found: Figures) -> Figures:
    """Each figure of several shards, in times that of one."""
    ratios: Figures = {}
    for name, value in found.items():
        verb, shards, *by = name.split("_")
        one = found["_".join([verb, str(COUNTS[0]), *by])]
        if int(shards) != COUNTS[0] and one:
            ratios[f"{name}_times"] = value / one
    return ratios


SCENARIOS = (
    Scenario("shards", "1, 3 and 12 shards on three nodes", _shards, 100_000, 10_000, wants="ours", slow=True),
)
