"""`doctor`: what it finds where something is wrong, and that it finds nothing where all is well."""

import dataclasses
import json
import time

import pytest

from taskpy import ops
from taskpy.cli.doctor_checks import CHECKS, Facts
from taskpy.info import KnownQueue, KnownWorker, WorkerInfo
from taskpy.listed import Namespace
from tests.cli.conftest import environment
from tests.cli.test_commands import run
from tests.system.servers import Server, free_port

NOW = 1_000_000.0
INFO = {"redis_version": "7.2.4", "maxmemory_policy": "noeviction", "aof_enabled": 1}
WELL = Facts(
    address="redis://h:6379/0",
    source="REDIS_URL",
    answer_seconds=0.0004,
    info=INFO,
    namespace=Namespace(ops.VERSION, 15.0, NOW),
    name="taskpy",
    local_clock=NOW + 1,
    queues=[KnownQueue(name="q", size=3, workers=1, oldest=NOW - 5, paused=None)],
    workers=[
        KnownWorker(wid="w", held=1, lost=False, info=WorkerInfo(host="h", queues=("q",), concurrency=4), lease_end=NOW)
    ],
)


def queue(**changes):
    return [dataclasses.replace(WELL.queues[0], **changes)]


def findings(**changes):
    facts = dataclasses.replace(WELL, **changes)
    return [finding for check in CHECKS for finding in check(facts)]


def test_where_all_is_well_nothing_is_found():
    assert {finding.level for finding in findings()} == {"ok"}
    assert [finding.name for finding in findings()] == [
        *("address", "connection", "server", "eviction", "persistence", "namespace", "workers", "queue", "clock")
    ]
    assert findings()[0].text == "redis://h:6379/0, because REDIS_URL says so"


@pytest.mark.parametrize(
    ("changes", "name", "level", "text", "advice"),
    [
        ({"source": "argument"}, "address", "ok", "because --url says so", ""),
        ({"source": "embedded"}, "address", "ok", "a local server of this user, because no Redis is named", ""),
        ({"address": "memory://x"}, "address", "note", "inside this very process", "Nobody else can see it"),
        ({"info": "NOPERM"}, "server", "note", "does not say what it is: NOPERM", "are not checked"),
        ({"info": {}}, "server", "note", "does not say its version", "7.0 or later"),
        ({"info": INFO | {"redis_version": "6.2.14"}}, "server", "WRONG", "redis 6.2.14 is too old", "7.0 or later"),
        (
            {"info": INFO | {"server_name": "valkey", "valkey_version": "9.1.2"}},
            "server",
            "ok",
            "valkey 9.1.2",
            "",
        ),
        (
            {"info": INFO | {"maxmemory_policy": "allkeys-lru"}},
            "eviction",
            "WRONG",
            "drops tasks at will",
            "Set maxmemory-policy noeviction",
        ),
        ({"info": INFO | {"maxmemory_policy": "volatile-ttl"}}, "eviction", "note", "before their time", "noeviction"),
        ({"info": INFO | {"aof_enabled": 0}}, "persistence", "WRONG", "forgets tasks", "Set appendonly yes"),
        (
            {"info": INFO | {"aof_enabled": 0, "connected_slaves": 2}},
            "persistence",
            "note",
            "2 replicas may know them",
            "Set appendonly yes",
        ),
        ({"namespace": Namespace(None, None, NOW)}, "namespace", "note", "no worker has ever been here", ""),
        ({"namespace": Namespace(99, 15.0, NOW)}, "namespace", "WRONG", "data of version 99", "Use the taskpy"),
        ({"workers": []}, "workers", "note", "there is none", "taskpy-worker yourmodule"),
        (
            {"workers": [dataclasses.replace(WELL.workers[0], lost=True)]},
            "workers",
            "note",
            "1 were lost",
            "",
        ),
        ({"queues": queue(workers=0)}, "queue", "WRONG", "no worker serves it", "taskpy-worker yourmodule -q q"),
        ({"queues": queue(workers=0, size=0)}, "queue", "ok", "q: 0 ready, 0 workers", ""),
        (
            {"queues": queue(workers=0, paused=NOW - 90)},
            "queue",
            "note",
            "paused for 90 s",
            "taskpy queues resume q",
        ),
        ({"queues": queue(oldest=NOW - 3600)}, "queue", "note", "submitted 60 m 0 s ago", "More workers"),
        ({"local_clock": NOW + 90}, "clock", "note", "this host is 90 s ahead of the server", "NTP"),
        ({"local_clock": NOW - 90}, "clock", "note", "this host is 90 s behind the server", "NTP"),
    ],
)
def test_what_is_worth_a_word(changes, name, level, text, advice):
    found = [finding for finding in findings(**changes) if finding.name == name and finding.level == level]

    assert any(text in finding.text and advice in finding.advice for finding in found), found


def test_a_healthy_server(place):
    place.client.submit("cli.add", 1).wait(10)

    done = place.run("doctor")
    assert (done.code, done.err) == (0, "")
    assert all(line.startswith("ok ") for line in done.lines)
    assert place.run("doctor", "--json").json["healthy"] is True


def test_a_queue_that_nobody_serves(place):
    place.client.options(queue="lonely").of("cli.add").submit(1)

    done = place.run("doctor")
    assert done.code == 5
    assert "\nWRONG  queue        lonely: 1 ready, 0 workers" in done.out
    found = place.run("doctor", "--json").json
    assert found["healthy"] is False
    [wrong] = [check for check in found["checks"] if check["level"] == "wrong"]
    assert wrong["advice"] == "Start one that does: taskpy-worker yourmodule -q lonely"


def test_settings_that_lose_tasks():
    server = Server().start()
    try:
        server.client.config_set("maxmemory-policy", "allkeys-lru")
        done = run("doctor", TASKPY_REDIS_URL=server.url)
    finally:
        server.close()

    assert done.returncode == 5
    assert "WRONG  eviction     maxmemory-policy is allkeys-lru" in done.stdout
    assert "WRONG  persistence  the append-only file is off" in done.stdout


def test_a_user_without_the_right_to_ask(place, server):
    name, password = place.namespace, "hunter2"
    server.client.execute_command("ACL", "SETUSER", name, "on", f">{password}", "~*", "&*", "+@all", "-info", "-config")
    url = f"unix://{name}:{password}@{server.folder}/s"

    done = place.run("doctor", TASKPY_REDIS_URL=url)
    assert done.code == 0
    assert "note   server       it does not say what it is" in done.out
    assert password not in done.out + done.err
    server.client.execute_command("ACL", "DELUSER", name)


def test_a_server_in_memory(cli, session):
    done = cli("doctor")

    assert done.code == 0
    assert "note   address      memory://, a server inside this very process" in done.out


def test_redis_is_away():
    began = time.monotonic()
    done = run("doctor", TASKPY_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")

    assert done.returncode == 4
    assert done.stdout.startswith("WRONG  connection   no answer from redis://127.0.0.1:")
    assert "Start the server, or name another: TASKPY_REDIS_URL, or --url." in done.stdout
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 8, "a doctor does not keep one waiting"
    away = run("doctor", "--json")
    assert json.loads(away.stdout)["checks"][0]["name"] == "connection"
    assert away.returncode == 4


def test_its_lines_fit_the_terminal(cli, session, monkeypatch):
    monkeypatch.setattr("taskpy.cli.screen.wide", lambda: 60)

    assert max(map(len, cli("doctor").lines)) <= 60
    assert environment()
