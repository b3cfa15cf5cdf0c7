"""The others: versions, and how each is set up, fast and safe from crashes. Where the figures behind the settings come
from, and what to know when reading a peer's figures, stands in README.md.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.environments import python_of
from benchmarks.systems import Setting, System

REDIS = ("redis==8.1.0", "hiredis==3.5.0")


def _peer(
    name: str,
    requirements: tuple[str, ...],
    fast: Mapping[str, Setting],
    safe: Mapping[str, Setting] | None = None,
    *,
    driver: str | None = None,
    environment: str | None = None,
    note: str = "",
    has_bulk: bool = False,
    has_stop: bool = False,
) -> list[System]:
    """A peer in its fast variant, and in its safe one if it has one."""
    common: dict[str, Any] = {
        "driver": driver or name,
        "python": python_of(environment or name),
        "requirements": requirements,
    }
    made = [System(name, "fast", settings=fast, note=note, has_bulk=has_bulk, has_stop=has_stop, **common)]
    if safe is not None:
        made.append(System(name, "safe", settings=safe, has_bulk=has_bulk, **common))
    return made


def _huey() -> list[System]:
    consumer = "{bin}/huey_consumer benchmarks.drivers.huey.app -q"
    fast = {
        "one": Setting((f"{consumer} -k thread -w 2",), "-k thread -w 2", pace=1900),
        "best": Setting((f"{consumer} -k process -w 4",), "-k process -w 4", pace=5000, processes=4),
        "trip": Setting((f"{consumer} -k thread -w 10",), "-k thread -w 10, notify_result", variant="notify"),
    }
    return _peer("huey", ("huey==3.5.4", *REDIS), fast, note="no acknowledgement: what runs is lost with its worker")


def _dramatiq() -> list[System]:
    worker = "{bin}/dramatiq benchmarks.drivers.dramatiq"
    many = f"env dramatiq_queue_prefetch=200 {worker}"
    soon = f"env dramatiq_worker_timeout=10 {worker} -p 1 -t 10"

    def settings(variant: str) -> dict[str, Setting]:
        one = f"{many} -p 1 -t 2", f"{many} -p 4 -t 1"
        return {
            "one": Setting(one[:1], "-p 1 -t 2, prefetch 200", pace=2000, variant=variant),
            "best": Setting(one[1:], "-p 4 -t 1, prefetch 200", pace=4800, processes=4, variant=variant),
            "trip": Setting((soon,), "-p 1 -t 10, worker timeout 10 ms", variant=variant),
            "stop": Setting((soon,), "-p 1 -t 10, dramatiq-abort", variant="stop"),
        }

    requirements = ("dramatiq[redis]==2.2.1", "dramatiq-abort==1.2.1", *REDIS)
    note = "safe: lost after 3 s, looked for with each command"
    return _peer("dramatiq", requirements, settings("fast"), settings("safe"), note=note, has_stop=True)


def _saq() -> list[System]:
    worker = "{bin}/saq benchmarks.drivers.saq.settings -q"
    fifty = f"env BENCH_CONCURRENCY=50 {worker}"

    def settings(variant: str) -> dict[str, Setting]:
        return {
            "one": Setting((worker,), "concurrency 10, uvloop", pace=1800, variant=variant),
            "best": Setting((fifty,) * 2, "2 processes, concurrency 50", pace=3700, processes=2, variant=variant),
            "stop": Setting((worker,), "looks every 0.05 s", variant="stop"),
        }

    requirements = ("saq[redis,hiredis]==0.26.4", "typing_extensions", "uvloop", "hiredis==3.5.0")
    note = "fast: one try, so what runs is lost with its worker"
    return _peer("saq", requirements, settings("fast"), settings("safe"), note=note, has_stop=True)


def _taskiq() -> list[System]:
    worker = "{bin}/taskiq worker benchmarks.drivers.taskiq:broker --log-level ERROR"

    def settings(variant: str, pace: int) -> dict[str, Setting]:
        one = (f"{worker} --workers 1 --max-async-tasks 10",)
        best = (f"{worker} --workers 2 --max-async-tasks 100",)
        return {
            "one": Setting(one, "--workers 1 --max-async-tasks 10", pace=pace, variant=variant),
            "best": Setting(best, "--workers 2 --max-async-tasks 100", pace=2 * pace, processes=2, variant=variant),
        }

    requirements = ("taskiq==0.13.0", "taskiq-redis==1.2.4", "uvloop", *REDIS)
    common: dict[str, Any] = {"driver": "taskiq", "environment": "taskiq"}
    lists = "no acknowledgement: what runs is lost with its worker"
    streams = "the stream is never trimmed; what is lost comes back only with the next new task"
    return [
        *_peer("taskiq-list", requirements, settings("list", 1400), note=lists, **common),
        *_peer("taskiq-stream", requirements, settings("fast", 1600), settings("safe", 1600), note=streams, **common),
    ]


def _arq() -> list[System]:
    worker = "{bin}/arq benchmarks.drivers.arq.WorkerSettings --custom-log-dict benchmarks.drivers.arq.QUIET"

    def settings(variant: str) -> dict[str, Setting]:
        one = Setting((worker,), "max_jobs 10, poll_delay 5 ms, uvloop", pace=1700, variant=variant)
        # With two processes it is slower: they meet at the same tasks.
        return {"one": one, "best": one, "stop": Setting((worker,), "allow_abort_jobs", variant="stop")}

    requirements = ("arq==0.28.0", "uvloop", "hiredis==3.5.0")
    note = "polls every 5 ms instead of 500; fast: what is lost comes back after 310 s, safe: after 11 s"
    return _peer("arq", requirements, settings("fast"), settings("safe"), note=note, has_stop=True)


def _streaq() -> list[System]:
    worker = "{bin}/streaq run benchmarks.drivers.streaq:worker"
    hundred = f"env BENCH_CONCURRENCY=100 {worker}"

    def settings(variant: str) -> dict[str, Setting]:
        return {
            "one": Setting((worker,), "concurrency 10, uvloop", pace=1100, variant=variant),
            "best": Setting((hundred,) * 2, "2 processes, concurrency 100", pace=1700, processes=2, variant=variant),
        }

    note = "fast: what is lost comes back after 61 s, safe: after 4 s"
    requirements = ("streaq==7.2.0", "uvloop")
    fast, safe = settings("fast"), settings("safe")
    return _peer("streaq", requirements, fast, safe, note=note, has_bulk=True, has_stop=True)


def _bullmq() -> list[System]:
    worker = "{bin}/python -m benchmarks.drivers.bullmq_worker"

    def settings(variant: str) -> dict[str, Setting]:
        return {
            "one": Setting((worker,), "concurrency 10, uvloop", pace=1500, variant=variant),
            "best": Setting((worker,) * 2, "2 processes, concurrency 10", pace=2800, processes=2, variant=variant),
        }

    note = "fast: what is lost comes back after 76 s, safe: after 6 s"
    requirements = ("bullmq==3.4.4", "uvloop", "hiredis==3.5.0")
    return _peer("bullmq", requirements, settings("fast"), settings("safe"), note=note, has_bulk=True)


def _celery() -> list[System]:
    worker = "{bin}/celery -A benchmarks.drivers.celery worker --loglevel ERROR"
    threads = f"{worker} -P threads -c 10"

    def settings(variant: str) -> dict[str, Setting]:
        two = (f"{threads} -n one", f"{threads} -n two")
        return {
            "one": Setting((threads,), "-P threads -c 10", pace=450, variant=variant),
            "best": Setting(two, "2 x -P threads -c 10", pace=850, processes=2, variant=variant),
            "stop": Setting((f"{worker} -P prefork -c 2",), "-P prefork -c 2", variant=variant),
        }

    requirements = ("celery[redis]==5.7.0", "hiredis==3.5.0")
    note = "fast: what is claimed is lost with its worker; safe: acks_late; a stop kills the process"
    return _peer("celery", requirements, settings("fast"), settings("safe"), note=note, has_stop=True)


def _rq() -> list[System]:
    worker = "{bin}/rq worker bench -u {url} -q"
    simple = f"{worker} -w rq.SimpleWorker"
    forks = f"{worker} --job-monitoring-interval 1 --maintenance-interval 5 --worker-ttl 20"
    fast = {
        "one": Setting((simple,), "SimpleWorker", pace=240),
        "best": Setting((simple,) * 2, "2 x SimpleWorker", pace=460, processes=2),
        "stop": Setting((worker,), "Worker, which forks"),
    }
    safe = {
        "one": Setting((forks,), "Worker, which forks; Retry(3)", pace=60, variant="safe"),
        "best": Setting((forks,) * 10, "10 x Worker, which forks; Retry(3)", pace=100, variant="safe"),
    }
    note = "fast: nothing is forked, and what runs is lost with its worker; a stop kills the process"
    return _peer("rq", ("rq==3.0.0", *REDIS), fast, safe, note=note, has_bulk=True, has_stop=True)


ALL: tuple[System, ...] = (
    *_huey(),
    *_dramatiq(),
    *_saq(),
    *_taskiq(),
    *_arq(),
    *_streaq(),
    *_bullmq(),
    *_celery(),
    *_rq(),
)
