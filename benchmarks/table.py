"""Results as markdown: the goals, every scenario, and two commits beside each other."""

from collections.abc import Iterable, Iterator, Sequence

from benchmarks import goals
from benchmarks.results import Results
from benchmarks.scenarios import ALL
from benchmarks.scenarios.scenario import Scenario
from benchmarks.statistics import Summary

_MET = {True: "yes", False: "**no**"}


def markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def goals_table(results: Results) -> str:
    """What was wanted, and what there is."""
    rows = list(goals.rows(results))
    lines = [(row.what, row.goal, row.measured, row.ratio, _MET[row.met]) for row in rows if row.met is not None]
    table = markdown(("what", "goal", "taskpy", "ratio", "met?"), lines)
    missing = [f"{row.what} {row.goal}" for row in rows if row.met is None]
    return "\n\n".join([table, f"Not measured: {'; '.join(missing)}."] if missing else [table])


def scenario_table(results: Results, scenario: Scenario) -> str:
    """A line for each system and figure: medians, with the smallest and the largest one, and the ratio to the raw limit."""
    return markdown(("system", "figure", "median (min-max)", "ratio to raw", "setting"), _lines(results, scenario))


def _lines(results: Results, scenario: Scenario) -> Iterator[tuple[str, ...]]:
    for system, variant in results.systems(scenario.name):
        samples = [s for s in results.samples if (s.scenario, s.system, s.variant) == (scenario.name, system, variant)]
        setting = samples[-1].setting
        label = system if variant == "fast" else f"{system} ({variant})"
        for figure in results.figures(scenario.name, system, variant):
            ratios = [
                f"{ratio} x {verb}"
                for verb in scenario.calibration
                if (ratio := results.ratio(scenario.name, figure, f"{verb}_{figure}", system, variant))
            ]
            found = results.figure(scenario.name, figure, system, variant)
            yield label, figure.replace("_", " "), str(found), ", ".join(ratios), setting
            label = setting = ""


def comparison(results: Results) -> str:
    """Each figure now and at the other commit.

    "Better" compares repetition by repetition, so what disturbed both is not in it; above 1 is what one wants, whether
    the figure is a rate or a cost.
    """
    lines = []
    for name in ALL:
        for variant in ("fast", "async"):
            for figure in results.figures(name, "base", variant):
                before = results.figure(name, figure, "base", variant)
                now = results.figure(name, figure, "taskpy", variant)
                better = list(goals.improvements(results, name, figure, variant))
                if before and now and better:
                    what = f"{name} ({variant})" if variant != "fast" else name
                    said = f"{Summary.of(better)} x"
                    lines.append((what, figure.replace("_", " "), str(before), str(now), said))
    return markdown(("scenario", "figure", "base", "now", "better"), lines)


def errors(results: Results) -> str:
    """What did not run, and why, once each."""
    found = {
        f"* {s.scenario}, {s.system} ({s.variant}): {' '.join(s.error.split())[-300:]}": None
        for s in results.samples
        if s.error
    }
    return "\n".join(found)


def report(results: Results) -> str:
    """All of it."""
    parts = ["\n".join(f"* {name}: {value}" for name, value in (results.machine | results.versions).items())]
    if any(sample.system == "base" for sample in results.samples):
        parts.append("### Now and before\n\n" + comparison(results))
    parts.append("### Goals\n\n" + goals_table(results))
    parts += [
        f"### {scenario.name}: {scenario.what}\n\n{scenario_table(results, scenario)}"
        for scenario in ALL.values()
        if results.systems(scenario.name)
    ]
    if notes := [f"* {name}: {note}" for name, note in results.notes.items() if note]:
        parts.append("### Notes\n\n" + "\n".join(notes))
    if said := errors(results):
        parts.append("### What did not run\n\n" + said)
    return "\n\n".join(parts) + "\n"
