"""A Redis Cluster of three nodes on free ports of 127.0.0.1, that keeps nothing: what shards are measured on."""

import random
import socket
import time
from pathlib import Path
from typing import Any

import redis

from benchmarks.processes import Group
from benchmarks.server import ANSWER_SECONDS, START_SECONDS
from taskpy.embedded_program import Server as Program

NODES = 3
SLOTS = 16_384
#: The nodes talk to each other on the port that is so much higher.
BUS = 10_000


class Cluster:
    """Three running nodes, a third of the slots each. A context manager: at its end they are gone."""

    def __init__(self, program: Program, folder: Path) -> None:
        self._groups: list[Group] = []
        self._nodes: list[Any] = []  # redis-py's commands of a Cluster are untyped
        ports = _free_ports()
        self.url = f"redis+cluster://127.0.0.1:{ports[0]}"
        try:
            for port in ports:
                self._start(program, folder, port)
            self._bring_together(ports)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def clear(self) -> None:
        """Forget everything."""
        for node in self._nodes:
            node.flushall(asynchronous=False)
            node.script_flush()

    def close(self) -> None:
        """End it."""
        for node in self._nodes:
            node.close()
        for group in self._groups:
            group.end()

    def _start(self, program: Program, folder: Path, port: int) -> None:
        own = folder / f"node-{port}"
        own.mkdir()
        command = [
            program.path,
            "--port",
            str(port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(own),
            "--cluster-enabled",
            "yes",
        ]
        command += ["--save", "", "--appendonly", "no", "--daemonize", "no", "--maxclients", "4000"]
        self._groups.append(Group(command, log=own / "log"))
        self._nodes.append(redis.Redis(port=port, socket_timeout=ANSWER_SECONDS))

    def _bring_together(self, ports: list[int]) -> None:
        for number, node in enumerate(self._nodes):
            _until(lambda node=node: _answers(node))
            first, last = (SLOTS * n // NODES for n in (number, number + 1))
            node.execute_command("CLUSTER ADDSLOTSRANGE", first, last - 1)
            node.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for port in ports[1:]:
            self._nodes[0].execute_command("CLUSTER MEET", "127.0.0.1", port)
        _until(lambda: all(map(_is_whole, self._nodes)))


def _free_ports() -> list[int]:
    found: set[int] = set()
    while len(found) < NODES:
        port = random.randrange(12_000, 22_000)  # below those that the system gives to connections
        if _is_free(port) and _is_free(port + BUS):
            found.add(port)
    return sorted(found)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answers(node: Any) -> bool:
    try:
        return bool(node.ping())
    except redis.ConnectionError:
        return False


def _is_whole(node: Any) -> bool:
    told: Any = node.execute_command("CLUSTER INFO")
    return bool(told["cluster_state"] == "ok" and told["cluster_known_nodes"] == str(NODES))


def _until(reached: Any) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not reached():
        if time.monotonic() > deadline:
            raise RuntimeError("the Cluster does not come to life")
        time.sleep(0.02)
