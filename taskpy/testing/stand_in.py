"""A stand-in for the task that a function receives, so that a test can call the function itself: `crawl(t, "https://…")`.

Nothing runs in the background and nothing waits. What the function may receive is given beforehand; what it sends is
kept.
"""

import inspect
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from taskpy import codec, errors, flow, inside_aio, naming
from taskpy.desk import Answer, LocalDesk, Unheard
from taskpy.inside import Inside
from taskpy.inside_flows import Run
from taskpy.mailbox import Inbox, Received, Stored
from taskpy.nudge import Nudge
from taskpy.question import Reply, dump_answer, dump_asked, dump_question, load_answer, load_asked, load_question
from taskpy.reports import Reports
from taskpy.spec import MISSING, StopReason, Wish

#: How often a function may look whether it is to stop, when the test does not say when: then it is a loop for ever.
LOOKS_LIMIT = 100_000


class _ScriptedDesk(LocalDesk):
    """A desk at which the answers lie ready."""

    def __init__(self, script: "_Script", answers: Iterable[Any]) -> None:
        super().__init__(script.nudge, Unheard())
        self._script = script
        self._answers = deque(answers)
        for answer in self._answers:
            if not _is_error(answer):
                dump_answer(answer)  # raises here, where the test says it
        self.asked: list[Any] = []

    def pose(self, question: Any) -> flow.Flow[int]:
        """Keep the question."""
        self.asked.append(load_asked(dump_asked(question)))
        if not self._answers and self._script.wish is None:
            raise errors.UsageError(
                f"it asks {self.asked[-1]!r}, and the test has no answer (any more): StandIn(answers=[...])"
            )
        return flow.just(len(self.asked))

    def answer(self, number: int) -> Answer | None:
        """The next answer."""
        del number
        if not self._answers:
            return None
        answer = self._answers.popleft()
        if _is_error(answer):
            raise answer
        return Answer(load_answer(dump_answer(answer)))


def _is_error(answer: Any) -> bool:
    return isinstance(answer, BaseException) or (isinstance(answer, type) and issubclass(answer, BaseException))


class _Script:
    """A mailbox with a beginning and an end: when its messages are read, or it was looked at often enough, it stops."""

    resumable: bool | None = None
    full = False
    called = False

    def __init__(self, inbox: Iterable[Any], stop_after: int | None, state: Any, answers: Iterable[Any]) -> None:
        self.nudge = Nudge()
        self.wish: Wish | None = None
        self.draining = False
        self.lost = False
        self.reports = Reports()
        self.desk = _ScriptedDesk(self, answers)
        self.sent: list[Any] = []
        self.states: list[Any] = []
        self._inbox = Inbox()
        for message in inbox:
            to, data = message if isinstance(message, To) else (None, message)
            self._inbox.offer(_carried(data), to)
        self._state = state
        self._stop_after = stop_after
        self._looks = 0

    def take(self, inbox: str | None) -> flow.Flow[Received | None]:
        """The next message. After the last one the task is asked to stop: nobody will send another."""
        message = self._inbox.take(inbox)
        if message is not None:
            return flow.just(Received(message.data))
        self._stop("the test has no more messages")
        self.nudge.give()  # it has just looked, and would wait for this
        return flow.just(None)

    def post(self, data: Any) -> flow.Flow[int]:
        """Keep what was sent."""
        self.sent.append(_carried(data))
        return flow.just(len(self.sent))

    def pour(self, data: Any) -> flow.Flow[None]:
        """Keep what was sent."""
        self.sent.append(_carried(data))
        return flow.just(None)

    def flush(self) -> flow.Flow[None]:
        """Do nothing: what was sent is kept."""
        return flow.just(None)

    def restore(self) -> Stored | None:
        """The last state: the one that was given beforehand, or that the function has stored."""
        state = self.states[-1] if self.states else self._state
        return None if state is None else Stored(_kept(state), 1)

    def checkpoint(self, state: Any, version: int, messages: Sequence[Any]) -> flow.Flow[None]:
        """Keep the state and what was sent."""
        del version
        self.states.append(_kept(state))
        self.sent += [_carried(data) for data in messages]
        return flow.just(None)

    def ask_stop(self, reason: str | None) -> flow.Flow[None]:
        """Ask this very task to stop."""
        self._stop(reason or "")
        return flow.just(None)

    def look(self) -> bool:
        """Whether the task is to stop, asked once more."""
        if self._looks == self._stop_after:
            self._stop("the test stops it")
        if self._looks == LOOKS_LIMIT:
            raise errors.UsageError(f"it has looked {LOOKS_LIMIT} times whether it is to stop; give it stop_after=")
        self._looks += 1
        return self.wish is not None

    def _stop(self, reason: str) -> None:
        self.wish = self.wish or Wish(StopReason(reason, "the test"))


class To(NamedTuple):
    """A message of a stand-in's `inbox` that is for a named one: `To("steer", data)`."""

    inbox: str
    data: Any


def _kept(state: Any) -> Any:
    """The state as a checkpoint gives it back; raises `NotSendable` or `TooLarge` as there."""
    return codec.load_state(codec.dump_state(state, 1))[0]


def _carried(data: Any) -> Any:
    """The message as the other side gets it; raises `NotSendable` or `TooLarge` as there."""
    return codec.load_message(codec.dump_message(data)).data


class _Scripted:
    """What both forms have: they wait for nothing, and remember."""

    _mailbox: Any
    _flows: Any

    @property
    def sent(self) -> list[Any]:
        """What the function has sent so far."""
        found: list[Any] = self._mailbox.sent
        return found

    @property
    def states(self) -> list[Any]:
        """What the function's checkpoints have stored so far."""
        found: list[Any] = self._mailbox.states
        return found

    @property
    def asked(self) -> list[Any]:
        """What the function has asked so far."""
        found: list[Any] = self._mailbox.desk.asked
        return found

    def _prepared(self, topic: str, data: Any) -> Any:
        question = load_question(1, dump_question(topic, data))
        attention = self._flows.attention
        handler = attention.handler(topic)
        if handler is None:
            Reply(known=attention.topics).result(topic)  # raises UnknownTopic
        return partial(handler, question.data)

    def stopped(self) -> bool:
        """Whether the task is to stop."""
        stopping: bool = self._mailbox.look()
        return stopping


def _run(args: Iterable[Any], kwargs: Mapping[str, Any] | None, attempt: int, prev: Any) -> Run:
    id = naming.new_id()
    return Run(
        id=id,
        args=tuple(args),
        kwargs=dict(kwargs or {}),
        prev=prev,
        attempt=attempt,
        token=f"{id}.{attempt}",
        releasable=True,
    )


class StandIn(_Scripted, Inside):
    """The task for a plain function: give it as the first argument.

    `inbox` is what `recv` and `for` give, `To(name, data)` what is for a named one; behind the last message the task is
    asked to stop. `stop_after` asks it to stop after it has looked so often, by `stopped()` or `sleep()`. `sleep` returns
    at once. `state` is what `t.state` finds. `sent` is what the function sent, `states` what its checkpoints stored.
    `answers` is what `ask` gives, one after the other, and an exception among them is raised; `asked` is what it has asked.
    `args` and `kwargs` are for a function that reads them from its task.
    """

    def __init__(
        self,
        *,
        inbox: Iterable[Any] = (),
        stop_after: int | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        attempt: int = 1,
        prev: Any = MISSING,
        state: Any = None,
        answers: Iterable[Any] = (),
    ) -> None:
        super().__init__(_run(args, kwargs, attempt, prev), _Script(inbox, stop_after, state, answers))

    def put(self, topic: str, data: Any = None) -> Any:
        """Call the handler that the function has registered for this topic; what it returns, as whoever asks gets it.

        Raises `UnknownTopic` where there is none, `NotSendable` or `TooLarge` as there, and whatever the handler raises.
        """
        return _carried(self._prepared(topic, data)())

    def sleep(self, seconds: float) -> bool:
        """Do not sleep; False when the task is to stop."""
        del seconds
        return not self.stopped()


class AsyncStandIn(_Scripted, inside_aio.Task):
    """The task for an `async def` function: as `StandIn`, for a function that is awaited."""

    def __init__(
        self,
        *,
        inbox: Iterable[Any] = (),
        stop_after: int | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        attempt: int = 1,
        prev: Any = MISSING,
        state: Any = None,
        answers: Iterable[Any] = (),
    ) -> None:
        super().__init__(_run(args, kwargs, attempt, prev), _Script(inbox, stop_after, state, answers))

    async def put(self, topic: str, data: Any = None) -> Any:
        """Call the handler that the function has registered for this topic: as `StandIn.put`."""
        answer = self._prepared(topic, data)()
        return _carried(await answer if inspect.isawaitable(answer) else answer)

    async def sleep(self, seconds: float) -> bool:
        """Do not sleep; False when the task is to stop."""
        del seconds
        return not self.stopped()
