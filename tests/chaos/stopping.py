"""How long a stop takes while nothing else is wrong: with pub/sub, and by heartbeat alone."""

from tests.system.waiting import until

TASKS = 12


def latencies(world, *, rounds):
    """Seconds from an accepted stop to the end of the task, as the server tells the time."""
    found = {"alive": [], "cut": []}
    for name, times in found.items():
        for _ in range(rounds):
            tasks = [world.client.submit("chaotic.polite") for _ in range(TASKS)]
            begun = {task.id for task in tasks}
            until(lambda begun=begun: begun <= world.ledger.started(), "the tasks to begin")
            world.proxy.deaf = name == "cut"
            try:
                for task in tasks:
                    times.append(_stopped(world, task.id))
            finally:
                world.proxy.deaf = False
    return found


def _stopped(world, id):
    task = world.direct.attach(id)
    task.stop(join=False)
    asked = world.direct.namespace().clock
    until(lambda: task.done, "the task to stop")
    return max(0.0, task.snapshot().ended - asked)
