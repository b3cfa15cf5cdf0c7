"""The benchmarks' own arithmetic: what samples come to, which are taken, and how tables say so."""

import dataclasses
from types import SimpleNamespace

import pytest

from benchmarks import (
    environments,
    goals,
    options,
    picture,
    processes,
    readme,
    run,
    selection,
    statistics,
    systems,
    table,
)
from benchmarks.results import Results, Sample
from benchmarks.scenarios import ALL
from benchmarks.scenarios.scenario import Scenario
from benchmarks.statistics import Summary


def sample(system="taskpy", scenario="drain", variant="fast", repetition=0, raw=1000.0, **figures):
    calibration = {"batch_per_second": raw, "push_per_second": raw, "pingpong_p50_ms": raw}
    return Sample(scenario, system, variant, repetition, 100, "-c 10", figures=figures, raw=calibration)


def results(*samples):
    return Results({"machine": "a fast one", "python": "3", "server": "redis", "taskpy": "1"}, samples=list(samples))


def chosen(*arguments):
    given = options.read(arguments, list(ALL))
    return [(system.name, system.variant) for system in selection.chosen(given)]


# -- statistics ---------------------------------------------------------------------------------


def test_a_quantile_is_one_of_the_values():
    values = [float(n) for n in range(100, 0, -1)]

    assert statistics.quantile(values, 0.5) == 51
    assert statistics.quantile(values, 0.99) == 100
    assert statistics.quantile([7.0], 0.99) == 7
    with pytest.raises(ValueError, match="nothing was measured"):
        statistics.quantile([], 0.5)


def test_latencies_are_milliseconds():
    assert statistics.latencies([0.001, 0.002, 0.003]) == {"p50_ms": 2.0, "p99_ms": 3.0}


def test_a_summary_is_a_median_with_its_range():
    assert Summary.of([3, 1, 2]) == Summary(2, 1, 3)
    assert str(Summary.of([3000.4, 1000, 2000])) == "2,000 (1,000-3,000)"
    assert str(Summary.of([5])) == "5.00"


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.0123, "0.012"), (0, "0.00")],
)
def test_numbers_have_as_many_digits_as_are_read(value, text):
    assert statistics.shown(value) == text


# -- results and goals --------------------------------------------------------------------------


def test_a_ratio_is_taken_within_each_sample():
    found = results(sample(per_second=500.0, raw=1000.0), sample(per_second=900.0, raw=3000.0, repetition=1))

    assert found.ratio("drain", "per_second", "batch_per_second") == Summary(0.4, 0.3, 0.5)


def test_the_fastest_other_is_none_of_ours():
    found = results(
        sample(per_second=900.0),
        sample("base", per_second=990.0),
        sample("huey", per_second=500.0),
        sample("rq", per_second=50.0),
    )

    assert found.fastest_other("drain", "per_second") == ("huey", Summary(500, 500, 500))
    assert found.fastest_other("roundtrip", "p50_ms") is None


def test_the_shortest_time_is_the_fastest():
    found = results(sample("huey", "roundtrip", p50_ms=0.8), sample("rq", "roundtrip", p50_ms=3.0))

    assert found.fastest_other("roundtrip", "p50_ms") == ("huey", Summary(0.8, 0.8, 0.8))


def test_a_goal_is_met_or_not_or_not_measured():
    rows = list(goals.rows(results(sample(per_second=300.0), sample("huey", per_second=100.0))))

    assert [(row.goal, row.ratio, row.met) for row in rows[:3]] == [
        ("≥ 10 x the fastest other", "3.00 x huey (100/s)", False),
        ("≥ 0.25 x raw batch", "0.30 x raw", True),
        ("≥ 4 x the fastest other", "", None),
    ]


def test_every_goal_has_a_scenario_that_measures_it():
    figures = {
        "per_second": 1.0, "p50_ms": 1.0, "p99_ms": 1.0, "growth": 1.0, "seconds": 1.0,
        "requests_per_second": 1.0, "connections_per_child": 1.0, "cpu_percent": 1.0, "pss_mib": 1.0,
    }  # fmt: skip
    raw = {
        f"{verb}_{figure}": 1.0
        for verb in ("push", "batch", "pingpong", "pubsub", "rested", "pair")
        for figure in figures
    }
    samples = [
        Sample(
            name,
            system,
            variant,
            0,
            1,
            figures=figures,
            raw={key: raw[key] for key in raw if key.split("_")[0] in scenario.calibration},
        )
        for name, scenario in ALL.items()
        for system in ("taskpy", "huey")
        for variant in ("fast", "async")
    ]

    assert [row.what for row in goals.rows(results(*samples)) if row.met is None] == []


def test_results_are_the_same_when_they_are_read_again(tmp_path):
    found = results(sample(per_second=1.0), dataclasses.replace(sample(), error="no"))

    found.save(tmp_path / "new" / "results.json")

    assert Results.load(tmp_path / "new" / "results.json") == found


def test_better_is_above_one_for_rates_and_for_costs():
    found = results(
        sample("base", per_second=100.0, p50_ms=4.0, requests_per_second=2.0),
        sample("taskpy", per_second=150.0, p50_ms=2.0, requests_per_second=1.0),
    )

    for figure, better in (("per_second", 1.5), ("p50_ms", 2.0), ("requests_per_second", 2.0)):
        assert list(goals.improvements(found, "drain", figure, "fast")) == [better]


# -- tables -------------------------------------------------------------------------------------


def test_a_table_is_markdown():
    assert table.markdown(("a", "b"), [("1", "x|y")]) == "| a | b |\n| --- | --- |\n| 1 | x\\|y |"


def test_the_goals_that_were_not_measured_stand_below():
    shown = table.goals_table(results(sample(per_second=300.0)))

    assert "| drain, one worker process | ≥ 0.25 x raw batch | 300/s | 0.30 x raw | yes |" in shown
    assert "Not measured: drain, one worker process ≥ 10 x the fastest other; " in shown


def test_a_report_has_the_figures_the_notes_and_what_did_not_run():
    found = results(
        sample("huey", per_second=300.0), Sample("drain", "rq", "safe", 0, 100, error="it cannot\nbe installed")
    )
    found.notes["huey"] = "no acknowledgement"

    shown = table.report(found)

    assert "| huey | per second | 300 | 0.30 x batch | -c 10 |" in shown
    assert "* huey: no acknowledgement" in shown
    assert "* drain, rq (safe): it cannot be installed" in shown
    assert "Now and before" not in shown


def test_two_commits_stand_beside_each_other():
    shown = table.report(results(sample("base", per_second=100.0), sample(per_second=150.0)))

    assert "| drain | per second | 100 | 150 | 1.50 x |" in shown


def test_results_go_between_the_markers():
    text = f"before\n{readme.BEGIN}old\n{readme.END}after\n"

    once = readme.with_results(text, "new")

    assert once == f"before\n{readme.BEGIN}\nnew\n{readme.END}after\n"
    assert readme.with_results(once, "new") == once
    with pytest.raises(ValueError, match="markers"):
        readme.with_results("no markers", "new")


def test_the_readme_has_the_markers():
    assert readme.with_results(readme.README.read_text(), "new")


def test_the_bars_of_a_picture_begin_with_the_best():
    found = results(
        sample("rq", per_second=1.0), sample("huey", per_second=3.0), sample("huey", variant="safe", per_second=2.0)
    )

    def labels(*, more_is_better):
        return [bar[0] for bar in picture.bars(found, "drain", "per_second", more_is_better=more_is_better)]

    assert labels(more_is_better=True) == ["huey", "huey (safe)", "rq"]
    assert labels(more_is_better=False) == ["rq", "huey (safe)", "huey"]


# -- selection ----------------------------------------------------------------------------------


def test_everything_is_measured_unless_it_is_said_otherwise():
    names = {name for name, _ in chosen()}

    assert names == {
        "raw", "taskpy", "huey", "dramatiq", "saq", "taskiq-list", "taskiq-stream", "arq", "streaq", "bullmq", "celery", "rq",
    }  # fmt: skip


def test_a_quick_run_has_the_fastest_others():
    assert chosen("--quick") == [
        ("raw", "fast"), ("taskpy", "fast"), ("taskpy", "async"), ("huey", "fast"), ("dramatiq", "fast"),
    ]  # fmt: skip


def test_peers_and_variants_can_be_named():
    assert chosen("--peers", "saq, rq", "--variants", "safe") == [("saq", "safe"), ("rq", "safe")]
    assert {name for name, _ in chosen("--peers", "none")} == {"raw", "taskpy"}
    with pytest.raises(selection.Unknown, match="there is no sidekiq"):
        chosen("--peers", "sidekiq")


def test_two_commits_take_turns(tmp_path):
    given = options.read(["--base", "HEAD", "--quick"], list(ALL))

    found = selection.chosen(given, tmp_path)

    assert [system.label for system in found] == ["raw", "taskpy", "base", "taskpy (async)", "base (async)"]
    assert found[2].code == (tmp_path, tmp_path / "worker")


def test_scenarios_can_be_named_in_both_ways():
    given = options.read(["roundtrip", "--only", "drain,enqueue"], list(ALL))

    assert [scenario.name for scenario in selection.scenarios(given)] == ["enqueue", "drain", "roundtrip"]


def test_an_unknown_scenario_is_wrong_usage(capsys):
    with pytest.raises(SystemExit):
        options.read(["dance"], list(ALL))

    assert "there is no scenario 'dance'" in capsys.readouterr().err


def test_only_a_full_run_keeps_its_results():
    assert options.read([], list(ALL)).json == options.RESULTS
    for arguments in (["drain"], ["--quick"], ["--peers", "huey"], ["--base", "HEAD"], ["--tasks", "9"]):
        assert options.read(arguments, list(ALL)).json is None


def test_a_drain_lasts_as_long_for_a_slow_system():
    taskpy, huey = (
        next(s for s in selection.chosen(options.read([], list(ALL))) if s.name == name) for name in ("taskpy", "huey")
    )

    assert ALL["drain"].size(huey, quick=False, tasks=None) == 4 * huey.setting("one").pace
    assert ALL["drain"].size(huey, quick=False, tasks=7) == 7
    assert ALL["enqueue"].size(huey, quick=True, tasks=None) == ALL["enqueue"].size(taskpy, quick=True, tasks=None)


def test_a_scenario_takes_those_that_can():
    named = {(s.name, s.variant): s for s in selection.chosen(options.read([], list(ALL)))}

    assert not ALL["bulk"].takes(named["huey", "fast"])
    assert not ALL["stop"].takes(named["huey", "fast"])
    assert not ALL["send"].takes(named["celery", "fast"])
    assert not ALL["enqueue"].takes(named["raw", "fast"])
    assert not ALL["enqueue"].takes(named["taskpy", "async"])
    assert ALL["drain"].takes(named["taskpy", "async"])


# -- the run ------------------------------------------------------------------------------------


def measured(behave, *systems):
    """The samples of two repetitions of a scenario that does nothing but `behave`."""
    program = SimpleNamespace(engine="redis", version="7")
    bench = SimpleNamespace(server=SimpleNamespace(program=program), fresh=lambda: None)
    scenario = Scenario("drain", "nothing", behave, full=1, quick=1)
    given = options.read(["--repetitions", "2"], list(ALL))
    return run.measure(bench, given, [scenario], systems).samples


def test_repetitions_take_turns_and_what_fails_is_left_out_from_then_on():
    def behave(_bench, system, _size):
        if system.name == "rq":
            raise processes.Failed("nobody there")
        return {"per_second": 1.0}

    found = measured(behave, systems.taskpy(), dataclasses.replace(systems.taskpy(), name="rq", driver="rq"))

    assert [(each.system, each.repetition, each.error) for each in found] == [
        ("taskpy", 0, ""),
        ("rq", 0, "nobody there"),
        ("taskpy", 1, ""),
    ]


def test_what_cannot_be_installed_is_said(monkeypatch):
    def refuse(_name, requirements):
        raise processes.Failed(f"there is no {requirements[0]}")

    monkeypatch.setattr(environments, "prepare", refuse)
    peer = dataclasses.replace(systems.taskpy(), name="rq", driver="rq", requirements=("rq==99",))

    found = measured(lambda *_: {"per_second": 1.0}, peer)

    assert [(each.system, each.error) for each in found] == [("rq", "there is no rq==99")]


# -- environments -------------------------------------------------------------------------------


def test_an_environment_that_cannot_be_made_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "CACHE", tmp_path)
    python = tmp_path / "peer" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 'no such version' >&2\nexit 1\n")
    python.chmod(0o755)

    with pytest.raises(processes.Failed, match=r"it cannot be installed: .*no such version"):
        environments.prepare("peer", ["peer==9"])


def test_an_environment_is_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(environments, "CACHE", tmp_path)
    folder = tmp_path / "peer"
    folder.mkdir()
    (folder / "requirements.txt").write_text("peer==9\n")

    environments.prepare("peer", ["peer==9"])  # nothing is there to install it with
