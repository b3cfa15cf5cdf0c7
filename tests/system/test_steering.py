"""Steering real daemons: a stop that nothing can escape, streams over broken connections, thousands who wait."""

import statistics
import time

import psutil
import pytest

import taskpy
from taskpy import aio
from tests.system.conftest import Fleet
from tests.system.proxy import CountingProxy
from tests.system.waiting import until

#: After so many functions that go on though their tasks were stopped, a child is replaced.
ABANDONED = 4
WAITING = 5000


# -- a stop that always lands ---------------------------------------------------------------------


def test_a_child_full_of_functions_that_do_not_end_is_replaced(fleet):
    worker = fleet.worker(module="folding", concurrency=ABANDONED + 2, grace=30)
    [before] = worker.children()
    gate = fleet.folder / "gate"
    tasks = [fleet.client.submit("folding.cannot_be_stopped", str(gate)) for _ in range(ABANDONED)]
    other = fleet.client.submit("folding.fold", 2, 1)
    other.send([0, 0])
    for task in tasks:
        assert task.recv(timeout=20) == "begun"
    until(lambda: other.snapshot().acknowledged == 1, fleet.logs)

    for task in tasks:
        assert task.stop(grace=0, then="kill", reason="enough", timeout=20) == "stopped"

    with pytest.raises(taskpy.TaskStopped, match=r"enough.*still runs"):
        tasks[0].get()
    until(lambda: worker.children() and before not in worker.children(), fleet.logs)
    assert worker.lines("this child is replaced")
    other.send([0, 1])
    assert other.get(30)["count"] == 2, "what ran beside them went to the new child"
    assert other.snapshot().lost == 0
    assert other.snapshot().attempt == 2


def test_a_stop_survives_who_asked_for_it_and_who_runs_it(fleet, frozen):
    worker = fleet.worker(module="folding")
    task = fleet.client.submit("folding.nap")
    until(lambda: task.state == "running", fleet.logs)
    frozen(worker.pid, *worker.children())
    asking = taskpy.Client(fleet.url, namespace=fleet.namespace)
    assert asking.attach(task.id).stop(join=False, grace=0.1, then="raise", reason="away") == "running"
    asking.close()
    fleet.worker(module="folding")  # declares the frozen one lost

    assert task.wait(30)
    assert task.state == "stopped"
    assert task.stop_reason == "away"


def test_a_stop_is_heard_with_pub_sub_dead(fleet):
    fleet.worker(module="folding", lease=1.5)
    task = fleet.client.submit("folding.nap")
    until(lambda: task.state == "running", fleet.logs)
    fleet.server.client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
    assert task.stop(grace=0, then="raise", timeout=20) == "stopped"


# -- streams ------------------------------------------------------------------------------------


@pytest.fixture
def cut_fleet(own_server, tmp_path):
    """A namespace, and a proxy to its server for those whose connections are to break."""
    proxy = CountingProxy(own_server.port)
    made = Fleet(own_server, tmp_path)
    made.proxy = proxy
    yield made
    made.close()
    proxy.close()


def test_a_stream_loses_and_repeats_nothing_over_broken_connections(cut_fleet):
    cut_fleet.worker(module="folding")
    task = cut_fleet.client.submit("folding.count_slowly", 900)
    with taskpy.Client(cut_fleet.proxy.url, namespace=cut_fleet.namespace) as away:
        stream = away.attach(task.id).stream()
        read = []
        for message in stream:
            read.append(message)
            if message % 90 == 50:
                cut_fleet.proxy.cut()
    assert read == list(range(900))
    assert stream.position == 900


@pytest.mark.timeout(60)
def test_so_does_one_of_asyncio(cut_fleet):
    import asyncio

    cut_fleet.worker(module="folding")
    task = cut_fleet.client.submit("folding.count_slowly", 600)

    async def read():
        found = []
        async with aio.Client(cut_fleet.proxy.url, namespace=cut_fleet.namespace) as away:
            async for message in away.attach(task.id).stream():
                found.append(message)
                if message % 90 == 50:
                    cut_fleet.proxy.cut()
        return found

    assert asyncio.run(read()) == list(range(600))


def test_a_stream_goes_on_while_the_server_is_killed_and_started_again(own_fleet):
    own_fleet.worker(module="folding")
    task = own_fleet.client.submit("folding.count_slowly", 900)
    read = []
    for message in task.stream():
        read.append(message)
        if message == 300:
            own_fleet.server.kill()
            own_fleet.server.start()
    assert read == list(range(900))


# -- thousands who wait -----------------------------------------------------------------------------


def round_trips(task, count):
    """How long each of so many messages takes to the task and back, in milliseconds."""
    found = []
    for number in range(count):
        began = time.perf_counter()
        task.send(number)
        assert task.recv(timeout=20) == number
        found.append((time.perf_counter() - began) * 1000)
    return found


@pytest.mark.timeout(180)
def test_five_thousand_waiting_tasks_cost_next_to_nothing(fleet, record_property):
    worker = fleet.worker(module="folding", concurrency=WAITING + 1)
    one = fleet.client.submit("folding.wait_and_answer")
    alone = statistics.median(round_trips(one, 50))
    [child] = worker.children()
    connections = fleet.server.connections_of(child)

    tasks = fleet.client.submit_many("folding.wait_and_answer", [((), {})] * (WAITING - 1))
    until(lambda: fleet.client.workers()[0].held == WAITING, fleet.logs, seconds=60)
    until(lambda: all(task.state == "running" for task in (tasks[0], tasks[-1])), fleet.logs)

    assert fleet.server.connections_of(child) <= max(connections, 4)
    process = psutil.Process(child)
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    until(lambda: time.monotonic() - began > 5, "some heartbeats")
    idle = (sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)
    among = statistics.median(round_trips(one, 50))
    record_property("5,000 waiting tasks: CPU of the child, share of a core", round(idle, 4))
    record_property("5,000 waiting tasks: there and back, ms, alone and among them", (round(alone, 2), round(among, 2)))
    print(f"idle CPU {idle:.4f} of a core; there and back {alone:.2f} ms alone, {among:.2f} ms among {WAITING}")
    assert fleet.server.connections_of(child) <= max(connections, 4)

    assert [task.send("x") for task in tasks[::500]] == [1] * len(tasks[::500])
    assert [task.recv(timeout=20) for task in tasks[::500]] == ["x"] * len(tasks[::500])
    for task in [one, *tasks]:
        task.stop(join=False)
    assert not taskpy.wait([one, *tasks], timeout=60).pending
