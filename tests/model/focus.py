"""The machine with few rules: it finds within a few examples what needs certain calls in a row.

Of all its forty rules it seldom draws the right three one after the other.
"""

from typing import Any

from hypothesis.stateful import RULE_MARKER

from tests.model.machine import ProtocolMachine

#: Of each safety that can be taken out (in `tests/broker/test_controls.py`): the rules that show its absence.
RULES = {
    "an accepted id is accepted again": "submit the_last_call_again",
    "an accepted id is accepted again among many": "submit_many work",
    "the end does not free the key": "submit_keyed settle work",
    "a replaced task need not have ended": "one_that_runs_is_replaced",
    "a key is not looked at": "submit_keyed",
    "a refused submission is not remembered": "submit_keyed stop a_late_copy",
    "one that waits for its turn keeps it after its end": "one_that_runs_is_replaced stop",
    "a revival does not look at the key": "submit_keyed work settle revive",
    "a namespace that has tasks is cut": "divide",
    "no fence": "submit settle a_worker_is_gone",
    "start does not look into held": "claim start giveback",
    "the claim number is not closed": "claim lose join",
    "a late claim is not refused": "claim submit a_late_copy",
    "an id twice in one claim is kept": "claim a_second_entry",
    "no guard against outages in due": "due a_lease_runs_out redis_was_away",
    "no guard against outages in lose": "lose a_lease_runs_out redis_was_away",
    "a clean-up does not look at the token": "giveback claim a_second_entry",
    "recover does not look at the mark of death": "recover",
    "a lost worker can be renewed": "renew lose",
    "a lost worker can be renewed by due": "due lose",
    "who is renewed by due is looked at before": "due a_lease_runs_out",
    "no gravestone": "a_worker_is_gone a_late_copy",
    "no restored entry": "a_second_entry claim start",
    "no restored entry in giveback": "who_runs_it_claims_it_too giveback work",
    "messages are not numbered": "send the_last_call_again",
    "outgoing messages have no place": "mark the_last_call_again",
    "reports have no number": "report the_last_call_again",
    "a late report counts": "report a_late_copy",
    "a report has no fence": "report a_worker_is_gone",
    "lines are kept for ever": "report",
    "a revival is not remembered": "work settle revive",
    "a pause is not looked at": "pause claim",
    "the bell of a paused queue rings on": "pause claim",
    "a purge does not look whether the task waits": "purge claim",
    "a purge does not look whether the task has ended": "purge a_second_entry stop",
    "a late take is not noticed": "take a_late_copy",
    "a lost worker may take": "take lose",
    "a late mark is not noticed": "mark a_late_copy",
    "a mark takes back what was acknowledged": "mark",
    "a mark acknowledges what was never sent": "mark",
    "no fence for a mark": "mark a_worker_is_gone",
    "every lost worker counts": "mark a_worker_is_gone",
    "every mark is progress": "mark",
    "a state stays after the end": "mark settle work",
    "no fence for an answer": "seen inquire a_worker_is_gone",
    "an answer does not look whether the task runs": "seen inquire settle",
    "no fence for options": "adopt settle",
    "a stop can become milder": "stop",
    "a stop can be put off": "stop",
    "the last to ask counts": "stop",
    "an event is written each time": "stop the_last_call_again",
    "spawn does not look at the tree stop": "spawn stop",
    "spawn is not fenced": "spawn settle",
    "a child is spawned twice": "spawn the_last_call_again",
    "an end forgets its children": "spawn settle",
    "a stop of the tree forgets the children": "spawn stop",
    "a stop of the tree can become milder": "spawn stop fell",
    "a late word that all were asked counts": "spawn stop fell",
    "a question is put twice": "ask the_last_call_again",
    "there is no end of questions": "ask",
    "no fence for replies": "ask respond a_worker_is_gone",
    "a question is replied to twice": "ask respond a_late_copy",
    "replies are kept for ever": "ask respond",
    "an answer is told to who has not asked": "pose answer orders giveback work",
    "no fence for a question": "pose a_worker_is_gone",
    "a late question counts": "pose a_late_copy",
    "a question is asked twice": "pose the_last_call_again",
    "the question of a lost attempt is forgotten": "pose answer a_worker_is_gone",
    "any question of a lost attempt goes on": "pose answer a_worker_is_gone",
    "the last answer counts": "pose answer",
    "an answer is for any question": "pose answer",
    "an answer is not known again": "pose answer the_last_call_again",
    "no fence for a withdrawal": "pose withdraw a_worker_is_gone",
    "no fence for a park": "pause_task park a_worker_is_gone",
    "a late park counts": "pause_task resume_task park a_late_copy",
    "who was not asked stands still": "ask pose answer park",
    "a child of a tree at rest runs": "pause_task spawn work",
    "a late pause counts": "pause_task resume_task a_late_copy",
    "a pause that changes nothing is not remembered": "pause_task",
    "the second pause counts": "pause_task",
    "a late resume counts": "pause_task resume_task a_late_copy",
    "an answer that has come is withdrawn": "pose answer withdraw",
    "a late withdrawal counts": "pose withdraw a_late_copy",
    "a checkpoint takes any answer out": "pose answer mark",
}


def machine_for(control: str) -> type[ProtocolMachine]:
    """The machine with the rules for this control alone."""
    return machine_of(RULES[control])


def machine_of(words: str) -> type[ProtocolMachine]:
    """The machine with these rules alone."""
    rules = {name for name in dir(ProtocolMachine) if hasattr(getattr(ProtocolMachine, name), RULE_MARKER)}
    kept = {*words.split()}
    assert kept <= rules, f"{kept - rules} are no rules"
    return type("ProtocolMachine", (ProtocolMachine,), {name: _called(name) for name in rules - kept})


def _called(name: str) -> Any:
    """What other rules may still call, and hypothesis draws no more."""
    rule = getattr(ProtocolMachine, name)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return rule(self, *args, **kwargs)

    return call
