"""Logic that is written once and run twice: a flow says what to do next, a driver does it, in a thread or on a loop.

A flow is a generator. It yields an `Op` to have it run by Redis, `Together` for several at once, `Watch` to be woken by
a channel from now on (`WatchAll` by many), `Wait` to sleep until a nudge; it is sent what came of it. What it returns is the answer. The
calls of a handle, of the inside of a task and of a client are flows, which is why their async forms have no logic of
their own.
"""

import threading
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from taskpy.deadline import Deadline
from taskpy.nudge import Nudge
from taskpy.ops import Op

T = TypeVar("T")
S = TypeVar("S")

#: How many operations go in one pipeline.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Together:
    """Several operations in one round trip, answered by their answers in order."""

    ops: Sequence[Op[Any]]


@dataclass(frozen=True, slots=True)
class Watch:
    """Answered by a `Nudge` that is given at every message on the channel, until the flow ends."""

    channel: str


@dataclass(frozen=True, slots=True)
class WatchAll:
    """As `Watch`, of many channels with one command: answered by their nudges in order."""

    channels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Wait:
    """Sleep until the nudge's count is no longer `seen`, at most so many seconds. Answered by whether it moved."""

    nudge: Nudge
    seen: int
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """Call a function of the user's, in the thread of the task. Answered by what it returns, or by what that awaits."""

    function: Callable[[], Any]


Step = Op[Any] | Together | Watch | WatchAll | Wait | Call
Flow = Generator[Step, Any, T]


def just(value: T) -> Flow[T]:
    """Return a flow that needs nothing done."""
    return value
    yield  # makes this a generator


class Pausing(Protocol):
    """What can be waited for: how long its nudge may be relied on (seconds; None: for ever), and what to do then."""

    recheck: float | None

    def late(self) -> Flow[None]:
        """Called when a wait was not woken for `recheck` seconds."""


def pause(line: Pausing, nudge: Nudge, seen: int, deadline: Deadline) -> Flow[None]:
    """Wait for news of a line; at most as long as its nudge may be relied on, and until the deadline."""
    moved = yield Wait(nudge, seen, deadline.left(line.recheck))
    if not moved and not deadline.over:
        yield from line.late()


def at_once(steps: Flow[T]) -> T | None:
    """What a flow returns that needs nothing done; None when it needs something, which is not done."""
    try:
        next(steps)
    except StopIteration as end:
        answer: T = end.value
        return answer
    steps.close()
    return None


def together(flows: Sequence[Flow[T]]) -> Flow[list[T]]:
    """Run flows side by side that ask Redis and watch channels, no more: all of them in few round trips.

    Their answers in order. The first error ends them all.
    """
    answers: dict[int, T] = {}
    steps: dict[int, Step] = {}

    def go_on(number: int, answer: Any) -> None:
        try:
            steps[number] = flows[number].send(answer)
        except StopIteration as end:
            answers[number] = end.value

    for number in range(len(flows)):
        go_on(number, None)
    while steps:
        asked = [(number, step) for number, step in steps.items() if isinstance(step, Op)]
        watched = [(number, step.channel) for number, step in steps.items() if isinstance(step, Watch)]
        bundled = [(number, step.ops) for number, step in steps.items() if isinstance(step, Together)]
        if len(asked) + len(watched) + len(bundled) < len(steps):
            raise TypeError("flows that wait cannot run side by side")
        steps.clear()
        if watched:
            nudges = yield WatchAll([channel for _, channel in watched])
            for (number, _), nudge in zip(watched, nudges, strict=True):
                go_on(number, nudge)
        for first in range(0, len(asked), BATCH):
            batch = asked[first : first + BATCH]
            replies = yield Together([op for _, op in batch])
            for (number, _), reply in zip(batch, replies, strict=True):
                go_on(number, reply)
        if bundled:
            found = iter((yield from _in_batches([op for _, ops in bundled for op in ops])))
            for number, ops in bundled:
                go_on(number, [next(found) for _ in ops])
    return [answers[number] for number in range(len(flows))]


def _in_batches(ops: Sequence[Op[Any]]) -> Flow[list[Any]]:
    answers: list[Any] = []
    for first in range(0, len(ops), BATCH):
        answers += yield Together(ops[first : first + BATCH])
    return answers


_first_to_wait = threading.Lock()


class Turn:
    """One flow at a time, among threads or among coroutines."""

    __slots__ = ("_lock", "_nudge")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nudge: Nudge | None = None  # made by whoever waits first; mostly nobody does

    def take(self) -> Flow[None]:
        """Wait until it is this flow's turn."""
        if self._lock.acquire(blocking=False):
            return
        with _first_to_wait:
            self._nudge = nudge = self._nudge or Nudge()
        while True:
            seen = nudge.count
            if self._lock.acquire(blocking=False):
                return
            yield Wait(nudge, seen)

    def give(self) -> None:
        """Let the next one go."""
        self._lock.release()
        if self._nudge is not None:
            self._nudge.give()


def drive(flow: Generator[S, Any, T], perform: Callable[[S], Any]) -> T:
    """Run a flow to its end in this thread; an error of a step is raised inside the flow."""
    answer: Any = None
    failure: Exception | None = None
    try:
        while True:
            try:
                step = flow.send(answer) if failure is None else flow.throw(failure)
            except StopIteration as end:
                result: T = end.value
                return result
            answer, failure = None, None
            try:
                answer = perform(step)
            except Exception as error:  # the flow decides what an error means
                failure = error
    finally:
        flow.close()


async def drive_async(flow: Generator[S, Any, T], perform: Callable[[S], Awaitable[Any]]) -> T:
    """Run a flow to its end on this event loop: the twin of `drive`."""
    answer: Any = None
    failure: Exception | None = None
    try:
        while True:
            try:
                step = flow.send(answer) if failure is None else flow.throw(failure)
            except StopIteration as end:
                result: T = end.value
                return result
            answer, failure = None, None
            try:
                answer = await perform(step)
            except Exception as error:  # the flow decides what an error means
                failure = error
    finally:
        flow.close()


def wait_here(step: Step) -> Any:
    """Perform a step of a flow that never leaves this process."""
    if isinstance(step, Wait):
        return step.nudge.wait(step.seen, step.seconds)
    raise TypeError(f"a local flow cannot {step!r}")


async def wait_here_async(step: Step) -> Any:
    """Perform a step of a flow that never leaves this process, on the event loop."""
    if isinstance(step, Wait):
        return await step.nudge.wait_async(step.seen, step.seconds)
    raise TypeError(f"a local flow cannot {step!r}")
