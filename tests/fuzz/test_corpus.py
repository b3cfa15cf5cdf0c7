"""The corpus, and a few seconds of hypothesis, through each target: only our own errors, in little time and memory.

`make fuzz` looks for more, guided by what it covers.
"""

import resource
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskpy import errors, values
from tests.fuzz import corpus, targets

#: On top of what this process has in use already.
MEMORY_BYTES = 512 * 1024**2
SECONDS = 2.0
OURS = ["taken", "event", "nudge", "answer"]  # what is no envelope


@pytest.fixture(scope="module", autouse=True)
def little_memory():
    """Whoever asks for more than this gets a MemoryError, which is not one of our own."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def files(*folders):
    return [
        pytest.param(file, id=f"{folder}-{file.name}")
        for folder in folders
        for file in sorted((corpus.FOLDER / folder).iterdir())
    ]


def in_time(name, data):
    began = time.process_time()
    targets.run(name, data)
    assert time.process_time() - began < SECONDS


@pytest.mark.parametrize("name", targets.TARGETS)
def test_what_is_in_the_corpus(name):
    for file in (corpus.FOLDER / name).iterdir():
        in_time(name, file.read_bytes())


@pytest.mark.parametrize("name", corpus.ENVELOPES)
@pytest.mark.parametrize("file", files("attacks"))
def test_an_attack(name, file):
    in_time(name, file.read_bytes())


def test_the_corpus_is_what_its_program_writes():
    written = {corpus.FOLDER / "attacks" / name: data for name, data in corpus.attacks().items()}
    written |= {corpus.FOLDER / target / name: data for (target, name), data in corpus.valid().items()}

    assert {file for file, data in written.items() if file.read_bytes() != data} == set()


@pytest.mark.parametrize("name", ["spec", "message", "state", "result", "value", "progress", "line"])
def test_what_taskpy_writes_is_read(name):
    for file in (corpus.FOLDER / name).iterdir():
        targets.TARGETS[name](file.read_bytes())


@pytest.mark.parametrize("name", sorted(set(corpus.ENVELOPES) - {"exception", "info"}))
def test_what_is_larger_than_any_limit_is_not_even_looked_at(name):
    with pytest.raises(errors.Malformed, match="more than the limit"):
        targets.TARGETS[name](b"\xc1" * (16 * 1024**2 + 1))


# -- what hypothesis makes up -----------------------------------------------------------------------

_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=9)


def _evil(name):
    return _EVIL[name]


_EVIL = {
    "endless": 10**5000,
    "-endless": -(10**5000),
    "2**63": 2**63,
    "escape": "\x1b[2J",
    "braces": "{x}",
    "1e308": 1e308,
}
_leaves |= st.sampled_from(sorted(_EVIL)).map(_evil) | st.datetimes() | st.uuids()
_things = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=9,
)
_fields = st.sampled_from(
    [*"nakophuditbxlfvq", "queue", "delay", "retries", "backoff", "keep", "first", "cap", "host", "pid"]
)
_envelopes = st.dictionaries(_fields, _things | st.dictionaries(_fields, _things, max_size=4), max_size=7)
_seeds = st.sampled_from(
    [file.read_bytes() for folder in sorted(corpus.FOLDER.iterdir()) for file in sorted(folder.iterdir())]
)
_few = settings(
    max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@st.composite
def _damaged(draw):
    data = bytearray(draw(_seeds))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(data))))
        data[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


@pytest.mark.parametrize("name", corpus.ENVELOPES)
@_few
@given(data=_envelopes.map(lambda fields: values.pack({"v": 1, **fields})))
def test_an_envelope_that_is_made_up(name, data):
    targets.run(name, data)


@pytest.mark.parametrize("name", targets.TARGETS)
@_few
@given(data=_damaged())
def test_bytes_that_are_damaged(name, data):
    targets.run(name, data)


_words = st.sampled_from(
    [
        b"",
        b"x",
        b"\xff",
        b"0",
        b"-1",
        b"9" * 5000,
        b"nan",
        b"inf",
        b"1e400",
        b"kill",
        b"stop",
        b"seen",
        b"1-9",
        b"1-99999999999",
    ]
)
_said = st.lists(_words, max_size=9)


@pytest.mark.parametrize("name", OURS)
@_few
@given(words=_said)
def test_words_that_no_script_writes(name, words):
    targets.run(name, b" ".join(words))


@pytest.mark.parametrize("place", range(len(targets._ROWS)))
@_few
@given(
    fields=st.lists(st.tuples(st.sampled_from([b"b", b"i", b"l", b"n"]), _words | _said.map(b" ".join)), max_size=14)
)
def test_answers_that_no_script_gives(place, fields):
    targets.run("answer", bytes([place]) + b"\x1f".join(kind + said for kind, said in fields))
