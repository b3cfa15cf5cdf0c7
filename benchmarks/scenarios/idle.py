"""What a worker costs that has nothing to do."""

import threading
import time
from typing import Any, cast

import redis

from benchmarks import usage
from benchmarks.bench import Bench, Figures
from benchmarks.scenarios.scenario import Scenario
from benchmarks.systems import System

#: After so long a worker has connected, and said what it says only once.
SETTLE_SECONDS = 3.0


def _idle(bench: Bench, system: System, seconds: int) -> Figures:
    setting = system.setting("one")
    with bench.workers(system, setting) as [worker]:
        time.sleep(SETTLE_SECONDS)
        pids = worker.pids()
        children = pids[1:]
        if not children:
            raise RuntimeError(f"the worker has no child: {worker.story()}")
        with Requests(bench.server.url) as requests:
            before, cpu = _commands(bench), usage.cpu_seconds(pids)
            time.sleep(seconds)
            said = requests.count
            commands, cpu = _commands(bench) - before - 1, usage.cpu_seconds(pids) - cpu
        names = [client["name"] for client in bench.server.redis.client_list()]
        connections = [sum(name.endswith(f":{pid}") for name in names) for pid in children]
        return {
            # One of the requests is our own INFO.
            "requests_per_second": (said - 1) / seconds,
            "commands_per_second": commands / seconds,
            "connections_per_child": max(connections),
            "cpu_percent": 100 * cpu / seconds,
            "pss_mib": sum(usage.pss_mib(pid) for pid in pids),
            "pss_mib_supervisor": usage.pss_mib(pids[0]),
            "pss_mib_child": max(usage.pss_mib(pid) for pid in children),
        }


def _commands(bench: Bench) -> int:
    return int(bench.server.redis.info("stats")["total_commands_processed"])


class Requests:
    """Counts the requests on the wire, by MONITOR: what scripts call is none."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url)
        # redis-py has no types for it.
        self._monitor = cast("Any", self._redis).monitor()
        self.count = 0
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> "Requests":
        self._monitor.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._monitor.connection.disconnect()
        self._thread.join(5)
        self._redis.close()

    def _listen(self) -> None:
        try:
            while True:
                self.count += self._monitor.next_command()["client_type"] != "lua"
        except (redis.RedisError, OSError, ValueError, AttributeError):
            return  # the end: our connection was closed


SCENARIOS = (Scenario("idle", "an idle worker", _idle, 20, 10, wants="ours", slow=True),)
