"""The worker's log as JSON: one object a line, with the fields that stand in the text."""

import json
import logging

import pytest
from taskpy_worker import log


def line_of(message, *args, level=logging.INFO, exc_info=None):
    """What is written of one message."""
    record = logging.LogRecord("taskpy.worker", level, __file__, 1, message, args, exc_info)
    record.created, record.msecs, record.process = 1_700_000_000.25, 250.0, 4711
    written = log.JsonFormatter().format(record)
    assert "\n" not in written
    return json.loads(written)


def test_a_line_says_who_and_when():
    assert line_of("nothing special", level=logging.WARNING) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "warning",
        "logger": "taskpy.worker",
        "process": 4711,
        "message": "nothing special",
    }


def test_the_fields_of_the_message_are_fields():
    line = line_of("task given back: task=%s name=%s delay=%.1f tasks=%d again=%s", "5f0c", "m.f", 1.25, 3, True)

    assert line["message"] == "task given back: task=5f0c name=m.f delay=1.2 tasks=3 again=True"
    assert [line[name] for name in ("task", "name", "delay", "tasks", "again")] == ["5f0c", "m.f", 1.25, 3, True]


def test_what_json_does_not_know_is_text():
    assert line_of("lost: error=%s", ValueError("no"))["error"] == "no"


def test_a_field_does_not_take_the_place_of_what_is_always_there():
    line = line_of("strange: time=%s process=%d message=%s", "noon", 1, "other")

    assert (line["time"], line["process"]) == ("2023-11-14T22:13:20.250Z", 4711)
    assert line["message"] == "strange: time=noon process=1 message=other"


@pytest.mark.parametrize(
    ("message", "args", "text"),
    [
        ("%s of another form: task=%s", ("a message", 1), "a message of another form: task=1"),
        ("with names: task=%(task)s", ({"task": 1},), "with names: task=1"),
        (ValueError("no text"), (), "no text"),
    ],
)
def test_messages_of_others_are_only_text(message, args, text):
    line = line_of(message, *args)

    assert line["message"] == text
    assert "task" not in line


def test_a_traceback_is_in_the_line():
    error = ValueError("é\nin two lines")

    line = line_of("it failed", exc_info=(ValueError, error, None))

    assert line["traceback"] == "ValueError: é\nin two lines"


def test_a_line_can_be_written_to_any_terminal():
    record = logging.LogRecord("l", logging.INFO, __file__, 1, "name=%s", ("é\udc80",), None)

    written = log.JsonFormatter().format(record)

    assert written.isascii()
    assert json.loads(written)["name"] == "é\udc80"


@pytest.fixture
def quiet_root():
    """Whatever is done to the root logger is undone."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    root.handlers = []
    yield root
    root.level, root.handlers = before[0], before[1]
    logging.getLogger("taskpy.address").setLevel(logging.NOTSET)


@pytest.mark.parametrize(("form", "begins"), [("text", "2"), ("json", "{")])
def test_the_log_goes_to_standard_error(quiet_root, capsys, form, begins):
    log.set_up("warning", form)

    logging.getLogger("taskpy.worker").info("not this")
    logging.getLogger("taskpy.worker").warning("but this: task=%s", "5f0c")

    seen = capsys.readouterr()
    assert seen.out == ""
    [line] = seen.err.splitlines()
    assert line.startswith(begins)
    assert "but this: task=5f0c" in line


@pytest.mark.parametrize(("level", "lines"), [("info", 0), ("debug", 1)])
def test_each_process_need_not_say_where_the_local_server_is(quiet_root, capsys, level, lines):
    log.set_up(level, "text")

    logging.getLogger("taskpy.address").info("no Redis is named, using a local server: server=%s", "unix:///s")

    assert len(capsys.readouterr().err.splitlines()) == lines
