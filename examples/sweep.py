"""Fifty simulations look for the lowest place of a landscape. After each round the worse half of them is stopped.

taskpy-worker sweep --concurrency 60      the worker: fifty of its slots are for the simulations, and one for the sweep
python sweep.py 2                         rounds of 2 s: prints its id, what is left after each, and at last the place
python sweep.py 60                        rounds of a minute, so that there is time for the other terminal:
taskpy tree ID                            the sweep and its simulations
taskpy stop --tree ID --reason "enough"   stop all of them

However the sweep ends, its simulations end with it. The landscape is Rastrigin's function, which is 0 at [0, 0, 0, 0].
"""

import sys
from math import cos, exp, pi
from random import Random

from taskpy import RemoteTask, Stopped, task


def height(place):
    return sum(10 + x * x - 10 * cos(2 * pi * x) for x in place)


@task
def simulate(t, seed):
    chance, heat = Random(seed), 10.0
    place = lowest = [chance.uniform(-5, 5) for _ in range(4)]
    while t.sleep(0.1):  # a real one takes its time
        for _ in range(20):
            step = [x + chance.gauss(0, 0.3) for x in place]
            if chance.random() < exp(min(0, height(place) - height(step)) / heat):
                place = step
                lowest = min(lowest, place, key=height)
        heat = max(heat * 0.95, 0.01)
        t.progress(height(lowest), note=f"at {[round(x, 3) for x in lowest]}")
    raise Stopped


@task(children="stop")
def sweep(t, seconds):
    left = RemoteTask.attach(t.id).children()  # those of an attempt before, whose worker was lost
    left += [t.spawn(simulate, seed) for seed in range(len(left), 50)]
    while len(left) > 3 and t.sleep(seconds):
        found = {child: said for child in left if (said := child.progress)}  # those that have begun
        ranked = sorted(found, key=lambda child: found[child].done)
        for child in ranked[(len(ranked) + 1) // 2 :]:
            child.stop(join=False, reason=f"{found[child].done:.3f} is too high")
            left.remove(child)
        yield {"left": len(left), "lowest": [round(found[child].done, 3) for child in ranked[:3]]}
    if t.stopped():
        raise Stopped
    return f"{found[ranked[0]].done:.3f} {found[ranked[0]].note}"


if __name__ == "__main__":
    handle = sweep.submit(float(sys.argv[1]))
    print(handle.id)
    for message in handle:
        print(message)
    print(handle.state, handle.result or handle.stop_reason)
