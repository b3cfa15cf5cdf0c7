"""Reads a namespace of Redis as the model sees it: the same classes, without clocks."""

import time
from typing import Any

from tests.model.protocol import Task, Worker, World

#: A time that has come, one that will not come in a test, and how far moments of a stop lie apart, in ms.
PAST, FAR, STEP = 1, 10**13, 10**6

TEXT = {"q": "queue", "st": "state", "tok": "token", "ibx": "beyond", "seen": "seen", "then": "follows"}
TEXT |= {"origin": "origin", "heir": "heir", "key": "key", "parent": "parent", "kin": "kin"}
TEXT |= {"pi": "answer_name", "pw": "answer_by", "pd": "parked", "pt": "pausing_below"}
COUNTS = {"mc": "restarts", "keep": "keep", "att": "attempts", "ret": "retries", "unk": "unknowns", "crash": "lost"}
COUNTS |= {"cb": "lost_before", "in": "received", "ib": "acknowledged", "ck": "marks", "on": "sent"}
COUNTS |= {"asked": "asked", "lg": "logged", "od": "orders", "qn": "questions", "pn": "posed"}
NUMBERS = {"qo": "open", "qa": "answered"}
BYTES = {"pq": "question", "pa": "answer"}
BYTES |= {"cp": "checkpoint", "pr": "progress", "res": "result", "exc": "error"}
#: The spec never changes, and clocks are not compared.
IGNORED = {"name", "spec", "submitted", "started", "ended", "by", "cn", "fell"}


def task_of(fields: dict[str, bytes], inbox: list[bytes], outbox: list[bytes], events: list[bytes], now: int) -> Task:
    """One task, from its hash and its lists."""
    task = Task(inbox=inbox, outbox=outbox, events=[line.split()[1].decode() for line in events])
    for name, value in fields.items():
        if name in TEXT:
            setattr(task, TEXT[name], value.decode())
        elif name in COUNTS:
            setattr(task, COUNTS[name], int(value))
        elif name in BYTES:
            setattr(task, BYTES[name], value)
        elif name == "stop":
            task.stop = (value.decode(), fields.get("by", b"").decode())
        elif name == "tree":
            follows, until, by, why = value.decode().split(" ", 3)
            task.tree = why, by, None if follows == "-" else follows
            if task.tree[2]:
                task.below_within = round((float(until) - now) / STEP) * STEP / 1000
        elif name.startswith("c:"):
            continue
        elif name == "until":
            task.within = round((float(value) - now) / STEP) * STEP / 1000
        elif name == "rp":
            token, _, number = value.decode().rpartition(" ")
            task.reported = (token, int(number))
        elif name in NUMBERS:
            setattr(task, NUMBERS[name], [int(number) for number in value.split()])
        elif name == "pb":
            token, _, number = value.decode().rpartition(" ")
            task.posed_by = (token, int(number))
        elif name == "pz":
            task.pausing = value.decode().partition(" ")[2]
        elif name == "pl":
            task.pause_names = value.decode().split()
        elif name.startswith(("q:", "a:")):
            (task.put if name[0] == "q" else task.replies)[int(name[2:])] = value
        elif name.startswith("l:"):
            task.lines[int(name[2:])] = value
        elif name.startswith("s:"):
            task.senders[name[2:]] = tuple(map(int, value.split()))  # type: ignore[assignment]
        else:
            assert name in IGNORED, f"the model does not know the field {name}"
    task.children = [fields[f"c:{number}"].decode() for number in range(1, int(fields.get("cn", 0)) + 1)]
    return task


def world_of(rig: Any, now: int) -> World:
    """All of a namespace; `now` is the moment from which times count, in ms."""
    prefix, world = f"{{{rig.keys.namespace}}}:", World()
    found = {key.removeprefix(prefix): value for key, value in rig.everything().items()}
    leases = dict(rig.raw.zrange(rig.keys.lease(), 0, -1, withscores=True))
    for key, value in found.items():
        kind, _, name = key.partition(":")
        if kind == "t" and ":" not in name:
            fields = {k.decode(): v for k, v in value.items()}
            lists = [found.get(f"{key}:{part}", []) for part in ("in", "out", "events")]
            world.tasks[name] = task_of(fields, *lists, now)
        elif kind == "t" and name.endswith(":answer"):
            world.answers[name.removesuffix(":answer")] = value.decode()
        elif kind in {"q", "recent"}:
            {"q": world.queues, "recent": world.recent}[kind][name] = [id.decode() for id in value]
        elif kind == "bell":
            assert len(value) == 1, f"{len(value)} rings wait"
            world.bells.add(name)
        elif kind == "held":
            score, held = leases.pop(name.encode()), {k.decode(): v.decode() for k, v in value.items()}
            lease = "lost" if score == 0 else "over" if score == PAST else "fresh"
            world.workers[name] = Worker(lease, int(held.pop("#")), held)
        elif kind == "w" and value == b"dead":
            world.graves.add(name)
    assert not leases, f"these have a lease and are not known: {leases}"
    shards = found.get("meta", {}).get(b"shards")
    world.shards = None if shards is None else int(shards)
    world.paused = {queue.decode() for queue in found.get("paused", {})}
    moment = time.time_ns() // 10**6 + STEP  # nothing is delayed for less, but what the tests put right themselves
    world.later = {id.decode(): "ripe" if score < moment else "waits" for id, score in found.get("later", [])}
    behind = {id.decode(): score for id, score in found.get("behind", [])}
    for key, value in found.get("keyed", {}).items():
        live, *waiting = value.decode().split()
        delayed = bool(waiting) and behind.pop(waiting[0]) > moment
        world.keyed[key.decode()] = (live, waiting[0] if waiting else None, delayed)
    assert not behind, f"{behind} wait behind nobody"
    world.dead = {id.decode() for id, _ in found.get("dead", [])}
    world.felling = {id.decode(): 0 for id, _ in found.get("felling", [])}
    return world


def parts(world: World) -> dict[str, Any]:
    """What is compared of a world."""
    return {
        **{f"task {id}": task for id, task in world.tasks.items()},
        **{f"worker {wid}": worker for wid, worker in world.workers.items()},
        "queues": {queue: ids for queue, ids in world.queues.items() if ids},
        "recent": {queue: ids for queue, ids in world.recent.items() if ids},
        "shards": world.shards,
        "bells": world.bells,
        "paused": world.paused,
        "later": world.later,
        "dead": world.dead,
        "keyed": world.keyed,
        "answers": world.answers,
        "felling": {*world.felling},
        "graves": world.graves,
    }
