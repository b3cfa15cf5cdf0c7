"""Log records of tasks, on their way to the reports of the task in whose thread, or asyncio task, they were made.

A context variable names these reports. Where a process is ours, a handler of the root logger looks at it
(`install_handler`). Everywhere else a handler there would keep `logging.basicConfig` from doing its work, so the factory
of log records is wrapped instead, once, when the first task begins.
"""

import logging
import threading
from contextvars import ContextVar
from typing import Any

from taskpy.reported import NAME_LENGTH, LogLine, cut_text, plain_text
from taskpy.reports import Reports

_reports: ContextVar[Reports | None] = ContextVar("taskpy_reports", default=None)
_installing = threading.Lock()
_installed = False
_by_handler = False
_formatter = logging.Formatter()


class captured:  # noqa: N801 - used as a function is
    """Takes the records that are made within `with captured(task):` for the reports of the task."""

    __slots__ = ("_task", "_token")

    def __init__(self, task: Any) -> None:
        self._task = task

    def __enter__(self) -> None:
        if not _installed:
            _wrap_factory()
        self._token = _reports.set(getattr(self._task, "sink", None))

    def __exit__(self, *_: object) -> None:
        _reports.reset(self._token)


def install_handler() -> None:
    """Take records as a handler of the root logger does: in a process that runs nothing but tasks."""
    global _installed, _by_handler  # noqa: PLW0603 - of the process, as logging itself
    with _installing:
        if not _by_handler:
            logging.getLogger().addHandler(_Handler(logging.NOTSET))
        _installed = _by_handler = True


class _Handler(logging.Handler):
    """Passes each record on to the task that it was made in."""

    def emit(self, record: logging.LogRecord) -> None:
        """Pass it on."""
        _pass_on(record)


def _wrap_factory() -> None:
    global _installed  # noqa: PLW0603 - of the process, as the factory
    with _installing:
        if _installed:
            return
        make = logging.getLogRecordFactory()

        def make_and_pass_on(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = make(*args, **kwargs)
            if not _by_handler:
                _pass_on(record)
            return record

        logging.setLogRecordFactory(make_and_pass_on)
        _installed = True


def _pass_on(record: logging.LogRecord) -> None:
    reports = _reports.get()
    if reports is None or not _is_theirs(record):
        return
    token = _reports.set(None)  # what is logged while a record is formatted would be formatted, too
    try:
        reports.log(_line(record))
    except Exception:  # a record that cannot be read must not end the task that made it
        return
    finally:
        _reports.reset(token)


def _is_theirs(record: logging.LogRecord) -> bool:
    # The name is not always text: logging.makeLogRecord begins with an empty record.
    return isinstance(record.name, str) and record.name.partition(".")[0] != "taskpy"


def _line(record: logging.LogRecord) -> LogLine:
    level, logger = (plain_text(str(name)[:NAME_LENGTH]) for name in (record.levelname, record.name))
    return LogLine(record.created, level, logger, cut_text(_text(record)))


def _text(record: logging.LogRecord) -> str:
    try:
        text = record.getMessage()
    except Exception as error:  # arguments that do not fit, or whose text cannot be made
        text = f"{record.msg} (its arguments cannot be formatted: {type(error).__name__})"
    if record.exc_info and record.exc_info[0] is not None:
        text += f"\n{record.exc_text or _formatter.formatException(record.exc_info)}"
    if record.stack_info:
        text += f"\n{_formatter.formatStack(record.stack_info)}"
    return text
