"""Waiting for many tasks: local ones, and those of one client or of several. Nobody polls.

What is waited for is watched, then looked at. From then on those are looked at that spoke, and all of them every few
seconds, for pub/sub may lose a word. It is written once, as flows: threads drive them here, coroutines in
`waiting_aio.py`.
"""

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from taskpy import errors, flow
from taskpy.contract import Contract
from taskpy.deadline import Deadline
from taskpy.handle import Handle
from taskpy.line import Line
from taskpy.nudge import Gathered
from taskpy.spec import State
from taskpy.status import Status

T = TypeVar("T")
H = TypeVar("H")
AnyHandle = TypeVar("AnyHandle", bound=Handle[Any])


class Waited(NamedTuple, Generic[H]):
    """What came of `wait`: the handles of the tasks that have ended, and the others, each in the order given."""

    done: list[H]
    pending: list[H]


def wait(handles: Iterable[AnyHandle], timeout: float | None = None, *, first: bool = False) -> Waited[AnyHandle]:
    """Wait until all these tasks have ended, or with `first` until one has, at most `timeout` seconds.

    `Task`, `ProcessTask` and `RemoteTask` may be mixed, of any clients. Handles of the same task count once, where the
    first of them stands. Returns who is `done` and who is `pending`; the tasks themselves go on. Raises `NotStarted` for
    a new task, `TaskNotFound` for an id that no task has (any more), `TypeError` for what is no handle.
    """
    waiting: Waiting[AnyHandle] = Waiting(checked(handles, Handle), timeout)
    with waiting.performing(flow.wait_here) as perform:
        flow.drive(waiting.until(first=first), perform)
    return waiting.waited()


def as_completed(handles: Iterable[AnyHandle], timeout: float | None = None) -> Iterator[AnyHandle]:
    """The handles of these tasks, one by one, as the tasks end; those that have ended before in the order given.

    Takes what `wait` takes, and raises what it raises, while iterating. Raises `TaskTimeout` when some have not ended
    `timeout` seconds after the call.
    """
    return _ends(Waiting(checked(handles, Handle), timeout))


def _ends(waiting: "Waiting[H]") -> Iterator[H]:
    with waiting.performing(flow.wait_here) as perform:
        while waiting.pending:
            yield from flow.drive(waiting.next(), perform)


def checked(handles: Iterable[H], *kinds: type) -> list[H]:
    """The handles, each task once; raises `TypeError` for what is none."""
    if not isinstance(handles, Iterable) or isinstance(handles, Contract | str | bytes):
        raise TypeError(f"give the handles in a list, like [task], not {handles!r}")
    found: dict[H, None] = {}
    for handle in handles:
        # Not isinstance: what a function receives, inside, passes for a Task.
        if not any(kind in type(handle).__mro__ for kind in kinds):
            raise TypeError(
                f"{handle!r} is not a handle that can be waited for here: taskpy.wait takes Task, ProcessTask and "
                "RemoteTask (of an id: RemoteTask.attach(id)), taskpy.aio.wait takes those of taskpy.aio"
            )
        found.setdefault(handle)
    return list(found)


class Door(Protocol):
    """Who has a broker: a space, or a client of `taskpy.aio`."""

    @property
    def broker(self) -> Any:
        """The door to Redis."""


@dataclass(frozen=True, slots=True)
class Through:
    """A step to be performed at one of several doors."""

    door: Door
    step: flow.Step


Steps = Generator[flow.Step | Through, Any, T]


def through(door: Door, steps: flow.Flow[T]) -> Steps[T]:
    """The same flow, with each step performed at this door."""
    try:
        step = next(steps)
        while True:
            try:
                answer = yield Through(door, step)
            except Exception as error:  # the flow decides what an error means
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


class Waiting(Generic[H]):
    """Some tasks, and who of them is still `pending`. Here a task is known by its place among the `handles`.

    `note` is told where a task stands whenever it was looked at.
    """

    def __init__(
        self, handles: Sequence[Any], timeout: float | None, note: Callable[[Any, Status], None] | None = None
    ) -> None:
        self._handles = handles
        self._sources: list[tuple[Line, Any]] = [handle._source() for handle in handles]  # noqa: SLF001 - our own
        self._timeout = timeout
        self._deadline = Deadline(timeout)
        self._note = note
        self._heard = Gathered()
        self._recheck = min((line.recheck for line, _ in self._sources if line.recheck is not None), default=None)
        self._net: Deadline | None = None  # when to look at all of them again; None: before the first look
        self.pending: dict[int, State | None] = dict.fromkeys(range(len(handles)))

    @contextlib.contextmanager
    def performing(self, here: Callable[[flow.Step], Any]) -> Iterator[Callable[[flow.Step | Through], Any]]:
        """Performs the steps of the flows below; what they watch is watched until the end of this."""
        performers: dict[Door, Callable[[flow.Step], Any]] = {}
        with contextlib.ExitStack() as stack:
            stack.callback(self._heard.leave)

            def perform(step: flow.Step | Through) -> Any:
                if not isinstance(step, Through):
                    return here(step)
                if step.door not in performers:
                    performers[step.door] = stack.enter_context(step.door.broker.performing())
                return performers[step.door](step.step)

            yield perform

    def until(self, *, first: bool) -> Steps[None]:
        """Wait until all have ended, or the first, or the time is over."""
        while self.pending:
            ended = yield from self._some()
            if first or not ended:
                return

    def next(self) -> Steps[list[H]]:
        """Wait until some more have ended: these; raises `TaskTimeout` when the time is over first."""
        ended = yield from self._some()
        if not ended:
            raise errors.TaskTimeout(
                f"{len(self.pending)} of {len(self._handles)} tasks have not ended after {self._timeout:g} s; they go on"
            )
        return [self._handles[place] for place in ended]

    def waited(self) -> Waited[H]:
        """Who has ended by now, and who has not."""
        parts: Waited[H] = Waited([], [])
        for place, handle in enumerate(self._handles):
            (parts.pending if place in self.pending else parts.done).append(handle)
        return parts

    def _some(self) -> Steps[list[int]]:
        """Wait until some have ended, in the order in which that was heard; none: the time is over."""
        while True:
            seen = self._heard.count  # first, so that whoever speaks from here on wakes us
            if self._net is None:
                ended = yield from self._begin()
            elif self._net.over:
                ended = yield from self._look_at_all()
                if not (ended or self._deadline.over):
                    yield from self._late()
            else:
                ended = yield from self._look(self._heard.take())
            if ended or self._deadline.over:
                return ended
            yield flow.Wait(self._heard, seen, self._deadline.left(self._net.left() if self._net else None))

    def _begin(self) -> Steps[list[int]]:
        known = {place: flow.at_once(line.look()) for place, (line, _) in enumerate(self._sources)}
        ended = self._sorted_out({place: status for place, status in known.items() if status is not None})
        if not self._deadline.over:  # else this is just a look
            yield from self._watch()
        return sorted([*ended, *(yield from self._look_at_all())])

    def _watch(self) -> Steps[None]:
        for door, places in self._by_door(self.pending):
            nudges = yield from through(door, flow.together([self._sources[place][0].watch() for place in places]))
            for place, nudge in zip(places, nudges, strict=True):
                self._heard.gather(nudge, place)

    def _look_at_all(self) -> Steps[list[int]]:
        self._net = Deadline(self._recheck)
        spoke = dict.fromkeys(self._heard.take())
        return (yield from self._look([*spoke, *(place for place in self.pending if place not in spoke)]))

    def _look(self, places: Iterable[Any]) -> Steps[list[int]]:
        places = [place for place in places if place in self.pending]
        found: dict[int, Status] = {}
        for door, some in self._by_door(places):
            looks = [self._sources[place][0].look() for place in some]
            found.update(zip(some, (yield from through(door, flow.together(looks))), strict=True))
        return self._sorted_out({place: found[place] for place in places})

    def _sorted_out(self, found: dict[int, Status]) -> list[int]:
        """Note where tasks stand; those that have ended."""
        ended = []
        for place, status in found.items():
            if status.state is State.NEW:
                raise errors.NotStarted(f"{self._handles[place]!r} has not been started; call start() first")
            if self._note is not None:
                self._note(self._handles[place], status)
            if status.state.done:
                ended.append(place)
                del self.pending[place]
            else:
                self.pending[place] = status.state
        return ended

    def _late(self) -> Steps[None]:
        """Have those warn whose queue nobody serves: of each queue the first that waits in it."""
        late: dict[Any, int] = {}
        for place, state in self.pending.items():
            line, door = self._sources[place]
            if state is State.QUEUED:
                late.setdefault((door, line.queue), place)
        for place in late.values():
            line, door = self._sources[place]
            yield from through(door, line.late())

    def _by_door(self, places: Iterable[int]) -> Iterable[tuple[Any, list[int]]]:
        found: dict[Any, list[int]] = {}
        for place in places:
            found.setdefault(self._sources[place][1], []).append(place)
        return found.items()
