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


#: What these rules are there for.
VERBS = {"work": "start", "a_worker_is_gone": "recover"}
#: Rules that together show every row of the table of states and flags.
SHOWING = (
    "submit submit_many work take settle stop purge",
    "submit work giveback stop settle",
    "a_worker_is_gone stop mark",
    "a_worker_is_gone revive",
    "submit submit_many work giveback promote time_passes_for_delays take stop",
    "submit a_second_entry work",
    "pose answer withdraw",
    "submit_keyed spawn work settle",
    "submit_keyed take pause_task park",
    "pause_task spawn work",
    *("pause_task park " + rule for rule in ("resume_task", "stop", "giveback", "a_worker_is_gone")),
)


@pytest.mark.timeout(300)
def test_every_row_of_the_table_is_seen(fake_rig):
    """What is not in the table is found whenever a machine runs; this finds what is there and never happens."""
    bounded = settings(COMMON, max_examples=5, stateful_step_count=FEW, phases=[Phase.generate])
    for _ in range(40):  # mostly a few are enough
        for rules in SHOWING:
            verbs = {VERBS.get(rule, rule) for rule in rules.split()}
            if not any(verb in verbs for *_, verb in {*ROWS, *FLAG_ROWS} - SEEN - SEEN_FLAGS):
                continue
            run_state_machine_as_test(machine(fake_rig, machine_of(rules)), settings=bounded)
        if not (ROWS - SEEN or FLAG_ROWS - SEEN_FLAGS):
            return

    pytest.fail(f"these were never seen: {sorted(ROWS - SEEN)} {sorted(FLAG_ROWS - SEEN_FLAGS)}")


def test_each_safety_is_missed():
    assert CONTROLS.keys() == RULES.keys()
