"""What is put to a task in Redis under a number of its sender, a message or a question: stored once, however often it is tried.

A number that Redis has answered is never used for anything else, whatever the answer was. A late copy of the call may still
be on its way: it may be stored under that number as soon as it can be, and what came next under the same one would be taken
for a repetition, and lost.
"""

from collections.abc import Callable

from taskpy import errors, flow, ops
from taskpy.line import Full
from taskpy.senders import Sender, Senders


class Refused(Full):
    """There was no room for it. It keeps its sender and its number until it is offered again, or given up."""

    def __init__(self, senders: Senders, place: str, sender: Sender) -> None:
        self._senders = senders
        self._place = place
        self.sender = sender

    def give_up(self) -> None:
        """It is not offered again: its number is used up, and the sender goes on behind it."""
        self.sender.sent += 1
        self._senders.give(self._place, self.sender)


def put(
    senders: Senders,
    place: str,
    make: Callable[[str, int], ops.Op[int | str]],
    *,
    what: str,
    refused: Full | None = None,
) -> flow.Flow[int | str | Full]:
    """Put something to a task by the op that `make` makes for a sender and a number; its number there, or Redis's word why not.

    `place`: what the numbers of the senders count; `what`: how an error calls it; `refused`: what came of it before, where it
    is tried again. Raises `Uncertain`.
    """
    sender = refused.sender if isinstance(refused, Refused) else senders.take(place)
    try:
        answer: int | str = yield make(sender.name, sender.sent + 1)
    except errors.Unreachable as error:
        raise errors.Uncertain(f"the {what} may have arrived, or not: {error}") from error
    if answer == "full":
        return Refused(senders, place, sender)
    sender.sent += 1
    senders.give(place, sender)
    return answer
