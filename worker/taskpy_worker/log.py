"""What the worker's processes write: one line an event on standard error, as text or as JSON, with the same field words."""

import json
import logging
import re
import sys
import time
from typing import Any, Literal

Format = Literal["text", "json"]

_TEXT = "%(asctime)s %(levelname)-7s %(process)d %(name)s: %(message)s"
_FIELD = re.compile(r"(\w+)=%")


def set_up(level: str, form: Format) -> None:
    """Send the log of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level == "info":
        # Where it is connected stands in its first line; each of its processes would say it once more.
        logging.getLogger("taskpy.address").setLevel(logging.WARNING)


class JsonFormatter(logging.Formatter):
    """A JSON object a line: time (UTC), level, logger, process, message, and the fields that the message names.

    Our messages read `what happened: task=%s queue=%s`; the fields are taken from there, so that they stand in the
    text and in the JSON under the same words.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Make the line of one record."""
        always: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        line = always | _fields(record) | always  # no field takes the place of these
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    if not isinstance(record.msg, str) or not isinstance(record.args, tuple):
        return {}
    names = _FIELD.findall(record.msg)
    if len(names) != len(record.args):
        return {}  # a message of somebody else's, of another form
    plain = (int, float, str, bool)
    return {
        name: value if isinstance(value, plain) else str(value) for name, value in zip(names, record.args, strict=True)
    }
