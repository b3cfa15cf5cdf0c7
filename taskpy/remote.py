"""`RemoteTask`: a function that runs on any worker, and a handle of it that works in any process on any host."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, overload

from taskpy import call, codec, errors, flow, ops, pages, registry, space, spec
from taskpy.definition import Definition, function_of
from taskpy.handle import Handle, T
from taskpy.line import Line
from taskpy.line_redis import RedisLine
from taskpy.listed import Snapshot
from taskpy.reported import Progress
from taskpy.space import Space
from taskpy.spec import MISSING, NO_OPTIONS, Options, TaskSpec

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from taskpy import aio
    from taskpy.client import Client
    from taskpy.thread import Task

    R = TypeVar("R", default=Any)
else:
    from typing import TypeVar

    R = TypeVar("R")

P = ParamSpec("P")


def spec_of(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], options: Options, prev: Any) -> TaskSpec:
    """The spec of a function or of a name; raises `BadArguments` where the function is known and does not take them."""
    if isinstance(func, str):
        name, defaults = spec.checked_name(func), NO_OPTIONS
    else:
        name = func.name if isinstance(func, Definition) else registry.name_of(func)
        defaults = func.defaults if isinstance(func, Definition) else NO_OPTIONS
        call.check_arguments(function_of(func), args, kwargs)
    return TaskSpec(name, args, kwargs, options.over(defaults), prev=prev)


class RemoteTask(Handle[R]):
    """A task on any worker. Made with a function or its name, and not started until `start()`.

    Raises `BadArguments` when the function is known here and does not take the arguments, `NotSendable` or `TooLarge`
    for what cannot be sent, before anything is sent.
    """

    @overload
    def __init__(self, func: str, /, *args: Any, **kwargs: Any) -> None: ...
    @overload
    def __init__(self, func: Definition[P, R], /, *args: P.args, **kwargs: P.kwargs) -> None: ...
    @overload
    def __init__(self, func: Definition[[], R], /, *args: Any, **kwargs: Any) -> None: ...
    @overload
    def __init__(
        self,
        func: "Callable[Concatenate[aio.Task, P], Coroutine[Any, Any, R]]",
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None: ...
    @overload
    def __init__(self, func: "Callable[[aio.Task], Coroutine[Any, Any, R]]", /, *args: Any, **kwargs: Any) -> None: ...
    @overload
    def __init__(
        self, func: "Callable[Concatenate[Task[Any], P], R]", /, *args: P.args, **kwargs: P.kwargs
    ) -> None: ...
    @overload
    def __init__(self, func: "Callable[[Task[Any]], R]", /, *args: Any, **kwargs: Any) -> None: ...
    def __init__(self, func: Any, /, *args: Any, **kwargs: Any) -> None:
        self._open(space.default(), spec.new_id(), spec_of(func, args, kwargs, Options(), MISSING))

    @classmethod
    def linked(cls, prev: Any, func: Any, /, *args: Any, **kwargs: Any) -> "RemoteTask[Any]":
        """Make a task that sees `prev` as `t.prev`: a link of a `Chain`."""
        return RemoteOptions().linked(prev, func, *args, **kwargs)

    @classmethod
    def attach(cls, id: str, *, client: "Client | None" = None) -> "RemoteTask[Any]":
        """The task of this id, from any process on any host. Does no I/O: a wrong id shows at the first use."""
        return cls._of(space_of(client), spec.checked_id(id))

    @classmethod
    def options(cls, *, client: "Client | None" = None, **options: Any) -> "RemoteOptions":
        """A maker of remote tasks with these options (`client`, and those of `Options`): call it like the class."""
        return RemoteOptions(client, Options.of(options))

    @classmethod
    def _of(cls, space: Space, id: str) -> "RemoteTask[Any]":
        handle = cls.__new__(cls)
        handle._open(space, id, None)  # noqa: SLF001 - our own
        return handle

    @classmethod
    def spawned(cls, space: Space, task: TaskSpec) -> "tuple[RemoteTask[Any], RedisLine]":
        """A task that another one is about to spawn, and its line."""
        made = cls._made(space, task)
        return made, made._redis_line  # noqa: SLF001 - our own

    @classmethod
    def _made(cls, space: Space, task: TaskSpec) -> Self:
        handle = cls.__new__(cls)
        handle._open(space, spec.new_id(), task)  # noqa: SLF001 - our own
        return handle

    def _open(self, space: Space, id: str, task: TaskSpec | None) -> None:
        self._space = space
        self._task = task
        self._redis_line = RedisLine(space.keys, id, space.senders, server=lambda: space.server, task=task)
        super().__init__(id, self._redis_line, attached=task is None)

    def start(self) -> None:
        """Submit the task. Raises `SubmitUncertain` when Redis does not answer in time: start it again, it runs once."""
        self._drive(self._redis_line.start())

    def _drive(self, steps: flow.Flow[T]) -> T:
        return self._space.broker.drive(steps)

    def _source(self) -> tuple[Line, Space]:
        return self._redis_line, self._space

    @property
    def args(self) -> tuple[Any, ...]:
        """The positional arguments; read from Redis for a task of somebody else."""
        return self._spec().args

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments; read from Redis for a task of somebody else."""
        return self._spec().kwargs

    @property
    def name(self) -> str:
        """The name of the task's function; read from Redis for a task of somebody else."""
        return self._spec().name

    @property
    def progress(self) -> Progress | None:
        """How far the task says it has come; None before it has said so."""
        return self._look().progress

    def children(self) -> "list[Handle[Any]]":
        """Handles of the tasks that it has spawned, in that order, over all attempts."""
        return [RemoteTask._of(self._space, id) for id in self._drive(self._redis_line.children())]

    @property
    def parent(self) -> "RemoteTask[Any] | None":
        """A handle of the task that has spawned it, read from Redis; None for one that was submitted."""
        if self._task is not None:
            return None if self._task.parent is None else RemoteTask._of(self._space, self._task.parent)
        found = self._space.broker.run(ops.parent(self._space.keys, id=self.id))
        if found is None:
            raise errors.TaskNotFound
        return None if found[0] is None else RemoteTask._of(self._space, found[0])

    def snapshot(self) -> Snapshot:
        """All that Redis knows of the task but its messages: state, counters, times, worker.

        Raises `TaskNotFound` when there is no such task (any more), also before `start()`.
        """
        found = self._space.broker.run(pages.look(self._space.keys, id=self.id))
        if found is None:
            raise errors.TaskNotFound
        return found

    def _spec(self) -> TaskSpec:
        if self._task is None:
            self._task = codec.load_spec(self.snapshot().spec)
        return self._task


@dataclass(frozen=True, slots=True)
class RemoteOptions:
    """A maker of remote tasks: the class with options. Give it to `Pool`, `Chain` or a controller as `task=`."""

    client: "Client | None" = None
    given: Options = field(default_factory=Options)

    def __call__(self, func: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]:
        """Make a task, not started yet."""
        return self.of(func).task(*args, **kwargs)

    def linked(self, prev: Any, func: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]:
        """Make a task that sees `prev` as `t.prev`: a link of a `Chain`."""
        return Submission(func, self.client, self.given, prev).task(*args, **kwargs)

    def of(self, func: Any) -> "Submission[Any, Any]":
        """The same options for one function or name."""
        return Submission(func, self.client, self.given)

    def attach(self, id: str) -> RemoteTask[Any]:
        """The task of this id."""
        return RemoteTask.attach(id, client=self.client)


@dataclass(frozen=True, slots=True)
class Submission(Generic[P, R]):
    """One function or name with options, ready to be submitted as often as wanted."""

    func: Any
    client: "Client | None" = None
    given: Options = field(default_factory=Options)
    prev: Any = MISSING

    def task(self, /, *args: P.args, **kwargs: P.kwargs) -> RemoteTask[R]:
        """Make a task, not started yet."""
        return RemoteTask._made(space_of(self.client), self._spec(args, kwargs))  # noqa: SLF001

    def submit(self, /, *args: P.args, **kwargs: P.kwargs) -> RemoteTask[R]:
        """Make a task and start it."""
        made = self.task(*args, **kwargs)
        made.start()
        return made

    def submit_many(self, inputs: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> list[RemoteTask[R]]:
        """Start a task for each `(args, kwargs)`, in few round trips; the handles in order.

        Raises `SubmitUncertain` when Redis does not answer in time; its id is the first one that is uncertain.
        """
        space = space_of(self.client)
        made = [RemoteTask._made(space, self._spec(args, kwargs)) for args, kwargs in inputs]  # noqa: SLF001
        space.submit_many([task._redis_line for task in made])  # noqa: SLF001
        return made

    def _spec(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> TaskSpec:
        return spec_of(self.func, args, kwargs, self.given, self.prev)


def space_of(client: "Client | None") -> Space:
    """The space of a client, or of the process's default client."""
    return space.default() if client is None else client.space
