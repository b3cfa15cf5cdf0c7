"""What a test leaves behind is a fault: threads, child processes, open files and connections, keys that never go.

A conftest imports the fixture and the hook. What fixtures of a wider scope hold is allowed, and what these open later
through their clients, too.
"""

import functools
import gc
import os
import socket
import threading
import time
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from taskpy_worker.slots import IDLE_NAME, Slots

from taskpy import aio, eventloop
from taskpy.eventloop import EventLoop
from taskpy.space import Space
from taskpy.subscriber import Subscriber

#: How long what ends by itself may take to do so.
PATIENCE_SECONDS = 5.0
#: One of each for the whole process, started when first needed, by design.
FOR_THE_PROCESS = ("taskpy-ladder", "taskpy-local", "taskpy-loop", "asyncio_", "taskpy-io", "taskpy-keeper")
#: Programs that multiprocessing keeps, likewise.
KEPT_PROGRAMS = ("resource_tracker", "forkserver")

_allowed: set[str] = set()
_held: list[Any] = [
    eventloop.local
]  # that of the process, and the pools, subscribers, loops and clients of fixtures of a wider scope
_wider: list[str] = []  # the fixtures of a wider scope that are being set up


# -- what there is ------------------------------------------------------------------------------


def present() -> set[str]:
    """All that could be left behind, each under a name that stays the same and says what it is."""
    return {*_files(), *_threads(), *_children()}


def _files() -> Iterator[str]:
    for number in set(os.listdir("/proc/self/fd")) - {"0", "1", "2"}:  # pytest itself captures those  # noqa: PTH208 - called around each test, and it is five times faster
        try:
            target = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115
        except OSError:  # that of this listing itself
            continue
        if not target.startswith("pipe:"):  # multiprocessing closes its own with the process object, whenever that goes
            yield f"file descriptor {number} of {target}"


def _threads() -> Iterator[str]:
    for thread in threading.enumerate():
        if not thread.name.startswith(FOR_THE_PROCESS):
            yield f"thread {thread.name} ({thread.ident})"


def _children() -> Iterator[str]:
    for task in os.listdir("/proc/self/task"):  # noqa: PTH208
        try:
            pids = Path(f"/proc/self/task/{task}/children").read_text().split()
        except OSError:  # the thread has ended
            continue
        for pid in pids:
            if not any(program in _command(pid) for program in KEPT_PROGRAMS):
                yield f"child process {pid}: {_command(pid)}"


def _pid(name: str) -> str | None:
    # A child that was there before, and has ended since, is called otherwise now.
    return name.partition(":")[0] if name.startswith("child process") else None


def _command(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip() or "ended, but not waited for"
    except OSError:
        return "ended"


def left_since(before: set[str]) -> list[str]:
    """What has come since and stays, though it was given time to go."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    pause = 0.001
    known = {_pid(name) for name in before | _allowed} - {None}
    while left := {name for name in present() - before - _allowed - _of_the_held() if _pid(name) not in known}:
        if time.monotonic() > deadline:
            return sorted(left)
        gc.collect()
        time.sleep(pause)
        pause = min(0.1, pause * 2)
    return []


def _of_the_held() -> set[str]:
    numbers, found = {forkserver._forkserver._forkserver_alive_fd, resource_tracker._resource_tracker._fd}, set()
    for one in _all_held():
        if isinstance(one, Subscriber):
            if one._thread is not None:
                found.add(f"thread {one._thread.name} ({one._thread.ident})")
        elif isinstance(one, Slots):  # which has no names of its threads: of a worker beside all tests, and idle
            found |= {name for name in _threads() if name.startswith(f"thread {IDLE_NAME} ")}
        elif isinstance(one, EventLoop):
            if (loop := one._loop) is not None:
                numbers |= {loop._selector.fileno(), loop._ssock.fileno(), loop._csock.fileno()}
                found |= {name for name in _threads() if name.startswith(f"thread {one._name} ")}
        else:
            free, used = getattr(one, "_available_connections", ()), getattr(one, "_in_use_connections", ())
            connections = [*free, *used]
            numbers |= {number for connection in connections if (number := _number(connection)) is not None}
    return found | {name for name in _files() if int(name.split()[2]) in numbers}


def _all_held() -> Iterator[Any]:
    for one in _held:
        if not isinstance(one, Space | aio.Client):
            yield one
        elif one._broker is not None:  # made when it was first needed, by whichever test comes first
            yield one._broker.subscriber
            clients = (getattr(one._broker._connections, name, None) for name in ("commands", "blocking"))
            yield from filter(None, (getattr(client, "connection_pool", None) for client in clients))


def _number(connection: Any) -> int | None:
    if (sock := getattr(connection, "_sock", None)) is not None:  # those of fakeredis have numbers of their own
        return sock.fileno() if isinstance(sock, socket.socket) else None
    if (writer := getattr(connection, "_writer", None)) is not None:
        return int(writer.get_extra_info("socket").fileno())
    return None


# -- around each test ---------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fails the test that leaves something behind, and names it."""
    before = present()
    yield
    left = left_since(before)
    assert not left, "this test left behind:\n" + "\n".join(left)


@pytest.fixture(scope="session", autouse=True)
def wider_scopes(pytestconfig: pytest.Config) -> None:
    """Looks at fixtures of a wider scope; a conftest's own hook would not see them."""
    if not pytestconfig.pluginmanager.has_plugin("leaks"):
        pytestconfig.pluginmanager.register(_WiderScopes(), "leaks")


class _WiderScopes:
    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any, request: Any) -> Any:
        """Allow what a fixture of a wider scope opens."""
        if fixturedef.scope == "function":
            return (yield)
        before = present()
        _wider.append(fixturedef.argname)
        try:
            return (yield)
        finally:
            _wider.pop()
            _allowed.update(present() - before)


def _noting(cls: type) -> None:
    original = cls.__init__

    @functools.wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        if _wider:
            _held.append(self)

    cls.__init__ = init


if not getattr(Subscriber.__init__, "__wrapped__", None):
    for _cls in (redis.ConnectionPool, redis.asyncio.ConnectionPool, Subscriber, EventLoop, Slots, Space, aio.Client):
        _noting(_cls)


# -- keys ---------------------------------------------------------------------------------------

#: What stays, or goes when it is empty: the table of keys in docs/protocol.md.
STAYS = ("q:", "bell:", "queues", "paused", "later", "recent:", "dead", "lease", "meta")
FINAL = (b"succeeded", b"failed", b"stopped", None)


def keys_left(client: "redis.Redis", namespace: str) -> list[str]:
    """The keys of a namespace that should go some time, and never will."""
    prefix = f"{{{namespace}}}:"
    found = [key.decode() for key in client.scan_iter(f"{prefix}*", count=10_000)]
    pipeline = client.pipeline(transaction=False)
    for key in found:
        pipeline.pttl(key)
        pipeline.hget(_task_of(key, prefix), "st")
    answers = iter(pipeline.execute())
    live = {wid.decode() for wid in client.zrange(f"{prefix}lease", 0, -1)}
    left = []
    for key, ttl, state in zip(found, answers, answers, strict=True):
        name = key.removeprefix(prefix)
        if ttl == -1 and not name.startswith(STAYS) and not _may_stay(name, state, live):
            left.append(f"{key} of a task that is {state and state.decode()}" if name.startswith("t:") else key)
    return left


def _task_of(key: str, prefix: str) -> str:
    name = key.removeprefix(prefix)
    return f"{prefix}{':'.join(name.split(':')[:2])}" if name.startswith("t:") else f"{prefix}t:none"


def _may_stay(name: str, state: bytes | None, live: set[str]) -> bool:
    if name.startswith("t:"):
        return state not in FINAL
    return name.startswith("held:") and name.removeprefix("held:") in live
