"""What Redis says of a task, unpacked for whoever holds it: how it stands, what it asks, reports, and came to."""

from collections.abc import Iterable, Sequence

from taskpy import codec, errors
from taskpy.answers import Standing
from taskpy.keys import Keys
from taskpy.question import Asked, shown_asked
from taskpy.reported import LogLine, Progress
from taskpy.shards import shard_in
from taskpy.spec import State
from taskpy.status import Status

#: How many messages a reader takes at once.
BATCH = 100
#: ... when those before were small: so many of them, as long as they would be no more than so many bytes.
LARGE_BATCH = 1000
LARGE_BATCH_BYTES = 1024 * 1024


def batch_after(messages: Sequence[bytes]) -> int:
    """How many messages to take at once, after these."""
    size = sum(map(len, messages)) / len(messages)
    return LARGE_BATCH if size * LARGE_BATCH <= LARGE_BATCH_BYTES else BATCH


def status_of(standing: Standing) -> Status:
    """How a task stands, and what came of it."""
    state, data, stop = standing.state, standing.data or b"", standing.stop
    progress = progress_of(standing.progress)
    match state:
        case State.SUCCEEDED:
            try:
                return Status(state, value=codec.load_result(data), stop=stop, progress=progress)
            except errors.WireError as error:  # of a type that is not registered here: how the task ended is known yet
                return Status(state, unreadable=error, stop=stop, progress=progress)
        case State.FAILED:
            return Status(state, error=exception_of(data), stop=stop, progress=progress)
        case State.STOPPED:
            return Status(state, stop=stop, note=data.decode(errors="replace"), progress=progress)
    question, pausing, paused = asked_of(standing.question, standing.number), standing.pausing, standing.paused
    return Status(state, stop=stop, progress=progress, question=question, pausing=pausing, paused=paused)


def progress_of(data: bytes | None) -> Progress | None:
    """How far a task has come; None where it has not said so, or it cannot be read here."""
    if data is None:
        return None
    try:
        return codec.load_progress(data)
    except errors.WireError:  # of a newer taskpy: nobody shall miss the end of the task for it
        return None


def asked_of(packed: bytes | None, number: int) -> Asked | None:
    """What a task asks and has no answer to; where it cannot be read here, words that say so."""
    if packed is None:
        return None
    return Asked(number, shown_asked(packed))


def lines_of(packed: Iterable[bytes]) -> list[LogLine]:
    """Lines of a log; one that cannot be read here says so."""
    return [_line(data) for data in packed]


def _line(data: bytes) -> LogLine:
    try:
        return codec.load_line(data)
    except errors.WireError as error:
        return LogLine(0.0, "ERROR", "taskpy", f"this line cannot be read here: {error}")


def exception_of(data: bytes) -> Exception:
    """The exception of a task that failed."""
    if data == b"WorkerLost":  # written by a script, which cannot pack
        return errors.WorkerLost("the task's worker was lost, more often than the task may be started again")
    return codec.load_exception(data)


def not_found(keys: Keys, id: str, server: str) -> errors.TaskNotFound:
    """The error for an id that Redis does not know, which says where it was looked for."""
    hint = ""
    if keys.shard is None and shard_in(id) is not None:
        hint = "; where it is one of a namespace with shards, say how many there are: TASKPY_SHARDS"
    return errors.TaskNotFound(
        f"no task {id} in namespace {keys.namespace!r} on {server}: it never existed, or its result has expired{hint}"
    )
