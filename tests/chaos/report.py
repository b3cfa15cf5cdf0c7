"""What a run came to: a table for people, and the same as JSON."""

import platform
from collections import Counter

import redis

import taskpy


def quantiles(found):
    """Of some seconds: how many there are, p50, p99 and the longest one."""
    ordered = sorted(found)
    if not ordered:
        return {"n": 0}
    at = {
        name: ordered[min(len(ordered) - 1, int(len(ordered) * part))] for name, part in (("p50", 0.5), ("p99", 0.99))
    }
    return {"n": len(ordered)} | {name: round(value, 3) for name, value in (at | {"max": ordered[-1]}).items()}


def recovery(faults, by_id, kind):
    """Seconds from a fault to the next start of each task that it hit, where it was the first one to hit the task."""
    by_pid = {pid: fault for fault in faults if fault.kind == kind for pid in fault.pids}
    found = []
    for entries in by_id.values():
        words = {(entry.word, entry.attempt): entry for entry in entries}
        first, again = words.get(("start", 1)), words.get(("start", 2))
        fault = first and by_pid.get(first.pid)
        if fault and again and first.at < fault.at < again.at and ("raise", 1) not in words:
            found.append(again.at - fault.at)
    return found


def stop_latencies(oracle, loads, deaf_times):
    """Seconds from an accepted stop to the end of a task that looks for stops: while word of it comes, and while not.

    Those whose worker was lost are recovered, and left out here.
    """
    found = {"alive": [], "cut": []}
    for load in loads:
        snapshot = oracle.snapshots.get(load.id)
        if not load.kind.startswith("polite") or not load.stop or load.stop.state != "running":
            continue
        if snapshot.ended is None or snapshot.lost:
            continue
        deaf = any(began <= load.stop.asked <= ended for began, ended in deaf_times)
        found["cut" if deaf else "alive"].append(max(0.0, snapshot.ended - load.stop.confirmed))
    return found


def versions(world):
    """What was tested."""
    info = world.server.client.info("server")
    server = f"{info.get('server_name', 'redis')} {info.get('valkey_version', info['redis_version'])}"
    return {
        "taskpy": taskpy.__version__,
        "server": server,
        "redis-py": redis.__version__,
        "python": platform.python_version(),
    }


def gather(world, oracle, loads, nemesis, *, calm, seconds):
    """All figures of a run."""
    starts = sum(entry.word == "start" for entries in oracle.by_id.values() for entry in entries)
    latencies = stop_latencies(oracle, loads, nemesis.deaf_times)
    states = Counter(str(found.state) for found in oracle.snapshots.values())
    return {
        "seed": world.options.seed,
        "control": world.options.control or "none",
        "seconds": round(seconds, 1),
        "lease": world.lease,
        "versions": versions(world),
        "tasks": dict(Counter(load.kind for load in loads if load.id)),
        "accepted": len(oracle.snapshots),
        "ended": dict(states),
        "messages": sum(len(load.messages) for load in loads),
        "streamed": sum(len(load.streamed) for load in loads),
        "stops": sum(load.stop is not None for load in loads),
        "faults": dict(Counter(fault.kind for fault in nemesis.faults if fault.kind != "calls")),
        "calls": dict(world.proxy.done),
        "starts": starts,
        "extra starts": oracle.extra_starts,
        "extra starts, at most": oracle.bound,
        "recovery, child killed": quantiles(recovery(nemesis.faults, oracle.by_id, "child killed")),
        "recovery, tree killed": quantiles(recovery(nemesis.faults, oracle.by_id, "tree killed")),
        "stop, pub/sub alive": quantiles(calm["alive"]),
        "stop, pub/sub cut": quantiles(calm["cut"]),
        "stop, among faults": quantiles(latencies["alive"]),
        "stop, among faults, cut": quantiles(latencies["cut"]),
        "wrong": oracle.wrong,
    }


def show(figures):
    """Print the table."""
    for name, value in figures.items():
        if name == "wrong":
            continue
        shown = ", ".join(f"{key} {n}" for key, n in sorted(value.items())) if isinstance(value, dict) else value
        print(f"{name:24} {shown}")
    for line in figures["wrong"][:20]:
        print(f"WRONG: {line[:600]}")
    print(f"wrong                    {len(figures['wrong'])}")
