"""What `doctor` looks at. Facts are gathered first, then each check reads them and says what it finds."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from taskpy import address as addresses
from taskpy import errors, ops
from taskpy.cli.moments import length
from taskpy.cli.target import Target
from taskpy.cli.text import counted
from taskpy.client import Client
from taskpy.info import KnownQueue, KnownWorker
from taskpy.listed import Namespace

#: The oldest server that is supported.
OLDEST = (7, 0)
#: How long the server may take to answer.
PATIENCE_SECONDS = 3.0
#: A clock that differs more from Redis's is worth a word; nothing but the ages that are shown depends on it.
SKEW_SECONDS = 5.0
#: From when on a task that waits although there are workers is worth a word.
LONG_SECONDS = 600.0

Level = Literal["ok", "note", "WRONG"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: `ok`, `note` for what is worth a word, or `WRONG`; and what to do then."""

    name: str
    level: Level
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was found out. `info` is what the server says of itself, or why it does not."""

    address: str
    source: str
    answer_seconds: float
    info: Mapping[str, Any] | str
    namespace: Namespace
    name: str
    local_clock: float
    queues: list[KnownQueue] = field(default_factory=list)
    workers: list[KnownWorker] = field(default_factory=list)


def examine(target: Target) -> list[Finding]:
    """Look at everything, as far as one can look."""
    try:
        with target.client(timeout=PATIENCE_SECONDS) as client:
            facts = _gather(client)
    except (errors.BrokerError, errors.ServerError, errors.SpecError) as error:
        return [Finding("connection", "WRONG", str(error), _advice_for(error))]
    return [finding for check in CHECKS for finding in check(facts)]


def _gather(client: Client) -> Facts:
    address = client.space.address
    client.namespace()  # connects
    began = time.monotonic()
    namespace = client.namespace()
    answered = time.monotonic() - began
    return Facts(
        address=addresses.shown(address.url),
        source=address.source,
        answer_seconds=answered,
        info=_info(client),
        namespace=namespace,
        name=client.space.keys.namespace,
        local_clock=time.time() - answered / 2,
        queues=client.known_queues(),
        workers=client.workers(),
    )


def _info(client: Client) -> Mapping[str, Any] | str:
    """What INFO says; of a Cluster, that of one node."""
    try:
        found = client.space.broker.command("INFO")
    except errors.BrokerError as error:
        return str(error)
    if not isinstance(found, Mapping):
        return "INFO has no readable answer here"
    nodes = [node for node in found.values() if isinstance(node, Mapping) and "redis_version" in node]
    return nodes[0] if nodes and "redis_version" not in found else found


def _advice_for(error: Exception) -> str:
    if isinstance(error, errors.ServerError | errors.SpecError):
        return ""  # it says so itself
    if isinstance(error, errors.Unreachable):
        return "Start the server, or name another: TASKPY_REDIS_URL, or --url."
    return "See that the password and the rights of this user are those that the server wants (taskpy needs scripts and pub/sub)."


# -- the checks ---------------------------------------------------------------------------------


def _address(facts: Facts) -> Iterator[Finding]:
    reasons = {
        "argument": "because --url says so",
        "embedded": "a local server of this user, because no Redis is named",
    }
    why = reasons.get(facts.source, f"because {facts.source} says so")
    if facts.address.startswith("memory:"):
        yield Finding("address", "note", "memory://, a server inside this very process", "Nobody else can see it.")
    else:
        yield Finding("address", "ok", f"{facts.address}, {why}")
    yield Finding("connection", "ok", f"answers in {1000 * facts.answer_seconds:.1f} ms")


def _server(facts: Facts) -> Iterator[Finding]:
    if isinstance(facts.info, str):
        yield Finding(
            "server",
            "note",
            f"it does not say what it is: {facts.info}",
            "Version, eviction and persistence are not checked.",
        )
        return
    version = str(facts.info.get("redis_version", ""))
    name = f"{facts.info.get('server_name') or 'redis'} {facts.info.get('valkey_version') or version}"
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if not numbers:
        yield Finding("server", "note", "it does not say its version", "taskpy needs 7.0 or later.")
    elif numbers < OLDEST:
        yield Finding("server", "WRONG", f"{name} is too old", "taskpy needs Redis 7.0 or later, or Valkey.")
    else:
        yield Finding("server", "ok", name)
    yield from _eviction(facts.info)
    yield from _persistence(facts.info)


def _eviction(info: Mapping[str, Any]) -> Iterator[Finding]:
    policy = str(info.get("maxmemory_policy", ""))
    if policy.startswith("allkeys-"):
        yield Finding(
            "eviction",
            "WRONG",
            f"maxmemory-policy is {policy}: when its memory is full, the server drops tasks at will",
            "Set maxmemory-policy noeviction; a submit is then refused while there is no room.",
        )
    elif policy.startswith("volatile-"):
        yield Finding(
            "eviction",
            "note",
            f"maxmemory-policy is {policy}: when its memory is full, results may go before their time",
            "Set maxmemory-policy noeviction.",
        )
    elif policy:
        yield Finding("eviction", "ok", f"maxmemory-policy is {policy}")


def _persistence(info: Mapping[str, Any]) -> Iterator[Finding]:
    if "aof_enabled" not in info:
        return
    if int(info["aof_enabled"]):
        yield Finding("persistence", "ok", "the append-only file is on")
        return
    replicas = int(info.get("connected_slaves") or 0)
    yield Finding(
        "persistence",
        "note" if replicas else "WRONG",
        "the append-only file is off: a server that is killed forgets tasks"
        + (f"; {replicas} replicas may know them" if replicas else ""),
        "Set appendonly yes and appendfsync everysec.",
    )


def _namespace(facts: Facts) -> Iterator[Finding]:
    found = facts.namespace
    if found.version is None:
        yield Finding("namespace", "note", f"{facts.name}: no worker has ever been here")
    elif found.version != ops.VERSION:
        yield Finding(
            "namespace",
            "WRONG",
            f"{facts.name} has data of version {found.version}, this taskpy knows {ops.VERSION}",
            "Use the taskpy that the workers use, or another namespace.",
        )
    else:
        yield Finding("namespace", "ok", f"{facts.name}: version {found.version}, a lease of {found.lease or 0:g} s")


def _workers(facts: Facts) -> Iterator[Finding]:
    alive = [worker for worker in facts.workers if not worker.lost]
    if not alive:
        yield Finding("workers", "note", "there is none", "Start one: taskpy-worker yourmodule")
    else:
        hosts = counted(len({worker.info.host for worker in alive}), "host")
        held, most = sum(worker.held for worker in alive), sum(worker.info.concurrency for worker in alive)
        yield Finding("workers", "ok", f"{len(alive)} on {hosts}, running {held} of at most {most} tasks")
    if lost := len(facts.workers) - len(alive):
        yield Finding("workers", "note", f"{lost} were lost; what they ran is being given back")


def _queues(facts: Facts) -> Iterator[Finding]:
    for queue in facts.queues:
        waited = None if queue.oldest is None else facts.namespace.clock - queue.oldest
        text = f"{queue.name}: {queue.size} ready, {counted(queue.workers, 'worker')}"
        text += f", the next one was submitted {length(waited)} ago" if waited is not None else ""
        if queue.paused is not None:
            since = length(facts.namespace.clock - queue.paused)
            advice = f"To go on: taskpy queues resume {queue.name}"
            yield Finding("queue", "note", f"{text}; paused for {since}", advice)
        elif queue.size and not queue.workers:
            advice = f"Start one that does: taskpy-worker yourmodule -q {queue.name}"
            yield Finding("queue", "WRONG", f"{text}; no worker serves it", advice)
        elif queue.size and waited is not None and waited > LONG_SECONDS:
            yield Finding("queue", "note", text, "More workers, or a higher --concurrency, would shorten the wait.")
        else:
            yield Finding("queue", "ok", text)


def _clock(facts: Facts) -> Iterator[Finding]:
    skew = facts.local_clock - facts.namespace.clock
    if abs(skew) < SKEW_SECONDS:
        yield Finding("clock", "ok", f"differs by {abs(skew):.1f} s from the server's")
        return
    side = "ahead of" if skew > 0 else "behind"
    yield Finding(
        "clock",
        "note",
        f"this host is {length(abs(skew))} {side} the server",
        "Tasks go by the server's clock, so nothing is wrong with them; but ages shown here are. Set the clocks by NTP.",
    )


CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    _address,
    _server,
    _namespace,
    _workers,
    _queues,
    _clock,
)
