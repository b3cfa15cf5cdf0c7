"""What a worker tells the others of itself: plain data, packed, beside its lease."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Self

from taskpy import codec, errors, wire
from taskpy.listed import Worker
from taskpy.naming import NAME

#: The largest worker info, in bytes: room for the names of a thousand queues.
LIMIT = 256 * 1024


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
        return codec.dumps(asdict(self), where="worker info", limit=LIMIT)

    @classmethod
    def load(cls, data: bytes | None) -> Self:
        """Read what a worker said of itself; unknown fields are left out, and nothing readable is an empty one."""
        try:
            fields = codec.loads(data, limit=LIMIT) if data else {}
        except errors.Malformed:
            return cls()
        known = _KINDS.items() if type(fields) is dict else ()
        info = cls(**{name: fields[name] for name, kinds in known if type(fields.get(name)) in kinds})
        sound = all(type(queue) is str and NAME.fullmatch(queue) for queue in info.queues)
        sound = sound and all(
            0 <= number <= wire.MOST for number in (info.pid, info.concurrency, info.tasks, info.started)
        )
        return info if sound else cls()


_KINDS: Mapping[str, tuple[type, ...]] = {
    "host": (str,),
    "pid": (int,),
    "queues": (tuple,),
    "concurrency": (int,),
    "tasks": (int,),
    "started": (float, int),
}


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
