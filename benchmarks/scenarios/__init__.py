"""What is measured, one file a subject; `ALL` has every scenario by its name, in the order in which they run."""

from benchmarks.scenarios import enqueue, growth, idle, raw, shards, steering, working
from benchmarks.scenarios.scenario import Scenario

ALL: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        *raw.SCENARIOS,
        *enqueue.SCENARIOS,
        *working.SCENARIOS,
        *steering.SCENARIOS,
        *idle.SCENARIOS,
        *growth.SCENARIOS,
        *shards.SCENARIOS,
    )
}
