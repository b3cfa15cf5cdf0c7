"""`Pool` and `Chain`, wherever their tasks run."""

import threading
import time

import contract_tasks as tasks
import contract_tasks_async
import places
import pytest
from places import SOON, WOKEN

from taskpy import Chain, Pool, RemoteTask, Task, errors

everywhere = pytest.mark.parametrize("place", places.PLAIN, indirect=True)


# -- Pool ---------------------------------------------------------------------------------------


@everywhere
def test_a_pool_runs_all_and_receives_each_in_its_own_thread(place):
    received, threads = [], set()

    def receiver(t):
        threads.add(threading.current_thread())
        assert t.done
        received.append((t.args, dict(t.kwargs), t.result))

    inputs = [((number,), {"twice": number * 2}) for number in range(8)]
    Pool(8, 4, tasks.give_all, inputs, receiver, task=place.make).run()
    assert sorted(received) == [((n,), {"twice": n * 2}, [(n,), {"twice": n * 2}]) for n in range(8)]
    assert threads == {threading.current_thread()}


@everywhere
def test_at_most_so_many_run_at_once(place, tmp_path):
    counts = []
    inputs = (((str(tmp_path), number), {}) for number in range(9))
    Pool(None, 3, tasks.count_running, inputs, lambda t: counts.append(t.get()), task=place.make).run()
    assert len(counts) == 9
    assert max(counts) <= 3


@everywhere
def test_a_pool_receives_failures_too(place):
    received = []
    inputs = [(("ValueError", number), {}) for number in range(3)]
    Pool(3, 2, tasks.fail, inputs, received.append, task=place.make).run()
    assert sorted(repr(t.exception) for t in received) == [f"ValueError({number})" for number in range(3)]


def test_inputs_are_drawn_as_they_are_needed():
    drawn, received = [], []

    def inputs():
        for number in range(20):
            assert len(drawn) - len(received) <= 2
            drawn.append(number)
            yield (number,), {}

    Pool(None, 2, tasks.give, inputs(), received.append).run()
    assert len(received) == 20


def test_a_pool_does_not_spin(tmp_path):
    began, used = time.monotonic(), time.thread_time()
    Pool(4, 2, lambda t: time.sleep(0.1), [((), {})] * 4, lambda t: None).run()
    assert time.monotonic() - began < WOKEN
    assert time.thread_time() - used < 0.05


@pytest.mark.parametrize("place", places.PLAIN, indirect=True)
def test_what_a_receiver_raises_stops_the_rest(place):
    handles = []

    def receiver(t):
        raise KeyError("mine")

    def remember(*args, **kwargs):
        handles.append(place(*args, **kwargs))
        return handles[-1]

    inputs = [((1,), {}), ((2,), {}), ((3,), {})]
    with pytest.raises(KeyError, match="mine"):
        Pool(3, 2, tasks.give, inputs, receiver, task=remember).run()
    assert all(handle.done for handle in handles)


def test_what_inputs_raise_stops_the_rest():
    started = []

    def inputs():
        yield (), {}
        raise KeyError("mine")

    def hold(t):
        started.append(t)
        t.recv()

    with pytest.raises(KeyError, match="mine"):
        Pool(None, 5, hold, inputs(), lambda t: None).run()
    assert len(started) == 1


def test_a_pool_needs_room_for_one():
    with pytest.raises(ValueError, match="at least 1"):
        Pool(None, 0, tasks.give, [], lambda t: None)


def test_an_empty_pool_ends():
    Pool(0, 10, tasks.give, [], lambda t: None).run()


def test_a_pool_of_coroutines():
    received = []
    inputs = [((number,), {}) for number in range(50)]
    Pool(50, 20, contract_tasks_async.give, inputs, lambda t: received.append(t.result)).run()
    assert sorted(received) == list(range(50))


# -- Chain --------------------------------------------------------------------------------------


@everywhere
def test_each_link_sees_the_output_of_the_last(place):
    assert Chain(3, tasks.add_to_prev, 1, task=place.make).run() == 4


@everywhere
def test_the_first_failure_is_raised_and_ends_the_chain(place):
    with pytest.raises(ValueError, match="link 2"):
        Chain(100, tasks.fail_at_two, 0, task=place.make).run()


def test_none_is_an_output_like_any_other():
    assert Chain(2, lambda t: t.prev, None).run() is None


def test_a_chain_without_links_returns_its_feed():
    assert Chain(0, tasks.add_to_prev, "feed").run() == "feed"


def test_a_chain_of_coroutines():
    assert Chain(4, contract_tasks_async.add_to_prev, 1).run() == 5


def test_outside_a_chain_there_is_no_prev():
    handle = Task(tasks.add_to_prev)
    handle.start()
    with pytest.raises(AttributeError, match="not a link of a Chain"):
        handle.get(timeout=SOON)


@pytest.mark.parametrize("place", places.PLAIN_REMOTE, indirect=True)
def test_a_chain_of_the_default_client_and_of_a_name(place):
    assert Chain(2, tasks.add_to_prev, 1, task=RemoteTask).run() == 3
    assert Chain(2, "contract_tasks.add_to_prev", 1, task=RemoteTask).run() == 3


@pytest.mark.parametrize("place", ["process", "fake"], indirect=True)
def test_a_feed_that_cannot_cross(place):
    with pytest.raises(errors.NotSendable, match="prev"):
        Chain(2, tasks.add_to_prev, object(), task=place.make).run()
