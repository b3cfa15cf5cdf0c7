"""Times and lengths of time, as people read and write them."""

import math
import re
import time

import click

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
#: From which length on a larger unit says enough.
_STEPS = (("d", 2 * 86400.0), ("h", 2 * 3600.0), ("m", 120.0), ("s", 0.0))


def seconds(text: str) -> float:
    """Read a length of time: `90`, `1.5`, `250ms`, `5m`, `2h`, `1d`."""
    found = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+) ?(ms|s|m|h|d)?", text)
    if not found:
        raise click.BadParameter(f"{text!r} is not a length of time; write 90, 1.5, 250ms, 5m, 2h or 1d")
    return float(found[1]) * _UNITS[found[2] or "s"]


def short(lasting: float) -> str:
    """A length of time in one unit, for a column: `42s`, `3m`, `5h`, `9d`."""
    lasting = max(0.0, lasting)
    unit = next(unit for unit, least in _STEPS if lasting >= least)
    return f"{int(lasting / _UNITS[unit])}{unit}"


def length(lasting: float) -> str:
    """A length of time for a sentence: `12 ms`, `1.4 s`, `42 s`, `3 m 20 s`, `5 h 10 m`."""
    lasting = max(0.0, lasting)
    if lasting < 1:
        return f"{1000 * lasting:.0f} ms"
    if lasting < 10:
        return f"{lasting:.1f} s"
    if lasting < 120:
        return f"{lasting:.0f} s"
    for large, small, limit in (("m", "s", 2 * 3600), ("h", "m", 2 * 86400)):
        if lasting < limit:
            return f"{int(lasting / _UNITS[large])} {large} {int(lasting % _UNITS[large] / _UNITS[small])} {small}"
    return f"{int(lasting / 86400)} d {int(lasting % 86400 / 3600)} h"


def ago(then: float | None, now: float) -> str:
    """How long a moment is over, `3m ago`; nothing for None."""
    return "" if then is None else f"{short(now - then)} ago"


def until(then: float | None, now: float) -> str:
    """How far a moment is away, `in 5m`; nothing for None."""
    return "" if then is None else f"in {short(math.ceil(then - now))}"


def stamp(epoch: float) -> str:
    """A moment by the calendar and the clock of this place."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(epoch))
