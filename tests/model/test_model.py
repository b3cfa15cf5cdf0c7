"""The protocol and its model agree, whatever is called in whatever order; and they would not without each safety.

`make model EXAMPLES=2000` looks longer. What fails is printed as the shortest series of calls that was found, with a line
that repeats it.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.broker.test_controls import CONTROLS
from tests.model.caller import FLAG_ROWS, ROWS, SEEN, SEEN_FLAGS
from tests.model.focus import RULES, machine_for, machine_of
from tests.model.machine import ProtocolMachine, RealServerMachine

EXAMPLES = int(os.environ.get("TASKPY_MODEL_EXAMPLES", "40"))
STEPS = 60
#: ... of a machine with few rules.
FEW = 20

pytestmark = pytest.mark.timeout(0 if "TASKPY_MODEL_EXAMPLES" in os.environ else 120)

COMMON = settings(
    deadline=None, stateful_step_count=STEPS, print_blob=True, database=None, suppress_health_check=list(HealthCheck)
)


def machine(rig, kind=ProtocolMachine):
    """The machine on this server; hypothesis makes one for each example."""
    return type(kind.__name__, (kind,), {"rigs": [rig]})


def test_redis_does_what_the_model_says(sync_rig):
    kind = ProtocolMachine if sync_rig._guard else RealServerMachine

    run_state_machine_as_test(machine(sync_rig, kind), settings=settings(COMMON, max_examples=EXAMPLES))


@pytest.mark.parametrize("name", RULES)
def test_without_the_safety_they_disagree(fake_rig, name):
    verb, safety, nothing, _ = CONTROLS[name]
    fake_rig.break_script(verb, safety, nothing)
    bounded = settings(COMMON, max_examples=500, stateful_step_count=FEW, derandomize=True, phases=[Phase.generate])

    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine(fake_rig, machine_for(name)), settings=bounded)


@pytest.mark.parametrize("name", RULES)
def test_with_it_they_agree(fake_rig, name):
    bounded = settings(COMMON, max_examples=max(2, EXAMPLES // 20), stateful_step_count=FEW)

    run_state_machine_as_test(machine(fake_rig, machine_for(name)), settings=bounded)


#: As many series as show all of it, and they are the same each time.
SHOWN = 60
#: Rules that together show every row of the table of states and flags.
SHOWING = (
    "submit submit_many work take settle stop purge",
    "submit work giveback stop settle",
    "a_worker_is_gone stop mark",
    "a_worker_is_gone revive",
    "submit submit_many work giveback promote time_passes_for_delays take stop",
    "submit a_second_entry work",
    "pose answer withdraw",
    "work pose mark",
    "submit_keyed spawn work settle",
    "one_that_is_to_pause_is_replaced",
    "pause_task spawn work",
    "work giveback stop",
    "work pause_task resume_task stop",
    *("work one_stands_still " + rule for rule in ("resume_task", "stop", "giveback", "a_worker_is_gone")),
)


@pytest.mark.timeout(600)
def test_every_row_of_the_table_is_seen(fake_rig):
    """What is not in the table is found whenever a machine runs; this finds what is there and never happens."""
    for known in (
        True,
        False,
        False,
        False,
    ):  # the series that show all of it; others where hypothesis makes other ones
        found = settings(
            COMMON, max_examples=SHOWN, stateful_step_count=FEW, derandomize=known, phases=[Phase.generate]
        )
        for rules in SHOWING:
            run_state_machine_as_test(machine(fake_rig, machine_of(rules)), settings=found)
        if not (ROWS - SEEN or FLAG_ROWS - SEEN_FLAGS):
            return

    pytest.fail(f"these were never seen: {sorted(ROWS - SEEN)} {sorted(FLAG_ROWS - SEEN_FLAGS)}")


def test_each_safety_is_missed():
    assert CONTROLS.keys() == RULES.keys()
