"""`Client`: the connection to one namespace on one server, with everything that can be asked there."""

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload

from taskpy import branches, flow, lists, naming, pages, space, spread, upkeep
from taskpy.branches import Branch
from taskpy.connection import Redis
from taskpy.definition import Definition
from taskpy.info import KnownQueue, KnownWorker
from taskpy.listed import Event, Namespace
from taskpy.lists import PAGE, About, DeadPage, Page
from taskpy.remote import RemoteOptions, RemoteTask, attached
from taskpy.space import Space
from taskpy.spec import Options, State

__all__ = ["PAGE", "Client", "default_client", "set_default_client"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Client:
    """The connection to one namespace on one server. Thread-safe, cheap to share; connects at the first use.

    `url` is redis://, rediss://, unix://, embedded:// or memory://; without it the environment decides (see the
    documentation). `redis` is a redis-py client of your own instead. `timeout` bounds the retrying of each call, in
    seconds. `shards` is into how many parts the namespace is cut, which can lie on different nodes of a Redis Cluster;
    all of its clients and workers must say the same, by this or by TASKPY_SHARDS, or the first call raises `Incompatible`.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        namespace: str | None = None,
        redis: Redis | None = None,
        timeout: float | None = 10.0,
        shards: int | None = None,
    ) -> None:
        self.space = Space(url, namespace=namespace, redis=redis, timeout=timeout, shards=shards)

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

    @property
    def where(self) -> str:
        """Which namespace on which server this is, without the password; looking that up may start a local server."""
        return f"namespace {self.space.keys.namespace!r} on {self.space.server}"

    def close(self) -> None:
        """Close the connections."""
        self.space.close()

    @property
    def redis(self) -> Any:
        """The redis-py client of this connection, for commands of your own on the same server."""
        return self.space.broker.redis

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

    @overload
    def attach(self, id: str) -> RemoteTask[Any]: ...
    @overload
    def attach(self, *, key: str) -> RemoteTask[Any]: ...
    def attach(self, id: Any = None, *, key: Any = None) -> RemoteTask[Any]:
        """The task of this id, from any process on any host. Does no I/O.

        With `key` the live task that has this key, which is asked for at once; raises `TaskNotFound` when there is none.
        """
        return attached(self.space, id, key)

    def events(self, id: str) -> list[Event]:
        """What was not plain in the life of a task (retried, released, its worker lost, …), oldest first."""
        return self.space.broker.run(pages.events(self.space.keys_of(naming.checked_id(id)), id=id))

    def about(self, id: str) -> About:
        """All that is known of a task but its messages, in one round trip. Raises `TaskNotFound`."""
        return self._drive(
            lists.about(self.space.keys_of(naming.checked_id(id)), id=id, server=lambda: self.space.server)
        )

    def tree(self, id: str) -> Branch:
        """The tree of tasks below this one, as it is now. Raises `TaskNotFound`."""
        return self._drive(
            branches.branch(self.space.keys_of(naming.checked_id(id)), id=id, server=lambda: self.space.server)
        )

    # -- dead letters ---------------------------------------------------------------------------

    def dead(self, *, page: int = 0) -> DeadPage:
        """A page of the dead letters with their exceptions, the newest first; page 0 is the newest."""
        return self._drive(spread.dead(self.space.shards, page=page))

    def revive(self, id: str) -> RemoteTask[Any]:
        """Submit a dead letter as a new task that knows the old one; the old one stays as it is.

        Raises `TaskNotFound` for an unknown id, `UsageError` for a task that did not fail or was revived before, `KeyTaken`
        when another live task has its key.
        """
        keys = self.space.keys_of(naming.checked_id(id))
        return self.attach(self._drive(upkeep.revive(keys, id=id, server=lambda: self.space.server)))

    def revive_many(self, ids: Iterable[str]) -> list[RemoteTask[Any] | None]:
        """Submit dead letters as new tasks; these in order, None for what is no dead letter (any more).

        One whose key another live task has stays a dead letter, and is None, too.
        """
        new_ids = self._drive(spread.revive_many(self.space.shards, ids=list(ids)))
        return [None if id is None else self.attach(id) for id in new_ids]

    def delete(self, ids: Iterable[str]) -> int:
        """Drop dead letters; how many there were. As results they still stay their `keep`."""
        return self._drive(spread.delete(self.space.shards, ids=list(ids)))

    # -- lists ----------------------------------------------------------------------------------

    def tasks(self, *, state: State | str | None = None, queue: str | None = None, page: int = 0) -> Page:
        """A page of the tasks in a state and in a queue, newest first; None: in any. Page 0 is the newest.

        `more` of the page says whether the list goes on. Of those that succeeded or were stopped, the last 1,000 ends
        of each queue are listed. Delayed ones are `delayed()`; they stand here when no state is named, and so do
        those that wait for the end of the task with their key. A page costs
        two round trips, one more when several queues or workers are asked for.
        """
        return self._drive(spread.tasks(self.space.shards, state=lists.state_of(state), queue=queue, page=page))

    def delayed(self, *, queue: str | None = None, page: int = 0) -> Page:
        """A page of the delayed tasks, with the time each is `due`, the next one first."""
        return self._drive(spread.delayed(self.space.shards, queue=queue, page=page))

    def queues(self) -> dict[str, int]:
        """The queues that ever got a task, and how many are ready in each."""
        return self._drive(spread.queues(self.space.shards))

    def known_queues(self) -> list[KnownQueue]:
        """The queues that ever got a task, are served or are paused, by name, with what is known of each."""
        return self._drive(spread.known_queues(self.space.shards))

    def workers(self) -> list[KnownWorker]:
        """The worker processes that are known, those with the newest lease first."""
        return self._drive(spread.workers(self.space.shards))

    def namespace(self) -> Namespace:
        """What all workers of the namespace agree on, and what time it is on the server."""
        return self.space.broker.run(pages.namespace(self.space.keys))

    # -- queues ---------------------------------------------------------------------------------

    def pause(self, queue: str) -> float:
        """Let nothing be claimed from a queue until it is resumed; what runs goes on.

        Tasks can be submitted meanwhile. Returns since when it is paused, in epoch seconds.
        """
        return self._drive(spread.pause(self.space.shards, queue=queue))

    def resume(self, queue: str) -> None:
        """Let a paused queue be claimed from again. One that is not paused stays as it is."""
        self._drive(spread.resume(self.space.shards, queue=queue))

    def purge(self, queue: str, *, reason: str | None = None) -> int:
        """End as stopped what waits in a queue by now, and tell those who wait for it; how many tasks that were.

        Delayed tasks stay, and so does what runs.
        """
        return self._drive(spread.purge(self.space.shards, queue=queue, reason=reason))

    def _drive(self, steps: flow.Flow[T]) -> T:
        return self.space.broker.drive(steps)


def set_default_client(client: Client | None) -> None:
    """Make this the client that `RemoteTask(...)` and `.submit(...)` use in this process; None: the environment's."""
    space.set_default(None if client is None else client.space)


def default_client() -> Client:
    """The client that `RemoteTask(...)` and `.submit(...)` use in this process."""
    return Client.of(space.default())
