"""The family of a local task: its children, what becomes of them when it ends, and a stop that goes down all the tree.

A stop of the tree and a spawn take the same lock, so that no child slips through between the two.
"""

import threading
from collections.abc import Callable
from typing import Protocol

from taskpy import errors
from taskpy.spec import GRACE_SECONDS, Children, Outcome, StopReason, Verdict, Wish

#: Why the children of a task are asked to stop that has ended.
PARENT_ENDED = "its parent has ended"


def parent_ended(id: str) -> Wish:
    """The wish of a task that has ended, or is about to, that all below it stop."""
    return Wish(StopReason(PARENT_ENDED, f"parent:{id}"), "kill", GRACE_SECONDS, tree=True)


class Child(Protocol):
    """A local task, as its parent knows it. `on_end` is called at its end."""

    on_end: Callable[[], None] | None

    @property
    def over(self) -> bool:
        """Whether it has ended."""

    def wish(self, wish: Wish) -> None:
        """Ask it to stop, and all below it."""

    def pause_tree(self, pausing: bool) -> None:
        """Have it and all below it stand still, or go on."""


class Family:
    """The children of one local task, each with its handle."""

    def __init__(self) -> None:
        self.id = ""
        self.policy: Children = "wait"
        self.parent: object = None  # the handle of the task that has spawned it
        self._lock = threading.RLock()  # a child may end while it is being started, in the same thread
        self._children: list[tuple[object, Child]] = []
        self._stopping = False  # all below are to stop: nothing is spawned any more
        self._pausing = False  # all below are to stand still: so is what is spawned
        self._first: Wish | None = None  # the first wish of all that those below are to hear
        self._running = 0
        self._awaiting: Callable[[], None] | None = None  # the function has returned; to be called when no child runs

    @property
    def awaited(self) -> bool:
        """Whether the function has returned, and only the children have not ended."""
        return self._awaiting is not None

    @property
    def children(self) -> list[object]:
        """The handles of the children, in the order in which they were spawned."""
        with self._lock:
            return [handle for handle, _ in self._children]

    @property
    def lines(self) -> list[Child]:
        """The children, in the order in which they were spawned."""
        with self._lock:
            return [line for _, line in self._children]

    def spawn(self, handle: object, child: Child, start: Callable[[], None]) -> None:
        """Start a child; raises `Stopped` where all below this task are to stop."""
        child.on_end = self._child_ended
        with self._lock:
            if self._stopping:
                raise errors.Stopped
            self._children.append((handle, child))
            self._running += 1
            try:
                start()
            except BaseException:
                if not child.over:  # it was not begun at all
                    self._children.pop()
                    self._running -= 1
                raise
            if self._pausing:
                child.pause_tree(True)

    def adopt(self, handle: object, child: Child) -> None:
        """Note a child that was started elsewhere."""
        with self._lock:
            self._children.append((handle, child))

    def close(self, wish: Wish) -> None:
        """All below are about to be asked to stop: nothing is spawned any more, and whoever asks them says this first."""
        with self._lock:
            self._stopping = True
            self._first = self._first or wish

    def stop(self, wish: Wish) -> None:
        """Ask all below to stop; from now on nothing is spawned."""
        self.close(wish)
        first = self._first
        for child in self.lines:
            if first is not None and first is not wish:
                child.wish(first)
            child.wish(wish)

    def pause(self, pausing: bool) -> None:
        """Have all below stand still, or go on; and whatever is spawned from now on."""
        with self._lock:
            self._pausing = pausing
        for child in self.lines:
            child.pause_tree(pausing)

    def see_out(self, outcome: Outcome, *, asked: Callable[[], bool], end: Callable[[], None]) -> None:
        """End the task whose function came to this outcome: at once, or when its children have ended."""
        with self._lock:
            waits = bool(self._children) and self.policy == "wait"
            if waits:
                self._awaiting = end
        if not waits:
            end()
        elif asked() or outcome.verdict is not Verdict.SUCCEEDED:
            self.stop(parent_ended(self.id))
        self._look()

    def asked(self) -> None:
        """The task was asked to stop: where it only waits for its children, they are."""
        if self._awaiting is not None:
            self.stop(parent_ended(self.id))

    def bereave(self, verdict: Verdict) -> None:
        """The task has ended so: its children stop where they are to end with it."""
        with self._lock:
            if not self._children or self.policy == "leave":
                return
        if self.policy == "stop" or verdict is not Verdict.SUCCEEDED:
            self.stop(parent_ended(self.id))

    def _child_ended(self) -> None:
        with self._lock:
            self._running -= 1
        self._look()

    def _look(self) -> None:
        with self._lock:
            if self._running or self._awaiting is None:
                return
            end, self._awaiting = self._awaiting, None
        end()
