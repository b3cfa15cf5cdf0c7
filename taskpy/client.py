"""`Client`: the connection to one namespace on one server, with everything that can be asked there."""

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload

from taskpy import errors, pages, space, spec
from taskpy import ops as verbs
from taskpy.answers import Event, Outline
from taskpy.connection import Redis
from taskpy.definition import Definition
from taskpy.info import KnownWorker
from taskpy.remote import RemoteOptions, RemoteTask
from taskpy.space import Space
from taskpy.spec import Options, State

P = ParamSpec("P")
R = TypeVar("R")

#: How many tasks a page of a list has.
PAGE = 50


class Client:
    """The connection to one namespace on one server. Thread-safe, cheap to share; connects at the first use.

    `url` is redis://, rediss://, unix://, embedded:// or memory://; without it the environment decides (see the
    documentation). `redis` is a redis-py client of your own instead. `timeout` bounds the retrying of each call, in
    seconds.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        namespace: str | None = None,
        redis: Redis | None = None,
        timeout: float | None = 10.0,
    ) -> None:
        self.space = Space(url, namespace=namespace, redis=redis, timeout=timeout)

    @classmethod
    def of(cls, space: Space) -> Self:
        """A client of an existing space."""
        client = cls.__new__(cls)
        client.space = space
        return client

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of namespace {self.space.keys.namespace!r}>"

    def close(self) -> None:
        """Close the connections."""
        self.space.close()

    # -- tasks ----------------------------------------------------------------------------------

    def options(self, **options: Any) -> RemoteOptions:
        """A maker of tasks on this client with these options: see `Options`."""
        return RemoteOptions(self, Options.of(options))

    @overload
    def task(self, func: Definition[P, R], /, *args: P.args, **kwargs: P.kwargs) -> RemoteTask[R]: ...
    @overload
    def task(self, func: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]: ...
    def task(self, func: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]:
        """Make a task of a function or a name, not started yet."""
        return self.options()(func, *args, **kwargs)

    @overload
    def submit(self, func: Definition[P, R], /, *args: P.args, **kwargs: P.kwargs) -> RemoteTask[R]: ...
    @overload
    def submit(self, func: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]: ...
    def submit(self, func: Any, /, *args: Any, **kwargs: Any) -> RemoteTask[Any]:
        """Make a task of a function or a name, and start it."""
        return self.options().of(func).submit(*args, **kwargs)

    def submit_many(
        self, func: Any, inputs: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]]
    ) -> list[RemoteTask[Any]]:
        """Start a task for each `(args, kwargs)`, in few round trips; the handles in order."""
        return self.options().of(func).submit_many(inputs)

    def attach(self, id: str) -> RemoteTask[Any]:
        """The task of this id, from any process on any host. Does no I/O."""
        return RemoteTask.attach(id, client=self)

    def events(self, id: str) -> list[Event]:
        """What was not plain in the life of a task (retried, released, its worker lost, …), oldest first."""
        return self.space.broker.run(pages.events(self.space.keys, id=spec.checked_id(id)))

    def revive(self, id: str) -> RemoteTask[Any]:
        """Submit a dead letter as a new task that knows the old one; the old one stays as it is.

        Raises `TaskNotFound` for an unknown id, `UsageError` for a task that did not fail or was revived before.
        """
        queue = self.space.broker.run(verbs.locate(self.space.keys, id=spec.checked_id(id)))
        new_id = spec.new_id()
        answer = "unknown"
        if queue is not None:
            answer = self.space.broker.run(verbs.revive(self.space.keys, id=id, new_id=new_id, queue=queue))
        match answer:
            case "new":
                return self.attach(new_id)
            case "unknown":
                raise errors.TaskNotFound
        raise errors.UsageError(f"task {id} is {answer}; only a failed task can be revived, and only once")

    # -- lists ----------------------------------------------------------------------------------

    def tasks(
        self, *, state: State | str = State.QUEUED, queue: str = spec.DEFAULT_QUEUE, page: int = 0
    ) -> list[Outline]:
        """A page of the tasks in one state, newest first; page 0 is the newest.

        Queued, succeeded and stopped ones are listed by queue (the last 1,000 that ended); failed ones (the dead
        letters) and running ones over all queues. A page costs two round trips, however many tasks there are.
        """
        ids = self._ids(State(state), queue, page * PAGE)
        outlines = self.space.broker.run(pages.outline(self.space.keys, ids=ids)) if ids else []
        return [found for found in outlines if found is not None and found.state == state]

    def queues(self) -> dict[str, int]:
        """The queues that ever got a task, and how many are ready in each."""
        names = self.space.broker.run(pages.queues(self.space.keys))
        return self.space.broker.run(pages.queue_sizes(self.space.keys, queues=names)) if names else {}

    def workers(self) -> list[KnownWorker]:
        """The worker processes that are known, those with the newest lease first."""
        leases = self.space.broker.run(pages.leases(self.space.keys, start=0, count=1000))
        if not leases:
            return []
        found = self.space.broker.run(pages.workers(self.space.keys, wids=[wid for wid, _ in leases]))
        return [KnownWorker.of(worker) for worker in found if worker is not None]

    def _ids(self, state: State, queue: str, start: int) -> Sequence[str]:
        run, keys = self.space.broker.run, self.space.keys
        match state:
            case State.QUEUED:
                return run(pages.queued(keys, queue=queue, start=start, count=PAGE))
            case State.RUNNING:
                held = [run(verbs.held(keys, wid=worker.wid)) for worker in self.workers()]
                return [id for one in held for id in one.tokens][start : start + PAGE]
            case State.FAILED:
                return [id for id, _ in run(pages.dead(keys, start=start, count=PAGE))]
        return run(pages.recent(keys, queue=queue, start=start, count=PAGE))


def set_default_client(client: Client | None) -> None:
    """Make this the client that `RemoteTask(...)` and `.submit(...)` use in this process; None: the environment's."""
    space.set_default(None if client is None else client.space)


def default_client() -> Client:
    """The client that `RemoteTask(...)` and `.submit(...)` use in this process."""
    return Client.of(space.default())
