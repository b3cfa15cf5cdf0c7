"""Progress and logs: what a task says of itself while it runs is seen outside, in every place, and stays."""

import dataclasses
import itertools
import logging
import time

import contract_tasks as tasks
import places
import pytest
from places import SOON, WOKEN, eventually

import taskpy
from taskpy import LogLine, Progress, errors
from taskpy.spec import LOG_LIMIT

thoroughly = pytest.mark.parametrize("place", places.THOROUGHLY, indirect=True)
remote = pytest.mark.parametrize("place", places.REMOTE, indirect=True)
plain_remote = pytest.mark.parametrize("place", places.PLAIN_REMOTE, indirect=True)


def texts(lines):
    return [line.text for line in lines]


# -- progress -----------------------------------------------------------------------------------


@thoroughly
def test_progress_is_seen_while_the_task_runs_and_after_its_end(place, gate):
    handle = place(tasks.climb, gate.path)
    assert handle.progress is None
    handle.start()
    assert handle.recv(timeout=SOON) == "begun"

    assert eventually(lambda: handle.progress) == Progress(1, 4, "first")
    gate.open()
    gate.open_end()
    handle.get(timeout=SOON)
    assert handle.progress == Progress(4, 4)
    assert handle.progress.fraction == 1.0
    if place.remote:
        assert place.attach(handle.id).progress == Progress(4, 4)


def test_the_last_word_before_the_end_is_never_lost(place):
    for number in range(20):
        handle = place.started(tasks.say_progress, number, 20, "note")
        handle.get(timeout=SOON)
        assert handle.progress == Progress(number, 20, "note")


@pytest.mark.parametrize("place", places.PLAIN, indirect=True)
@pytest.mark.parametrize(
    "arguments", [(-1,), (float("nan"),), (1, float("inf")), (10**400,), ("1",), (1, 2, 3), (None,)]
)
def test_what_is_no_progress_is_an_error_for_the_task(place, arguments):
    handle = place.started(tasks.say_progress, *arguments)

    with pytest.raises(errors.BadArguments, match="must be"):
        handle.get(timeout=SOON)
    assert handle.progress is None


def test_a_note_is_cut_and_always_crosses(place):
    handle = place.started(tasks.say_progress, 0.5, 1.0, "\ud800" + "ä" * 600) if not place.crosses else None
    handle = handle or place.started(tasks.say_progress, 0.5, 1.0, "ä" * 600)
    handle.get(timeout=SOON)

    note = handle.progress.note
    assert note == ("ä" * 500 if place.crosses else "\\ud800" + "ä" * 499)


@remote
def test_the_progress_of_an_attempt_stands_until_the_next_one_reports(place):
    handle = place.options(retries=1, backoff=0.0).started(tasks.report_and_fail_once)
    handle.get(timeout=SOON)

    assert handle.progress == Progress(9, 10)


# -- logs ---------------------------------------------------------------------------------------


@thoroughly
def test_log_records_are_read_in_order(place):
    began = time.time()
    handle = place.started(tasks.say_lines, 300)
    handle.get(timeout=SOON)

    lines = list(handle.logs())
    assert texts(lines) == [f"line {number}" for number in range(300)]
    assert {(line.level, line.logger) for line in lines} == {("ERROR", "contract.lines")}
    assert all(began - 1 <= line.time <= time.time() + 1 for line in lines)
    assert list(handle.logs(follow=True)) == lines == list(handle.logs())
    with pytest.raises(dataclasses.FrozenInstanceError):
        lines[0].text = "another"


def test_odd_records_are_passed_on_and_break_nothing(place, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # that of pytest raises what it cannot format
    handle = place.started(tasks.say_odd_lines)
    handle.get(timeout=SOON)

    unfit, unprintable, surrogate, long, failed = texts(handle.logs())
    assert unfit == "%s and %s (its arguments cannot be formatted: TypeError)"
    assert unprintable == "%s (its arguments cannot be formatted: ValueError)"
    assert surrogate == "lone \\ud800"
    assert len(long.encode()) <= 4096
    assert (long[:9], long[-4:]) == ("x" * 9, "xend")
    assert failed.startswith("failed\nTraceback (most recent call last):\n")
    assert failed.endswith("KeyError: 'why'")


def test_a_thread_of_the_task_counts_when_it_has_its_context(place):
    handle = place.started(tasks.say_in_threads)
    handle.get(timeout=SOON)

    assert texts(handle.logs()) == ["with"]


def test_each_task_has_its_own_log(place):
    handles = [place.started(tasks.say_lines, 20, f"task{number}") for number in range(4)]

    for number, handle in enumerate(handles):
        handle.get(timeout=SOON)
        assert texts(handle.logs()) == [f"task{number} {line}" for line in range(20)]


def test_the_last_lines_are_kept(place):
    handle = place.started(tasks.say_lines, 3 * LOG_LIMIT)
    handle.get(timeout=SOON)

    lines = list(handle.logs())
    assert len(lines) == LOG_LIMIT
    assert lines[-1].text == f"line {3 * LOG_LIMIT - 1}"
    said = [line for line in lines if line.logger == "contract.lines"]
    numbers = [int(line.text.split()[1]) for line in said]
    gaps = sum(after - before - 1 for before, after in itertools.pairwise(numbers))
    marks = [line.text.split()[0] for line in lines if line.logger == "taskpy.logs"]
    first_is_a_mark = lines[0].logger == "taskpy.logs"
    assert gaps == sum(map(int, marks[first_is_a_mark:])), "what was dropped on the way is said"


@thoroughly
def test_a_reader_follows_to_the_end(place, gate, background):
    handle = place.begun(tasks.climb, gate.path)
    readers = [background(list, handle.logs(follow=True)) for _ in range(2)]
    reader = handle.logs(follow=True)
    assert next(reader).text == "climbing"
    gate.open()
    began = time.monotonic()
    assert next(reader).text == "at the top"
    assert time.monotonic() - began < WOKEN
    gate.open_end()

    assert list(reader) == []
    assert [texts(reader.result(SOON)) for reader in readers] == [["climbing", "at the top"]] * 2


def test_progress_is_followed_among_the_lines(place, gate):
    handle = place.begun(tasks.climb, gate.path)
    reports = handle.reports(follow=True)

    seen = {next(reports), next(reports)}
    assert Progress(1, 4, "first") in seen
    assert {one.text for one in seen if isinstance(one, LogLine)} == {"climbing"}
    gate.open()
    rest = []
    while Progress(4, 4) not in rest:
        rest.append(next(reports))
    gate.open_end()
    rest += reports
    assert texts(one for one in rest if isinstance(one, LogLine)) == ["at the top"]


@remote
def test_a_second_attempt_appends(place):
    handle = place.options(retries=1, backoff=0.0).started(tasks.report_and_fail_once)

    assert texts(handle.logs(follow=True)) == ["attempt 1", "attempt 2"]
    assert texts(place.attach(handle.id).logs()) == ["attempt 1", "attempt 2"]


def test_a_task_that_is_new_or_says_nothing_has_no_lines(place):
    handle = place(tasks.give, 1)
    assert list(handle.logs()) == []
    with pytest.raises(errors.NotStarted):
        next(handle.logs(follow=True))
    handle.start()
    assert list(handle.logs(follow=True)) == []
    assert handle.progress is None


@plain_remote
def test_the_log_of_nobody(place):
    for use in (lambda task: list(task.logs()), lambda task: task.progress):
        with pytest.raises(errors.TaskNotFound):
            use(taskpy.RemoteTask.attach(place.unknown_id()))


def test_what_a_child_said_before_it_was_killed_is_there():
    handle = taskpy.ProcessTask(tasks.die_after_logging)
    handle.start()
    reader = handle.logs(follow=True)
    assert next(reader).text == "last words"
    eventually(lambda: handle.progress)
    handle.send("now")

    with pytest.raises(errors.WorkerLost):
        handle.get(timeout=SOON)
    assert (list(reader), handle.progress) == ([], Progress(1))


def test_reading_logs_belongs_outside():
    def read_own(t):
        t.logs()

    handle = taskpy.Task(read_own)
    handle.start()
    with pytest.raises(errors.WrongSide):
        handle.get(timeout=SOON)


# -- the process's own logging --------------------------------------------------------------------


def test_the_root_logger_is_left_alone(script):
    output, _ = script.run(
        """
import logging
from taskpy import Task

made = logging.getLogRecordFactory()

class Mine(logging.LogRecord):
    pass

logging.setLogRecordFactory(Mine)

def work(t):
    logging.getLogger("app").info("hello %s", "there")

if __name__ == "__main__":
    first = Task(work)
    first.start()
    first.get()
    assert logging.getLogger().handlers == []
    ours = logging.getLogRecordFactory()
    logging.basicConfig(level="INFO", format="%(name)s:%(message)s", stream=__import__("sys").stdout)
    second = Task(work)
    second.start()
    second.get()
    assert logging.getLogRecordFactory() is ours, "wrapped once"
    assert type(ours("n", 1, "p", 1, "m", (), None)) is Mine
    print([line.text for line in first.logs()], [line.text for line in second.logs()])
"""
    )

    assert output.splitlines() == ["app:hello there", "[] ['hello there']"]


def test_in_a_process_of_our_own_a_handler_takes_records_behind_the_filters_of_loggers(script):
    output, _ = script.run(
        """
import logging
from taskpy import Task, logs

logger = logging.getLogger("app")

def work(t):
    logger.warning("of %s", "a secret")
    logger.warning("dropped")

def hide(record):
    record.args = ("***",) if record.args else ()
    return record.msg != "dropped"

def texts():
    task = Task(work)
    task.start()
    task.get()
    return [line.text for line in task.logs()]

if __name__ == "__main__":
    logging.basicConfig(handlers=[logging.NullHandler()])
    logger.addFilter(hide)
    before = texts()
    for _ in range(2):
        logs.install_handler()
    print(before, texts())
"""
    )

    assert output == "['of a secret', 'dropped'] ['of ***']\n"


def test_logging_in_a_child_process_is_as_ever(script):
    process = script.start(
        """
import logging
from taskpy import ProcessTask

def work(t):
    logging.getLogger("app").warning("as ever")
    logging.basicConfig(level="INFO", format="%(name)s:%(message)s")
    logging.getLogger("app").info("configured")

if __name__ == "__main__":
    task = ProcessTask(work)
    task.start()
    task.get()
    print([line.text for line in task.logs()])
"""
    )
    output, error = process.communicate(timeout=60)

    assert output == "['as ever', 'configured']\n"
    assert error == "as ever\napp:configured\n"


def test_records_outside_of_tasks_are_nobodys(caplog):
    handle = taskpy.Task(tasks.say_lines, 1)
    handle.start()
    handle.get(timeout=SOON)
    logging.getLogger("contract").warning("outside")

    assert texts(handle.logs()) == ["line 0"]
