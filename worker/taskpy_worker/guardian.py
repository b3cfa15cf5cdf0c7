"""Looks after the children of tasks that run here: waits for them when the parent's function has returned, stops them.

Owns the attempts whose functions have ended and that count as running until their children have ended, too.
"""

import contextlib
import functools
import logging
import queue
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from taskpy import errors, flow, ops, tree
from taskpy.answers import Standing
from taskpy.deadline import Deadline
from taskpy.mailbox_redis import RedisMailbox
from taskpy.nudge import Nudge
from taskpy.question import Reply
from taskpy.space import Space
from taskpy.spec import Outcome, Verdict
from taskpy_worker.attempt import Attempt
from taskpy_worker.settler import Settler, goes_on

logger = logging.getLogger("taskpy.worker")

T = TypeVar("T")

#: What is said of a task when it has ended.
_ENDS = {b"succeeded", b"failed", b"stopped"}
#: What is said to who asks a task that only waits for its children.
RETURNED = "its function has returned, and it only waits for its children"
#: How long the news of children is relied on before all of them are looked at again, in seconds.
RECHECK_SECONDS = 5.0


@dataclass(slots=True, eq=False)
class _Parent:
    """An attempt whose function has come to this outcome, and the children that have not ended (None: not read yet)."""

    attempt: Attempt
    mailbox: RedisMailbox
    outcome: Outcome
    pending: set[str] | None = None
    seen: int = 0  # how many children it had spawned, as far as is known, when they were read
    felled: bool = False  # whether its children were asked to stop

    @property
    def must_fell(self) -> bool:
        """Whether its children are to be asked to stop now."""
        asked = self.mailbox.wish is not None or self.outcome.verdict is not Verdict.SUCCEEDED
        return asked and not self.felled


class Guardian:
    """The parents of this process."""

    def __init__(self, space: Space, settler: Settler) -> None:
        self._space = space
        self._settler = settler
        self._new: queue.SimpleQueue[_Parent] = queue.SimpleQueue()
        self._bereaved: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()  # children that are said to have ended
        self._parents: dict[str, _Parent] = {}  # by id
        self._awaited: dict[str, str] = {}  # child -> its parent here
        self._followed: dict[tuple[str, str], tuple[Nudge, Callable[[], None]]] = {}  # a child may be a parent, too
        self._net = Deadline(RECHECK_SECONDS)
        self.nudge = Nudge()

    @property
    def waiting(self) -> int:
        """How many attempts wait for their children."""
        return len(self._parents) + self._new.qsize()

    def take(self, attempt: Attempt, outcome: Outcome) -> bool:
        """Take an attempt whose function has ended, when its children are to be waited for; whether they are."""
        mailbox = attempt.mailbox
        if mailbox is None or not mailbox.children or (attempt.options.children or "wait") != "wait":
            return False
        if goes_on(attempt, outcome):
            return False  # elsewhere, or again, and so do they
        attempt.returned = True
        self._new.put(_Parent(attempt, mailbox, outcome))
        self.nudge.give()
        return True

    def bereave(self, id: str) -> None:
        """Note that a task has ended whose children may have to stop."""
        self._bereaved.put(id)
        self.nudge.give()

    def tick(self) -> float | None:
        """Look after all of them; how long to sleep until they are looked at again, in seconds; None: until a nudge."""
        for parent in _gathered(self._new):
            self._parents[parent.attempt.id] = parent
            self._follow(("parent", parent.attempt.id), parent.mailbox.nudge, self.nudge.give)
        said = [id for id in _gathered(self._ended) if id in self._awaited]
        if self._net.over:
            said = list(self._awaited)
            self._net = Deadline(RECHECK_SECONDS)
        self._look(said)
        for parent in list(self._parents.values()):
            self._look_after(parent)
        for id in _gathered(self._bereaved):
            self._stop_children(id)
        return self._net.left() if self._parents else None

    def close(self) -> None:
        """Look after nobody any more."""
        for id in list(self._awaited):
            self._forget(id)
        self.nudge.give()

    def _look_after(self, parent: _Parent) -> None:
        """Do what is due for a parent: it may have been fenced, or asked to stop; or all its children have ended."""
        id = parent.attempt.id
        self._attend(parent.mailbox)
        if parent.mailbox.lost:
            parent.outcome = Outcome(Verdict.LOST)
        else:
            if parent.pending is None or (not parent.pending and parent.mailbox.children > parent.seen):
                # The second: a thread of its function goes on, and has spawned another.
                parent.seen, parent.felled = parent.mailbox.children, False
                parent.pending = self._watched(id)
                self._look(parent.pending)
            if parent.pending and parent.must_fell:
                self._space.broker.drive(tree.fell(self._space.keys, id))
                parent.felled = True
            if parent.pending:
                return
        del self._parents[id]
        self._unfollow(("parent", id))
        for child in parent.pending or ():
            self._forget(child)
        self._settler.settle(parent.attempt, parent.outcome)

    def _attend(self, mailbox: RedisMailbox) -> None:
        """Say that a parent stands still that is to pause: its function has returned. And answer that nobody answers."""
        if not mailbox.called:
            return
        drive, desk = self._space.broker.drive, mailbox.desk
        with contextlib.suppress(errors.LeaseLost):  # which the mailbox knows, too
            drive(desk.attend())
            while desk.questions:
                drive(desk.respond(desk.questions.popleft().number, Reply(error=errors.UsageError(RETURNED))))
            if desk.pausing and mailbox.wish is None:
                drive(desk.park())

    def _watched(self, id: str) -> set[str]:
        """The children of a task; from now on it is heard when they end."""
        keys = self._space.keys
        children = self._space.broker.drive(tree.children(keys, id)) or []
        nudges = self._space.broker.subscriber.watch_all([keys.task(child) for child in children])
        for child, nudge in zip(children, nudges, strict=True):
            self._awaited[child] = id
            self._follow(("child", child), nudge, functools.partial(self._hear, child, nudge))
        return set(children)

    def _hear(self, child: str, nudge: Nudge) -> None:
        if nudge.said.partition(b" ")[0] in _ENDS:  # what else it says is nothing to us
            self._ended.put(child)
            self.nudge.give()

    def _look(self, children: Iterable[str]) -> None:
        """See which of these have ended."""
        ids, keys = list(children), self._space.keys
        for first in range(0, len(ids), flow.BATCH):
            batch = ids[first : first + flow.BATCH]
            standings: list[Standing | None] = self._space.broker.run_many([ops.status(keys, id=id) for id in batch])
            for id, standing in zip(batch, standings, strict=True):
                if standing is None or standing.state.done:  # or it was not kept any longer
                    parent = self._parents[self._awaited[id]]
                    self._forget(id)
                    if parent.pending is not None:
                        parent.pending = parent.pending - {id}

    def _follow(self, what: tuple[str, str], nudge: Nudge, tell: Callable[[], None]) -> None:
        self._followed[what] = nudge, tell
        nudge.follow(tell)

    def _unfollow(self, what: tuple[str, str]) -> None:
        nudge, tell = self._followed.pop(what)
        nudge.unfollow(tell)

    def _forget(self, child: str) -> None:
        del self._awaited[child]
        self._unfollow(("child", child))
        self._space.broker.subscriber.unwatch(self._space.keys.task(child))

    def _stop_children(self, id: str) -> None:
        """Stop all below a task that has ended, unless it has waited for them, or leaves them alone."""
        keys = self._space.keys
        if self._space.broker.run(ops.children(keys, id=id, count=1)).felling:
            asked = self._space.broker.drive(tree.fell(keys, id))
            logger.info("all below a task that has ended are asked to stop: task=%s tasks=%d", id, asked)


def _gathered(source: "queue.SimpleQueue[T]") -> Iterator[T]:
    while True:
        try:
            yield source.get_nowait()
        except queue.Empty:
            return
