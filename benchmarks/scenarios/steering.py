"""Talking to a task that runs: send, stop, stream; and how soon a worker takes its first one."""

import time

from benchmarks import marks
from benchmarks.bench import Bench, Figures
from benchmarks.processes import Failed
from benchmarks.scenarios.raw import PART
from benchmarks.scenarios.scenario import Scenario
from benchmarks.systems import System

START_SECONDS = 30.0
PUBSUB = {"pubsub": PART["pubsub"]}
RESTED = {**PUBSUB, "rested": PART["rested"]}


def _stop(bench: Bench, system: System, n: int) -> Figures:
    setting = system.setting("stop")
    with bench.workers(system, setting):
        return bench.ask(system, setting, "stop", n=n)


def _send(bench: Bench, system: System, n: int) -> Figures:
    setting = system.setting("one")
    with bench.workers(system, setting):
        return bench.ask(system, setting, "send", n=n)


def _stream(bench: Bench, system: System, n: int) -> Figures:
    setting = system.setting("one")
    with bench.workers(system, setting):
        return bench.ask(system, setting, "stream", n=n)


def _start(bench: Bench, system: System, n: int) -> Figures:
    """The command is started with a task already queued; the time until that task runs, the median of n."""
    setting = system.setting("one")
    seconds = []
    for _ in range(n):
        bench.fresh()
        bench.ask(system, setting, "fill", n=1)
        began = time.perf_counter()
        with bench.workers(system, setting):
            seconds.append(_first(bench) - began)
    return {"seconds": sorted(seconds)[len(seconds) // 2]}


def _first(bench: Bench) -> float:
    watch = marks.Watch(bench.marks)
    deadline = time.monotonic() + START_SECONDS
    while not (found := watch.look()):
        if time.monotonic() > deadline:
            raise Failed(f"the worker took nothing: {bench.log.read_text()[-1000:]}")
        time.sleep(0.005)
    return found[0][1]


SCENARIOS = (
    Scenario("send", "send to recv in a running task, one way", _send, 1_000, 300, "ours", PUBSUB),
    Scenario("stop", "stop until the task sees it", _stop, 40, 10, wants="stop", calibration=RESTED),
    Scenario("stream", "messages from a task to a reader", _stream, 20_000, 5_000, "ours", {"pair": PART["pair"]}),
    Scenario("start", "start to the first task", _start, 3, 1, wants="ours"),
)
