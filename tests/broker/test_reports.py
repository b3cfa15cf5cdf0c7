"""Progress and log lines: kept with the task, in order, once, and only from the attempt that owns it."""

import pytest

from taskpy.answers import Reported
from taskpy.spec import State


def lines(first, count):
    return [b"line %d" % number for number in range(first, first + count)]


def test_what_was_reported_is_read(rig):
    token = rig.running()
    assert rig.report(token=token, number=1, progress=b"half", lines=lines(0, 3)) == "kept"

    assert rig.reported(index=0, count=100) == Reported(State.RUNNING, b"half", 3, lines(0, 3))
    assert rig.reported(index=1, count=1) == Reported(State.RUNNING, b"half", 2, lines(1, 1))
    assert rig.reported(index=-2, count=100) == Reported(State.RUNNING, b"half", 3, lines(1, 2))
    assert rig.reported(index=3, count=100) == Reported(State.RUNNING, b"half", 3, [])
    assert rig.run(rig.op("status")).progress == b"half"
    snapshot = rig.look()
    assert (snapshot.progress, snapshot.logged) == (b"half", 3)


def test_a_task_that_has_reported_nothing(rig):
    rig.submit()

    assert rig.reported(index=0, count=9) == Reported(State.QUEUED, None, 0, [])
    assert rig.reported(index=-9, count=9) == Reported(State.QUEUED, None, 0, [])
    assert rig.reported(id="nobody", index=0, count=9) == Reported(None, None, 0, [])
    assert (rig.look().progress, rig.look().logged) == (None, 0)


def test_a_repeated_report_adds_nothing(rig):
    token = rig.running()

    assert rig.twice("report", token=token, number=1, progress=b"p", lines=lines(0, 2)) == ("kept", "kept")
    assert rig.twice("report", token=token, number=2, lines=lines(2, 1)) == ("kept", "kept")
    assert rig.reported(index=0, count=9).lines == lines(0, 3)


def test_an_old_report_that_arrives_late_changes_nothing(rig):
    token = rig.running()
    first = rig.op("report", token=token, number=1, progress=b"first", lines=lines(0, 1))
    rig.run(first)
    rig.report(token=token, number=2, progress=b"second", lines=lines(1, 1))

    rig.run(first)
    assert rig.reported(index=0, count=9) == Reported(State.RUNNING, b"second", 2, lines(0, 2))


def test_a_report_without_progress_leaves_it(rig):
    token = rig.running()
    rig.report(token=token, number=1, progress=b"p")
    rig.report(token=token, number=2, lines=lines(0, 1))

    assert rig.reported(index=0, count=9) == Reported(State.RUNNING, b"p", 1, lines(0, 1))


def test_the_last_lines_are_kept(rig):
    token = rig.running()
    rig.report(token=token, number=1, lines=lines(0, 4), limit=5)
    rig.report(token=token, number=2, lines=lines(4, 4), limit=5)

    assert rig.reported(index=0, count=9, limit=5) == Reported(State.RUNNING, None, 8, lines(3, 5))
    assert sorted(name for name in rig.fields() if name.startswith("l:")) == [f"l:{place}" for place in range(3, 8)]
    rig.report(token=token, number=3, lines=lines(8, 5), limit=5)
    assert rig.reported(index=6, count=2, limit=5) == Reported(State.RUNNING, None, 10, lines(8, 2))


def test_a_thousand_lines_go_at_once_and_are_read_at_once(rig):
    token = rig.running()
    for number in (1, 2):
        rig.report(token=token, number=number, lines=lines(1000 * number, 1000))

    assert rig.reported(index=0, count=1000).lines == lines(2000, 1000)


@pytest.mark.parametrize("how", ["late", "ended", "given back", "started again"])
def test_only_the_attempt_that_owns_the_task_reports(rig, how):
    token = rig.running()
    if how == "ended":
        rig.settle_one("a", token)
    if how in {"given back", "started again"}:
        rig.giveback(token=token, why="release")
    if how == "started again":
        rig.begun(number=2)
    before = rig.everything()

    assert rig.report(token="w9.1" if how == "late" else token, number=1, progress=b"p", lines=[b"l"]) == "fenced"
    assert rig.everything() == before


def test_another_attempt_goes_on_behind_the_last_line(rig):
    token = rig.running()
    rig.report(token=token, number=1, progress=b"most", lines=lines(0, 2))
    rig.giveback(token=token, why="retry")
    assert rig.reported(index=0, count=9) == Reported(State.QUEUED, b"most", 2, lines(0, 2))

    again = rig.begun(number=2).token
    assert rig.run(rig.op("status")).progress == b"most"  # until the new attempt reports
    assert rig.report(token=again, number=1, progress=b"little", lines=lines(2, 2)) == "kept"
    assert rig.reported(index=0, count=9) == Reported(State.RUNNING, b"little", 4, lines(0, 4))


def test_who_watches_the_task_is_told_once_a_report(rig):
    token = rig.running()
    heard = rig.listen(rig.keys.task("a"))
    rig.report(token=token, number=1, progress=b"p", lines=lines(0, 9))
    rig.report(token=token, number=1, progress=b"p", lines=lines(0, 9))

    assert heard() == [b"report"]


@pytest.mark.parametrize("end", ["settle", "stop", "recover"])
def test_reports_end_with_their_task(rig, end):
    token = rig.running(restarts=0)
    rig.report(token=token, number=1, progress=b"p", lines=lines(0, 3))
    match end:
        case "settle":
            rig.settle_one("a", token)
        case "stop":
            rig.stop()
            rig.giveback(token=token, why="release")
        case "recover":
            rig.lose(sure=True)
            rig.recover()

    assert rig.reported(index=0, count=9).lines == lines(0, 3)
    names = {key for key in rig.all_keys() if ":t:a" in key}
    assert all(rig.raw.pttl(key) > 0 for key in names), names


# -- at maxmemory ---------------------------------------------------------------------------------


def test_without_memory_the_progress_is_kept_and_lines_are_dropped(real_rig):
    rig = real_rig
    token = rig.running()
    rig.report(token=token, number=1, progress=b"first", lines=lines(0, 1))
    rig.raw.config_set("maxmemory", 1)
    try:
        assert rig.report(token=token, number=2, progress=b"second") == "kept"
        assert rig.report(token=token, number=3, progress=b"third", lines=lines(1, 1)) == "full"
        assert rig.report(token=token, number=3, progress=b"third", lines=lines(1, 1)) == "kept"  # it was here before
        assert rig.reported(index=0, count=9) == Reported(State.RUNNING, b"third", 1, lines(0, 1))
    finally:
        rig.raw.config_set("maxmemory", 0)
    assert rig.report(token=token, number=4, lines=lines(1, 1)) == "kept"
    assert rig.reported(index=0, count=9).lines == lines(0, 2)


def test_without_memory_lines_make_room_for_others(real_rig):
    rig = real_rig
    token = rig.running()
    rig.report(token=token, number=1, lines=lines(0, 3), limit=3)
    rig.raw.config_set("maxmemory", 1)
    try:
        assert rig.report(token=token, number=2, lines=lines(3, 2), limit=3) == "kept"
    finally:
        rig.raw.config_set("maxmemory", 0)
    assert rig.reported(index=0, count=9, limit=3).lines == lines(2, 3)
