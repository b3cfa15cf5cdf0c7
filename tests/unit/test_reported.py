"""Progress and log lines as data: what is taken, how it is cut, and that it comes back."""

import fractions

import pytest

from taskpy import codec, errors, reported, wire
from taskpy.reported import LogLine, Progress


@pytest.mark.parametrize(
    ("progress", "fraction"),
    [
        (Progress(1), None),
        (Progress(1, 4), 0.25),
        (Progress(0, 4), 0.0),
        (Progress(5, 4), 1.0),
        (Progress(0, 0), 1.0),
        (Progress(0.5, 2.0), 0.25),
        (Progress(10**300, 10**300), 1.0),
    ],
)
def test_a_fraction_is_from_0_to_1(progress, fraction):
    assert progress.fraction == fraction


@pytest.mark.parametrize(
    ("given", "plain"), [(0, 0), (1.5, 1.5), (True, 1), (fractions.Fraction(1, 4), 0.25), (10**300, 10**300)]
)
def test_numbers_become_plain_ones(given, plain):
    found = reported.checked_number(given, "done")

    assert (found, type(found)) == (plain, type(plain))


@pytest.mark.parametrize("given", [-1, -0.5, float("nan"), float("inf"), float("-inf"), 10**400, "1", None, 1j, b"1"])
def test_what_is_no_progress_is_refused(given):
    with pytest.raises(errors.BadArguments, match="done must be a"):
        reported.checked_number(given, "done")


@pytest.mark.parametrize(
    "progress", [Progress(1), Progress(1, 2.5), Progress(0, 10**300, "note"), Progress(1, None, "ä")]
)
def test_progress_comes_back(progress):
    assert codec.load_progress(codec.dump_progress(progress)) == progress


@pytest.mark.parametrize(
    "fields",
    [{}, {"d": -1}, {"d": float("nan")}, {"d": "1"}, {"d": 1, "t": float("inf")}, {"d": 1, "t": "2"}, {"d": 1, "n": 3}],
)
def test_progress_of_strangers_is_malformed(fields):
    with pytest.raises(errors.Malformed):
        codec.load_progress(wire.dumps({**fields, "v": 1}))


def test_what_a_newer_taskpy_wrote():
    assert codec.load_progress(wire.dumps({"d": 1, "later": 2, "v": 1})) == Progress(1)
    with pytest.raises(errors.NewerVersion):
        codec.load_progress(wire.dumps({"d": 1, "v": 2}))
    with pytest.raises(errors.NewerVersion):
        codec.load_line(wire.dumps({"v": 2}))


def test_lines_come_back():
    line = LogLine(1.5, "INFO", "app", "two\nlines, ä")

    assert codec.load_line(codec.dump_line(line)) == line
    with pytest.raises(errors.Malformed, match="logger is missing"):
        codec.load_line(wire.dumps({"t": 1.5, "l": "INFO", "v": 1}))


@pytest.mark.parametrize("text", ["", "a" * 4096, "ä" * 2048, "a" * 4097, "ä" * 4000, "\ud800" * 3000, "🜛" * 2000])
def test_text_is_cut_in_its_middle(text):
    found = reported.cut_text(text)

    assert len(found.encode()) <= reported.TEXT_BYTES
    assert (found == text) == (len(text.encode(errors="backslashreplace")) <= 4096 and text.isprintable())
    plain = text.encode(errors="backslashreplace").decode()
    assert (plain[:100], plain[-100:]) == (found[:100], found[-100:])


def test_the_largest_line_fits():
    most = LogLine(2e11 + 1 / 3, "\U0001f71b" * reported.NAME_LENGTH, "\U0001f71b" * reported.NAME_LENGTH, "x" * 4096)

    assert codec.load_line(codec.dump_line(most)) == most
    note = Progress(1e300, 1e300, "\U0001f71b" * reported.NOTE_LENGTH)
    assert codec.load_progress(codec.dump_progress(note)) == note
