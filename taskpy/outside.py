"""The outside of a task, written once: what a handle's calls mean, as flows over its line.

A thread drives them in `handle.py`, a coroutine in `aio.py`.
"""

import contextlib
from collections.abc import Callable
from typing import Any

from taskpy import errors, flow
from taskpy.deadline import Deadline
from taskpy.identity import who
from taskpy.line import Full, Line
from taskpy.nudge import Nudge
from taskpy.question import Reply
from taskpy.reader import Place, Reader
from taskpy.spec import QUESTION_LIMIT, Follows, State, StopReason, Wish
from taskpy.status import Reported, Status


class OutsideFlows:
    """The calls of one handle, and its place in the outbox.

    `attached`: the handle came later, so it reads from the oldest message kept; the handle that made the task is told
    of every message it misses.
    """

    def __init__(self, line: Line, *, attached: bool) -> None:
        self.line = line
        self._reader = Reader(line, None if attached else 0)

    def look(self) -> flow.Flow[Status]:
        """Where the task stands now."""
        return (yield from self.line.look())

    def wait(self, timeout: float | None, *, brief: bool = False) -> flow.Flow[Status]:
        """Wait for the end; how the task stands then, or when the time is over. `NotStarted` for a new task.

        `brief`: what came of it is enough, without what it has reported and whether it was asked to stop.
        """
        return (yield from self._until(lambda state: state.done, Deadline(timeout), brief=brief))

    def wait_begun(self, timeout: float | None) -> flow.Flow[bool]:
        """Wait until the function has begun, or never will; False when the time is over before."""
        status = yield from self._until(lambda state: state is not State.QUEUED, Deadline(timeout))
        return status.state is not State.QUEUED

    def stop(
        self,
        join: bool,
        timeout: float | None,
        reason: str | None,
        grace: float,
        follows: Follows | None,
        *,
        tree: bool = False,
    ) -> flow.Flow[Status]:
        """Ask the task to stop, with `tree` all below it too; with `join` wait for the end. How the task stands by then."""
        deadline = Deadline(timeout)
        yield from self.line.stop(wish_of(reason, grace, follows, tree=tree))
        status = yield from self._until(lambda state: state.done, deadline) if join else self.line.look()
        if join and tree:
            yield from self._until_all_below(deadline)
        return status

    def _until_all_below(self, deadline: Deadline) -> flow.Flow[None]:
        pending = yield from self.line.below()
        while True:
            ended: list[bool] = yield from flow.together([_has_ended(line) for line in pending])
            pending = [line for line, over in zip(pending, ended, strict=True) if not over]
            if not pending or deadline.over:
                return
            first = OutsideFlows(pending[0], attached=True)
            with contextlib.suppress(errors.TaskNotFound):  # it was not kept any longer
                yield from first._until(lambda state: state.done, deadline)

    def recv(self, block: bool | str, timeout: float | None) -> flow.Flow[Any]:
        """Take the next message of the outbox, from this handle's own place on: see `Reader`."""
        if isinstance(block, str):
            raise errors.WrongSide("a task has named inboxes, and one outbox; a handle's recv takes no name")
        return self._reader.recv(block, timeout)

    def at_hand(self) -> Any:
        """The next message for this handle, where it was fetched already; else `MISSING`."""
        return self._reader.at_hand()

    def reader(self, after: Place) -> Reader:
        """Another reader of the outbox, that begins at this place."""
        return Reader(self.line, after)

    def received(self, number: int) -> flow.Flow[bool]:
        """Whether the task has taken the message of this number."""
        if type(number) is not int or number < 1:
            raise errors.BadArguments(f"a message has a number from 1, which send returns, not {number!r}")
        return (yield from self.line.received(number))

    def send(self, data: Any, block: bool, timeout: float | None, inbox: str | None) -> flow.Flow[int]:
        """Put a message into the inbox; its number. `TaskEnded` after the end, `Full` when there is no room in time."""
        deadline = Deadline(timeout if block else 0)
        nudge: Nudge | None = None
        seen = 0
        refused: Full | None = None
        while isinstance(answer := (yield from self.line.offer(data, inbox, refused)), Full):
            refused = answer
            if deadline.over:
                refused.give_up()
                raise errors.Full
            if nudge is None:
                if (yield from self.line.look()).state is State.NEW:
                    raise errors.Full("the inbox is full, and nobody takes from it before start()")
                nudge = yield from self.line.watch()
                seen = nudge.count
                continue  # room may have come before we began to watch
            yield from flow.pause(self.line, nudge, seen, deadline)
            seen = nudge.count
        if isinstance(answer, State):
            raise errors.TaskEnded(answer)
        return answer

    def ask(self, topic: str, data: Any, timeout: float | None) -> flow.Flow[Any]:
        """Put a question to the task and wait for its answer; raises what `Handle.ask` does."""
        deadline = Deadline(timeout)
        number = yield from self.line.ask(topic, data)
        if isinstance(number, State):
            raise errors.TaskEnded(number)
        if isinstance(number, Full):
            number.give_up()
            raise errors.Full(
                f"{QUESTION_LIMIT} questions wait for the task; it answers where it calls stopped, recv, send, sleep, checkpoint or ask"
            )
        nudge = yield from self.line.watch()
        while True:
            seen = nudge.count
            reply = yield from self.line.reply(number)
            if isinstance(reply, Reply) or reply.done or deadline.over:
                yield from self.line.retract(number)
            if isinstance(reply, Reply):
                return reply.result(topic)
            if reply.done:
                raise errors.TaskEnded(reply)
            if deadline.over:
                raise errors.NoAnswer(
                    f"no answer to {topic!r} after {timeout:g} s: the task is {reply}, and answers where it calls"
                    " stopped, recv, send, sleep, checkpoint or ask"
                )
            yield from flow.pause(self.line, nudge, seen, deadline)

    def answer(self, value: Any, number: int | None) -> flow.Flow[None]:
        """Answer what the task asks; `NotAsked` or `AlreadyAnswered` where this does not count."""
        if number is not None and (type(number) is not int or number < 1):
            raise errors.BadArguments(f"a question has a number from 1, not {number!r}")
        yield from self.line.answer(number, value)

    def pause(self, join: bool, timeout: float | None, whole: bool) -> flow.Flow[bool]:
        """Ask the task to stand still; with `join` wait until it does, or has ended. Whether it stands still.

        With `whole` all of its tree, and whether all do that have not ended.
        """
        deadline = Deadline(timeout)
        stands = yield from self.line.pause(True, whole)
        if not join or (stands and not whole):
            return (yield from self.line.look()).paused
        below: list[Line] = (yield from self.line.below()) if whole else []
        stand = True
        for line in (self.line, *below):
            stand = (yield from _stood_still(line, deadline, ended=whole)) and stand
        return stand

    def resume(self, whole: bool) -> flow.Flow[None]:
        """Let the task go on, or all of its tree."""
        yield from self.line.pause(False, whole)

    def attended(self, known: Status | None) -> flow.Flow[Status]:
        """How the task stands once it has ended, or asks something else or stands still otherwise than was `known`."""
        nudge = yield from self.line.watch()
        while True:
            seen = nudge.count
            status = yield from self.line.look()
            if known is None or status.state.done or _attention(status) != _attention(known):
                return status
            yield from flow.pause(self.line, nudge, seen, Deadline(None))

    def reported(self, last: Reported | None, follow: bool) -> flow.Flow[Reported | None]:
        """The page of the log behind the `last` one, or the first; with `follow` waits for a line or another progress.

        None behind the end. Raises `NotStarted` where a new task would be waited for.
        """
        index, progress = (0, None) if last is None else (last.next, last.progress)
        nudge: Nudge | None = None
        seen = 0
        while True:
            page = yield from self.line.reported(index)
            if page.next > index or page.progress != progress:
                return page
            if page.state.done or not follow:
                return None
            if page.state is State.NEW:
                raise errors.NotStarted
            if nudge is None:
                nudge = yield from self.line.watch()
                seen = nudge.count
                continue  # something may have come before we began to watch
            yield from flow.pause(self.line, nudge, seen, Deadline(None))
            seen = nudge.count

    def _until(self, reached: Callable[[State], bool], deadline: Deadline, *, brief: bool = False) -> flow.Flow[Status]:
        if not self.line.fresh or deadline.over:
            status = yield from self.line.look()
            if status.state is State.NEW:
                raise errors.NotStarted
            if reached(status.state) or deadline.over:
                return status
        nudge = yield from self.line.watch()
        while True:
            seen = nudge.count
            status = (brief and self.line.heard(nudge)) or (yield from self.line.look())
            if reached(status.state) or deadline.over:
                return status
            yield from flow.pause(self.line, nudge, seen, deadline)


def _stood_still(line: Line, deadline: Deadline, *, ended: bool) -> flow.Flow[bool]:
    """Wait until a task stands still that was asked to; whether it does. With `ended` one that does not run does so."""
    nudge = yield from line.watch()
    while True:
        seen = nudge.count
        try:
            status = yield from line.look()
        except errors.TaskNotFound:  # it was not kept any longer
            return ended
        if ended and (status.state.done or status.state is State.QUEUED):
            return True
        if status.paused or not status.pausing or deadline.over:  # it may have ended, or somebody lets it go on
            return status.paused
        yield from flow.pause(line, nudge, seen, deadline)


def _has_ended(line: Line) -> flow.Flow[bool]:
    try:
        return (yield from line.look()).state.done
    except errors.TaskNotFound:  # it was not kept any longer
        return True


def _attention(status: Status) -> tuple[int | None, bool, bool]:
    asked = status.question
    return (None if asked is None else asked.number), status.pausing, status.paused


def result_of(status: Status, timeout: float | None) -> Any:
    """What `get` returns of a task that stands so after `timeout`, or raises."""
    match status.state:
        case State.SUCCEEDED:
            return status.result()
        case State.STOPPED:
            raise errors.TaskStopped(stopped_text(status))
        case State.FAILED:
            raise status.error or errors.RemoteError("unknown")
    raise errors.TaskTimeout(f"the task is {status.state} after {timeout:g} s; it goes on")


def stopped_text(status: Status) -> str:
    """How a task was stopped: by whom, why, and what was not plain about it."""
    parts = ["the task was stopped"]
    if status.stop is not None and status.stop.by:
        parts.append(f" by {status.stop.by}")
    if status.stop:
        parts.append(f": {status.stop}")
    if status.note:
        parts.append(f" ({status.note})")
    return "".join(parts)


def wish_of(reason: str | None, grace: float, follows: Follows | None, *, tree: bool = False) -> Wish:
    """The wish of this process that a task stops. Raises `BadArguments`."""
    if follows not in (None, "raise", "kill"):
        raise errors.BadArguments(f"then must be None, 'raise' or 'kill', not {follows!r}")
    if not isinstance(grace, int | float) or not 0 <= grace < float("inf"):
        raise errors.BadArguments(f"grace must be a number of seconds of at least 0, not {grace!r}")
    return Wish(StopReason(reason or "", who()), follows, grace, tree)
