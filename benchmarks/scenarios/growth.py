"""Whether a task costs more where there are many: queued ones, and ones that wait."""

from benchmarks.bench import Bench, Figures
from benchmarks.scenarios.scenario import Scenario
from benchmarks.systems import System, taskpy_worker

#: How many tasks are measured at each depth.
MEASURED = 10_000
#: Free slots beside those that wait.
FREE = 10


def _depth(bench: Bench, system: System, deepest: int) -> Figures:
    found: Figures = {}
    setting = system.setting("one")
    measured = max(100, min(MEASURED, deepest // 8))
    for depth in sorted({100, deepest} | ({MEASURED} if deepest > 10 * MEASURED else set())):
        bench.fresh()
        with bench.workers(system, setting) as [worker]:
            numbers = {"queued": depth, "measured": measured}
            figures = bench.ask(system, setting, "depth", worker=worker.pid, server=bench.server.pid, **numbers)
        found[f"cpu_us_at_{depth}"] = figures["cpu_us"]
    return found | {"growth": found[f"cpu_us_at_{deepest}"] / found["cpu_us_at_100"]}


def _waiting(bench: Bench, system: System, most: int) -> Figures:
    found: Figures = {}
    for waiting in sorted({10, min(1000, most), most}):
        bench.fresh()
        setting = taskpy_worker(concurrency=waiting + FREE, variant="async")
        with bench.workers(system, setting) as [worker]:
            numbers = {"waiting": waiting, "measured": min(MEASURED, most)}
            figures = bench.ask(system, setting, "waiting", worker=worker.pid, server=bench.server.pid, **numbers)
        found |= {f"{name}_at_{waiting}": value for name, value in figures.items()}
    return found | {"growth": found[f"cpu_us_at_{most}"] / found["cpu_us_at_10"]}


SCENARIOS = (
    Scenario("depth", "CPU for each task by how many are queued", _depth, 1_000_000, 20_000, wants="ours", slow=True),
    Scenario("waiting", "CPU for each task by how many wait", _waiting, 10_000, 1_000, wants="ours", slow=True),
)
