"""The others: versions, and how each is set up, fast and safe from crashes. Where the figures behind the settings come
from, and what to know when reading a peer's figures, stands in README.md.
"""

from collections.abc import Mapping

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
    common = {"driver": driver or name, "python": python_of(environment or name), "requirements": requirements}
    made = [System(name, "fast", settings=fast, note=note, has_bulk=has_bulk, has_stop=has_stop, **common)]  # type: ignore[arg-type]
    if safe is not None:
        made.append(System(name, "safe", settings=safe, has_bulk=has_bulk, **common))  # type: ignore[arg-type]
    return made


def _huey() -> list[System]:
    consumer = "{bin}/huey_consumer benchmarks.drivers.huey.app -q"
    fast = {
        "one": Setting((f"{consumer} -k thread -w 2",), "-k thread -w 2", pace=1900),
        "best": Setting((f"{consumer} -k process -w 4",), "-k process -w 4", pace=5000, processes=4),
        "trip": Setting((f"{consumer} -k thread -w 10",), "-k thread -w 10, notify_result", variant="notify"),
    }
    return _peer("huey", ("huey==3.5.4", *REDIS), fast, note="no acknowledgement: what runs is lost with its worker")


ALL: tuple[System, ...] = (*_huey(),)
