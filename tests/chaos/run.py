"""One run: a world, its load, the faults, and what the oracles say in the end."""

import time

from tests.chaos import report, stopping
from tests.chaos.load import Loader
from tests.chaos.nemesis import Nemesis
from tests.chaos.oracle import Oracle, Watch
from tests.chaos.world import World

#: What all tasks may take to end after the last fault: a task that lost many workers waits long.
DRAIN_SECONDS = 90.0
#: A run that is to fail has something that never ends.
CONTROL_DRAIN_SECONDS = 25.0
#: What workers may take to forget those that were lost, in leases.
TIDY_LEASES = 20


def chaos(options, folder):
    """Break everything for a while; the figures."""
    world = World(options, folder)
    try:
        watch = Watch(world)
        for worker in [world.add_worker() for _ in range(options.workers)]:
            worker.ready()
        calm = stopping.latencies(world, rounds=4 if options.seconds >= 30 else 1)
        began = time.monotonic()
        loader = Loader(world, options.seed)
        nemesis = Nemesis(world, options.seed)
        nemesis.rage(options.seconds)
        loader.finish(CONTROL_DRAIN_SECONDS if options.control else DRAIN_SECONDS)
        oracle = Oracle(world, loader.loads, nemesis.faults, watch)
        oracle.check()
        if not oracle.wrong:  # what has not ended is still there, of course
            oracle.wrong += _tidied_up(world, oracle)
        watch.close()
        return report.gather(world, oracle, loader.loads, nemesis, calm=calm, seconds=time.monotonic() - began)
    finally:
        world.close()


def _tidied_up(world, oracle):
    deadline = time.monotonic() + world.lease * TIDY_LEASES
    while (left := oracle.leftovers()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left
