"""What a hostile or broken peer may put into Redis: refused with our own errors, in little time and memory."""

import time

import pytest
from taskpy_worker.listener import Listener

from taskpy import codec, errors, info, ops, pages, values
from taskpy.answers import Started, wish_of
from taskpy.info import WorkerInfo
from taskpy.keys import Keys
from taskpy.naming import checked_id, checked_name
from taskpy.nudge import Nudge
from taskpy.ops import op
from taskpy.retry import Backoff
from taskpy.space import Space
from taskpy.spec import Options
from taskpy.taken import BEYOND_LIMIT, Taken

KEYS = Keys("x")
#: More digits than Python shows.
ENDLESS = 10**5000


def shown(value):
    """A name for what pytest cannot show."""
    return values.shown(value) if isinstance(value, int | float) else None


#: As many numbers as fit into a spec, all of one hash.
ONE_HASH = [number * (2**61 - 1) for number in range(100_000)]


def sealed(**fields):
    return values.pack({"v": 1, **fields})


# -- numbers without end ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ENDLESS, -ENDLESS, -1, 2**63], ids=shown)
@pytest.mark.parametrize("load", [codec.load_spec, codec.load_message, codec.load_state, codec.load_result])
def test_a_version_that_cannot_be_shown_is_malformed(load, version):
    with pytest.raises(errors.Malformed, match="version"):
        load(sealed(v=version))


@pytest.mark.parametrize("option", ["retries", "restarts", "delay", "time_limit", "keep", "backoff"])
@pytest.mark.parametrize("value", [ENDLESS, -ENDLESS, 2**63], ids=shown)
def test_an_option_that_is_larger_than_any_count_is_malformed(option, value):
    with pytest.raises(errors.Malformed, match=option):
        codec.load_spec(sealed(n="f", o={option: value}))
    with pytest.raises(errors.BadArguments, match=option):
        Options(**{option: value})


@pytest.mark.parametrize("field", ["first", "factor", "cap"])
@pytest.mark.parametrize("value", [ENDLESS, 10**400, float("inf"), float("nan")], ids=shown)
def test_a_backoff_that_is_not_finite_is_refused(field, value):
    with pytest.raises(errors.Malformed, match="backoff"):
        codec.load_spec(sealed(n="f", o={"backoff": {field: value}}))
    with pytest.raises(ValueError):
        Backoff(**{field: value})


@pytest.mark.parametrize("number", [ENDLESS, -ENDLESS, 10**400, float("nan"), float("inf")], ids=shown)
def test_a_report_of_a_number_without_end_is_malformed(number):
    with pytest.raises(errors.Malformed):
        codec.load_progress(sealed(d=number))
    with pytest.raises(errors.Malformed):
        codec.load_line(sealed(t=number, l="INFO", n="a", x="b"))


@pytest.mark.parametrize("version", [ENDLESS, -1], ids=shown)
def test_a_state_of_a_version_without_end_is_malformed(version):
    with pytest.raises(errors.Malformed):
        codec.load_state(sealed(d=1, f=version))


def test_an_exception_that_cannot_be_shown_is_described():
    data = values.pack({"v": 1, "t": "KeyError", "x": "its text", "a": values.pack([ENDLESS])})

    assert str(codec.load_exception(data)) == "KeyError: its text"


def test_a_time_that_no_thread_can_wait_for_is_waited_for_until_the_nudge():
    nudge = Nudge()
    nudge.give()

    assert nudge.wait(0, 1e300)


# -- hashes that anybody can foretell ---------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(values.pack(dict.fromkeys(ONE_HASH[:2000])), id="dict"),
        pytest.param(values.pack({"a": [dict.fromkeys(ONE_HASH[:2000])]}), id="a dict inside"),
        pytest.param(values.pack(set(ONE_HASH[:2000])), id="set"),
        pytest.param(values.pack(frozenset(ONE_HASH[:2000])), id="frozenset"),
    ],
)
def test_keys_of_one_hash_are_refused(data):
    with pytest.raises(errors.Malformed, match="one hash"):
        codec.loads(data)


def test_a_hundred_thousand_keys_of_one_hash_cost_no_time():
    data = b"\xdf" + len(ONE_HASH).to_bytes(4, "big") + b"".join(values.pack(key) + b"\xc0" for key in ONE_HASH)
    began = time.process_time()

    with pytest.raises(errors.Malformed):
        codec.loads(data)

    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "value",
    [
        dict.fromkeys(range(10_000)),
        {(x, y): x for x in range(100) for y in range(100)},
        {str(number): {number: None} for number in range(5000)},
        {float(number) for number in range(5000)},
        frozenset(ONE_HASH[:64]),
        {10**30 + number: None for number in range(5000)},
    ],
    ids=values.shown,
)
def test_many_keys_of_any_kind_come_back(value):
    assert codec.loads(codec.dumps(value)) == value


# -- names and ids ----------------------------------------------------------------------------------


@pytest.mark.parametrize("inbox", ["", "a b", "{x}", "\x1b[31m", "x" * 129, "a\n"])
def test_the_name_of_an_inbox_is_a_name_when_it_is_read_too(inbox):
    with pytest.raises(errors.Malformed, match="inbox"):
        codec.load_message(sealed(d=1, i=inbox))


def test_a_name_or_an_id_of_a_megabyte_makes_a_short_error():
    for check in (checked_id, checked_name):
        with pytest.raises(errors.BadName) as caught:
            check("{" * 1_000_000)
        assert len(str(caught.value)) < 400


# -- what else stands in redis as text --------------------------------------------------------------


@pytest.mark.parametrize("said", ["", "x", "-1", "1 2-99999999999999", f"0 1-{BEYOND_LIMIT + 1}", "0 5-x", "9" * 5000])
def test_what_does_not_say_which_messages_were_taken_is_malformed(said):
    with pytest.raises(errors.Malformed):
        Taken.load(said)


@pytest.mark.parametrize(
    "said",
    [b"x", b"kill 5", b"kill x - y", b"kill nan - y", b"kill inf - y", b"kill -5 - y", b"kill 1e300 - y", b"\xff"],
)
def test_what_is_no_wish_is_malformed(said):
    with pytest.raises(errors.Malformed):
        wish_of(said)


@pytest.mark.parametrize(
    "data",
    [
        values.pack({"host": 5, "pid": "x", "queues": 7, "started": "now"}),
        values.pack([1]),
        values.pack("host"),
        values.pack({"queues": ("\x1b[2J",)}),
        values.pack({"queues": ([],)}),
        values.pack({"pid": ENDLESS}),
        values.pack({"started": float("nan")}),
        values.pack({"host": "x" * info.LIMIT}),
    ],
)
def test_a_worker_that_says_nonsense_of_itself_says_nothing(data):
    assert WorkerInfo.load(data) == WorkerInfo()


def test_what_a_worker_says_of_itself_comes_back():
    said = WorkerInfo(host="web-3", pid=4711, queues=("default", "q:x"), concurrency=8, tasks=2, started=1.7e9)

    assert WorkerInfo.load(said.dump()) == said


ROW = [b"default", b"spec", b"0 ", b"", b"", 1, b"0", b"0", b"0", b"0", b"0", b"0", b"0", b"0"]


@pytest.mark.parametrize(
    ("place", "garbage"),
    [
        (2, b"0 1-99999999999"),
        (2, b"\xff"),
        (4, b"kill"),
        (6, b"x"),
        (8, b"9" * 5000),
        (10, b"-1"),
        (11, b"1.5"),
        (12, b""),
    ],
)
def test_a_task_of_garbage_is_started_as_one_that_cannot_be_read(place, garbage):
    rows = [ROW, [*ROW[:place], garbage, *ROW[place + 1 :]], ROW]

    good, bad, last = ops.start(KEYS, wid="w", number=1, ids=["a", "b", "c"]).decode(rows)

    assert bad == Started("b", "w.1", "default", b"", 0, 0, 0, 0, "0", 0, 0, 0, None, None)
    assert (good.spec, last.spec) == (b"spec", b"spec")


@pytest.mark.parametrize(
    ("op", "answer"),
    [
        (pages.look(KEYS, id="a"), [b"no state", *[None] * 27]),
        (pages.look(KEYS, id="a"), [b"queued", *[b"x"] * 27]),
        (pages.events(KEYS, id="a"), [b""]),
        (pages.events(KEYS, id="a"), [b"x y"]),
        (ops.status(KEYS, id="a"), [b"\xff", *[None] * 11]),
        (ops.status(KEYS, id="a"), [b"running", *[None] * 8, b"x", b"question", None]),
        (ops.receive(KEYS, id="a", index=0, count=1), [b"x", 1, 1, []]),
        (ops.heartbeat(KEYS, wid="w", tasks=[]), [1, [1, b"kill"]]),
        (ops.heartbeat(KEYS, wid="w", tasks=[]), [1, [1, b"", b"x"]]),
        (ops.orders(KEYS, id="a", token="w.1"), [1]),
        (ops.orders(KEYS, id="a", token="w.1"), [-1, b"", 0, b""]),
        (ops.orders(KEYS, id="a", token="w.1"), [1, b"", 0, b"", 7]),
        (ops.orders(KEYS, id="a", token="w.1"), [1, b"", 0, b"", b"x", b"question"]),
        (ops.response(KEYS, id="a", number=1), [b"no state", None, None]),
        (ops.response(KEYS, id="a", number=1), [b"queued"]),
        (ops.pose(KEYS, id="a", token="w.1", count=1, question=b""), [b"x"]),
        (ops.pose(KEYS, id="a", token="w.1", count=1, question=b""), []),
        (ops.withdraw(KEYS, id="a", token="w.1", number=1), []),
        (ops.answered(KEYS, id="a"), [b"x", None]),
        (ops.heartbeat(KEYS, wid="w", tasks=[]), None),
    ],
)
def test_an_answer_that_no_script_makes_is_malformed(op, answer):
    with pytest.raises(errors.Malformed):
        op.decode(answer)


@pytest.mark.parametrize("said", [b"kill", b"kill nan - y", b"kill x - y"])
def test_a_nudge_of_garbage_is_not_even_heard(said):
    class Executor:
        heard = ()

        def hear(self, *said, body, orders):
            self.heard = *said, body, orders

    executor = Executor()
    listener = Listener(Space("memory://attacks", namespace="x"), "w", executor)

    for data in (b"a 1 stop " + said, b"a " + b"9" * 5000, "a ².".encode()):
        listener.tick(data)
        assert not executor.heard
    listener.tick(b"a 7")
    assert executor.heard == ("a", 7, None, None, 0)


def test_an_exception_from_elsewhere_with_nonsense_in_it_is_packed_all_the_same():
    packed = codec.dump_exception(errors.RemoteError(1, [2], {3: 4}))
    assert "1: [2]" in str(codec.load_exception(packed))

    posing = values.pack({"v": 1, "t": "taskpy.errors.RemoteError", "x": "text", "a": values.pack([1, [2], {3: 4}])})
    assert codec.load_exception(posing).type_name == "taskpy.errors.RemoteError"


def test_a_delay_of_any_number_of_seconds_can_be_said():
    assert op.ms(1e308) == op.ms(2**62) == 10**13
    assert op.ms(0.0015) == 2
