"""What a task attends to at its safe points: questions that were put to it, and the wish that it pauses."""

import inspect
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any

from taskpy import errors, flow
from taskpy.mailbox import Mailbox
from taskpy.naming import checked_name
from taskpy.question import Question, Reply

#: Answers a question: with what came with it, or without.
Handler = Callable[..., Any]

#: Whose handler runs in this context: what it calls itself is no safe point, what other coroutines call is.
_answering: ContextVar["Attention | None"] = ContextVar("taskpy_answering", default=None)


class Attention:
    """The handlers of one running task, and when they are called. `check` is the rest of a safe point: it may raise."""

    def __init__(self, mailbox: Mailbox, check: Callable[[], None]) -> None:
        self._mailbox = mailbox
        self._check = check
        self._handlers: dict[str, Handler] = {}
        self._unsaid: deque[tuple[int, Reply]] = deque()  # replies that are not known outside yet
        self._busy = False  # whether a handler runs
        self._standing = False  # whether the task stands still

    def answers(self, topic: str, handler: Handler) -> None:
        """Have this handler answer the questions of a topic.

        Raises `BadName` for a topic that nobody can ask about, `BadArguments` for a handler that takes more than the data.
        """
        self._handlers[checked_name(topic, "topic")] = _taking_data(handler)

    def handler(self, topic: str) -> Handler | None:
        """The handler of a topic."""
        return self._handlers.get(topic)

    @property
    def topics(self) -> tuple[str, ...]:
        """What there are handlers of."""
        return tuple(sorted(self._handlers))

    @property
    def due(self) -> bool:
        """Whether there is something to attend to, here and now. Looked at in every safe point, so it is cheap."""
        if not (self._mailbox.called or self._unsaid):
            return False
        return not self.nested and self.here()

    @property
    def nested(self) -> bool:
        """Whether this is called by a handler that is at work."""
        return self._busy and _answering.get() is self

    #: Whether this is the thread of the task: in another one that the function has begun, no handler is called.
    here: Callable[[], bool] = staticmethod(lambda: True)

    def pay(self, *, park: bool = True) -> flow.Flow[None]:
        """Answer what was asked, and, unless `park` is False, stand still as long as the task is to pause."""
        standing = False
        try:
            while self.due:
                seen = self._mailbox.nudge.count
                self._check()
                desk = self._mailbox.desk
                if self._busy or (self._standing and not standing):
                    # another coroutine of the task answers, or stands here, and attends to it all
                    if not (park and self._pausing):
                        return
                    yield flow.Wait(self._mailbox.nudge, seen)
                    continue
                yield from desk.attend()
                yield from self._answer(desk.questions)
                if not self._pausing:
                    continue
                if not park:
                    return
                self._standing = standing = True
                if (yield from desk.park()):
                    yield flow.Wait(self._mailbox.nudge, seen)
        finally:
            if standing:
                self._standing = False
                self._mailbox.desk.go_on()
                self._mailbox.nudge.give()  # to those who stood here, too

    @property
    def _pausing(self) -> bool:
        return self._mailbox.desk.pausing and self._mailbox.wish is None

    def _answer(self, questions: deque[Question]) -> flow.Flow[None]:
        yield from self._say()  # what a coroutine that was cancelled has left
        while questions and not self._busy:  # else: another coroutine answers
            try:
                question = questions.popleft()
            except IndexError:  # whoever asked waits no longer
                return
            try:
                reply = yield from self._reply(question)
            except BaseException:  # a stop, or the coroutine was cancelled: it is answered at the next safe point
                questions.appendleft(question)
                raise
            self._unsaid.append((question.number, reply))
            yield from self._say()

    def _say(self) -> flow.Flow[None]:
        while self._unsaid:
            said = self._unsaid[0]
            yield from self._mailbox.desk.respond(*said)
            if self._unsaid and self._unsaid[0] is said:  # else: another coroutine has said it, too
                self._unsaid.popleft()

    def look(self) -> flow.Flow[None]:
        """Learn what is new, also where nothing is answered: in another thread, and while a handler is at work."""
        desk = self._mailbox.desk
        known = len(desk.questions)
        yield from desk.attend()
        if len(desk.questions) > known:
            self._mailbox.nudge.give()  # to who answers them

    def _reply(self, packed: Question) -> flow.Flow[Reply]:
        try:
            question = self._mailbox.desk.opened(packed)
        except errors.WireError as error:
            return Reply(error=error)
        handler = self.handler(question.topic)
        if handler is None:
            return Reply(known=self.topics)
        self._busy, before = True, _answering.get()
        _answering.set(self)
        try:
            return Reply((yield flow.Call(partial(handler, question.data))))
        except Exception as error:  # the asker's to deal with: the task goes on
            return Reply(error=error)
        finally:
            _answering.set(before)
            self._busy = False
            self._mailbox.nudge.give()  # to coroutines that waited for its end


def _taking_data(handler: Handler) -> Handler:
    if not callable(handler):
        raise errors.BadArguments(f"a handler is a function, not {type(handler).__name__}")
    try:
        signature = inspect.signature(handler)
    except ValueError:  # some builtins have none
        return handler
    if _takes(signature, None):
        return handler
    if not _takes(signature):
        raise errors.BadArguments("a handler takes what comes with the question, or nothing")
    return partial(_without_data, handler)


def _takes(signature: inspect.Signature, *args: Any) -> bool:
    try:
        signature.bind(*args)
    except TypeError:
        return False
    return True


def _without_data(handler: Handler, data: Any) -> Any:
    if data is not None:
        raise errors.BadArguments("this question takes no data")
    return handler()
