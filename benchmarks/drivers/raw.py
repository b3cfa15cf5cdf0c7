"""The raw limits: what redis-py with hiredis can do, without any queue. Right before each sample they are the calibration."""

import multiprocessing
import random
import time
from collections.abc import Callable
from typing import Any

import redis

from benchmarks.drivers.driver import URL
from benchmarks.statistics import latencies

Figures = dict[str, float]

#: How much a batch consumer claims at once.
BATCH = 100
#: Between two messages of the pub/sub measurement, so that each is alone.
PAUSE_SECONDS = 0.001
#: ... and so that both processes and the server have gone to sleep, as they have before a stop.
REST_SECONDS = (0.05, 0.15)
PAYLOAD = b"x" * 100

#: Claims the next tasks, and writes down that they are held; one round trip.
CLAIM = """
local found = redis.call('LMPOP', 1, KEYS[1], 'RIGHT', 'COUNT', ARGV[1])
if not found then return {} end
local held = {}
for _, item in ipairs(found[2]) do held[#held + 1] = 1; held[#held + 1] = item end
redis.call('ZADD', KEYS[2], unpack(held))
return found[2]
"""


def _connect() -> Any:
    return redis.Redis.from_url(URL)


def _beside(target: Callable[..., None], *args: Any) -> Any:
    process = multiprocessing.get_context("fork").Process(target=target, args=args, daemon=True)
    process.start()
    return process


def push(n: int) -> Figures:
    """One LPUSH after the other."""
    client = _connect()
    for _ in range(50):
        client.lpush("raw", PAYLOAD)
    began = time.perf_counter()
    for _ in range(n):
        client.lpush("raw", PAYLOAD)
    return {"per_second": n / (time.perf_counter() - began)}


def _echo(n: int) -> None:
    client = _connect()
    for _ in range(n):
        client.brpop("ping")
        client.lpush("pong", PAYLOAD)


def pingpong(n: int) -> Figures:
    """LPUSH and BRPOP, there and back between two processes."""
    other = _beside(_echo, n + 20)
    client = _connect()
    seconds = []
    for number in range(n + 20):
        began = time.perf_counter()
        client.lpush("ping", PAYLOAD)
        client.brpop("pong")
        if number >= 20:
            seconds.append(time.perf_counter() - began)
    other.join()
    return latencies(seconds)


def _listen(n: int) -> None:
    client = _connect()
    listener = client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe("channel")
    seconds: list[float] = []
    while len(seconds) < n:
        message = listener.get_message(timeout=1.0)
        if message is not None:
            seconds.append((time.perf_counter_ns() - int(message["data"])) / 1e9)
    client.rpush("seconds", *seconds[20:])


def pubsub(n: int) -> Figures:
    """PUBLISH in one process until it is read in another."""
    return _one_way(n, lambda: PAUSE_SECONDS)


def rested(n: int) -> Figures:
    """The same, with pauses in which processes and cores fall asleep."""
    return _one_way(n, lambda: random.uniform(*REST_SECONDS))


def _one_way(n: int, pause: Callable[[], float]) -> Figures:
    client = _connect()
    other = _beside(_listen, n + 20)
    while not client.pubsub_numsub("channel")[0][1]:
        time.sleep(0.001)
    for _ in range(n + 20):
        client.publish("channel", time.perf_counter_ns())
        time.sleep(pause())
    other.join()
    return latencies([float(value) for value in client.lrange("seconds", 0, -1)])


def _fill(client: Any, n: int) -> None:
    for first in range(0, n, 1000):
        client.lpush("raw", *(b"%s%d" % (PAYLOAD, number) for number in range(first, min(n, first + 1000))))


def batch(n: int) -> Figures:
    """Claim 100 by a script, then finish all of them in one pipeline."""
    client = _connect()
    _fill(client, n)
    claim = client.register_script(CLAIM)
    claim(keys=["nothing", "held"], args=[BATCH])
    began = time.perf_counter()
    while items := claim(keys=["raw", "held"], args=[BATCH]):
        pipeline = client.pipeline(transaction=False)
        for item in items:
            pipeline.hset("results", item, PAYLOAD)
            pipeline.zrem("held", item)
        pipeline.execute()
    return {"per_second": n / (time.perf_counter() - began)}


def single(n: int) -> Figures:
    """Claim one by BLMOVE, then finish it in one pipeline."""
    client = _connect()
    _fill(client, n)
    began = time.perf_counter()
    for _ in range(n):
        item = client.blmove("raw", "held", 1, "RIGHT", "LEFT")
        pipeline = client.pipeline(transaction=False)
        pipeline.hset("results", item, PAYLOAD)
        pipeline.lrem("held", 1, item)
        pipeline.execute()
    return {"per_second": n / (time.perf_counter() - began)}


def _produce(n: int) -> None:
    client = _connect()
    for _ in range(0, n, BATCH):
        pipeline = client.pipeline(transaction=False)
        for _ in range(BATCH):
            pipeline.rpush("stream", PAYLOAD)
        pipeline.execute()


def pair(n: int) -> Figures:
    """RPUSH in pipelines of 100 in one process, LRANGE of what is new in another."""
    n -= n % BATCH
    client = _connect()
    client.ping()
    began = time.perf_counter()
    other = _beside(_produce, n)
    position = 0
    while position < n:
        if not position:
            began = time.perf_counter()
        position += len(client.lrange("stream", position, position + 10 * BATCH - 1))
    seconds = time.perf_counter() - began
    other.join()
    return {"per_second": n / seconds}


VERBS = {verb.__name__: verb for verb in (push, pingpong, pubsub, rested, batch, single, pair)}
