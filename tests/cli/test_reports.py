"""Progress and logs on the command line: `logs`, and what `show` and `attach` have of them."""

import io
import json
import re
import threading

import pytest

from taskpy import LogLine, Progress, RemoteTask
from taskpy.cli import reports
from tests.cli.terminal import Terminal
from tests.system.waiting import until

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.fixture
def climbing(working):
    """A task of four steps that has done the first."""
    task = working.client.submit("cli.climber", 4)
    task.send("go on")
    until(lambda: len(list(task.logs())) == 2, "the second step")
    yield task
    task.stop()


# -- logs ---------------------------------------------------------------------------------------


def test_the_log_is_printed(cli, climbing):
    done = cli("logs", climbing.id)

    assert (done.code, done.err) == (0, "")
    assert re.fullmatch(
        rf"{STAMP} WARNING cli\.climber: step 0\nof \\x1b\[31m4\n{STAMP} WARNING cli\.climber: step 1\nof \\x1b\[31m4\n",
        done.out,
    )


def test_the_log_as_json(cli, climbing):
    found = [json.loads(line) for line in cli("logs", climbing.id, "--json").lines]

    assert [line["text"] for line in found] == ["step 0\nof \x1b[31m4", "step 1\nof \x1b[31m4"]
    assert {(line["level"], line["logger"]) for line in found} == {("WARNING", "cli.climber")}
    assert found[0].keys() == {"time", "level", "logger", "text"}


def test_the_log_is_followed_to_the_end(cli, climbing):
    climbing.send("go on")
    climbing.send("fail")

    done = cli("logs", climbing.id, "--follow")
    assert done.code == 0
    assert re.search(rf"{STAMP} ERROR   cli\.climber: \\x1b\[2Jslipped\n$", done.out)


def test_the_log_of_nobody(cli, session):
    assert cli("logs", "nobody").code == 3
    quiet = session.client.submit("cli.add", 1)
    assert (cli("logs", quiet.id).code, cli("logs", quiet.id).out) == (0, "")


# -- show ---------------------------------------------------------------------------------------


def test_show_has_progress_and_log(cli, climbing):
    out = cli("show", climbing.id).out

    assert "\nprogress   1 of 4 (25 %): \\x1b[31mclimbing\n" in out
    log = out.partition("\nlog\n")[2]
    assert re.fullmatch(r"(  \d\d:\d\d:\d\d WARNING cli\.climber: step [01] \(and 1 more\)\n){2}", log)
    found = cli("show", climbing.id, "--json").json
    assert found["progress"] == {"done": 1, "total": 4, "fraction": 0.25, "note": "\x1b[31mclimbing"}
    assert (found["logged"], [line["text"][:6] for line in found["log"]]) == (2, ["step 0", "step 1"])


def test_show_has_the_last_lines(cli, session):
    task = session.client.submit("cli.logger", 30)
    session.drain()

    out = cli("show", task.id).out
    assert f"\nlog: the last 10 of 30 lines; for more: taskpy logs {task.id}\n" in out
    assert re.findall(r"line (\d+)", out) == [str(number) for number in range(20, 30)]


def test_show_of_a_task_that_said_nothing(cli, session):
    task = session.client.submit("cli.add", 1)

    out = cli("show", task.id).out
    assert "progress" not in out
    assert "\nlog" not in out
    found = cli("show", task.id, "--json").json
    assert (found["progress"], found["logged"], found["log"]) == (None, 0, [])


# -- attach -------------------------------------------------------------------------------------


def test_attach_shows_a_bar_above_what_is_typed(place):
    task = place.client.submit("cli.climber", 3)
    terminal = Terminal(place.environment | {"PYTHONUTF8": "1"}, "attach", task.id)
    try:
        terminal.see(" cli.climber: step 0\nof \\x1b[31m3\n")
        terminal.see("░  0 of 3 (0 %): \\x1b[31mclimbing")
        terminal.type("half a li")
        terminal.see("half a li")
        terminal.type("ne\n")
        terminal.see(" cli.climber: step 1\n")
        terminal.see("█░")
        terminal.see("1 of 3 (33 %): \\x1b[31mclimbing")
        terminal.type("on\non\n")
        terminal.see("it has succeeded: at the top\n")
        assert terminal.ended() == 0
    finally:
        terminal.close()


def test_a_terminal_that_cannot_move_its_cursor_gets_no_bar(place):
    task = place.client.submit("cli.climber", 1)
    terminal = Terminal(place.environment | {"TERM": "dumb", "NO_COLOR": "1"}, "attach", task.id)
    try:
        terminal.see("WARNING cli.climber: step 0\n")
        terminal.type("on\n")
        terminal.see("it has succeeded: at the top\n")
        assert " of 1 (" not in terminal.seen
        assert "\x1b" not in terminal.seen
    finally:
        terminal.close()


def test_attach_without_a_terminal_writes_log_lines_to_standard_error(place):
    task = place.client.submit("cli.climber", 2)

    done = place.run("attach", task.id, typed="on\nfail\n")
    assert (done.code, done.out) == (1, "")
    assert re.findall(r"(?:WARNING|ERROR  ) cli\.climber: (\S+)", done.err) == ["step", "step", "\\x1b[2Jslipped"]
    assert " of 2 (" not in done.err


def test_attach_as_json(place):
    task = place.client.submit("cli.climber", 2)

    done = place.run("attach", task.id, "--json", typed="on\non\n")
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [one["log"]["text"][:6] for one in found if "log" in one] == ["step 0", "step 1"]
    said = [one["progress"] for one in found if "progress" in one]
    assert said[-1] == {"done": 2, "total": 2, "fraction": 1.0, "note": None}
    assert found[-1]["ended"] == "succeeded"


# -- how they look ------------------------------------------------------------------------------


class Stream(io.StringIO):
    def __init__(self, encoding):
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self):
        return self._encoding


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress(7), "7"),
        (Progress(1234567, 2000000), "1,234,567 of 2,000,000 (61 %)"),
        (Progress(999, 1000), "999 of 1,000 (99 %)"),
        (Progress(0.5, 3.0, "a\nb"), "0.5 of 3 (16 %): a\\nb"),
        (Progress(10**300, 10**301), "1e+300 of 1e+301 (10 %)"),
    ],
)
def test_progress_in_words(progress, text):
    assert reports.progress_text(progress) == text


@pytest.mark.parametrize(
    ("columns", "encoding", "bar"),
    [
        (60, "utf-8", "█████░░░░░░░░░░░░░░░  1 of 4 (25 %): reading the pages"),
        (60, "latin-1", "#####...............  1 of 4 (25 %): reading the pages"),
        (40, "utf-8", "███░░░░░░░░░░  1 of 4 (25 %): reading t…"),
        (29, "utf-8", "1 of 4 (25 %): reading the p…"),
    ],
)
def test_a_bar_fits(columns, encoding, bar):
    made = reports.progress_bar(Progress(1, 4, "reading the pages"), columns, Stream(encoding))

    assert made == bar
    assert len(made) <= columns


def test_without_a_total_there_is_no_bar():
    assert reports.progress_bar(Progress(3, None, "reading"), 80, Stream("utf-8")) == "3: reading"


def test_a_line_of_a_stranger_is_shown():
    line = LogLine(1e300, "\x1b[2J", "\x1b[2J", "\x1b[2J")

    assert reports.log_text(line, colours=False) == "? \\x1b[2J \\x1b[2J: \\x1b[2J"
    assert "\x1b" not in reports.log_summary(line, 80)


def test_attach_prints_the_log_to_its_end(cli, working, monkeypatch):
    task = working.client.submit("cli.logger", 2)
    task.wait(10)
    read = RemoteTask.reports

    def read_late(self, follow=False):
        threading.Event().wait(0.3)  # behind the end of the messages
        return read(self, follow)

    monkeypatch.setattr(RemoteTask, "reports", read_late)
    assert re.findall(r"cli\.logger: line (\d)", cli("attach", task.id).err) == ["0", "1"]
