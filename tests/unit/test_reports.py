"""What a task has reported and nobody has taken yet: bounded, the latest, and each thing once."""

from taskpy.reported import LogLine, Progress
from taskpy.reports import Reports


def line(number):
    return LogLine(1.0, "INFO", "app", str(number))


def texts(lines):
    return [one.text for one in lines]


def test_progress_tells_once_until_it_is_taken():
    told = []
    reports = Reports(lambda: told.append(reports.latest))
    for number in range(1_000_000):
        reports.progress(number, None, None)
    assert told == [Progress(0)]

    assert reports.take() == (Progress(999_999), [])
    assert reports.take() == (None, [])
    assert reports.latest == Progress(999_999)
    reports.progress(1, 2, "note")
    assert told == [Progress(0), Progress(1, 2, "note")]


def test_the_same_progress_once_more_is_new():
    reports = Reports()
    reports.progress(1, None, None)
    assert reports.take()[0] == Progress(1)
    reports.progress(1, None, None)
    assert reports.take()[0] == Progress(1)


def test_lines_are_taken_once():
    told = []
    reports = Reports(lambda: told.append(1))
    for number in range(3):
        reports.log(line(number))

    assert len(told) == 3
    assert texts(reports.take()[1]) == ["0", "1", "2"]
    assert reports.take() == (None, [])
    reports.log(line(3))
    assert texts(reports.take()[1]) == ["3"]


def test_too_many_lines_say_how_many_were_dropped():
    reports = Reports(limit=3)
    for number in range(10):
        reports.log(line(number))

    first, *rest = reports.take()[1]
    assert first.text == "8 lines were dropped here: they came faster than they could be passed on"
    assert (first.level, first.logger) == ("WARNING", "taskpy.logs")
    assert texts(rest) == ["8", "9"]
    reports.log(line(10))
    assert texts(reports.take()[1]) == ["10"]


def test_readers_have_their_own_places():
    reports = Reports(limit=3)
    assert reports.read(0) == (0, [])
    for number in range(5):
        reports.log(line(number))

    behind, lines = reports.read(0)
    assert (behind, texts(lines)) == (5, ["2", "3", "4"])
    assert reports.read(5) == (5, [])
    assert (reports.read(4)[0], texts(reports.read(4)[1])) == (5, ["4"])
    assert reports.read(99) == (5, [])


def test_who_has_looked_hears_of_the_next_progress():
    told = []
    reports = Reports(lambda: told.append(1))
    reports.progress(1, None, None)
    reports.read(0)
    reports.progress(2, None, None)
    reports.progress(3, None, None)

    assert len(told) == 2


def test_who_comes_late_is_told_at_once():
    told = []
    reports = Reports()
    reports.on_change(lambda: told.append("early"))
    reports.progress(1, None, None)
    reports.on_change(lambda: told.append("late"))

    assert told == ["early", "late"]


def test_what_was_taken_elsewhere_is_passed_on():
    told = []
    reports = Reports(lambda: told.append(1))
    reports.pass_on(Progress(1, 2, "n"), [line(0)])
    reports.pass_on(None, [line(1)])

    assert len(told) == 2
    assert reports.latest == Progress(1, 2, "n")
    assert texts(reports.read(0)[1]) == ["0", "1"]
