"""A process that serves two of four shards: over one set of slots, each in its turn, and nothing of the others."""

import asyncio
import itertools

import click
import fakeredis
import pytest
from taskpy_worker import pace
from taskpy_worker.__main__ import read_shards
from taskpy_worker.config import WorkerConfig
from taskpy_worker.served import Served

from taskpy import Client, aio, errors, ops
from taskpy.info import WorkerInfo
from taskpy.shards import shard_in
from taskpy.space import ASK, Space
from tests.worker import functions
from tests.worker.conftest import LEASE, PATIENCE_SECONDS
from tests.worker.waiting import until

SHARDS = 4


class Cut:
    """A namespace of four shards, and processes that serve some of them."""

    def __init__(self):
        self.server = fakeredis.FakeServer(version=(7, 0))
        self.client = Client(redis=fakeredis.FakeRedis(server=self.server), namespace="test", shards=SHARDS)
        self.space = self.client.space
        self.space.broker.run(ops.agree(self.space.keys, version=ops.VERSION, lease=LEASE))
        self.opened = []
        self.served = []

    def serve(self, *shards, wid="w", **options):
        """Begin to serve these shards."""
        config = WorkerConfig(**{"block": 0.05} | options)
        served = Served(config, shards=len(shards))
        self.served.append(served)
        for shard in shards:
            here = Space(redis=fakeredis.FakeRedis(server=self.server), namespace="test", shards=SHARDS, agreed=True)
            here = here.in_shard(shard, connections=8)
            self.opened.append(here)
            info = WorkerInfo(queues=config.queues, concurrency=config.concurrency).dump()
            here.broker.run(ops.join(here.keys, wid=wid, lease=LEASE, info=info))
            served.start(here, wid=wid, lease=LEASE, renews=True)
        return served

    def submit_to(self, shard, name, *args, **options):
        """Submit a task to this shard."""
        while True:
            task = self.client.options(**options).of(name).task(*args)
            if shard_in(task.id) == shard:
                task.start()
                return task

    def close(self):
        functions.GATE.set()
        for served in self.served:
            served.close()
        for space in self.opened:
            space.close()
        self.client.close()


@pytest.fixture
def cut():
    made = Cut()
    yield made
    made.close()
    functions.forget()


def test_the_shards_that_are_served_and_no_others(cut):
    cut.serve(1, 3)
    tasks = [cut.submit_to(shard, "returns", shard) for shard in range(SHARDS)]

    assert [tasks[1].get(PATIENCE_SECONDS), tasks[3].get(PATIENCE_SECONDS)] == [1, 3]
    assert [task.state for task in tasks] == ["queued", "succeeded", "queued", "succeeded"]
    assert cut.client.queues() == {"default": 2}

    cut.serve(0, 2, wid="v")
    assert [task.get(PATIENCE_SECONDS) for task in tasks] == [0, 1, 2, 3]


def test_many_are_submitted_shard_by_shard_and_their_handles_stay_in_order(cut):
    cut.serve(*range(SHARDS))

    tasks = cut.client.options().of("returns").submit_many([((number,), {}) for number in range(350)])

    assert {shard_in(task.id) for task in tasks} == set(range(SHARDS))
    assert [task.get(PATIENCE_SECONDS) for task in tasks] == list(range(350))


def test_many_are_submitted_from_an_event_loop(cut):
    cut.serve(*range(SHARDS))

    async def submit():
        raw = fakeredis.FakeAsyncRedis(server=cut.server)
        async with aio.Client(redis=raw, namespace="test", shards=SHARDS) as client:
            tasks = await client.submit_many("returns", [((number,), {}) for number in range(150)])
            assert len({shard_in(task.id) for task in tasks}) == 2
            assert [await task.get(PATIENCE_SECONDS) for task in tasks] == list(range(150))
            with pytest.raises(errors.Incompatible, match="has 4 shards"):
                await aio.Client(redis=raw, namespace="test", shards=3).queues()
        await raw.aclose()

    asyncio.run(submit())


def test_they_share_the_slots(cut):
    cut.client.pause("default")
    for shard in (1, 3) * 4:
        cut.submit_to(shard, "waits")
    cut.serve(1, 3, concurrency=3)
    cut.client.resume("default")  # which rings both bells at once
    until(lambda: len(functions.BEGUN) == 3, "three tasks to begin")

    running = cut.client.tasks(state="running")
    assert len(functions.BEGUN) == len(running) == 3
    functions.GATE.set()
    until(lambda: len(functions.BEGUN) == 8, "the others to begin")


def test_with_one_slot_they_take_turns(cut, monkeypatch):
    monkeypatch.setattr(pace, "MOST", 0)  # no more than the slot has room for
    cut.client.pause("default")
    tasks = [cut.submit_to(shard, "returns", shard) for shard in (1, 3) for _ in range(20)]
    cut.serve(1, 3, concurrency=1)
    cut.client.resume("default")
    for task in tasks:
        assert task.get(PATIENCE_SECONDS) in {1, 3}

    order = [shard_in(id) for id, _ in functions.BEGUN]
    assert order.count(1) == order.count(3) == 20
    # The first one may have begun before the other heard its bell; from then on they alternate.
    assert max(len(list(some)) for _, some in itertools.groupby(order[4:36])) <= 2


def test_a_burst_ends_when_all_shards_are_empty(cut):
    tasks = [cut.submit_to(shard, "returns", shard) for shard in (1, 3) for _ in range(5)]
    served = cut.serve(1, 3, burst=True)

    served.await_finish()
    served.await_empty()

    assert [task.state for task in tasks] == ["succeeded"] * 10


def test_a_share_of_tasks_is_that_of_the_process(cut):
    for shard in (1, 3) * 5:
        cut.submit_to(shard, "returns", shard)
    served = cut.serve(1, 3, max_tasks=4)

    served.await_finish()
    served.await_empty()

    assert served.spent
    assert cut.client.queues() == {"default": 6}


def test_a_drain_gives_back_what_runs_in_every_shard(cut):
    served = cut.serve(1, 3)
    tasks = [cut.submit_to(shard, "waits") for shard in (1, 3)]
    until(lambda: len(functions.BEGUN) == 2, "both to begin")

    served.drain(0.0)

    assert [task.state for task in tasks] == ["queued"] * 2


def test_lists_show_each_worker_and_each_queue_once(cut):
    cut.serve(1, 3)
    [queue] = cut.client.known_queues()
    assert queue.workers == 0  # in two of the shards
    cut.serve(0, 2, wid="v")
    tasks = [cut.submit_to(shard, "waits") for shard in range(SHARDS)]
    until(lambda: len(functions.BEGUN) == SHARDS, "all to begin")

    assert {(one.wid, one.held) for one in cut.client.workers()} == {("w", 2), ("v", 2)}
    [queue] = cut.client.known_queues()
    assert (queue.name, queue.size, queue.workers) == ("default", 0, 1)
    assert {one.id for one in cut.client.tasks(state="running")} == {task.id for task in tasks}


def test_pages_go_through_all_shards_in_one_order(cut):
    ids = [cut.submit_to(number % SHARDS, "returns", queue="idle").id for number in range(120)]

    pages = [cut.client.tasks(queue="idle", page=page) for page in range(3)]

    assert [len(page) for page in pages] == [50, 50, 20]
    assert [page.more for page in pages] == [True, True, False]
    assert [one.submitted for page in pages for one in page] == sorted(
        (one.submitted for page in pages for one in page), reverse=True
    )
    assert sorted(one.id for page in pages for one in page) == sorted(ids)
    delayed = [cut.submit_to(number % SHARDS, "returns", queue="late", delay=90.0 - number).id for number in range(60)]
    assert [one.id for one in cut.client.delayed()] == delayed[:9:-1]
    assert [one.id for one in cut.client.delayed(queue="late", page=1)] == delayed[9::-1]


def test_dead_letters_of_all_shards_are_listed_revived_and_deleted(cut):
    cut.serve(*range(SHARDS))
    tasks = [cut.submit_to(number % SHARDS, "fails", retries=0) for number in range(8)]
    for task in tasks:
        assert task.wait(PATIENCE_SECONDS)

    page = cut.client.dead()
    assert {one.task.id for one in page} == {task.id for task in tasks}
    assert (page.total, page.more, sorted(page.ids)) == (8, False, sorted(task.id for task in tasks))
    revived = cut.client.revive(tasks[0].id)
    assert shard_in(revived.id) == shard_in(tasks[0].id)
    assert revived.wait(PATIENCE_SECONDS)
    again = cut.client.revive_many([tasks[1].id, tasks[0].id, tasks[2].id])
    assert [one is None for one in again] == [False, True, False]
    assert [shard_in(again[0].id), shard_in(again[2].id)] == [1, 2]
    assert cut.client.delete([task.id for task in tasks]) == 5


def test_a_queue_is_paused_and_purged_in_all_shards(cut):
    cut.client.pause("bulk")
    cut.serve(*range(SHARDS), queues=("bulk",))
    tasks = [cut.submit_to(shard, "returns", shard, queue="bulk") for shard in range(SHARDS)]

    [queue] = [one for one in cut.client.known_queues() if one.name == "bulk"]
    assert queue.paused
    assert cut.client.about(tasks[0].id).paused
    assert cut.client.purge("bulk") == SHARDS
    cut.client.resume("bulk")
    assert cut.submit_to(2, "returns", 5, queue="bulk").get(PATIENCE_SECONDS) == 5
    assert cut.client.events(tasks[3].id)


def test_who_waits_in_vain_is_told_where_nobody_serves(cut, caplog):
    cut.serve(1, 3)
    task = cut.submit_to(2, "returns")

    cut.space.broker.drive(task._redis_line.late())

    assert "no worker serves the queue in shard 2: queue=default" in caplog.text
    with Client(redis=fakeredis.FakeRedis(server=cut.server), namespace="test", shards=1) as whole:
        lost = whole.submit("returns")
        whole.space.broker.drive(lost._redis_line.late())
    assert (
        "no worker serves the queue, for the namespace has 4 shards (set TASKPY_SHARDS): queue=default" in caplog.text
    )


def test_who_believes_in_another_number_is_refused_at_the_first_call(cut):
    raw = fakeredis.FakeRedis(server=cut.server)
    for count in (3, 8):
        with Client(redis=raw, namespace="test", shards=count) as other:
            for _ in range(2):
                with pytest.raises(errors.Incompatible, match=f"has 4 shards, and this process was told {count}"):
                    other.submit("returns")
    assert Space(redis=raw, namespace="test", shards=ASK).shards.count == SHARDS


def test_a_namespace_that_is_in_use_is_not_cut(cut):
    raw = fakeredis.FakeRedis(server=cut.server)
    with Client(redis=raw, namespace="old", shards=1) as client:
        client.submit("returns")
    client = Client(redis=raw, namespace="old", shards=2)
    with client, pytest.raises(errors.Incompatible, match="has 1 shard,"):
        client.queues()


def test_an_id_without_a_shard_is_no_id_here_and_one_with_a_shard_says_so_elsewhere(cut):
    with pytest.raises(errors.BadName, match="4 shards"):
        cut.client.attach("c0ffee")
    whole = Client(redis=fakeredis.FakeRedis(server=cut.server), namespace="test", shards=1)
    with whole, pytest.raises(errors.TaskNotFound, match="TASKPY_SHARDS"):
        _ = whole.attach("1-c0ffee").state


@pytest.mark.parametrize(
    ("text", "shards"),
    [("all", ()), ("0", (0,)), ("0,3,5-7", (0, 3, 5, 6, 7)), (" 4 , 2-3,3", (2, 3, 4)), ("1023", (1023,))],
)
def test_which_shards_are_served_is_read(text, shards):
    assert read_shards(text) == shards


@pytest.mark.parametrize("text", ["", "some", "1-", "-1", "1,,2", "7-5-9", "1024", "3-2", "0-99999999999", "1.5"])
def test_what_is_no_shard_is_wrong_usage(text):
    with pytest.raises(click.BadParameter):
        read_shards(text)


def test_a_shard_that_is_not_there_is_not_served():
    assert WorkerConfig().served(1) == (None,)
    assert WorkerConfig().served(3) == (0, 1, 2)
    assert WorkerConfig(serve_shards=(0,)).served(1) == (None,)
    assert WorkerConfig(serve_shards=(0, 2)).served(3) == (0, 2)
    with pytest.raises(errors.BadArguments, match="no shard 3"):
        WorkerConfig(serve_shards=(0, 3)).served(3)
