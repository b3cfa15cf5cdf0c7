"""One namespace over the three nodes of a Cluster: tasks land on all of them, and a node that is away holds up only its own."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

import taskpy
from taskpy import aio, errors, pages
from taskpy.shards import shard_in
from tests.system.daemons import Worker, environment
from tests.system.ledger import Ledger
from tests.system.topologies import Cluster
from tests.system.waiting import until

SHARDS = 12
NAMESPACE = "cut"
SOON = 30.0


@pytest.fixture(autouse=True)
def nothing_left():
    """redis-py keeps a Cluster's connections by node; what is ours is looked at in the other files."""


class Site:
    """A namespace with shards on a Cluster, and a worker daemon that serves all of them."""

    def __init__(self, topology, folder):
        self.topology = topology
        self.url = topology.url
        self.ledger = Ledger(folder / "ledger")
        self.folder = folder
        env = {"TASKPY_REDIS_URL": self.url, "TASKPY_SHARDS": str(SHARDS)}
        more = {"concurrency": 30, "log_level": "debug"}
        self.worker = Worker(folder, self.ledger, url=None, namespace=NAMESPACE, lease=10, grace=1, env=env, **more)
        self.client = taskpy.Client(self.url, namespace=NAMESPACE, shards=SHARDS)

    def ready(self):
        """Wait until the worker has joined all shards."""
        self.worker.ready()
        run, shards = self.client.space.broker.run, self.client.space.shards
        until(
            lambda: all(run(pages.leases(keys, start=0, count=1)) for keys in shards.keys),
            lambda: f"all shards to be served:\n{self.worker.log}",
        )
        return self

    def of(self, name, **options):
        """A task of the worker, by its name."""
        return self.client.options(**options).of(f"steered.{name}")

    def node_of(self, task):
        """The node that a task is on."""
        return self.topology.node_of(self.client.space.keys_of(task.id).task(task.id))

    def one_each(self, name, *args, shards=range(SHARDS)):
        """A task in each of these shards, not started."""
        found = {}
        while found.keys() != set(shards):
            task = self.of(name).task(*args)
            if shard_in(task.id) in shards:
                found.setdefault(shard_in(task.id), task)
        return list(found.values())

    def close(self):
        """End the worker."""
        self.client.close()
        self.worker.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    # Unless told otherwise, a Cluster answers nobody while any of its slots has no node.
    made = Cluster("cluster-require-full-coverage no", "appendonly yes")
    try:
        found = Site(made.start(), tmp_path_factory.mktemp("shards"))
        yield found.ready()
        found.close()
    finally:
        made.close()


def test_tasks_land_on_all_nodes_and_are_steered_there(site):
    tasks = site.one_each("converse")
    for task in tasks:
        task.start()

    assert len({site.node_of(task).port for task in tasks}) == 3
    for task in tasks:
        assert task.recv(timeout=SOON) == "begun"
        task.send("a")
        assert task.recv(timeout=SOON) == ["heard", "a"]
    assert {one.id for one in site.client.tasks(state="running")} == {task.id for task in tasks}
    for task in tasks:
        assert site.client.attach(task.id).stop(timeout=SOON) == "succeeded"
        assert task.get(timeout=SOON) == ["a"]


def test_many_are_submitted_and_listed_over_all_nodes(site):
    tasks = site.of("echo").submit_many([((n,), {}) for n in range(1200)])

    assert not taskpy.wait(tasks, SOON).pending
    assert [task.result for task in tasks] == [[n] for n in range(1200)]
    assert {shard_in(task.id) for task in tasks} == set(range(SHARDS))
    assert site.client.queues()["default"] == 0
    [worker] = site.client.workers()
    assert not worker.lost
    page = site.client.tasks(state="succeeded")
    assert page.more
    assert {one.id for one in page} <= {task.id for task in tasks}


def test_they_are_steered_from_an_event_loop(site):
    async def steer():
        async with aio.Client(site.url, namespace=NAMESPACE, shards=SHARDS) as client:
            many = await client.submit_many("steered.echo", [((n,), {}) for n in range(300)])
            ended = await aio.wait(many, SOON)
            assert not ended.pending
            assert [each.result for each in many] == [[n] for n in range(300)]
            assert len({shard_in(each.id) for each in many}) == 3
            task = await client.submit("steered.converse_async")
            assert await task.recv(timeout=SOON) == "begun"
            await task.send("a")
            assert await task.recv(timeout=SOON) == ["heard", "a"]
            assert await task.stop(timeout=SOON) == "succeeded"
            assert len(await client.workers()) == 1

    asyncio.run(steer())


def test_the_number_of_shards_cannot_change(site):
    client = taskpy.Client(site.url, namespace=NAMESPACE, shards=SHARDS + 1)
    with client, pytest.raises(errors.Incompatible, match="has 12 shards"):
        client.submit("steered.echo", 1)
    env = {"TASKPY_REDIS_URL": site.url, "TASKPY_SHARDS": "3"}
    worker = Worker(site.folder, site.ledger, url=None, namespace=NAMESPACE, lease=None, env=env)
    assert worker.ended() == 4
    assert "has 12 shards" in worker.log


def test_the_command_line_and_workers_go_by_what_the_namespace_says(site):
    task = site.of("converse").submit()
    assert task.recv(timeout=SOON) == "begun"
    env = environment(TASKPY_REDIS_URL=site.url, TASKPY_NAMESPACE=NAMESPACE)

    def cli(*arguments):
        command = [sys.executable, "-m", "taskpy.cli", *arguments]
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=SOON)

    assert task.id in cli("ls", "--state", "running").stdout
    assert cli("send", task.id, "hello").returncode == 0
    assert task.recv(timeout=SOON) == ["heard", "hello"]
    assert cli("stop", task.id).returncode == 0
    assert task.get(timeout=SOON) == ["hello"]

    env = {"TASKPY_REDIS_URL": site.url}
    some = Worker(site.folder, site.ledger, url=None, namespace=NAMESPACE, lease=None, env=env, shards="0,3,5-7")
    try:
        some.ready()
        until(lambda: some.lines("it serves 5 of 12 shards: shards=0,3,5,6,7"), "the worker to say what it serves")
        some.signal(signal.SIGTERM)
        assert some.ended() == 0
    finally:
        some.close()
    wrong = Worker(site.folder, site.ledger, url=None, namespace=NAMESPACE, lease=None, env=env, shards="12")
    assert wrong.ended() == 2
    assert "there is no shard 12" in wrong.log


def test_what_a_killed_child_ran_goes_on_in_every_shard(site):
    tasks = site.one_each("gated", str(site.folder))
    for task in tasks:
        task.start()
    until(lambda: {task.id for task in tasks} <= site.ledger.started(), "the tasks to start")

    [child] = site.worker.children()
    os.kill(child, signal.SIGKILL)
    until(lambda: {task.id for task in tasks} <= site.ledger.started(attempt=2), "the tasks to start again")
    (site.folder / "gate-2").touch()

    assert [task.get(timeout=SOON) for task in tasks] == [2] * SHARDS


def test_a_node_that_is_away_holds_up_only_its_own_tasks(site):
    root = site.topology.node_of(site.client.space.keys.meta())
    away = next(node for node in site.topology.nodes if node is not root)
    talkers = site.one_each("converse")
    for task in talkers:
        task.start()
        assert task.recv(timeout=SOON) == "begun"
    there = [task for task in talkers if site.node_of(task) is away]
    elsewhere = [task for task in talkers if site.node_of(task) is not away]
    assert there
    assert elsewhere

    away.kill()
    shards = {shard_in(task.id) for task in elsewhere}
    fresh = site.one_each("echo", "meanwhile", shards=shards)
    for task in fresh:
        task.start()
    assert [task.get(timeout=SOON) for task in fresh] == [["meanwhile"]] * len(fresh)
    for task in elsewhere:
        task.send("during")
        assert task.recv(timeout=SOON) == ["heard", "during"]
        assert task.stop(timeout=SOON) == "succeeded"
    away.start()
    away.ready()

    for task in there:
        until(lambda task=task: sent(task, "after"), "the node to be back")
        assert task.recv(timeout=SOON) == ["heard", "after"]
        assert task.stop(timeout=SOON) == "succeeded"
        assert task.id not in site.ledger.started(attempt=2)


def sent(task, message):
    """Send it, unless Redis cannot be reached."""
    try:
        return task.send(message)
    except (errors.Unreachable, errors.Uncertain):
        return 0
