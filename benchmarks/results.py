"""The samples of a run: what was measured, beside the raw limits right before it; and what they come to."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.statistics import Summary


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of one system. `raw` has the calibration, `<verb>_<figure>`; `error` says why there is nothing."""

    scenario: str
    system: str
    variant: str
    repetition: int
    size: int
    setting: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    raw: Mapping[str, float] = field(default_factory=dict)
    error: str = ""


@dataclass(slots=True)
class Results:
    """All samples of a run, with what is said about machine and systems."""

    machine: dict[str, str]
    notes: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)

    def save(self, path: Path) -> None:
        """Write them as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def load(cls, path: Path) -> "Results":
        """Read what was saved."""
        found = json.loads(path.read_text())
        return cls(**found | {"samples": [Sample(**sample) for sample in found["samples"]]})

    def systems(self, scenario: str) -> list[tuple[str, str]]:
        """Who was measured in a scenario, name and variant, in the order of the run."""
        return list(dict.fromkeys((s.system, s.variant) for s in self._of(scenario) if s.figures))

    def figure(self, scenario: str, figure: str, system: str = "taskpy", variant: str = "fast") -> Summary | None:
        """What a figure of a system comes to; None: not measured."""
        values = [s.figures[figure] for s in self._of(scenario, system, variant) if figure in s.figures]
        return Summary.of(values) if values else None

    def figures(self, scenario: str, system: str, variant: str) -> list[str]:
        """The names of what was measured."""
        return list(dict.fromkeys(name for s in self._of(scenario, system, variant) for name in s.figures))

    def ratio(
        self, scenario: str, figure: str, raw: str, system: str = "taskpy", variant: str = "fast"
    ) -> Summary | None:
        """A figure over one of the calibration of the same sample."""
        samples = [s for s in self._of(scenario, system, variant) if figure in s.figures and s.raw.get(raw)]
        return Summary.of(s.figures[figure] / s.raw[raw] for s in samples) if samples else None

    def fastest_other(self, scenario: str, figure: str) -> tuple[str, Summary] | None:
        """The peer that has the best median, fast or safe: the highest rate, or the shortest time."""
        others = [
            (system, found)
            for system, variant in self.systems(scenario)
            if system not in {"taskpy", "base", "raw"} and (found := self.figure(scenario, figure, system, variant))
        ]
        best = max if figure == "per_second" else min
        return best(others, key=lambda other: other[1].median) if others else None

    def _of(self, scenario: str, system: str | None = None, variant: str | None = None) -> list[Sample]:
        return [
            sample
            for sample in self.samples
            if sample.scenario == scenario and system in {None, sample.system} and variant in {None, sample.variant}
        ]
