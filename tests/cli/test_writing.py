"""What is read from and written to a terminal: values, foreign text, tables, times."""

import json
import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import click
import pytest

from taskpy.cli import moments, values
from taskpy.cli.table import Column, table
from taskpy.cli.text import clean, counted, cut, width

# -- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ('"12"', "12"),
        ('{"a": [1, "x"]}', {"a": [1, "x"]}),
        ("hello there", "hello there"),
        ("", ""),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("{broken", "{broken"),
        ("007", "007"),
        ("True", "True"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_json_is_read_as_json_and_the_rest_as_text(text, value):
    found = values.read(text)

    assert (type(found), found) == (type(value), value)


def test_keywords_have_names_that_python_could_have():
    args, kwargs = values.arguments(["1", "a=2", "b=x=y", "https://h/?q=1", '"c=3"', "=4", "1a=5", "class=6"])

    assert args == (1, "https://h/?q=1", "c=3", "=4", "1a=5")
    assert kwargs == {"a": 2, "b": "x=y", "class": 6}


def test_a_keyword_is_given_once():
    with pytest.raises(click.BadParameter, match="'a' is given twice"):
        values.arguments(["a=1", "a=2"])


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, None),
        (10**30, 10**30),
        (float("inf"), "inf"),
        (b"\x00\xff", "AP8="),
        ((1, [2, {"x": (3,)}]), [1, [2, {"x": [3]}]]),
        ({3, 1, 2}, [1, 2, 3]),
        ({1: "a", (1, 2): "b", "x": "c"}, {"1": "a", "[1, 2]": "b", "x": "c"}),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02T03:04:00+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time(3, 4), "03:04:00"),
        (timedelta(minutes=1.5), 90.0),
        (Decimal("1.10"), "1.10"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (3 + 4j, "(3+4j)"),
    ],
)
def test_every_value_has_a_form_in_json(value, written):
    assert values.jsonable(value) == written
    assert json.loads(json.dumps(values.jsonable(value), allow_nan=False)) == written


def test_text_is_plain_and_the_rest_is_json():
    assert values.plain("hello") == "hello"
    assert values.plain("ä") == "ä"
    assert values.plain(["ä", None, 1.5]) == '["ä", null, 1.5]'
    assert values.plain({"a": b"x"}) == '{"a": "eA=="}'
    assert values.plain("long" * 10, limit=8) == "longlong…"


# -- foreign text -------------------------------------------------------------------------------


def test_what_would_steer_the_terminal_is_written_out():
    assert clean("\x1b[31mred\x07\x9b\x7f") == r"\x1b[31mred\x07\x9b\x7f"
    assert clean("\u202egpj.exe\u2066\u200f") == r"\u202egpj.exe\u2066\u200f"
    assert clean("a\nb\tc\r") == r"a\nb\tc\r"
    assert clean("a\nb\tc\r", lines=True) == "a\nb\tc\\r"
    assert clean("\ud800") == r"\ud800"
    assert clean("Grüße, 世界 👍🏽") == "Grüße, 世界 👍🏽"
    assert clean("abcdef", limit=3) == "abc…"


def test_nothing_that_steers_gets_through():
    chance = random.Random(7)
    for _ in range(2000):
        text = clean("".join(chr(chance.randrange(0x3000)) for _ in range(20)))
        assert text.isprintable() or all(c.isprintable() or c.isspace() or not c.isascii() for c in text)
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)


def test_text_is_cut_to_columns():
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdef", 4) == "abc…"
    assert cut("世界世界", 8) == "世界世界"
    assert cut("世界世界", 6) == "世界…"
    assert width("e\u0301") == 1
    assert [counted(n, "task") for n in (0, 1, 2)] == ["0 tasks", "1 task", "2 tasks"]


# -- tables -------------------------------------------------------------------------------------

COLUMNS = (
    Column("ID"),
    Column("NAME", least=6),
    Column("N", right=True),
    Column("STATE", colours={"failed": "red"}),
    Column("WORKER", extra=True),
    Column("EMPTY", extra=True),
)
ROWS = [["a1", "a.long.name.of.a.task", "7", "failed", "host-1", ""], ["b2", "short", "12", "queued", "", ""]]


def drawn(columns_wide, colours=False):
    return table(COLUMNS, ROWS, columns_wide=columns_wide, colours=colours)


def test_a_table_without_a_terminal_shows_all_that_says_something():
    assert drawn(None) == [
        "ID  NAME                    N  STATE   WORKER",
        "a1  a.long.name.of.a.task   7  failed  host-1",
        "b2  short                  12  queued",
    ]


def test_first_goes_what_is_extra_then_what_is_long_is_cut():
    assert drawn(40) == [
        "ID  NAME                    N  STATE",
        "a1  a.long.name.of.a.task   7  failed",
        "b2  short                  12  queued",
    ]
    assert drawn(30)[1] == "a1  a.long.name.o…   7  failed"
    assert drawn(10)[1] == "a1  a.lon…   7  failed"


def test_one_name_that_is_very_long_does_not_take_the_room_of_what_is_extra():
    rows = [*ROWS, ["c3", "x" * 90, "1", "queued", "host-2", ""]]

    head, *_, last = table(COLUMNS, rows, columns_wide=80, colours=False)

    assert head.endswith("  WORKER")
    assert last.split() == ["c3", "x" * 55 + "…", "1", "queued", "host-2"]
    assert len(last) <= 80
    assert "x" * 90 in table(COLUMNS, rows, columns_wide=200, colours=False)[-1]


@pytest.mark.parametrize("columns_wide", range(22, 90))
def test_a_table_fits_the_terminal(columns_wide):
    assert max(map(len, drawn(columns_wide))) <= columns_wide


def test_colours_do_not_move_the_columns():
    plain, coloured = drawn(60), drawn(60, colours=True)

    assert [click.unstyle(line).rstrip() for line in coloured] == plain
    assert "\x1b[31mfailed" in coloured[1]


# -- times --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "read"),
    [("90", 90), ("1.5", 1.5), (".5s", 0.5), ("250ms", 0.25), ("5m", 300), ("2 h", 7200), ("1d", 86400)],
)
def test_lengths_of_time_are_read(text, read):
    assert moments.seconds(text) == read


@pytest.mark.parametrize("text", ["", "x", "-1", "5 minutes", "1h30m", "inf", "1e3"])
def test_what_is_no_length_of_time_says_how_to_write_one(text):
    with pytest.raises(click.BadParameter, match=r"write 90, 1\.5, 250ms, 5m, 2h or 1d"):
        moments.seconds(text)


def test_times_are_written_for_people():
    lasting = [0.0123, 1.44, 42, 119, 200, 3 * 3600 + 660, 3 * 86400 + 7200]
    assert [moments.length(s) for s in lasting] == [
        "12 ms",
        "1.4 s",
        "42 s",
        "119 s",
        "3 m 20 s",
        "3 h 11 m",
        "3 d 2 h",
    ]
    assert [moments.short(s) for s in (-3, 0.4, 119, 120, 7200, 172800)] == ["0s", "0s", "119s", "2m", "2h", "2d"]
    assert (moments.ago(100, 190), moments.ago(None, 1), moments.ago(200, 190)) == ("90s ago", "", "0s ago")
    assert (moments.until(489.2, 190), moments.until(None, 1)) == ("in 5m", "")
