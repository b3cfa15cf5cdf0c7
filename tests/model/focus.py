"""The machine with few rules: it finds within a few examples what needs several calls of one kind in a row.

With all its forty rules it seldom draws the right three; with those that a verb has to do with it soon does.
"""

from typing import Any

from hypothesis.stateful import RULE_MARKER

from tests.model.machine import ProtocolMachine

_ALWAYS = {"submit", "work", "the_last_call_again", "a_late_copy"}
_LOSS = {"a_worker_is_gone", "lose", "recover", "a_lease_runs_out"}
_OUTAGE = {"due", "a_lease_runs_out", "redis_was_away", "the_guard_is_over"}

#: What happens around each verb that has a safety which can be taken out.
AROUND: dict[str, set[str]] = {
    "submit": set(),
    "settle": {"settle", "mark"} | _LOSS,
    "start": {"claim", "start", "giveback", "a_second_entry"},
    "lose": {"lose", "claim", "start", "join"} | _OUTAGE,
    "claim": {"claim", "pause", "resume", "a_second_entry", "join"},
    "due": {"lose"} | _OUTAGE,
    "giveback": {"giveback", "claim", "start", "a_second_entry"},
    "recover": {"recover", "lose", "join", "a_lease_runs_out"},
    "renew": {"renew", "lose"},
    "join": {"join", "lose", "a_worker_is_gone"},
    "send": {"send"},
    "mark": {"mark", "send", "giveback", "settle"} | _LOSS,
    "report": {"report", "giveback"} | _LOSS,
    "revive": {"revive", "settle"},
    "purge": {"purge", "a_second_entry", "stop"},
    "take": {"take", "lose", "giveback"},
    "seen": {"seen", "inquire", "giveback", "settle"} | _LOSS,
    "stop": {"stop"},
    "adopt": {"adopt", "giveback"} | _LOSS,
}


def around(verb: str) -> type[ProtocolMachine]:
    """The machine with the rules that this verb has to do with."""
    rules = {name for name in dir(ProtocolMachine) if hasattr(getattr(ProtocolMachine, name), RULE_MARKER)}
    kept = _ALWAYS | AROUND[verb]
    assert kept <= rules, f"{kept - rules} are no rules"
    return type("ProtocolMachine", (ProtocolMachine,), {name: _called(name) for name in rules - kept})


def _called(name: str) -> Any:
    """What other rules may still call, and hypothesis draws no more."""
    rule = getattr(ProtocolMachine, name)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return rule(self, *args, **kwargs)

    return call
