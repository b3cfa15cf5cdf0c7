"""The verbs of keys: one live task per key in a namespace."""

from collections.abc import Sequence

from taskpy import spec as specs
from taskpy.answers_keyed import Holders, Placed
from taskpy.keys import Keys
from taskpy.ops.op import Arg, Op, ms, plain, scripted, task_keys


def holder(keys: Keys, *, key: str) -> Op[Holders]:
    """Read which task has a key, and which one waits for its end."""
    return plain("holder", ["HGET", keys.keyed(), key], Holders.of)


def submit_keyed(
    keys: Keys,
    *,
    id: str,
    queue: str,
    name: str,
    spec: bytes,
    key: str,
    conflict: specs.Conflict,
    known: Holders = Holders(),  # noqa: B008 - frozen
    queues: Sequence[str] = (),
    by: str = "",
    delay: float = 0.0,
    restarts: int | None = None,
    keep: float | None = None,
    grace: float = specs.GRACE_SECONDS,
    messages: Sequence[bytes] = (),
    limit: int = specs.INBOX_LIMIT,
) -> Op[Placed]:
    """Accept a task whose key is free, as `submit` does; where another task has the key, do what `conflict` says.

    `known` is what the caller has read of the key, with the `queues` of the tasks that it names ('' where a task is gone).
    Where something else stands there now, nothing is done, and that is the answer. With "replace" the other task is
    asked to stop, by whom `by` says, and is ended by force after `grace` seconds; this one begins after its end.
    """
    restarts = specs.RESTARTS if restarts is None else restarts
    keep = specs.KEEP_SECONDS if keep is None else keep
    own = [keys.task(id), keys.queue(queue), keys.bell(queue), keys.later(), keys.queues(), keys.inbox(id)]
    named = zip(known.ids, [*queues, "", ""], strict=False)
    others = [other for holder, its_queue in named for other in task_keys(keys, holder, its_queue)]
    args: list[Arg] = [id, queue, name, spec, ms(delay), restarts, ms(keep)]
    args += [key, conflict, " ".join(known.ids), keys.worker(""), by, ms(grace), limit, *messages]
    return scripted(
        "submit_keyed", [*own, keys.answer(id), keys.keyed(), keys.behind(), keys.felling(), *others], args, Placed.of
    )
