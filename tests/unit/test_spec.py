import copy
import pickle
from dataclasses import FrozenInstanceError

import pytest

from taskpy import errors, naming, spec
from taskpy.retry import Backoff
from taskpy.spec import MOVES, Options, State, TaskSpec


def test_the_states_that_end_a_task():
    assert {State.SUCCEEDED, State.FAILED, State.STOPPED} == {state for state in State if state.done}


def test_every_state_has_its_moves_and_every_end_can_be_reached():
    assert set(State) == set(MOVES)
    reached, waiting = set(), {State.NEW}
    while waiting:
        state = waiting.pop()
        reached.add(state)
        waiting |= MOVES[state] - reached
    assert set(State) == reached


def test_a_stopped_task_never_moves_on():
    assert not MOVES[State.STOPPED]
    assert State.QUEUED in MOVES[State.RUNNING]
    assert State.NEW not in set().union(*MOVES.values())


def test_options_fill_each_other_up():
    own, base = Options(retries=0, queue="bulk"), Options(retries=3, keep=60)

    assert Options(retries=0, queue="bulk", keep=60) == own.over(base)
    assert own == own.over(Options())
    assert own.given() == {"retries": 0, "queue": "bulk"}
    assert Options().given() == {}


def test_options_from_words():
    assert Options(delay=5, backoff=Backoff()) == Options.of({"delay": 5, "backoff": Backoff()})
    with pytest.raises(errors.BadArguments, match="unknown option 'quue'; the options are queue, delay, "):
        Options.of({"quue": "a"})


@pytest.mark.parametrize("name", ["delay", "retries", "restarts", "keep"])
@pytest.mark.parametrize("value", [-1, -0.1, float("nan"), float("inf"), "1", [1]])
def test_numbers_of_options_are_checked(name, value):
    with pytest.raises(errors.BadArguments, match=name):
        Options(**{name: value})


def test_the_queue_of_options_is_checked():
    with pytest.raises(errors.BadName, match="is not a queue"):
        Options(queue="{a}")


@pytest.mark.parametrize("key", ["a", "user:7", "ä b{c}", "#", "k" * naming.KEY_LIMIT])
def test_any_short_text_is_a_key(key):
    assert Options(key=key).key == key


@pytest.mark.parametrize(
    "key", ["", "k" * (naming.KEY_LIMIT + 1), "a\n", "\x00", "\x7f", "\x9b", "lone \ud800", 7, b"key"]
)
def test_what_is_no_key_is_refused(key):
    with pytest.raises(errors.BadArguments, match="key must be a text of 1 to 200 characters"):
        Options(key=key)


@pytest.mark.parametrize("conflict", ["", "Join", "kill", 1, ["join"]])
def test_what_to_do_with_a_key_is_one_of_four(conflict):
    with pytest.raises(
        errors.BadArguments, match="on_conflict must be one of 'reject', 'join', 'send', 'replace', not"
    ):
        Options(key="k", on_conflict=conflict)


def test_a_spec_goes_to_its_queue():
    assert TaskSpec("a").queue == spec.DEFAULT_QUEUE
    assert TaskSpec("a", options=Options(queue="bulk")).queue == "bulk"


def test_specs_do_not_change():
    with pytest.raises(FrozenInstanceError):
        TaskSpec("a").name = "b"


def test_missing_is_one_of_a_kind():
    assert spec.MISSING is copy.deepcopy(spec.MISSING) is pickle.loads(pickle.dumps(spec.MISSING))
    assert repr(spec.MISSING) == "MISSING"
    assert TaskSpec("a").prev is spec.MISSING


def test_new_ids_are_ids_and_new():
    ids = {naming.new_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert all(naming.checked_id(id) == id and len(id) == 24 for id in ids)


@pytest.mark.parametrize("id", ["a", "A-b_c", "0" * 64])
def test_ids(id):
    assert naming.checked_id(id) == id


@pytest.mark.parametrize("id", ["", "-a", "0" * 65, "a.b", "a:b", "a b", "a\n", "{a}", "ä", None, 5, b"a"])
def test_what_is_no_id(id):
    with pytest.raises(errors.BadName, match="is not a task id"):
        naming.checked_id(id)


@pytest.mark.parametrize("name", ["a", "app.tasks.crawl", "App:v1.crawl-fast_2", "_a", "0" * 128])
def test_names(name):
    assert naming.checked_name(name) == name


@pytest.mark.parametrize("name", ["", ".a", "-a", ":a", "0" * 129, "a b", "a\n", "\x1b[1m", "{a}", "ä", "a/b", None, 5])
def test_what_is_no_name(name):
    with pytest.raises(errors.BadName, match="is not a queue"):
        naming.checked_name(name, "queue")
