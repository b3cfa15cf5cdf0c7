"""Who sends: each sender of a task numbers its messages, so that one sent twice is stored once.

A client reuses its senders, for Redis remembers each one of a task; one whose last message is uncertain is never used
again, because its next number would be taken for a repetition.
"""

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass

#: How many tasks a client remembers its senders for. A forgotten one costs a field in Redis, nothing else.
REMEMBERED = 10_000


@dataclass(slots=True)
class Sender:
    """A name that is unique in the world, and how many messages it has sent to one task."""

    name: str
    sent: int = 0


class Senders:
    """The senders of one client, by task. Two threads that send to one task at once get two."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free: OrderedDict[str, list[Sender]] = OrderedDict()

    def forget(self) -> None:
        """Begin anew: after a fork the names in use belong to the parent."""
        self._lock = threading.Lock()
        self._free = OrderedDict()

    def take(self, id: str) -> Sender:
        """A sender to this task that nobody else uses now."""
        with self._lock:
            if free := self._free.get(id):
                return free.pop()
        return Sender(os.urandom(5).hex())

    def give(self, id: str, sender: Sender) -> None:
        """Give a sender back, after a message that was answered, and whose number is counted."""
        with self._lock:
            self._free.setdefault(id, []).append(sender)
            self._free.move_to_end(id)
            while len(self._free) > REMEMBERED:
                self._free.popitem(last=False)
