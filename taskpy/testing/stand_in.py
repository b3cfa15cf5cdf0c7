"""A stand-in for the task that a function receives, so that a test can call the function itself: `crawl(t, "https://…")`.

Nothing runs in the background and nothing waits. What the function may receive is given beforehand; what it sends is
kept.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from taskpy import codec, errors, flow, inside_aio, spec
from taskpy.inside import Inside, Run
from taskpy.mailbox import Received
from taskpy.nudge import Nudge
from taskpy.reports import Reports
from taskpy.spec import MISSING

#: How often a function may look whether it is to stop, when the test does not say when: then it is a loop for ever.
LOOKS_LIMIT = 100_000


class _Script:
    """A mailbox with a beginning and an end: when its messages are read, or it was looked at often enough, it stops."""

    def __init__(self, inbox: Iterable[Any], stop_after: int | None) -> None:
        self.nudge = Nudge()
        self.stopping = False
        self.draining = False
        self.lost = False
        self.reports = Reports()
        self.sent: list[Any] = []
        self._inbox = deque(_carried(message) for message in inbox)
        self._stop_after = stop_after
        self._looks = 0

    def take(self) -> flow.Flow[Received | None]:
        """The next message. After the last one the task is asked to stop: nobody will send another."""
        if self._inbox:
            return flow.just(Received(self._inbox.popleft()))
        self.stopping = True
        self.nudge.give()  # it has just looked, and would wait for this
        return flow.just(None)

    def post(self, data: Any) -> flow.Flow[None]:
        """Keep what was sent."""
        self.sent.append(_carried(data))
        return flow.just(None)

    def ask_stop(self, reason: str | None) -> flow.Flow[None]:
        """Ask this very task to stop."""
        del reason
        self.stopping = True
        return flow.just(None)

    def look(self) -> bool:
        """Whether the task is to stop, asked once more."""
        if self._looks == self._stop_after:
            self.stopping = True
        if self._looks == LOOKS_LIMIT:
            raise errors.UsageError(f"it has looked {LOOKS_LIMIT} times whether it is to stop; give it stop_after=")
        self._looks += 1
        return self.stopping


def _carried(data: Any) -> Any:
    """The message as the other side gets it; raises `NotSendable` or `TooLarge` as there."""
    return codec.load_message(codec.dump_message(data)).data


class _Scripted:
    """What both forms have: they wait for nothing, and remember."""

    _mailbox: Any

    @property
    def sent(self) -> list[Any]:
        """What the function has sent so far."""
        found: list[Any] = self._mailbox.sent
        return found

    def stopped(self) -> bool:
        """Whether the task is to stop."""
        stopping: bool = self._mailbox.look()
        return stopping


def _run(args: Iterable[Any], kwargs: Mapping[str, Any] | None, attempt: int, prev: Any) -> Run:
    id = spec.new_id()
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

    `inbox` is what `recv` and `for` give; behind the last message the task is asked to stop. `stop_after` asks it to
    stop after it has looked so often, by `stopped()` or `sleep()`. `sleep` returns at once. `sent` is what the function
    sent. `args` and `kwargs` are for a function that reads them from its task.
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
    ) -> None:
        super().__init__(_run(args, kwargs, attempt, prev), _Script(inbox, stop_after))

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
    ) -> None:
        super().__init__(_run(args, kwargs, attempt, prev), _Script(inbox, stop_after))

    async def sleep(self, seconds: float) -> bool:
        """Do not sleep; False when the task is to stop."""
        del seconds
        return not self.stopped()
