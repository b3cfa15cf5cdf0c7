"""The protocol and its model agree, whatever is called in whatever order; and they would not without each safety.

`make model EXAMPLES=2000` looks longer. What fails is printed as the shortest series of calls that was found, with a line
that repeats it.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.broker.test_controls import CONTROLS
from tests.model.machine import ProtocolMachine, RealServerMachine

EXAMPLES = int(os.environ.get("TASKPY_MODEL_EXAMPLES", "40"))
STEPS = 60
LONG = {"TASKPY_MODEL_EXAMPLES", "TASKPY_MODEL_CONTROLS"} & os.environ.keys()

pytestmark = pytest.mark.timeout(0 if LONG else 120)

COMMON = settings(
    deadline=None, stateful_step_count=STEPS, print_blob=True, database=None, suppress_health_check=list(HealthCheck)
)


def machine(rig, kind=ProtocolMachine):
    """The machine on this server; hypothesis makes one for each example."""
    return type(kind.__name__, (kind,), {"rigs": [rig]})


def test_redis_does_what_the_model_says(sync_rig):
    kind = ProtocolMachine if sync_rig._guard else RealServerMachine

    run_state_machine_as_test(machine(sync_rig, kind), settings=settings(COMMON, max_examples=EXAMPLES))


#: Safeties whose absence the model notices within a few dozen examples; the rest is looked for by `make model CONTROLS=1`.
SOON = [
    "an accepted id is accepted again",
    "no fence",
    "the claim number is not closed",
    "a late claim is not refused",
    "an id twice in one claim is kept",
    "no guard against outages in due",
    "no guard against outages in lose",
    "recover does not look at the mark of death",
    "a lost worker can be renewed",
]
LATE = [name for name in CONTROLS if name not in SOON] if "TASKPY_MODEL_CONTROLS" in os.environ else []


@pytest.mark.parametrize("name", SOON + LATE)
def test_without_the_safety_they_disagree(fake_rig, name):
    verb, safety, nothing, _ = CONTROLS[name]
    fake_rig.break_script(verb, safety, nothing)
    examples = 120 if name in SOON else 1000
    bounded = settings(COMMON, max_examples=examples, derandomize=True, phases=[Phase.generate])

    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine(fake_rig), settings=bounded)
