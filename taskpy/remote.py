"""`RemoteTask`: a function that runs on any worker, and a handle of it that works in any process on any host."""

from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, overload

from taskpy import call, codec, errors, flow, keyed, naming, ops, pages, registry, space
from taskpy.definition import Definition, function_of
from taskpy.handle import Handle, T
from taskpy.line import Line
from taskpy.line_redis import RedisLine
from taskpy.listed import Snapshot
from taskpy.outside import OutsideFlows
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
        name, defaults = naming.checked_name(func), NO_OPTIONS
    else:
        name = func.name if isinstance(func, Definition) else registry.name_of(func)
        defaults = func.defaults if isinstance(func, Definition) else NO_OPTIONS
        call.check_arguments(function_of(func), args, kwargs)
    filled = options.over(defaults)
    if options.on_conflict is not None and filled.key is None:
        raise errors.BadArguments(f"on_conflict={options.on_conflict!r} is for tasks with a key; say key=, too")
    return TaskSpec(name, args, kwargs, filled, prev=prev)


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
        here = space.default()
        task = spec_of(func, args, kwargs, Options(), MISSING)
        self._open(here, here.shards.new_id(task.options.key), task)

    @classmethod
    def linked(cls, prev: Any, func: Any, /, *args: Any, **kwargs: Any) -> "RemoteTask[Any]":
        """Make a task that sees `prev` as `t.prev`: a link of a `Chain`."""
        return RemoteOptions().linked(prev, func, *args, **kwargs)

    @overload
    @classmethod
    def attach(cls, id: str, *, client: "Client | None" = None) -> "RemoteTask[Any]": ...
    @overload
    @classmethod
    def attach(cls, *, key: str, client: "Client | None" = None) -> "RemoteTask[Any]": ...
    @classmethod
    def attach(
        cls, id: str | None = None, *, key: str | None = None, client: "Client | None" = None
    ) -> "RemoteTask[Any]":
        """The task of this id, from any process on any host. Does no I/O: a wrong id shows at the first use.

        With `key` the live task that has this key, which is asked for at once; raises `TaskNotFound` when there is none.
        """
        return attached(space_of(client), id, key)

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
        made = cls._made(space, space.shards.new_id(), task)
        return made, made._redis_line  # noqa: SLF001 - our own

    @classmethod
    def _made(cls, space: Space, id: str, task: TaskSpec) -> Self:
        handle = cls.__new__(cls)
        handle._open(space, id, task)  # noqa: SLF001 - our own
        return handle

    def _open(self, space: Space, id: str, task: TaskSpec | None) -> None:
        self._space = space
        self._task = task
        self._redis_line = RedisLine(space.keys_of(id), id, space.senders, server=lambda: space.server, task=task)
        super().__init__(id, self._redis_line, attached=task is None)

    def start(self) -> None:
        """Submit the task. Raises `SubmitUncertain` when Redis does not answer in time: start it again, it runs once.

        Where it has a `key` that another live task has, `on_conflict` decides: it raises `KeyTaken`, or this becomes a
        handle of the other task, whose `id` it has from then on. `Full` says that the other one has no room for the
        messages that were sent to this one. After both it can be started again.
        """
        try:
            self._drive(self._redis_line.start())
        finally:
            self._follow_line()

    def _follow_line(self) -> None:
        """Be a handle of what the line leads to now."""
        if self._redis_line.id != self.id:
            self.id = self._redis_line.id
            if self.joined:
                self._task = None
                self._flows = OutsideFlows(self._redis_line, attached=True)

    @property
    def joined(self) -> bool:
        """Whether `start()` has found another live task with its key, so that this is a handle of that one."""
        return self._redis_line.joined

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
        found = self._space.broker.run(ops.parent(self._redis_line.keys, id=self.id))
        if found is None:
            raise errors.TaskNotFound
        return None if found[0] is None else RemoteTask._of(self._space, found[0])

    def snapshot(self) -> Snapshot:
        """All that Redis knows of the task but its messages: state, counters, times, worker.

        Raises `TaskNotFound` when there is no such task (any more), also before `start()`.
        """
        found = self._space.broker.run(pages.look(self._redis_line.keys, id=self.id))
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

    @overload
    def attach(self, id: str) -> RemoteTask[Any]: ...
    @overload
    def attach(self, *, key: str) -> RemoteTask[Any]: ...
    def attach(self, id: Any = None, *, key: Any = None) -> RemoteTask[Any]:
        """The task of this id, or the live task that has this key."""
        return attached(space_of(self.client), id, key)


@dataclass(frozen=True, slots=True)
class Submission(Generic[P, R]):
    """One function or name with options, ready to be submitted as often as wanted."""

    func: Any
    client: "Client | None" = None
    given: Options = field(default_factory=Options)
    prev: Any = MISSING
    inbox: str | None = None

    def task(self, /, *args: P.args, **kwargs: P.kwargs) -> RemoteTask[R]:
        """Make a task, not started yet."""
        return self._made(self._spec(args, kwargs, self.given))

    def submit(self, /, *args: P.args, **kwargs: P.kwargs) -> RemoteTask[R]:
        """Make a task and start it."""
        made = self.task(*args, **kwargs)
        made.start()
        return made

    def to(self, inbox: str) -> "Submission[P, R]":
        """The same, for a message to this inbox: see `send_or_start`."""
        return replace(self, inbox=inbox)

    def send_or_start(self, message: Any, /, *args: P.args, **kwargs: P.kwargs) -> RemoteTask[R]:
        """Send a message to the live task that has the key, or start it with this message; the handle of it.

        The arguments are those of the task, for when it is started. The inbox is that of `to`. Raises `Full` when there
        is no room, `BadArguments` without a `key`.
        """
        made = self._made(self._spec(args, kwargs, sending(self.given)))
        made.send(message, to=self.inbox)
        made.start()
        return made

    def submit_many(self, inputs: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]) -> list[RemoteTask[R]]:
        """Start a task for each `(args, kwargs)`, in few round trips; the handles in order.

        Raises `SubmitUncertain` when Redis does not answer in time; its id is the first one that is uncertain.
        """
        space = space_of(self.client)
        specs = [self._spec(args, kwargs, self.given) for args, kwargs in inputs]
        ids = space.shards.new_ids(len(specs))
        made = [RemoteTask._made(space, id, task) for id, task in zip(ids, specs, strict=True)]  # noqa: SLF001
        space.submit_many([task._redis_line for task in made])  # noqa: SLF001
        return made

    def _made(self, task: TaskSpec) -> RemoteTask[R]:
        space = space_of(self.client)
        return RemoteTask._made(space, space.shards.new_id(task.options.key), task)  # noqa: SLF001

    def _spec(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], options: Options) -> TaskSpec:
        return spec_of(self.func, args, kwargs, options, self.prev)


def sending(options: Options) -> Options:
    """These options, for a message to the task that has the key. Raises `BadArguments` where they say something else."""
    if options.on_conflict not in (None, "send"):
        raise errors.BadArguments(f"send_or_start is on_conflict='send', and {options.on_conflict!r} was said before")
    return replace(options, on_conflict="send")


def attached(space: Space, id: str | None, key: str | None) -> RemoteTask[Any]:
    """A handle of the task of this id, or of the live task that has this key."""
    if id is not None and key is not None:
        raise errors.BadArguments("attach to an id, or to a key=: one of them")
    if key is not None:
        id = space.broker.drive(keyed.found(space.shards.of_key(key), key=key, server=lambda: space.server))
    return RemoteTask._of(space, naming.checked_id(id))  # noqa: SLF001 - our own


def space_of(client: "Client | None") -> Space:
    """The space of a client, or of the process's default client."""
    return space.default() if client is None else client.space
