"""Tasks over Sentinels, over a Cluster and over TLS: all that works on one server works there, and nothing is told."""

import asyncio
import logging
import time
import uuid

import psutil
import pytest

import taskpy
from taskpy import aio, errors
from taskpy.keys import Keys
from tests.system.daemons import Worker
from tests.system.ledger import Ledger
from tests.system.servers import Server
from tests.system.topologies import ESCAPED, PASSWORD, Authority, Cluster, Sentinels, TlsFront, Topology, free_ports
from tests.system.waiting import until


@pytest.fixture(autouse=True)
def nothing_left():
    """redis-py keeps a Cluster's and a Sentinel's connections by node; what is ours is looked at in the other files."""


SOON = 20.0
SCHEMES = ["redis", "rediss", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"]
#: Parts of the password that no escaping changes.
SECRETS = "s3cr3t", "w0rd"


class Site:
    """A namespace behind one URL, and a worker daemon that serves it."""

    def __init__(self, topology, folder):
        folder.mkdir(exist_ok=True)
        self.topology = topology
        self.folder = folder
        self.url = topology.url
        self.namespace = f"test-{uuid.uuid4().hex[:12]}"
        self.ledger = Ledger(folder / "ledger")
        # Longer than a failover: what runs must not be given to others meanwhile.
        self.worker = self.start_worker(namespace=self.namespace, lease=10, grace=1, log_level="debug")
        self.client = taskpy.Client(self.url, namespace=self.namespace)

    def start_worker(self, *, url=None, **options):
        """Start a worker; its URL comes from the environment, where nobody else sees it."""
        env = {"TASKPY_REDIS_URL": url or self.url}
        return Worker(self.folder, self.ledger, **{"url": None, "namespace": "x", "lease": None, "env": env} | options)

    def of(self, name, **options):
        """A task of the worker, by its name."""
        return self.client.options(**options).of(f"steered.{name}")

    def close(self):
        """End the worker."""
        self.client.close()
        self.worker.close()


class Tls(Topology):
    """A server behind TLS. `authority` has signed its certificate, which is for 127.0.0.1 and no other name."""

    def __init__(self, folder):
        super().__init__()
        self.authority = Authority(folder / "authority")
        self._server = Server(tcp=True, password=PASSWORD).start()
        self._front = TlsFront(self._server.port, self.authority)
        self.url = self.url_with(f"ssl_ca_certs={self.authority.ca}")

    def url_with(self, options, *, host="127.0.0.1"):
        return f"rediss://:{ESCAPED}@{host}:{self._front.port}/0?{options}"

    def names(self):
        return [one["name"] for one in self._server.client.client_list()]

    def close(self):
        self._front.close()
        self._server.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("topologies")


@pytest.fixture(scope="module")
def cluster(folder):
    made = Cluster()
    try:
        site = Site(made.start(), folder / "cluster")
        yield site
        site.close()
    finally:
        made.close()


@pytest.fixture(scope="module")
def sentinel(folder):
    made = Sentinels()
    try:
        site = Site(made.start(), folder / "sentinel")
        yield site
        site.close()
    finally:
        made.close()


@pytest.fixture(scope="module")
def tls(folder):
    made = Tls(folder)
    try:
        site = Site(made, folder / "tls")
        yield site
        site.close()
    finally:
        made.close()


@pytest.fixture(scope="module")
def runner():
    """One event loop for all: redis-py does not wait for the end of a connection that failed."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(params=["sentinel", "cluster", "tls"])
def site(request):
    """Each of them in turn."""
    found = request.getfixturevalue(request.param)
    found.worker.ready()
    return found


# -- what works -----------------------------------------------------------------------------------


def test_a_task_is_steered(site):
    task = site.of("converse").submit()

    assert task.recv(timeout=SOON) == "begun"
    task.send("a")
    assert task.recv(timeout=SOON) == ["heard", "a"]
    assert taskpy.RemoteTask.attach(task.id, client=site.client).stop(timeout=SOON) == "succeeded"
    assert task.get(timeout=SOON) == ["a"]


def test_a_task_is_steered_from_an_event_loop(site, runner):
    async def steer():
        async with aio.Client(site.url, namespace=site.namespace) as client:
            task = await client.submit("steered.converse_async")
            assert await task.recv(timeout=SOON) == "begun"
            await task.send("a")
            assert await task.recv(timeout=SOON) == ["heard", "a"]
            many = await client.submit_many("steered.echo", [((n,), {}) for n in range(20)])
            assert await asyncio.gather(*[each.get(timeout=SOON) for each in many]) == [[n] for n in range(20)]
            assert await task.stop(timeout=SOON) == "succeeded"
            assert {each.id for each in many} <= {one.id for one in await client.tasks(state="succeeded")}
            return await task.get(timeout=SOON)

    assert runner.run(steer()) == ["a"]


def test_many_tasks_are_submitted_at_once(site):
    tasks = site.of("echo").submit_many([((n,), {"times": 2}) for n in range(50)])

    assert [task.get(timeout=SOON) for task in tasks] == [[n, n] for n in range(50)]
    assert site.client.queues()["default"] == 0
    assert len(site.client.workers()) == 1


def test_a_delayed_task_waits_for_its_time_and_no_longer(site):
    asked = time.monotonic()
    task = site.of("echo", delay=0.5).submit("late")

    assert task.get(timeout=SOON) == ["late"]
    # The server's clock has milliseconds.
    assert 0.499 <= time.monotonic() - asked < 3.0


def test_a_waiting_task_is_stopped_before_it_starts(site):
    task = site.of("echo", delay=60).submit("never")

    assert task.stop(timeout=SOON) == "stopped"
    assert task.id not in site.ledger.started()


def test_all_of_a_namespace_is_on_one_node(cluster):
    cluster.worker.ready()
    assert cluster.of("echo").submit(1).get(timeout=SOON) == [1]
    task = cluster.of("converse").submit()
    assert task.recv(timeout=SOON) == "begun"

    keys = [keys for keys in cluster.topology.keys().values() if keys]

    assert len(keys) == 1
    assert Keys(cluster.namespace).task(task.id) in keys[0]
    assert all(key.startswith(f"{{{cluster.namespace}}}:") for key in keys[0])
    task.stop(timeout=SOON)


# -- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def untrusted(tls, folder):
    """URLs of a server that proves to be another than the one that was asked for."""
    stranger = Authority(folder / "stranger")
    topology = tls.topology
    return {
        "another authority": topology.url_with(f"ssl_ca_certs={stranger.ca}"),
        "the system's authorities": topology.url_with(""),
        "another name": topology.url_with(f"ssl_ca_certs={topology.authority.ca}", host="localhost"),
    }


@pytest.mark.parametrize("why", ["another authority", "the system's authorities", "another name"])
def test_a_server_that_cannot_be_trusted_is_refused_at_once(untrusted, why, runner):
    async def ask():
        async with aio.Client(untrusted[why], namespace="x", timeout=SOON) as client:
            await client.queues()

    asked = time.monotonic()
    client = taskpy.Client(untrusted[why], namespace="x", timeout=SOON)
    with client, pytest.raises(errors.Refused, match="certificate verify failed"):
        client.queues()
    with pytest.raises(errors.Refused, match="certificate verify failed"):
        runner.run(ask())
    assert time.monotonic() - asked < SOON / 2


def test_who_asks_for_no_verification_gets_none(tls):
    url = tls.topology.url_with("ssl_cert_reqs=none&ssl_check_hostname=false", host="localhost")

    with taskpy.Client(url, namespace="x") as client:
        assert client.workers() == []


def test_a_worker_ends_where_the_server_cannot_be_trusted(tls, untrusted):
    worker = tls.start_worker(url=untrusted["another authority"])

    assert worker.ended() == 4
    assert "certificate verify failed" in worker.log
    assert_secret(worker.log)


# -- passwords ------------------------------------------------------------------------------------


def assert_secret(text):
    assert text
    for secret in SECRETS:
        assert secret not in text, text


def command_lines(pid):
    process = psutil.Process(pid)
    return [" ".join(one.cmdline()) for one in [process, *process.children(recursive=True)]]


def test_a_password_shows_nowhere(site, caplog):
    caplog.set_level(logging.DEBUG)
    task = site.of("converse").submit()
    assert task.recv(timeout=SOON) == "begun"
    names = site.topology.names()

    assert any(name.startswith("taskpy:") for name in names)
    assert_secret("\n".join(names))
    lines = command_lines(site.worker.pid)
    assert len(lines) > 1
    assert_secret("\n".join(lines))
    assert task.stop(timeout=SOON) == "succeeded"
    assert_secret(f"{site.client!r} {site.client.space!r} {task!r} {site.client.workers()}")
    assert_secret(f"{site.worker.log} {caplog.text}")
    assert ":***@" in site.worker.log


def test_a_wrong_password_is_refused_without_being_shown(site, caplog, runner):
    url = site.url.replace(ESCAPED, "wr0ng")

    async def ask():
        async with aio.Client(url, namespace="x", timeout=SOON) as client:
            await client.queues()

    with taskpy.Client(url, namespace="x", timeout=SOON) as client, pytest.raises(errors.Refused) as raised:
        client.queues()
    with pytest.raises(errors.Refused) as raised_async:
        runner.run(ask())

    assert "wr0ng" not in f"{raised.value} {raised_async.value} {caplog.text}"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_password_shows_in_no_error_where_nobody_answers(scheme, caplog, runner):
    caplog.set_level(logging.DEBUG)
    [port] = free_ports(1)
    url = f"{scheme}://user:{ESCAPED}@127.0.0.1:{port}/" + ("mymaster" if "sentinel" in scheme else "0")

    async def ask():
        async with aio.Client(url, namespace="x", timeout=0.2) as client:
            await client.queues()

    with taskpy.Client(url, namespace="x", timeout=0.2) as client:
        assert_secret(f"{client!r} {client.space!r}")
        with pytest.raises(errors.Unreachable, match=r"user:\*\*\*@127\.0\.0\.1") as raised:
            client.queues()
    with pytest.raises(errors.Unreachable, match=r"user:\*\*\*@127\.0\.0\.1") as raised_async:
        runner.run(ask())

    assert_secret(f"{raised.value} {raised_async.value}")
    assert_secret(caplog.text)
    assert "<redis" not in f"{raised.value} {caplog.text}"


# -- a failover -----------------------------------------------------------------------------------


def test_tasks_that_run_outlive_their_primary(sentinel, caplog):
    sentinel.worker.ready()
    topology = sentinel.topology
    sleepers = sentinel.of("gated").submit_many([((str(sentinel.folder),), {})] * 5)
    talker = sentinel.of("converse").submit()
    assert talker.recv(timeout=SOON) == "begun"
    until(lambda: {task.id for task in sleepers} <= sentinel.ledger.started(), "the tasks to start")
    # What the replica does not have yet would be gone, as it is documented.
    assert topology.primary.client.wait(1, 5000) == 1

    topology.kill_primary()
    (sentinel.folder / "gate-1").touch()
    results = [task.get(timeout=SOON) for task in sleepers]

    assert topology.has_new_primary()
    assert results == [1] * 5
    talker.send("after")
    assert talker.recv(timeout=SOON) == ["heard", "after"]
    assert talker.stop(timeout=SOON) == "succeeded"
    assert sentinel.of("echo").submit("new").get(timeout=SOON) == ["new"]
    ended = [entry.id for entry in sentinel.ledger.ends()]
    assert {ended.count(task.id) for task in [*sleepers, talker]} == {1}
    assert sentinel.worker.lines("redis answers again")
    assert_secret(f"{sentinel.worker.log} {caplog.text}")
