"""How a running task starts a child: the same call in a thread, in a process and on a worker, by another spawner."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from taskpy import errors, flow, registry, spec
from taskpy.definition import Definition
from taskpy.family import Family
from taskpy.spec import NO_OPTIONS, Children, Options

if TYPE_CHECKING:
    from taskpy.handle import LocalHandle
    from taskpy.line_redis import RedisLine
    from taskpy.mailbox_redis import RedisMailbox
    from taskpy.spec import TaskSpec


class Spawner(Protocol):
    """Starts the children of one task."""

    def spawn(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> flow.Flow[Any]:
        """Start a child; its handle. Raises `Stopped` where all below this task are to stop."""


@dataclass(frozen=True, slots=True)
class LocalSpawner:
    """Starts children that run in this process, or in child processes of it: what `make` makes."""

    family: Family
    make: "Callable[..., LocalHandle[Any]]"
    parent: "LocalHandle[Any] | None" = None

    def spawn(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> flow.Flow[Any]:
        """Start a child here. Of its options those count that `@task` gives a local task, too: `time_limit`, `children`."""
        function, options = known(func)
        child = self.make(function, *args, **kwargs)
        child.take_options(options)
        child.line.family.parent = self.parent
        self.family.spawn(child, child.line, child.start)
        return flow.just(child)


def known(func: Any) -> tuple[Any, Options]:
    """The function or definition that is meant by a name, or with options; and these. Raises `UnknownTask`."""
    if isinstance(func, str):
        found = registry.registry.get(func)
        if found is None:
            raise errors.UnknownTask(
                f"no task named {func!r} is known in this process; import the module that defines it"
            )
        return found.function, found.options
    if isinstance(func, Definition):
        return func, func.defaults
    if not inspect.isroutine(func):
        from taskpy.remote import Submission  # redis is only imported where something is submitted

        if isinstance(func, Submission):
            function, options = known(func.func)
            return function, func.given.over(options)
    return func, NO_OPTIONS


class RemoteSpawner:
    """Starts children on workers, each fenced by the token of the attempt that starts it."""

    __slots__ = ("_children", "_id", "_mailbox", "_make", "_token")

    def __init__(
        self,
        id: str,
        token: str,
        children: Children,
        mailbox: "RedisMailbox",
        make: "Callable[[TaskSpec], tuple[Any, RedisLine]]",
    ) -> None:
        """`make` makes a handle of a task, and its line."""
        self._id = id
        self._token = token
        self._children: Children = children
        self._mailbox = mailbox
        self._make = make

    def spawn(self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> flow.Flow[Any]:
        """Submit a child."""
        from taskpy.remote import Submission, spec_of

        if isinstance(func, Submission):
            if func.client is not None:
                raise errors.BadArguments("a child goes where its parent is; leave out client=, or submit it there")
            task = spec_of(func.func, args, kwargs, func.given, func.prev)
        else:
            task = spec_of(func, args, kwargs, NO_OPTIONS, spec.MISSING)
        if task.options.key is not None:
            raise errors.BadArguments("a child has no key; submit the task by itself, or spawn it without its key")
        handle, line = self._make(replace(task, parent=self._id))
        line.spawned_by(self._id, self._token, self._children)
        self._mailbox.children += 1  # first: it may be there though this is broken off
        try:
            yield from line.start()
        except errors.LeaseLost:
            self._mailbox.lose()
            raise
        return handle
