"""The form of a task's states: an older one is brought up to it, and what nobody can read is said."""

import pytest

from taskpy import errors
from taskpy.checkpoint import StateForm


def never(state, version):
    raise AssertionError("a state in the right form needs no upgrade")


def test_a_state_in_its_form_is_given_as_it_is():
    state = {"done": [1]}

    assert StateForm().read(state, 1) is state
    assert StateForm(3, never).read(state, 3) is state
    assert StateForm(0).read(None, 0) is None


def test_another_form_is_upgraded():
    def upgrade(state, version):
        return {"from": version, **state}

    form = StateForm(3, upgrade)

    assert form.read({"a": 1}, 2) == {"from": 2, "a": 1}
    assert form.read({"a": 1}, 1) == {"from": 1, "a": 1}
    assert form.read({"a": 1}, 4) == {"from": 4, "a": 1}, "a newer one, too: a deploy may be rolled back"


@pytest.mark.parametrize("version", [0, 1, 3])
def test_without_an_upgrade_another_form_is_refused(version):
    with pytest.raises(errors.StateVersion, match=rf"version {version} .* version 2.*upgrade="):
        StateForm(2).read({}, version)


def test_an_error_of_the_upgrade_is_the_tasks():
    def upgrade(state, version):
        return state["missing"]

    with pytest.raises(KeyError):
        StateForm(2, upgrade).read({}, 1)


@pytest.mark.parametrize("version", [-1, 1.0, "1", None, True])
def test_a_version_is_a_whole_number(version):
    with pytest.raises(errors.BadArguments, match="state_version must be a whole number of at least 0"):
        StateForm(version)


def test_an_upgrade_is_a_function():
    with pytest.raises(errors.BadArguments, match="upgrade must be a function"):
        StateForm(2, upgrade={1: 2})
