"""Writes the corpus anew: valid envelopes, and known attacks on readers. `python -m tests.fuzz.corpus`

What fuzzing finds is added by hand, under a name that says what it is.
"""

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import Path

from taskpy import codec, question, values, wire
from taskpy.info import WorkerInfo
from taskpy.reported import LogLine, Progress
from taskpy.retry import Backoff
from taskpy.spec import Options, TaskSpec

FOLDER = Path(__file__).parent / "corpus"
#: The targets that read envelopes: each of them gets each of the attacks.
ENVELOPES = ("spec", "message", "state", "result", "exception", "progress", "line", "info", "value")
ENVELOPES += ("question", "reply", "asked", "own_answer")

VALUES = [None, True, 2**64, -(10**30), 1.5, "ä", b"\xff", (1, {2}), frozenset({3}), Decimal("1E+5"), uuid.UUID(int=7)]
MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
ENDLESS = values.pack(10**5000)
ONE_HASH = [number * (2**61 - 1) for number in range(200)]


def _error():
    return codec.dump_exception(OSError(2, "no such file", "name"), traceback="Traceback (most recent call last):\n")


def valid():
    """Target and name -> bytes that taskpy itself writes."""
    options = Options(
        queue="q", delay=1.5, retries=2, backoff=Backoff(), restarts=1, keep=60, time_limit=5, handover=True
    )
    info = WorkerInfo(host="web-3", pid=4711, queues=("default", "q"), concurrency=8, tasks=2, started=1.7e9)
    return {
        ("spec", "plain"): codec.dump_spec(TaskSpec("a.b", (1, *VALUES), {"second": MOMENT})),
        ("spec", "full"): codec.dump_spec(TaskSpec("f", (1,), {}, options, [1], "parent", {"trace": "x"}, {"z": 1})),
        ("message", "plain"): codec.dump_message(VALUES),
        ("message", "inbox"): codec.dump_message({"a": MOMENT}, inbox="other", headers={"h": 1}),
        ("state", "plain"): codec.dump_state({"step": 3, "seen": {1, 2}}, 2),
        ("result", "plain"): codec.dump_result([*VALUES, MOMENT.date(), MOMENT.timetz(), dt.timedelta(1, 2, 3)]),
        ("value", "plain"): codec.dumps(VALUES),
        ("exception", "plain"): _error(),
        ("progress", "plain"): codec.dump_progress(Progress(1, 2.5, "note")),
        ("line", "plain"): codec.dump_line(LogLine(1.7e9, "INFO", "my.logger", "text")),
        ("question", "plain"): question.dump_question("status", VALUES),
        ("question", "topic"): wire.seal({"t": "two words", "d": 1}, where="", parts={}, limit=1000),
        ("reply", "plain"): question.dump_reply(question.Reply(VALUES)),
        ("reply", "error"): question.dump_reply(question.Reply(error=OSError(2, "no such file", "name"))),
        ("reply", "unknown"): question.dump_reply(question.Reply(known=("a", "b"))),
        ("reply", "topics"): wire.seal({"u": [1, None]}, where="", parts={}, limit=1000),
        ("reply", "empty"): wire.seal({}, where="", parts={}, limit=1000),
        ("asked", "plain"): question.dump_asked(VALUES),
        ("asked", "empty"): wire.seal({}, where="", parts={}, limit=1000),
        ("own_answer", "plain"): question.dump_answer(VALUES),
        ("info", "plain"): info.dump(),
        ("taken", "plain"): b"12 15-17 20",
        ("taken", "endless"): b"0 1-99999999999",
        ("taken", "digits"): b"9" * 5000,
        ("taken", "negative"): b"-3 -5--1",
        ("event", "plain"): b"1700000000000 retry KeyError: 'x'",
        ("event", "empty"): b"",
        ("event", "nan"): b"nan x",
        ("nudge", "mail"): b"a 7",
        ("nudge", "stop"): b"a 7 stop kill 10000 ann@web-3:4711 too slow",
        ("nudge", "seen"): b"a 7 seen 3",
        ("nudge", "order"): b"a 7 order 3",
        ("nudge", "order-of-nothing"): b"a 7 order -1",
        ("nudge", "nonce"): b"! 5",
        ("nudge", "nan"): b"a 7 stop kill nan - x",
        ("nudge", "digits"): b"a " + b"9" * 5000 + b" seen " + b"9" * 5000,
        ("answer", "start"): bytes([0]) + b"\x1f".join([b"bq", b"bspec", b"b0 ", b"b", b"bkill 5 - x", *[b"i1"] * 7]),
        ("answer", "start-garbage"): bytes([0])
        + b"\x1f".join([b"bq", b"b", b"b0 1-9999999999", b"b", b"bx", *[b"bx"] * 7]),
        ("answer", "heartbeat"): bytes([3]) + b"\x1f".join([b"i1", b"bkill 5 - x"]),
        ("answer", "held"): bytes([4]) + b"\x1f".join([b"b#", b"b1", b"ba", b"bw.1"]),
        ("answer", "status"): bytes([8]) + b"\x1f".join([b"bsucceeded", b"bx", b"n", b"n", b"n", b"n"]),
        ("answer", "receipt"): bytes([9]) + b"\x1f".join([b"brunning", b"b3", b"b5-6", b"b1 7"]),
        ("answer", "look"): bytes([13]) + b"\x1f".join([b"bqueued", b"bq", b"bname", *[b"b1"] * 25]),
        ("answer", "worker"): bytes([16]) + b"\x1f".join([b"b17", b"n", b"i1"]),
    }


def _sealed(**fields):
    return values.pack({"v": 1, **fields})


def _nested(open_, count, end=b"\xc0"):
    return open_ * count + end


def _in_extensions(depth, data=b"\x90"):
    for _ in range(depth):
        data = b"\xc9" + len(data).to_bytes(4, "big") + b"\x01" + data
        data = b"\x91" + data
    return data


def attacks():
    """Name -> bytes for every target that reads an envelope."""
    every = {  # all the fields of all envelopes, with a place for something evil
        "digits": {"t": 10**5000, "f": 10**5000, "d": 10**5000, "n": 10**5000},
        "negative": {"t": -(10**5000), "f": -1, "d": -1, "n": "f", "o": {"retries": -(10**5000)}},
        "nan": {
            "t": float("nan"),
            "d": float("nan"),
            "f": 1,
            "l": "I",
            "n": "f",
            "x": "t",
            "o": {"delay": float("nan")},
        },
        "infinite": {
            "t": float("inf"),
            "d": float("inf"),
            "n": "f",
            "o": {"backoff": {"cap": float("inf"), "first": 1e308}},
        },
        "options": {"n": "f", "o": {"retries": 10**5000, "keep": 1e308, "queue": "{x}", "new": 1}},
        "escapes": {"n": "\x1b[31m", "i": "\x1b[31m", "t": "\x1b[31m", "x": "\x1b[2J", "b": "\x00", "d": "\x1b"},
        "names": {"n": "{a}:t:b", "i": "{a}", "u": "../../x", "d": 1},
        "exception-raises": {"t": "KeyError", "x": "x", "a": values.pack([10**5000])},
        "exception-of-ours": {"t": "taskpy.errors.RemoteError", "x": "x", "a": values.pack([1, [2], {3: 4}])},
        "exception-import": {"t": "os.system", "x": "x", "a": values.pack(["true"])},
        "exception-base": {"t": "SystemExit", "x": "x", "a": values.pack([1])},
        "one-hash": {"d": dict.fromkeys(ONE_HASH), "a": [set(ONE_HASH)], "n": "f", "pad": "x" * 4096},
        "info": {
            "host": 1,
            "pid": "x",
            "queues": ("\x1b", 1),
            "concurrency": -1,
            "tasks": 10**5000,
            "started": float("nan"),
        },
    }
    return {name: _sealed(**fields) for name, fields in every.items()} | {
        "empty": b"",
        "newer": values.pack({"v": 7, "d": 1, "n": "f"}),
        "newer-extension": b"\x82\xa1v\x07\xa1d\xd4\x63\x00",
        "version-digits": values.pack({"v": 10**5000}),
        "version-text": values.pack({"v": "1"}),
        "version-twice": b"\x82\xa1v\x01\xa1v\x07",
        "keys-twice": b"\x83\xa1v\x01\xa1d\x01\xa1d\x02",
        "keys-unhashable": b"\x82\xa1v\x01\x90\x01",
        "keys-of-lists": b"\x82\xa1v\x01\xd5\x01\x91\x90\x01",
        "keys-no-text": b"\x82\xa1v\x01\x01\x01",
        "set-unhashable": b"\x82\xa1v\x01\xa1d\xd5\x02\x91\x90",
        "surrogate": b"\x82\xa1v\x01\xa1d\xa3\xed\xa0\x80",
        "no-utf-8": b"\x82\xa1v\x01\xa1d\xa1\xff",
        "trailing": values.pack({"v": 1, "d": 1}) + b"\xc0",
        "cut": values.pack({"v": 1, "d": "x" * 30})[:-3],
        "deep-lists": _nested(b"\x91", 2000),
        "deep-maps": _nested(b"\x81\xc0", 2000),
        "deep-extensions": _in_extensions(60),
        "deep-extensions-only": _in_extensions(31),
        "claims-list": b"\xdd\xff\xff\xff\xff",
        "claims-map": b"\xdf\xff\xff\xff\xff",
        "claims-text": b"\xdb\xff\xff\xff\xff",
        "claims-bytes": b"\xc6\xff\xff\xff\xff",
        "claims-extension": b"\xc9\xff\xff\xff\xff\x01",
        "claims-many": _nested(b"\xdc\x0f\xff", 1000, b""),
        "claims-in-extension": b"\x82\xa1v\x01\xa1d" + b"\xd7\x01" + b"\xdd\xff\xff\xff\xff\xc0\xc0\xc0",
        "extension-unknown": b"\xd4\x63\x00",
        "extension-negative": b"\xd4\xfe\x00",
        "extension-timestamp": b"\xd6\xff\x00\x00\x00\x01",
        "extension-timestamp-no": b"\xc7\x05\xff12345",
        "extension-type": values.pack(["x"]).join([b"\xc7\x03\x0b", b""]),
        "zone-path": b"\xc7\x1c\x05" + values.pack(["2026-01-02", 0, "../../etc/pwd"])[:28],
        "zone-absent": values.pack([b""])[:0] + _clock("Nowhere/At_All"),
        "zone-folder": _clock("America"),
        "zone-offset": _clock([10**30, None]),
        "decimal-huge": _extension(9, values.pack("1E+999999999999999999")),
        "decimal-nan-key": b"\x81" + _extension(9, values.pack("sNaN")) + b"\xc0",
        "int-empty": _extension(4, values.pack(b"")),
        "uuid-short": _extension(10, values.pack(b"short")),
        "delta-huge": _extension(8, values.pack([10**30, 0, 0])),
        "date-late": _extension(6, values.pack("99999-01-01")),
        "marker-never-used": b"\xc1",
        "plain-text": b"not msgpack at all, but a line of text",
        "pickle": b"\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94.",
    }


def _extension(code, data):
    return b"\xc9" + len(data).to_bytes(4, "big") + bytes([code]) + data


def _clock(zone):
    return _extension(5, values.pack(["2026-01-02T03:04:05", 0, zone]))


def write():
    """Write all files; those that are there under other names stay."""
    for (target, name), data in valid().items():
        (FOLDER / target).mkdir(parents=True, exist_ok=True)
        (FOLDER / target / name).write_bytes(data)
    (FOLDER / "attacks").mkdir(parents=True, exist_ok=True)
    for name, data in attacks().items():
        (FOLDER / "attacks" / name).write_bytes(data)


if __name__ == "__main__":
    write()
