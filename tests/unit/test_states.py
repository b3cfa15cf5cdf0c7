"""The page of the states is made from their table, and is up to date."""

import importlib.util
from pathlib import Path

import pytest

from taskpy.spec import FLAGS, MOVES, TRANSITIONS, Flag, State

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def maker():
    spec = importlib.util.spec_from_file_location("states", DOCS / "states.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_and_its_picture_are_up_to_date(maker):
    assert maker.page() == (DOCS / "states.md").read_text(), "make states"
    assert maker.picture() == (DOCS / "states.svg").read_text(), "make states"


def test_every_arrow_is_drawn_once(maker):
    assert set(maker.ARROWS) == {(one.origin, one.target) for one in TRANSITIONS}
    assert set(maker.PLACES) == set(State)


def test_the_moves_are_those_of_the_table():
    assert {(state, target) for state in State for target in MOVES[state]} == set(_moves())
    assert len({(one.origin, one.target, one.verb) for one in TRANSITIONS}) == len(TRANSITIONS)


def test_a_flag_holds_in_no_final_state():
    assert {rule.flag for rule in FLAGS} == set(Flag)
    assert not any(state.done for rule in FLAGS for state in rule.states)


def _moves():
    return ((one.origin, one.target) for one in TRANSITIONS)
