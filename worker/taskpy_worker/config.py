"""What a worker is told at its start: frozen, and the same in the supervisor and its children."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from taskpy import errors, naming, spec, wire
from taskpy_worker import log
from taskpy_worker.queues import Queues

#: Heartbeats, and renewals of leases, in one lease.
BEATS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """The options of a worker. Times are seconds.

    `modules` define the tasks; `queues` are served in their order, or by chance where they have weights (`high:3`);
    `concurrency` tasks run at once in each of `processes` children. `lease` None: what the namespace says. A task of
    an unknown name is given back for `unknown_delay`, at most `unknown_limit` times. `grace` is what running tasks get
    when the worker drains. `burst`: end when the queues are empty. `max_tasks`: after so many tasks a child is
    replaced; 0: never. `shards` is into how many the namespace is cut (0: as it says), `serve_shards` those that are
    served (none: all). `reload`: replace the children when a source file in the current folder changes.
    """

    modules: tuple[str, ...] = ()
    queues: tuple[str, ...] = (spec.DEFAULT_QUEUE,)
    concurrency: int = 10
    processes: int = 1
    url: str | None = None
    namespace: str = "taskpy"
    shards: int = 0
    serve_shards: tuple[int, ...] = ()
    lease: float | None = None
    grace: float = 30.0
    block: float = 5.0
    unknown_delay: float = 5.0
    unknown_limit: int = 12
    burst: bool = False
    max_tasks: int = 0
    reload: bool = False
    alive_file: str = ""
    log_level: str = "info"
    log_format: log.Format = "text"

    def __post_init__(self) -> None:
        Queues.of(self.queues)  # whatever is wrong with them is said now
        naming.checked_name(self.namespace, "namespace")

    def served(self, shards: int) -> tuple[int | None, ...]:
        """Which shards of a namespace with so many are served; None stands for the one that is not cut.

        Raises `BadArguments` for one that it does not have.
        """
        if beyond := [shard for shard in self.serve_shards if shard >= shards]:
            raise errors.BadArguments(
                f"namespace {self.namespace!r} has {shards} shard{'s' if shards > 1 else ''}, from 0 on; there is no shard {beyond[0]}"
            )
        return (None,) if shards == 1 else self.serve_shards or tuple(range(shards))

    def dump(self) -> bytes:
        """This configuration as bytes, for a child's pipe: nothing of it shows in a process list."""
        return wire.dumps(asdict(self))

    @classmethod
    def load(cls, data: bytes) -> Self:
        """The configuration from a pipe."""
        fields: dict[str, Any] = wire.loads(data)
        return cls(**fields)
