"""What was submitted during a session, in order, and the questions that a test asks about it."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from taskpy import codec, registry
from taskpy.definition import Definition
from taskpy.spec import Options

#: How many submissions a failure lists.
LISTED = 20
#: How much of an argument's repr a failure shows, in characters.
SHOWN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """A task that was submitted: as a worker reads it, so the arguments have been to Redis and back."""

    id: str
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    queue: str
    options: Options

    @classmethod
    def of(cls, id: str, packed: bytes) -> Self:
        """Read a spec."""
        spec = codec.load_spec(packed)
        return cls(id=id, name=spec.name, args=spec.args, kwargs=spec.kwargs, queue=spec.queue, options=spec.options)

    @property
    def delay(self) -> float:
        """How long it was to wait, in seconds."""
        return self.options.delay or 0.0

    def __str__(self) -> str:
        arguments = [_shown(value) for value in self.args]
        arguments += [f"{name}={_shown(value)}" for name, value in self.kwargs.items()]
        delay = f" delay={self.delay:g}" if self.delay else ""
        return f"{self.name}({', '.join(arguments)}) queue={self.queue!r}{delay}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which submissions a test asks for. What is None does not matter; what is given must be equal."""

    task: Any = None
    args: Sequence[Any] | None = None
    kwargs: Mapping[str, Any] | None = None
    queue: str | None = None
    delay: float | None = None

    def __str__(self) -> str:
        given = {"args": self.args, "kwargs": self.kwargs, "queue": self.queue, "delay": self.delay}
        asked = ", ".join(f"{name}={_shown(value)}" for name, value in given.items() if value is not None)
        return " ".join(["task" if self.task is None else _name(self.task), *(["with", asked] if asked else [])])

    def fits(self, one: Submitted) -> bool:
        """Whether a submission is one of these."""
        return (
            (self.task is None or one.name == _name(self.task))
            and (self.args is None or list(self.args) == list(one.args))
            and (self.kwargs is None or dict(self.kwargs) == dict(one.kwargs))
            and (self.queue is None or self.queue == one.queue)
            and (self.delay is None or self.delay == one.delay)
        )


class Submissions:
    """What was submitted to one server so far, from any thread of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: list[Submitted] = []

    def note(self, id: str, packed: bytes) -> Submitted:
        """Add the next one, with its packed spec; what that says."""
        one = Submitted.of(id, packed)
        with self._lock:
            self._all.append(one)
        return one

    def find(self, wanted: Wanted) -> list[Submitted]:
        """Those that fit, in the order in which they were submitted."""
        with self._lock:
            return [one for one in self._all if wanted.fits(one)]

    def listing(self) -> str:
        """All of them, for a message."""
        with self._lock:
            found = list(self._all)
        if not found:
            return "Nothing was submitted."
        lines = [f"  {one}" for one in found[:LISTED]]
        if len(found) > LISTED:
            lines.append(f"  ... and {len(found) - LISTED} more")
        return "\n".join([f"Submitted so far ({len(found)}):", *lines])


def _name(task: Any) -> str:
    if isinstance(task, str):
        return task
    return task.name if isinstance(task, Definition) else registry.name_of(task)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
