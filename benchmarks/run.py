"""The run: each scenario in turn, its repetitions interleaved over the systems, the raw calibration right before each."""

import subprocess
import sys
import time
from collections.abc import Iterable, Sequence

import redis

from benchmarks import environments, machine
from benchmarks.bench import Bench
from benchmarks.options import Options
from benchmarks.processes import Failed
from benchmarks.results import Results, Sample
from benchmarks.scenarios.scenario import Scenario
from benchmarks.statistics import shown
from benchmarks.systems import System, raw


def measure(bench: Bench, options: Options, scenarios: Iterable[Scenario], systems: Sequence[System]) -> Results:
    """Run all of it. What fails is said, and the rest goes on."""
    results = Results(machine.describe(bench.server))
    broken = _prepare(systems, results)
    for scenario in scenarios:
        for repetition in range(scenario.repetitions(options.repetitions, quick=options.quick)):
            for system in systems:
                if not scenario.takes(system) or (scenario.name, system.label) in broken:
                    continue
                size = scenario.size(system, quick=options.quick, tasks=options.tasks)
                if system.name in broken:
                    sample = _sample(scenario, system, repetition, size, error=broken[system.name])
                else:
                    sample = _measured(bench, scenario, system, repetition, size)
                if sample.error and not system.ours:  # it would fail again, and takes the longest to do so
                    broken[scenario.name, system.label] = sample.error
                results.samples.append(sample)
                _tell(sample)
    return results


def _prepare(systems: Sequence[System], results: Results) -> dict[str | tuple[str, str], str]:
    """Install what is missing; by name, why a system cannot be had."""
    broken: dict[str | tuple[str, str], str] = {}
    for system in systems:
        results.notes[system.label] = system.note
        if not system.requirements or system.name in broken:
            continue
        environment = system.python.parents[1].name
        try:
            environments.prepare(environment, system.requirements)
            packages = [requirement.partition("=")[0].partition("[")[0] for requirement in system.requirements]
            found = environments.versions(environment, packages)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            broken[system.name] = str(error)
        else:
            results.versions[system.name] = ", ".join(f"{name} {version}" for name, version in found.items())
    return broken


def _measured(bench: Bench, scenario: Scenario, system: System, repetition: int, size: int) -> Sample:
    try:
        # The other commit is compared with this one, sample by sample, and not with the raw limit.
        calibration = {} if system.name == "base" else _calibrate(bench, scenario)
        bench.fresh()
        figures = scenario.run(bench, system, size)
    except (Failed, OSError, ValueError, RuntimeError, redis.RedisError) as error:
        return _sample(scenario, system, repetition, size, error=str(error))
    return _sample(scenario, system, repetition, size, figures=figures, raw=calibration)


def _sample(scenario: Scenario, system: System, repetition: int, size: int, **more: object) -> Sample:
    setting = "" if scenario.use == "client" else system.setting(scenario.use).text
    return Sample(scenario.name, system.name, system.variant, repetition, size, setting, **more)  # type: ignore[arg-type]


def _calibrate(bench: Bench, scenario: Scenario) -> dict[str, float]:
    limits, found = raw(), dict[str, float]()
    for verb, n in scenario.calibration.items():
        bench.fresh()
        figures = bench.ask(limits, limits.setting("one"), verb, n=n)
        found |= {f"{verb}_{name}": value for name, value in figures.items()}
    return found


def _tell(sample: Sample) -> None:
    found = "  ".join(f"{name} {shown(value)}" for name, value in sample.figures.items())
    label = f"{time.strftime('%H:%M:%S')} {sample.scenario:10} {sample.system} {sample.variant} #{sample.repetition}"
    print(f"{label:51} {found or 'DOES NOT RUN: ' + sample.error[-600:]}", file=sys.stderr, flush=True)
