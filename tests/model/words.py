"""The same call, and the same answer, in the words of the server and of the model."""

from typing import Any

from taskpy.answers import Started
from taskpy.answers_keyed import Placed
from taskpy.taken import Taken
from tests.model.known import Task


def for_model(verb: str, given: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an op as the model takes them."""
    given = {name: value for name, value in given.items() if name != "lease"}
    match verb:
        case "submit_keyed":
            given = {name: value for name, value in given.items() if name != "queues"}
            given["known"] = given["known"].ids
        case "mark":
            done = given.pop("acknowledged", None) or Taken()
            given = {"number": 0, "state": None, "settled": 0} | given | {"upto": done.upto, "beyond": done.ranges()}
        case "seen":
            given["taken"] = given["taken"].dump()
        case "settle":
            endings = [
                (e.id, e.token, e.state.value, e.value, None if e.taken is None else e.taken.dump())
                for e in given["endings"]
            ]
            given = {"endings": endings}
    return given


def modelled(answer: Any) -> Any:
    """An answer of the model, brought into the form of `seen_by_caller`."""
    match answer:
        case Task():
            acknowledged = f"{answer.acknowledged} {answer.beyond}"
            counts = answer.attempts, answer.retries, answer.unknowns, answer.lost, answer.marks, len(answer.children)
            wish = (*answer.stop, answer.follows) if answer.stop else None
            return *counts, answer.received, answer.sent, acknowledged, answer.checkpoint, wish, answer.orders
        case [int() as held, [*tasks]]:
            beats = [(t.received, (*t.stop, t.follows) if t.stop else None, t.orders) if t else "lost" for t in tasks]
            return held, beats
        case list():
            return [modelled(each) for each in answer]
    return answer


def seen_by_caller(verb: str, answer: Any) -> Any:
    """What is compared of a server's answer."""
    match verb:
        case "submit_keyed" if isinstance(answer, Placed):
            return (
                (answer.word, *answer.holders.ids) if answer.word == "again" else f"{answer.word} {answer.id}".strip()
            )
        case "claim" | "lose":
            return answer and sorted(answer)
        case "start":
            return [started(each) if each else None for each in answer]
        case "take" if isinstance(answer, Started):
            return started(answer)
        case "heartbeat":
            return answer.held, ["lost" if b.lost else (b.received, wish(b.wish), b.orders) for b in answer.tasks]
        case "due":
            return {*answer.wids}, {*answer.ids}, answer.renewed
        case "children":
            return answer.state, bool(answer.felling), wish(answer.wish), answer.count, answer.ids
        case "pause":
            return None
        case "orders" if answer:
            return answer.count, answer.pause, answer.answered, answer.answer, answer.questions
        case "response" if answer:
            return answer.state, answer.answer, answer.gone
        case "pose" if answer:
            return answer.number, answer.answer
        case "withdraw":
            return "fenced" if answer.fenced else answer.answer
    return answer


def started(it: Started) -> Any:
    """What a worker is told of a task that it starts."""
    counts = it.attempt, it.retries, it.unknowns, it.lost, it.acknowledgements, it.children, it.received, it.sent
    return *counts, it.acknowledged, it.checkpoint, wish(it.wish), it.orders


def wish(it: Any) -> Any:
    """A stop, as a worker is told of it; the time it leaves depends on the clock."""
    return it and (str(it.reason), it.reason.by, it.follows)
