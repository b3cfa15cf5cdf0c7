"""The results as a picture, for a README. matplotlib is only needed here: `pip install --group bench`."""

import sys
from pathlib import Path
from typing import Any

from benchmarks.results import Results

#: What is shown: scenario, figure, title; and whether more is better.
PANELS = (
    ("drain", "per_second", "drain, one process\nno-op tasks/s", True),
    ("best", "per_second", "drain, best setting\nno-op tasks/s", True),
    ("enqueue", "per_second", "submit, one call each\ntasks/s", True),
    ("roundtrip", "p50_ms", "submit to result\np50, ms", False),
)
OURS, OTHERS = "#c2410c", "#9ca3af"


def draw(results: Results, path: Path) -> None:
    """Draw it; says so where matplotlib is missing, and goes on."""
    try:
        import matplotlib as mpl
    except ImportError:
        print("no picture: matplotlib is not installed (pip install --group bench)", file=sys.stderr)
        return
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    panels = [panel for panel in PANELS if results.systems(panel[0])]
    if not panels:
        return
    drawn = [(bars(results, scenario, name, more_is_better=more), title) for scenario, name, title, more in panels]
    rows = (len(drawn) + 1) // 2
    height = rows * (1 + 0.22 * max(len(found) for found, _ in drawn))
    figure, axes = plt.subplots(rows, 2, figsize=(10, height), squeeze=False)
    for axis in axes.flat[len(drawn) :]:
        axis.set_visible(False)
    for axis, (found, title) in zip(axes.flat, drawn, strict=False):
        _panel(axis, found, title)
    machine = results.machine
    said = f"{machine['machine']}; {machine['server']}, Python {machine['python']}; taskpy {machine['taskpy']}"
    figure.text(0.5, 0.01, said, ha="center", fontsize=8, color="#6b7280")
    figure.tight_layout(rect=(0, 0.03, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def bars(
    results: Results, scenario: str, figure: str, *, more_is_better: bool
) -> list[tuple[str, float, float, float]]:
    """Label, median, min and max of each system, the best one first."""
    found = []
    for system, variant in results.systems(scenario):
        summary = results.figure(scenario, figure, system, variant)
        if summary is not None:
            label = system if variant == "fast" else f"{system} ({variant})"
            found.append((label, summary.median, summary.low, summary.high))
    return sorted(found, key=lambda bar: bar[1], reverse=more_is_better)


def _panel(axis: Any, bars: list[tuple[str, float, float, float]], title: str) -> None:
    labels = [bar[0] for bar in bars]
    medians = [bar[1] for bar in bars]
    spread = [[bar[1] - bar[2] for bar in bars], [bar[3] - bar[1] for bar in bars]]
    colours = [OURS if label.split()[0] == "taskpy" else OTHERS for label in labels]
    axis.barh(labels, medians, xerr=spread, color=colours, error_kw={"ecolor": "#374151", "lw": 1})
    axis.invert_yaxis()
    axis.set_title(title, fontsize=10)
    axis.tick_params(labelsize=8)
    axis.margins(x=0.18)
    for place, median in enumerate(medians):
        text = f"{median:,.0f}" if median >= 100 else f"{median:.2f}"
        axis.text(median, place, f" {text}", va="bottom", fontsize=7)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
