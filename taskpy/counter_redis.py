"""The outside of the desk of a task on a worker: what is asked, answered and paused there stands in Redis."""

import os
from collections.abc import Callable
from typing import Any

from taskpy import errors, flow, numbered, ops, tree
from taskpy.answers_desk import Response
from taskpy.counter import GONE
from taskpy.identity import who
from taskpy.keys import Keys
from taskpy.line import Full
from taskpy.question import Reply, dump_answer, dump_question, readable_reply
from taskpy.senders import Senders
from taskpy.spec import State


class RedisCounter:
    """What those outside can ask, answer and order at the desk of one task. `not_found` makes the error for no such task."""

    def __init__(self, keys: Keys, id: str, senders: Senders, not_found: Callable[[], errors.TaskNotFound]) -> None:
        self._keys = keys
        self._id = id
        self._senders = senders
        self._not_found = not_found

    def ask(self, topic: str, data: Any) -> flow.Flow[int | State | Full]:
        """Put a question to the task."""
        packed = dump_question(topic, data)
        place = f"{self._id}?"  # so that questions are numbered apart from messages

        def asking(sender: str, number: int) -> ops.Op[int | str]:
            return ops.ask(self._keys, id=self._id, sender=sender, number=number, question=packed)

        answer = yield from numbered.put(self._senders, place, asking, what="question")
        return self._final(answer) if isinstance(answer, str) else answer

    def reply(self, number: int) -> flow.Flow[Reply | State]:
        """What the task has answered to a question; else where it stands."""
        found: Response | None = yield ops.response(self._keys, id=self._id, number=number)
        if found is None:
            raise self._not_found()
        if found.answer is not None:
            return readable_reply(found.answer)
        if found.gone and not found.state.done:
            raise errors.NoAnswer(GONE)
        return found.state

    def retract(self, number: int) -> flow.Flow[None]:
        """Forget a question and its answer."""
        yield ops.retract(self._keys, id=self._id, number=number)

    def answer(self, number: int | None, value: Any) -> flow.Flow[None]:
        """Answer what the task asks; without a number, what it has asked last."""
        packed, name = dump_answer(value), os.urandom(8).hex()
        if number is None:
            number, _ = yield ops.answered(self._keys, id=self._id)
        try:
            said: str = yield ops.answer(self._keys, id=self._id, number=number, answer=packed, name=name, by=who())
        except errors.Unreachable as error:
            raise errors.Uncertain(f"the answer may have arrived, or not: {error}") from error
        if said == "answered":
            asked, by = yield ops.answered(self._keys, id=self._id)
            raise errors.AlreadyAnswered(by if asked == number else "")
        if said == "none":
            raise errors.NotAsked
        if said != "accepted":
            raise errors.TaskEnded(self._final(said))

    def pause(self, pausing: bool, whole: bool) -> flow.Flow[bool]:
        """Ask the task to stand still at its next safe point, or to go on; whether it stands still.

        With `whole` all below it, too, also when it has ended itself.
        """
        if pausing:
            op = ops.pause_task(self._keys, id=self._id, name=os.urandom(8).hex(), by=who(), tree=whole)
        else:
            op = ops.resume_task(self._keys, id=self._id, name=os.urandom(8).hex(), by=who())
        said: str = yield op
        if whole and said != "unknown":
            yield from tree.pause(self._keys, self._id, pausing)
        elif said not in ("pausing", "paused", State.QUEUED, State.RUNNING):
            raise errors.TaskEnded(self._final(said))
        return said == "paused"

    def _final(self, said: str) -> State:
        if said == "unknown":
            raise self._not_found()
        return State(said)
