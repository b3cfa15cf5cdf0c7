"""What a task reports of itself, as data and as bytes: how far it has come, and lines of its log.

Both are cut to their limits where they are made, so that packing never fails: a report must not end a task.
"""

import math
import numbers
from dataclasses import dataclass
from typing import Any

from taskpy import errors, values, wire

#: How many characters of a progress's note are kept.
NOTE_LENGTH = 500
#: How much text of one log record is kept, in bytes: the message, with its traceback.
TEXT_BYTES = 4096
#: How many characters of the names of a logger and of a level are kept.
NAME_LENGTH = 200
#: The largest line or progress, packed, in bytes: well above what the other limits let through.
LIMIT = 16 * 1024

_CUT = " […] "
_LAST_SECOND = 253_402_214_400  # the last day of the year 9999, wherever it is read


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task has come: `done` of `total`, where it has said of how much, and a note of what it does."""

    done: float
    total: float | None = None
    note: str | None = None

    @property
    def fraction(self) -> float | None:
        """The part that is done, from 0 to 1; None where the total is not known."""
        if self.total is None:
            return None
        return min(1.0, self.done / self.total) if self.total else 1.0


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log record of a task. `time` is in epoch seconds, by the clock of the host that it ran on.

    `text` is the message, with the traceback where there was one.
    """

    time: float
    level: str
    logger: str
    text: str


def checked_number(value: Any, name: str) -> float:
    """The value as a plain number; raises `BadArguments` when it is none, negative or not finite."""
    plain: float = value
    if type(value) is not int and type(value) is not float:
        if not isinstance(value, numbers.Real):
            raise errors.BadArguments(f"{name} must be a number, not {type(value).__name__}")
        plain = int(value) if isinstance(value, numbers.Integral) else float(value)  # numpy's, say
    try:
        fine = plain >= 0 and math.isfinite(plain)
    except OverflowError:  # an int that is larger than any float
        fine = False
    if not fine:
        raise errors.BadArguments(f"{name} must be a finite number from 0 on, not {values.shown(value)}")
    return plain


def checked_note(value: Any) -> str:
    """The note, cut to its limit; raises `BadArguments` when it is no text."""
    if not isinstance(value, str):
        raise errors.BadArguments(f"note must be text, not {type(value).__name__}")
    return plain_text(value[:NOTE_LENGTH])


def plain_text(text: str) -> str:
    """The text, as it can be sent: lone surrogates are written out."""
    return str(text) if text.isascii() else text.encode(errors="backslashreplace").decode()


def cut_text(text: str) -> str:
    """The text in at most TEXT_BYTES; the middle is cut out, for a traceback says at its end what happened."""
    data = text.encode(errors="backslashreplace")
    if len(data) <= TEXT_BYTES:
        return data.decode()
    half = (TEXT_BYTES - len(_CUT.encode())) // 2
    return data[:half].decode(errors="ignore") + _CUT + data[-half:].decode(errors="ignore")


def dump_progress(progress: Progress) -> bytes:
    """Packs a progress."""
    fields: dict[str, Any] = {"d": progress.done}
    if progress.total is not None:
        fields["t"] = progress.total
    if progress.note is not None:
        fields["n"] = progress.note
    return wire.seal(fields, where="progress", parts={"progress": fields}, limit=LIMIT)


def load_progress(data: bytes) -> Progress:
    """Unpacks a progress; raises Malformed or NewerVersion."""
    fields = wire.unseal(data, limit=LIMIT)
    done = wire.take(fields, "d", "done", int, float)
    total = wire.take(fields, "t", "total", int, float, default=None)
    note = wire.take(fields, "n", "note", str, default=None)
    try:
        for number in (done, 0 if total is None else total):
            checked_number(number, "a progress")
    except errors.BadArguments as error:
        raise errors.Malformed(str(error)) from error
    return Progress(done, total, note)


def dump_line(line: LogLine) -> bytes:
    """Packs a line of a log."""
    fields = {"t": line.time, "l": line.level, "n": line.logger, "x": line.text}
    return wire.seal(fields, where="log line", parts={"log line": fields}, limit=LIMIT)


def load_line(data: bytes) -> LogLine:
    """Unpacks a line of a log; raises Malformed or NewerVersion."""
    fields = wire.unseal(data, limit=LIMIT)
    time = wire.take(fields, "t", "time", float, int)
    level, logger, text = (wire.take(fields, key, name, str) for key, name in _TEXTS)
    if not 0 <= time <= _LAST_SECOND:  # which no calendar knows; nor does it know NaN
        raise errors.Malformed(f"{values.shown(time)} is not the time of a log line")
    return LogLine(float(time), level, logger, text)


_TEXTS = (("l", "level"), ("n", "logger"), ("x", "text"))
