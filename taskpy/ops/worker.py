"""The verbs of workers: what each does for itself, what any does for all, and how an attempt ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from taskpy import spec as specs
from taskpy.answers import Due, Heartbeat, Held, Started, text, texts
from taskpy.keys import Keys
from taskpy.ops.op import Arg, Op, end_keys, ms, scripted, task_keys, token_of
from taskpy.spec import State
from taskpy.taken import Taken


def join(keys: Keys, *, wid: str, lease: float, info: bytes = b"") -> Op[bool]:
    """Make a worker known, with what it says of itself; False when this wid was declared lost: take a new one."""
    return scripted("join", [keys.lease(), keys.held(wid), keys.worker(wid)], [wid, ms(lease), info], bool)


def renew(keys: Keys, *, wid: str, lease: float, info: bytes = b"") -> Op[bool]:
    """Prolong the lease of a worker; without `info` the last one stays. False is final: it was declared lost."""
    return scripted("renew", [keys.lease(), keys.worker(wid)], [wid, ms(lease), info], bool)


def claim(keys: Keys, *, wid: str, number: int, count: int, queues: Sequence[str]) -> Op[list[str] | None]:
    """Take up to `count` (at most 1000) ids from the queues, in their order; nothing from those that are paused.

    `number` counts the claims of this worker from 1; the same number again gives the same ids. None: refused, because
    the worker is not known, was declared lost, or has made a later claim.
    """
    pairs = [key for queue in queues for key in (keys.queue(queue), keys.bell(queue))]
    return scripted(
        "claim",
        [keys.held(wid), keys.paused(), *pairs],
        [number, count, token_of(wid, number), *queues],
        lambda answer: None if answer == 0 else texts(answer),
    )


def start(keys: Keys, *, wid: str, number: int, ids: Sequence[str]) -> Op[list[Started | None]]:
    """Start tasks of one claim, at most 1000; None stands for one that is not this worker's (any more)."""
    token = token_of(wid, number)

    def decode(answer: Any) -> list[Started | None]:
        return [Started.of(id, token, row) for id, row in zip(ids, answer, strict=True)]

    return scripted("start", [keys.held(wid), *map(keys.task, ids)], [token, *ids], decode)


def take(keys: Keys, *, wid: str, number: int, id: str, queue: str, restarts: int) -> Op[Started | str]:
    """Claim and start one task by its id, which another system has handed out; `restarts` are those it has from now on.

    Otherwise answers its state, 'unknown', 'refused' (this worker is not known, or was declared lost) or 'again' (a
    late copy of an earlier call).
    """
    token = token_of(wid, number)

    def decode(answer: Any) -> Started | str:
        started = Started.of(id, token, answer) if isinstance(answer, list) else None
        return started or text(answer)

    task_keys = [keys.held(wid), keys.task(id), keys.queue(queue), keys.later()]
    return scripted("take", task_keys, [id, number, token, restarts], decode)


def heartbeat(keys: Keys, *, wid: str, tasks: Sequence[tuple[str, str]], say: str = "") -> Op[Heartbeat]:
    """Ask about running tasks, each given as (id, token): the net under the nudges of pub/sub.

    `say` goes out on the worker's own channel, for it to hear whether it is heard.
    """
    task_keys = [keys.task(id) for id, _ in tasks]
    return scripted(
        "heartbeat", [keys.held(wid), keys.worker(wid), *task_keys], [say, *(token for _, token in tasks)], Heartbeat.of
    )


def ring(keys: Keys, *, queue: str) -> Op[None]:
    """Ring the bell of a queue that is not empty, for the next idle worker: the caller took a ring it cannot use."""
    return scripted("ring", [keys.queue(queue), keys.bell(queue)], [], lambda _: None)


def held(keys: Keys, *, wid: str) -> Op[Held]:
    """Read what a worker holds, claimed or running."""
    return scripted("held", [keys.held(wid)], [], Held.of)


# -- what any worker does for all ---------------------------------------------------------------


def due(
    keys: Keys,
    *,
    lease: float,
    keep_dead: float = specs.KEEP_DEAD_SECONDS,
    dead_count: int = specs.KEEP_DEAD_COUNT,
    renew: Sequence[str] = (),
) -> Op[Due]:
    """Name the silent workers, the tasks whose delay is over, the dead letters that are too old or too many, and
    the tasks below which all are to be stopped.

    Before that it prolongs the leases of the workers that `renew` names, as `renew` does.
    """
    args: list[Arg] = [ms(lease), ms(keep_dead), dead_count, *renew]
    shared = [keys.lease(), keys.later(), keys.meta(), keys.dead(), keys.felling()]
    return scripted("due", [*shared, *map(keys.worker, renew)], args, Due.of)


def promote(keys: Keys, *, id: str, queue: str) -> Op[bool]:
    """Move a delayed task whose time has come into its queue; `queue` may be '' when the task is gone."""
    return scripted("promote", [keys.task(id), keys.queue(queue), keys.bell(queue), keys.later()], [id], bool)


def forget(keys: Keys, *, ids: Sequence[str]) -> Op[int]:
    """Drop dead letters, at most 1000: as results they still stay their `keep`. Answers how many were dead letters."""
    per_task = [key for id in ids for key in (keys.task(id), keys.outbox(id), keys.events(id))]
    return scripted("forget", [keys.dead(), *per_task], ids, int)


def lose(keys: Keys, *, wid: str, lease: float, sure: bool) -> Op[list[str] | None]:
    """Declare a worker lost, for good, and name what it held; forget it when that is nothing.

    `sure`: the caller saw its process end. Without it Redis checks that the lease is over. None: not lost.
    """
    return scripted(
        "lose",
        [keys.lease(), keys.held(wid), keys.worker(wid), keys.meta()],
        [wid, ms(lease), int(sure)],
        lambda answer: None if answer == 0 else texts(answer),
    )


def recover(keys: Keys, *, id: str, queue: str, wid: str, keep_dead: float = specs.KEEP_DEAD_SECONDS) -> Op[bool]:
    """Give back one task of a worker that was declared lost; `queue` may be '' when the task is gone."""
    others = [keys.queue(queue), keys.bell(queue), keys.held(wid), keys.lease(), keys.later(), keys.dead()]
    others += [keys.keyed(), keys.behind(), keys.felling()]
    return scripted("recover", [*task_keys(keys, id, queue), *others], [id, wid, ms(keep_dead)], bool)


# -- an attempt ends ----------------------------------------------------------------------------


@dataclass(slots=True)
class Ending:
    """How a task ends: `value` is its result when it succeeded, else its exception.

    `keep` is how long it is kept, in seconds; None: as it was submitted. `taken` are the messages it has taken; None: none
    were sent to it.
    """

    id: str
    queue: str
    token: str
    state: State
    value: bytes
    keep: float | None = None
    taken: Taken | None = None


def settle(
    keys: Keys, *, wid: str, endings: Sequence[Ending], keep_dead: float = specs.KEEP_DEAD_SECONDS
) -> Op[list[bool]]:
    """End tasks of one worker; True: ended so (now or before), False: fenced, another attempt owns it."""
    per_task = [key for e in endings for key in task_keys(keys, e.id, e.queue)]
    args: list[Arg] = [ms(keep_dead)]
    for e in endings:
        keep = "" if e.keep is None else ms(e.keep)
        args += [e.id, e.token, e.state, e.value, keep, "" if e.taken is None else e.taken.dump()]
    shared = [keys.held(wid), keys.dead(), *end_keys(keys)]
    return scripted("settle", [*shared, *per_task], args, lambda answer: [bool(a) for a in answer])


#: Why a task goes back to its queue: it failed and asks for another run; it is handed over; nobody here knows its
#: name; the worker lost track of it; or no slot became free for it. In the last three cases its function did not start,
#: and the last one is no event.
Why = Literal["retry", "release", "unknown", "drop", "unbegun"]


def giveback(
    keys: Keys,
    *,
    id: str,
    queue: str,
    wid: str,
    token: str,
    why: Why,
    error: bytes = b"",
    delay: float = 0.0,
    keep_dead: float = specs.KEEP_DEAD_SECONDS,
) -> Op[bool]:
    """Return a task to its queue, after `delay` seconds.

    A task that was asked to stop ends instead: failed when there is an `error`, else stopped.

    False: it is not this attempt's (any more); then only the worker's own list is cleaned.
    """
    return scripted(
        "giveback",
        [
            *task_keys(keys, id, queue),
            *(
                keys.queue(queue),
                keys.bell(queue),
                keys.held(wid),
                keys.later(),
                keys.dead(),
                keys.keyed(),
                keys.behind(),
                keys.felling(),
            ),
        ],
        [id, token, why, error, ms(delay), ms(keep_dead)],
        bool,
    )
