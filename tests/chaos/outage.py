"""The server is killed and is away for long: what runs goes on, and not one function is started again for it."""

import time
from collections import Counter

from tests.chaos import report
from tests.chaos.world import World
from tests.system.waiting import until

#: Tasks of each kind; both end long after the server is back.
TASKS = 6
MESSAGES = 10


def outage(options, folder, *, lease):
    """Kill the server under running tasks, and start it again after `options.outage` seconds; the figures."""
    world = World(options, folder, lease=lease)
    try:
        for worker in [world.add_worker() for _ in range(options.workers)]:
            worker.ready()
        working = [world.client.submit("chaotic.work", options.outage + 2 * lease) for _ in range(TASKS)]
        folding = [world.client.submit("chaotic.fold", MESSAGES, 1) for _ in range(TASKS)]
        ids = {task.id for task in working + folding}
        until(lambda: ids <= world.ledger.started(), "the tasks to begin")
        _send(folding, range(MESSAGES // 2))

        world.server.kill()
        time.sleep(options.outage)
        world.server.start()
        back = time.monotonic()
        echo = world.client.submit("chaotic.work", 0.0)
        echo.get(60)
        served = time.monotonic() - back

        _send(folding, range(MESSAGES // 2, MESSAGES))
        wrong = [f"{task.id} has ended as {task.state}" for task in working + folding if not _succeeded(task)]
        starts = Counter(entry.id for entry in world.ledger.starts())
        wrong += [f"{id} was started {count} times" for id, count in starts.items() if count != 1]
        lost = sum(task.snapshot().lost for task in working + folding)
        return {
            "outage": options.outage,
            "lease": lease,
            "versions": report.versions(world),
            "tasks": len(ids),
            "extra starts": sum(starts.values()) - len(starts),
            "workers taken for lost": lost,
            "first task served after": round(served, 3),
            "wrong": wrong,
        }
    finally:
        world.close()


def _send(tasks, numbers):
    for task in tasks:
        for number in numbers:
            task.send([0, number], timeout=60)


def _succeeded(task):
    task.wait(120)
    return task.state == "succeeded"
