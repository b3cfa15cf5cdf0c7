"""What a worker tells the others of itself: plain data, packed, beside its lease."""

from dataclasses import asdict, dataclass
from typing import Self

from taskpy import codec, errors
from taskpy.listed import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """A worker process: where it runs, what it serves and how much it can do at once. `started` is epoch seconds."""

    host: str = ""
    pid: int = 0
    queues: tuple[str, ...] = ()
    concurrency: int = 0
    tasks: int = 0
    started: float = 0.0

    def dump(self) -> bytes:
        """This information as bytes."""
        return codec.dumps(asdict(self))

    @classmethod
    def load(cls, data: bytes | None) -> Self:
        """Read what a worker said of itself; unknown fields are left out, and nothing readable is an empty one."""
        try:
            fields = codec.loads(data) if data else {}
            return cls(**{name: fields[name] for name in cls.__dataclass_fields__ if name in fields})
        except (errors.Malformed, TypeError):
            return cls()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownWorker:
    """A worker process in a list: what it says of itself, and what Redis knows of it.

    `held` counts the tasks it has claimed; `lost`: it was declared lost, and its tasks are being given back. Else
    `lease_end` is when that happens unless it is heard of (epoch seconds of Redis's clock).
    """

    wid: str
    held: int
    lost: bool
    info: WorkerInfo
    lease_end: float | None = None

    @classmethod
    def of(cls, worker: Worker) -> Self:
        """Read what Redis answers of a worker."""
        info = WorkerInfo.load(worker.info)
        return cls(wid=worker.wid, held=worker.held, lost=worker.lost, info=info, lease_end=worker.lease_end)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownQueue:
    """A queue in a list: how many tasks are ready in it, and how many workers serve it.

    `oldest` is when the task that is served next was submitted, `paused` since when nothing is claimed from it; both
    are epoch seconds, or None.
    """

    name: str
    size: int
    workers: int
    oldest: float | None
    paused: float | None
