"""How children begin: the first ones by fork, those that take their places by exec, and no task can tell the difference."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from tests.system.conftest import Fleet
from tests.system.daemons import running
from tests.system.waiting import until


def submit(fleet, name):
    return fleet.client.options().of(f"jobs.{name}").submit()


def shared_kib(pid):
    """How much of what it has written to its memory is another process's, too."""
    rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    [shared] = [row.split()[1] for row in rows if row.startswith("Shared_Dirty:")]
    return int(shared)


@pytest.fixture
def by_tcp(own_server, tmp_path):
    """A namespace whose workers have no unix socket but the one to their supervisor."""
    made = Fleet(own_server, tmp_path)
    made.url = f"redis://127.0.0.1:{own_server.port}/0"
    yield made
    made.close()


def test_a_task_has_the_same_around_it_in_a_forked_child_and_in_the_next_one(by_tcp):
    fleet, worker = by_tcp, by_tcp.worker(module="jobs")
    [first] = worker.children()
    forked = submit(fleet, "surroundings").get(20)
    os.kill(first, signal.SIGKILL)
    until(lambda: worker.children() not in ([], [first]), "another child")
    executed = submit(fleet, "surroundings").get(20)

    assert forked.pop("pid") == first != executed.pop("pid")
    assert psutil.Process(worker.children()[0]).cmdline()[1:3] == ["-m", "taskpy_worker.child"]
    assert forked == executed
    assert (forked["stdin"], forked["sockets"]) == (os.devnull, 1)


def test_the_first_children_share_the_memory_of_their_supervisor(fleet):
    worker = fleet.worker(module="jobs", processes=2)

    for child in worker.children():
        assert psutil.Process(child).cmdline() == psutil.Process(worker.pid).cmdline()
        assert shared_kib(child) > 4000


def test_all_children_end_when_their_supervisor_is_killed(fleet):
    worker = fleet.worker(module="jobs", processes=3)
    children = worker.children()
    assert len(children) == 3

    os.kill(worker.pid, signal.SIGKILL)

    until(lambda: not any(running(child) for child in children), "the children to end")


@pytest.mark.parametrize("code", [-9, 7])
def test_the_log_says_how_a_forked_child_has_ended(fleet, code):
    worker = fleet.worker(module="jobs")
    [first] = worker.children()
    if code == 7:
        submit(fleet, "vanish")
    else:
        os.kill(first, signal.SIGKILL)

    until(lambda: f"pid={first} exit={code}" in worker.log, "the line of its end")
