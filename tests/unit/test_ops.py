"""The ops as data, without Redis: what is sent, how answers are read, and what a Lua file must look like."""

import hashlib
import inspect
import re
from pathlib import Path

import pytest

from taskpy import errors, ops, pages, script
from taskpy.answers import Agreement, Beat, Children, Due, Heartbeat, Held, Mail, Reported, Standing, Started, wish_of
from taskpy.answers_desk import Orders, Posed, Response, Withdrawn
from taskpy.answers_keyed import Holders, Placed
from taskpy.keys import Keys
from taskpy.listed import Event, Namespace, Worker
from taskpy.ops import Ending, Op
from taskpy.spec import State, StopReason, Wish
from taskpy.taken import Taken

KEYS = Keys("space")
LUA = Path(script.__file__).parent / "lua"
VERBS = {path.stem: path for path in sorted(LUA.glob("*.lua"))}
SHARED = {path.stem: path for path in sorted((LUA / "shared").glob("*.lua"))}
#: Something for every parameter of every op.
SAMPLE = {
    "id": "a", "new_id": "b", "ids": ["a", "b"], "queue": "q", "queues": ["q", "r"], "name": "module.function",
    "spec": b"spec", "wid": "w", "wids": ["w", "v"], "number": 3, "count": 10, "start": 0, "lease": 15.0, "version": 1,
    "token": "w.3", "tasks": [("a", "w.3"), ("b", "w.2")], "endings": [Ending("a", "q", "w.3", State.FAILED, b"e")],
    "why": "retry", "sure": True, "sender": "s", "body": b"m", "skip": 0, "index": 0, "sent": 0, "text": "text",
    "restarts": 2, "question": 4, "shards": 16, "key": "user:7", "conflict": "join", "taken": Taken(12, [15, 16, 20]),
    "parent": "p", "entry": "1", "answer": b"answer", "answers": [(1, b"yes")], "orders": 2,
}  # fmt: skip


def op_functions():
    """Every function that makes an op, by name."""
    found = {}
    for module in (ops, pages):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            first = next(iter(inspect.signature(function).parameters), None)
            if function.__module__.startswith(module.__name__) and first == "keys" and not name.startswith("_"):
                found[name] = function
    return found


FUNCTIONS = op_functions()


def sample(name, **given):
    function = FUNCTIONS[name]
    parameters = inspect.signature(function).parameters
    required = [n for n, p in parameters.items() if p.default is p.empty and n != "keys"]
    return function(KEYS, **{n: SAMPLE[n] for n in required} | given)


# -- ops ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_op_is_named_after_its_function_and_is_a_command_or_a_script(name):
    op = sample(name)

    assert isinstance(op, Op)
    assert op.verb == name
    assert (op.script is None) == bool(op.command)
    if op.script is None:
        assert op.wire == op.command
        assert (op.keys, op.args) == ((), ())
    else:
        assert op.wire == ("EVALSHA", op.script.sha, len(op.keys), *op.keys, *op.args)
        assert len(set(op.keys)) == len(op.keys)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_sent_is_what_redis_py_can_send(name):
    for argument in sample(name).wire:
        assert isinstance(argument, str | bytes | int)
        assert not isinstance(argument, bool)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_everything_but_the_keys_is_given_by_name(name):
    first, *others = inspect.signature(FUNCTIONS[name]).parameters.values()

    assert first.name == "keys"
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in others)


def test_every_script_has_an_op():
    used = {op.script.name for name in FUNCTIONS if (op := sample(name)).script is not None}

    assert used == VERBS.keys()


def test_seconds_become_milliseconds():
    assert sample("submit", delay=1.5, restarts=0, keep=0.25).args[4:7] == (1500, 0, 250)
    assert sample("submit", keep=1e300).args[6] == 10**13
    assert sample("join", lease=1.1).args[1] == 1100


def test_submit_without_options_takes_the_defaults():
    assert sample("submit").args == ("a", "q", "module.function", b"spec", 0, 2, 3_600_000)


def test_settle_names_five_keys_a_task():
    endings = [
        Ending("a", "q", "w.3", State.FAILED, b"e", taken=Taken(1, [3])),
        Ending("b", "r", "w.4", State.SUCCEEDED, b"v", keep=9.0),
    ]
    op = sample("settle", endings=endings, keep_dead=60)

    assert op.keys[:6] == (KEYS.held("w"), KEYS.dead(), KEYS.keyed(), KEYS.behind(), KEYS.later(), KEYS.felling())
    assert op.keys[11:] == (KEYS.task("b"), KEYS.inbox("b"), KEYS.outbox("b"), KEYS.events("b"), KEYS.recent("r"))
    assert op.args == (60_000, "a", "w.3", "failed", b"e", "", "1 3", "b", "w.4", "succeeded", b"v", 9000, "")


# -- answers ------------------------------------------------------------------------------------

NOBODY = [None] * 20


@pytest.mark.parametrize(
    ("name", "reply", "answer"),
    [
        ("agree", [b"1", b"15000"], Agreement(1, 15.0)),
        ("divide", 16, 16),
        ("submit", b"new", "new"),
        ("submit_keyed", b"new", Placed("new")),
        ("submit_keyed", b"joined b", Placed("joined", "b")),
        ("submit_keyed", b"again ", Placed("again")),
        ("submit_keyed", b"again a b", Placed("again", holders=Holders(("a", "b")))),
        ("holder", None, Holders()),
        ("holder", b"a", Holders(("a",))),
        ("revive", b"keyed c", "keyed c"),
        ("revive", b"revived", "revived"),
        ("locate", b"q", "q"),
        ("locate", None, None),
        ("join", 1, True),
        ("renew", 0, False),
        ("claim", 0, None),
        ("claim", [], []),
        ("claim", [b"a", b"b"], ["a", "b"]),
        (
            "start",
            [
                [
                    b"q",
                    b"spec",
                    b"5 7-8",
                    b"state",
                    b"kill 1500 ann@web:1 why not",
                    1,
                    b"2",
                    b"3",
                    b"4",
                    b"9",
                    b"8",
                    b"6",
                    b"2",
                    b"7",
                ],
                0,
            ],
            [
                Started(
                    id="a",
                    token="w.3",
                    queue="q",
                    spec=b"spec",
                    attempt=1,
                    retries=2,
                    unknowns=3,
                    lost=4,
                    acknowledged="5 7-8",
                    acknowledgements=9,
                    received=8,
                    sent=6,
                    wish=Wish(StopReason("why not"), "kill", 1.5),
                    checkpoint=b"state",
                    children=2,
                    orders=7,
                ),
                None,
            ],
        ),
        (
            "start",
            [[b"q", b"spec", b"0 ", b"", b"", 1, b"0", b"0", b"0", b"0", b"0", b"0", b"0", b"0"], 0],
            [Started("a", "w.3", "q", b"spec", 1, 0, 0, 0, "0 ", 0, 0, 0, None, None), None],
        ),
        ("adopt", 1, True),
        (
            "heartbeat",
            [7, -1, 0, 1, [2, b"raise 250 - why", 0], [0, b"", 3]],
            Heartbeat(
                7,
                [
                    Beat(lost=True),
                    Beat(),
                    Beat(received=1),
                    Beat(received=2, wish=Wish(StopReason("why"), "raise", 0.25)),
                    Beat(orders=3),
                ],
            ),
        ),
        ("held", [], Held(None, {})),
        ("held", [b"#", b"3", b"a", b"w.3"], Held(3, {"a": "w.3"})),
        ("due", [[b"w"], [], -1, [b"d"], [1, 0], [b"a"]], Due(["w"], [], None, ["d"], [True, False], ["a"])),
        (
            "children",
            [b"running", b"3", b"kill 50 ann x y", 2, [b"b", b"c"]],
            Children(State.RUNNING, "3", Wish(StopReason("x y", "ann"), "kill", 0.05), 2, ["b", "c"]),
        ),
        ("children", [b"", b"", b"", 0, []], Children(None, "", None, 0, [])),
        ("parent", [b"running", b"p"], ("p",)),
        ("parent", [b"running", None], (None,)),
        ("parent", [None, None], None),
        ("due", [[], [b"a"], 1500, [], [], []], Due([], ["a"], 1.5, [], [], [])),
        ("promote", 1, True),
        ("forget", 2, 2),
        ("lose", 0, None),
        ("lose", [b"a"], ["a"]),
        ("recover", 0, False),
        ("settle", [1], [True]),
        ("giveback", 0, False),
        ("stop", b"stopping", "stopping"),
        ("send", 7, 7),
        ("send", b"full", "full"),
        ("inquire", 3, 3),
        ("receipt", [None] * 4, None),
        ("seen", 0, False),
        ("mark", 0, False),
        ("fetch", [b"1", b"2"], [b"1", b"2"]),
        ("receive", [], Mail(None, 0, 0, [])),
        ("receive", [b"failed", 9, 7, [b"7", b"8"]], Mail(State.FAILED, 9, 7, [b"7", b"8"])),
        ("ring", 0, None),
        ("report", 1, "kept"),
        ("report", 0, "fenced"),
        ("report", 2, "full"),
        ("reported", [], Reported(None, None, 0, [])),
        ("reported", [b"running", b"", 7, [b"6", None]], Reported(State.RUNNING, None, 7, [b"6"])),
        ("status", [None] * 12, None),
        ("status", [b"running", None, b"of a retry", *NOBODY[:9]], Standing(State.RUNNING, None, None)),
        ("status", [b"failed", None, b"e", *NOBODY[:9]], Standing(State.FAILED, b"e", None)),
        ("status", [b"succeeded", b"r", None, b"", b"ann", *NOBODY[:7]], Standing(State.SUCCEEDED, b"r", StopReason())),
        ("status", [b"stopped", None, b"h", b"why", *NOBODY[:8]], Standing(State.STOPPED, b"h", StopReason("why"))),
        (
            "status",
            [b"running", *NOBODY[:8], b"3", b"question", None],
            Standing(State.RUNNING, None, question=b"question", number=3),
        ),
        ("status", [b"running", *NOBODY[:8], b"3", b"question", b"a"], Standing(State.RUNNING, None, number=3)),
        ("status", [b"stopped", None, b"", *NOBODY[:6], b"3", b"question", None], Standing(State.STOPPED, b"")),
        ("ask", 7, 7),
        ("ask", b"full", "full"),
        ("response", [None] * 3, None),
        ("response", [b"running", None, b"2 3"], Response(State.RUNNING, None, gone=False)),
        ("response", [b"running", None, b"2 33"], Response(State.RUNNING, None, gone=True)),
        ("response", [b"running", None, None], Response(State.RUNNING, None, gone=True)),
        ("response", [b"running", b"a", None], Response(State.RUNNING, b"a", gone=False)),
        ("retract", 1, True),
        ("answered", [None, None], (0, "")),
        ("answered", [b"3", b"ann"], (3, "ann")),
        ("answer", b"accepted", "accepted"),
        ("orders", 0, None),
        ("orders", [4, b"", 0, b""], Orders(4, pause=False, answered=0, answer=b"", questions=[])),
        (
            "orders",
            [4, b"1500 ann", 2, b"yes", 1, b"q", 3, b"r"],
            Orders(4, pause=True, answered=2, answer=b"yes", questions=[(1, b"q"), (3, b"r")]),
        ),
        ("respond", 1, True),
        ("pose", 0, None),
        ("pose", [3], Posed(3, None)),
        ("pose", [3, b"yes"], Posed(3, b"yes")),
        ("withdraw", 0, Withdrawn(fenced=True)),
        ("withdraw", 1, Withdrawn()),
        ("withdraw", [b"yes"], Withdrawn(answer=b"yes")),
        ("look", NOBODY[:16], None),
        ("outline", [NOBODY[:11], NOBODY[:11]], [None, None]),
        ("events", [b"1500 stop why not", b"2000 retry"], [Event(1.5, "stop", "why not"), Event(2.0, "retry", "")]),
        ("queues", {b"b", b"a"}, ["a", "b"]),
        ("queues", [b"b", b"a"], ["a", "b"]),
        ("queue_sizes", [1, 0], {"q": 1, "r": 0}),
        ("dead_count", 2, 2),
        ("pause", b"1500", 1.5),
        ("resume", 0, None),
        ("purge", 2, 2),
        ("paused", [b"q", b"1500"], {"q": 1.5}),
        ("foremost", [b"b", b"a"], ["b", "a"]),
        ("holding", [b"a"], ["a"]),
        ("chosen", [], []),
        ("failures", [[b"e"], [None]], [b"e", None]),
        ("due_at", None, None),
        ("due_at", b"1500", 1.5),
        ("due_at", 1500.0, 1.5),
        ("namespace", [[None, None, None], 1500], Namespace(None, None, 1.5)),
        ("namespace", [[b"1", b"15000", None], 1500], Namespace(1, 15.0, 1.5)),
        ("namespace", [[b"1", b"15000", b"16"], 1500], Namespace(1, 15.0, 1.5, shards=16)),
        ("queued", [b"a"], ["a"]),
        ("recent", [b"a"], ["a"]),
        ("delayed", [b"a", b"1500"], [("a", 1.5)]),
        ("dead", [], []),
        ("leases", [b"w", b"0"], [("w", 0.0)]),
        (
            "workers",
            [[b"1500", b"info", 2], [None, None, 0]],
            [Worker("w", 1.5, b"info", 2), None],
        ),
    ],
)
def test_answers_are_read(name, reply, answer):
    assert sample(name).decode(reply) == answer


@pytest.mark.parametrize(
    ("reply", "running", "question", "taken"),
    [
        ([b"running", None, None, None], True, 0, "0"),
        ([b"running", b"3", b"6", b"4 5 8-9"], True, 4, "6 8-9"),
        ([b"queued", b"3", b"5", None], False, 0, "3 5"),
        ([b"succeeded", b"3", b"", b"end 5"], False, 0, "5"),
    ],
)
def test_a_receipt_is_read(reply, running, question, taken):
    receipt = sample("receipt").decode(reply)

    assert (receipt.running, receipt.question, receipt.taken.dump()) == (running, question, taken)


def test_foreign_bytes_do_not_make_a_reader_fall():
    assert sample("claim").decode([b"\xff"]) == ["\ufffd"]


def test_a_mark_says_what_is_done_with_and_what_comes_with_it():
    bare = sample("mark", messages=[b"m"])
    whole = sample("mark", number=3, acknowledged=Taken(4, [6, 7, 9]), state=b"state", sent=2, messages=[b"m"], limit=5)

    assert bare.args == ("w.3", 0, 0, "", "0", b"", 0, 1000, b"m")
    assert whole.args == ("w.3", 3, 4, "6-7 9", "1", b"state", 2, 5, b"m")
    assert sample("mark", number=3, state=b"state", settled=7).args[4] == "1 7"
    assert sample("mark", number=3, settled=7).args[4] == "0"


def test_a_stop_says_what_follows():
    assert sample("stop").args[2:] == ("", "", "", 0, "")
    assert sample("stop", reason="why", by="ann", follows="kill", grace=1.5).args[2:] == (
        "why",
        "ann",
        "kill",
        1500,
        "",
    )
    assert sample("stop", tree=True).args[-1] == "tree"


def test_who_asked_for_a_stop_is_kept_beside_the_reason():
    assert wish_of(b"raise 250 ann@web-3:4711 why not").reason.by == "ann@web-3:4711"
    assert wish_of(b"- 0 - ").reason.by == ""
    assert wish_of(b"- 0 - ") == Wish()
    assert sample("status").decode([b"running", None, None, b"why", b"ann", *NOBODY[:7]]).stop.by == "ann"


def test_what_a_newer_taskpy_lets_follow_is_only_asked_for():
    assert wish_of(b"nuke 250 - why").follows is None


def test_a_submission_names_the_keys_of_the_tasks_that_its_caller_knows():
    op = sample("submit_keyed", known=Holders(("c", "d")), queues=["r"], by="ann", messages=[b"m"])

    assert op.keys[6:10] == (KEYS.answer("a"), KEYS.keyed(), KEYS.behind(), KEYS.felling())
    assert op.keys[10:15] == (KEYS.task("c"), KEYS.inbox("c"), KEYS.outbox("c"), KEYS.events("c"), KEYS.recent("r"))
    assert op.keys[15:] == (KEYS.task("d"), KEYS.inbox("d"), KEYS.outbox("d"), KEYS.events("d"), KEYS.recent(""))
    assert op.args[7:] == ("user:7", "join", "c d", KEYS.worker(""), "ann", 10_000, 1000, b"m")


@pytest.mark.parametrize("entry", [b" ", b"a b c", b"a b 1 2", b"\xff", b"a\n"])
def test_an_entry_of_a_key_that_names_no_tasks_is_malformed(entry):
    with pytest.raises(errors.Malformed):
        sample("holder").decode(entry)


# -- Lua ----------------------------------------------------------------------------------------


def code_of(path):
    """The lines of a script without comments."""
    return re.sub(r"--.*", "", path.read_text())


def header_of(path):
    """The lines of comment at the top: what it does, then a dict of the labelled ones."""
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("-- "):
            break
        lines.append(line.removeprefix("-- "))
    labelled = dict(line.split(": ", 1) for line in lines if re.match(r"(KEYS|ARGV|returns|needs): ", line))
    return lines, labelled


def needs_of(path):
    return header_of(path)[1].get("needs", "").replace(", ", " ").split()


def declared_keys(path):
    return re.findall(r"\w+", header_of(path)[1]["KEYS"])


every_verb = pytest.mark.parametrize("path", VERBS.values(), ids=VERBS)
every_file = pytest.mark.parametrize("path", [*VERBS.values(), *SHARED.values()], ids=[*VERBS, *SHARED])


@every_verb
def test_a_verb_begins_with_its_header(path):
    lines, labelled = header_of(path)

    assert not re.match(r"(KEYS|ARGV|returns|needs): ", lines[0]), "the first line says what it does"
    assert list(labelled)[:3] == ["KEYS", "ARGV", "returns"]


@every_verb
def test_a_verb_names_its_keys_as_its_header_does(path):
    named = []
    for names, count in re.findall(r"local ([\w, ]+) = ((?:.*\bKEYS\b.*))", code_of(path)):
        named += names.split(", ")[: max(count.count("KEYS["), 1) if "unpack" not in count else None]
    named += re.findall(r"for _?i?, (\w+) in ipairs\(KEYS\)", code_of(path))

    assert named == declared_keys(path)


@every_file
def test_every_key_a_script_touches_is_declared(path):
    allowed = set(declared_keys(path)) if path.parent == LUA else parameters_of(path)
    touched = re.findall(r"redis\.p?call\(\s*'(\w+)'(?:, ([\w.]+))?", code_of(path))
    touched += re.findall(r"redis\.call\(\w+ and '\w+' or '(\w+)', (\w+)", code_of(path))

    assert len(touched) == len(re.findall(r"redis\.p?call\b", code_of(path)))
    for command, key in touched:
        if command not in {"TIME", "PUBLISH"}:
            assert key.removeprefix("keys.") in allowed, f"{command} {key}"


def parameters_of(path):
    """What a shared function is given; `finish` gets its keys in a table whose fields its header names."""
    text = path.read_text()
    [arguments] = re.findall(rf"local function {path.stem}\(([^)]*)\)", text)
    fields = re.findall(r"^-- keys: \{(.*?)\}", text, re.MULTILINE)
    return {*arguments.split(", "), *", ".join(fields).split(", ")}


@every_file
def test_a_script_needs_what_it_calls_and_calls_what_it_needs(path):
    called = {name for name in SHARED if re.search(rf"(?<![\w.'])(?<!function ){name}\(", code_of(path))}
    needed = set(needs_of(path))

    # What a needed one needs stands in front of it, and may be called as well.
    reachable = set(needed)
    for name in needed:
        reachable |= set(needs_of(SHARED[name]))
    assert needed <= called <= reachable


def test_every_shared_function_is_needed():
    assert {name for path in [*VERBS.values(), *SHARED.values()] for name in needs_of(path)} == SHARED.keys()


@every_file
def test_no_script_sets_a_global(path):
    code = code_of(path)
    local = {"redis", "KEYS", "ARGV"}
    for names in re.findall(r"(?:local|for) ([\w, ]+?)(?: =| in |\n)", code):
        local |= set(names.split(", "))
    for name, arguments in re.findall(r"local function (\w+)\(([^)]*)\)", code):
        local |= {name, *arguments.split(", ")}
    assigned = re.findall(r"(?<![\w.\]~<>=])([A-Za-z_]\w*)\s*=(?!=)", re.sub(r"'[^']*'", "''", code))

    assert set(assigned) <= local
    assert len(re.findall(r"\bfunction\b", code)) == len(re.findall(r"\blocal function\b", code))


@every_file
def test_a_script_is_plain_lua(path):
    text = path.read_text()

    assert "cmsgpack" not in text
    assert "cjson" not in text
    assert not text.startswith("#!")
    assert not re.search(r"'(KEYS|SCAN|[SHZ]SCAN|SORT|EVAL)'", text), "nothing is searched for"
    assert max(map(len, text.splitlines())) <= 120


@every_verb
def test_what_a_script_needs_stands_in_front_once(path):
    source = script.load(path.stem).source

    assert source.endswith(path.read_text())
    for name in SHARED:
        assert source.count(f"local function {name}(") == (name in needed_by(path))


def needed_by(path):
    found = set()
    for name in needs_of(path):
        found |= {name} | needed_by(SHARED[name])
    return found


def test_a_script_goes_by_the_hash_of_its_source():
    loaded = script.load("submit")

    assert loaded.name == "submit"
    assert loaded.sha == hashlib.sha1(loaded.source.encode()).hexdigest()
    assert script.load("submit") is loaded
