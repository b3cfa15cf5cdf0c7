"""The goals: what each is about, and whether a run has met it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.results import Results
from benchmarks.statistics import shown


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. `met` is None when the run has not measured it."""

    what: str
    goal: str
    measured: str
    ratio: str
    met: bool | None


#: Gets the results; what was measured, what it is compared by, and whether that is enough. None: not measured.
Judge = Callable[[Results], tuple[str, str, bool] | None]


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted."""

    what: str
    goal: str
    judge: Judge


def _at_least(ratio: float, raw: str, scenario: str, variant: str = "fast") -> Judge:
    """A rate, as a part of a raw one."""

    def judge(results: Results) -> tuple[str, str, bool] | None:
        found = results.figure(scenario, "per_second", variant=variant)
        part = results.ratio(scenario, "per_second", f"{raw}_per_second", variant=variant)
        return (f"{found}/s", f"{part} x raw", part.median >= ratio) if found and part else None

    return judge


def _times_the_fastest(times: float, scenario: str, variant: str = "fast") -> Judge:
    """A rate, as a multiple of the fastest other's."""

    def judge(results: Results) -> tuple[str, str, bool] | None:
        found = results.figure(scenario, "per_second", variant=variant)
        other = results.fastest_other(scenario, "per_second")
        if found is None or other is None:
            return None
        name, fastest = other
        ratio = found.median / fastest.median
        return f"{found}/s", f"{shown(ratio)} x {name} ({shown(fastest.median)}/s)", ratio >= times

    return judge


def _at_most(ratio: float, raw: str, scenario: str, figure: str) -> Judge:
    """A time, as a multiple of a raw one."""

    def judge(results: Results) -> tuple[str, str, bool] | None:
        found, part = results.figure(scenario, figure), results.ratio(scenario, figure, f"{raw}_{figure}")
        return (f"{found} ms", f"{part} x raw", part.median <= ratio) if found and part else None

    return judge


def _below(most: float, scenario: str, figure: str, unit: str = "") -> Judge:
    """A figure by itself."""

    def judge(results: Results) -> tuple[str, str, bool] | None:
        found = results.figure(scenario, figure)
        return (f"{found}{unit}", "", found.median <= most) if found else None

    return judge


GOALS = (
    Goal("drain, one worker process", "≥ 10 x the fastest other", _times_the_fastest(10, "drain")),
    Goal("drain, one worker process", "≥ 0.25 x raw batch", _at_least(0.25, "batch", "drain")),
    Goal("drain, best setting of each", "≥ 4 x the fastest other", _times_the_fastest(4, "best")),
    Goal("drain, one process, `async def`", "≥ 10 x the fastest other", _times_the_fastest(10, "drain", "async")),
    Goal("drain, one process, `async def`", "≥ 0.25 x raw batch", _at_least(0.25, "batch", "drain", "async")),
    Goal("drain, best setting, `async def`", "≥ 4 x the fastest other", _times_the_fastest(4, "best", "async")),
    Goal("submit, one call each", "≥ 0.7 x raw LPUSH", _at_least(0.7, "push", "enqueue")),
    Goal("submit_many", "≥ 2 x the fastest other's bulk", _times_the_fastest(2, "bulk")),
    Goal("submit to result, p50", "≤ 3 x raw ping-pong", _at_most(3, "pingpong", "roundtrip", "p50_ms")),
    Goal("submit to result, p99", "≤ 4 x raw ping-pong", _at_most(4, "pingpong", "roundtrip", "p99_ms")),
    Goal("send to recv, one way, p50", "≤ 1.5 x raw pub/sub", _at_most(1.5, "pubsub", "send", "p50_ms")),
    Goal("stop until seen, p50", "≤ 2 x raw pub/sub", _at_most(2, "pubsub", "stop", "p50_ms")),
    Goal("stop until seen, p50", "≤ 2 x raw pub/sub that rests as long", _at_most(2, "rested", "stop", "p50_ms")),
    Goal("stop until seen, p99", "≤ 5 ms", _below(5, "stop", "p99_ms", " ms")),
    Goal("stream out, messages/s", "≥ 0.3 x raw RPUSH/LRANGE", _at_least(0.3, "pair", "stream")),
    Goal("idle: requests on the wire", "≤ 0.7/s", _below(0.7, "idle", "requests_per_second", "/s")),
    Goal("idle: connections of a child", "≤ 4", _below(4, "idle", "connections_per_child")),
    Goal("idle: CPU", "≤ 0.1 %", _below(0.1, "idle", "cpu_percent", " %")),
    Goal("idle: PSS, supervisor and child", "≤ 40 MiB", _below(40, "idle", "pss_mib", " MiB")),
    Goal("cost of a task, many queued", "the same as with 100 (≤ 1.25 x)", _below(1.25, "depth", "growth", " x")),
    Goal("cost of a task, many waiting", "the same as with 10 (≤ 1.25 x)", _below(1.25, "waiting", "growth", " x")),
    Goal("start to the first task", "≤ 0.5 s", _below(0.5, "start", "seconds", " s")),
)


def rows(results: Results) -> Iterator[Row]:
    """The table of goals."""
    for goal in GOALS:
        found = goal.judge(results)
        if found is None:
            yield Row(goal.what, goal.goal, "", "", None)
        else:
            yield Row(goal.what, goal.goal, *found)


#: Rates of which less is better.
COSTS = ("requests_", "commands_")


def improvements(results: Results, scenario: str, figure: str, variant: str) -> Iterator[float]:
    """For each repetition, how many times as good a figure is as it was at the other commit."""
    found: dict[tuple[str, int], float] = {
        (sample.system, sample.repetition): sample.figures[figure]
        for sample in results.samples
        if (sample.scenario, sample.variant) == (scenario, variant) and figure in sample.figures
    }
    rate = "per_second" in figure and not figure.startswith(COSTS)
    for system, repetition in found:
        now, before = found.get(("taskpy", repetition), 0.0), found.get(("base", repetition), 0.0)
        if system == "base" and now and before:
            yield now / before if rate else before / now
