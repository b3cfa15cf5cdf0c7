"""Hears nudges on the worker's own channel: mail for a running task, a stop, and the nonce that proves it still hears."""

import logging

from taskpy import errors
from taskpy.answers import wish_of
from taskpy.space import Space
from taskpy_worker.executor import Executor

logger = logging.getLogger("taskpy.worker")

#: What the heartbeater says to itself begins with this, which no task id does.
NONCE = "!"


class Listener:
    """One channel for all tasks of the process. What it misses, the heartbeat tells."""

    def __init__(self, space: Space, wid: str, executor: Executor) -> None:
        self._space = space
        self._channel = space.keys.worker(wid)
        self._executor = executor
        self.heard = 0  # the number of the last nonce

    def start(self) -> None:
        """Begin to listen."""
        self._space.broker.subscriber.listen(self._channel, self.tick)

    def stop(self) -> None:
        """Listen no more."""
        self._space.broker.subscriber.unlisten(self._channel, self.tick)

    def reconnect(self) -> None:
        """Listen on a new connection: this one has gone deaf."""
        logger.warning("pub/sub has gone deaf, connecting anew: channel=%s", self._channel)
        self._space.broker.subscriber.reconnect()

    def tick(self, data: bytes) -> None:
        """Take one message: `<id> <messages received>`, and nothing more or one of these.

        ` mail <the last message>`, ` stop <wish>`, ` seen <number of a question>`, ` order <orders ever>`.
        """
        name, number, word, detail = (*data.split(b" ", 3), b"", b"", b"")[:4]
        id = name.decode(errors="replace")
        if not _is_number(number):
            logger.debug("not understood: channel=%s message=%.200r", self._channel, data)
            return
        if id == NONCE:
            self.heard = int(number)
            return
        try:
            wish = wish_of(detail) if word == b"stop" else None
        except errors.Malformed:
            logger.debug("not understood: channel=%s message=%.200r", self._channel, data)
            return
        if word == b"seen" and _is_number(detail):
            self._executor.answer(id, int(detail))
        orders = int(detail) if word == b"order" and _is_number(detail) else 0
        self._executor.hear(id, int(number), wish, body=detail if word == b"mail" else None, orders=orders)


def _is_number(said: bytes) -> bool:
    return len(said) < 20 and said.isdigit()
