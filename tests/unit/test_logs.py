"""Records on their way to a task: which ones are taken, and that taking them breaks nothing."""

import logging
from types import SimpleNamespace

import pytest

from taskpy import logs
from taskpy.reports import Reports

logger = logging.getLogger("unit.logs")


@pytest.fixture
def reports():
    return Reports()


@pytest.fixture
def task(reports):
    return SimpleNamespace(sink=reports)


def texts(reports):
    return [line.text for line in reports.read(0)[1]]


def test_records_in_the_context_are_taken(task, reports):
    logger.warning("before")
    with logs.captured(task):
        logger.warning("within")
    logger.warning("after")

    assert texts(reports) == ["within"]


def test_a_task_in_a_task_has_its_own(task, reports):
    inner = Reports()
    with logs.captured(task):
        with logs.captured(SimpleNamespace(sink=inner)):
            logger.warning("inner")
        logger.warning("outer")

    assert (texts(inner), texts(reports)) == (["inner"], ["outer"])


def test_what_has_no_reports_is_run_all_the_same():
    with logs.captured(SimpleNamespace()):
        logger.warning("to nobody")


def test_what_is_logged_while_a_record_is_formatted_is_not_taken(task, reports):
    class Chatty:
        def __str__(self):
            logger.warning("from within")
            return "chatty"

    with logs.captured(task):
        # Not by a logger: its handlers would format it, too.
        logging.getLogRecordFactory()("unit.logs", logging.WARNING, "path", 1, "%s", (Chatty(),), None)

    assert texts(reports) == ["chatty"]


def test_reports_that_fail_break_nothing():
    class Failing:
        def log(self, line):
            raise RuntimeError("no")

    with logs.captured(SimpleNamespace(sink=Failing())):
        logger.warning("went well")


def test_records_that_are_put_together_by_hand_are_let_through(task, reports):
    with logs.captured(task):
        made = logging.makeLogRecord({"msg": "of another process", "name": "app"})

    assert made.getMessage() == "of another process"
    assert texts(reports) == []


def test_a_stack_is_part_of_the_text(task, reports):
    with logs.captured(task):
        logger.warning("here", stack_info=True)

    [text] = texts(reports)
    assert text.startswith("here\nStack (most recent call last):\n")
