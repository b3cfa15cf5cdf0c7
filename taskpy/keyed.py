"""One live task per key: submitting a task that has one, and finding the task that has it, as flows."""

from collections.abc import Callable, Sequence

from taskpy import errors, flow, naming, ops, spec
from taskpy.answers import Standing
from taskpy.answers_keyed import Holders, Placed
from taskpy.identity import who
from taskpy.keys import Keys
from taskpy.spec import TaskSpec

#: How often a submission looks again when the key has changed hands meanwhile.
TRIES = 100


def submitted(keys: Keys, *, id: str, task: TaskSpec, packed: bytes, messages: Sequence[bytes]) -> flow.Flow[Placed]:
    """Submit a task that has a key, with the messages that wait for it; what has become of it.

    The first call takes the key for free, and is told who has it: then the next one can name the keys of that task.
    """
    options = task.options
    assert options.key is not None
    conflict = options.on_conflict or spec.CONFLICT
    known, queues = Holders(), list[str]()
    for _ in range(TRIES):
        placed: Placed = yield ops.submit_keyed(
            keys,
            id=id,
            queue=task.queue,
            name=task.name,
            spec=packed,
            key=options.key,
            conflict=conflict,
            known=known,
            queues=queues,
            by=who(),
            delay=options.delay or 0.0,
            restarts=options.restarts,
            keep=options.keep,
            messages=messages,
        )
        if placed.word != "again":
            return placed
        known = placed.holders
        if conflict == "replace":  # which ends tasks, and they are noted in their queues
            found = yield flow.Together([ops.locate(keys, id=holder) for holder in known.ids])
            queues = [queue or "" for queue in found]
    raise errors.Busy(f"the key {options.key!r} changes hands all the time; start() the task again")


def refusal(placed: Placed, key: str) -> errors.TaskpyError:
    """The error for a submission that was refused."""
    if placed.word == "full":
        return errors.Full(f"the inbox of task {placed.id}, which has the key {key!r}, has no room; start() it again")
    return errors.KeyTaken(
        placed.id,
        f"task {placed.id} has the key {key!r}; attach to it, or submit with on_conflict='join', 'send' or 'replace'",
    )


def found(keys: Keys, *, key: str, server: Callable[[], str]) -> flow.Flow[str]:
    """The id of the live task that has a key, or that of the one which takes its place. Raises `TaskNotFound`."""
    holders: Holders = yield ops.holder(keys, key=naming.checked_key(key))
    for id in reversed(holders.ids):
        standing: Standing | None = yield ops.status(keys, id=id)
        if standing is not None and not standing.state.done:
            return id
    raise errors.TaskNotFound(f"no live task has the key {key!r} in namespace {keys.namespace!r} on {server()}")
