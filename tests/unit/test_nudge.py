"""Waking whoever waits, in threads and on event loops; a nudge given in between is never missed."""

import asyncio
import threading
import time

import pytest

from taskpy.nudge import Nudge

#: No test waits so long.
LONG = 30.0


@pytest.fixture
def nudge():
    return Nudge()


def in_a_thread(step):
    """Run a step in a thread; a call waits for its answer."""
    answers = []
    thread = threading.Thread(target=lambda: answers.append(step()), daemon=True)
    thread.start()

    def answer():
        thread.join(10)
        assert answers, "the thread still waits"
        return answers[0]

    return answer


def test_it_only_counts(nudge):
    nudge.give()
    nudge.give()

    assert nudge.count == 2


def test_a_nudge_between_looking_and_waiting_is_not_missed(nudge):
    seen = nudge.count
    nudge.give()

    assert nudge.wait(seen, LONG)


def test_without_a_nudge_the_time_runs_out(nudge):
    assert not nudge.wait(nudge.count, 0.01)


def test_one_nudge_wakes_all_who_wait(nudge):
    waiting = [in_a_thread(lambda: nudge.wait(0, LONG)) for _ in range(5)]

    nudge.give()

    assert all(answer() for answer in waiting)


def test_without_a_limit_it_waits_until_it_is_woken(nudge):
    waiting = in_a_thread(lambda: nudge.wait(0))

    nudge.give()

    assert waiting()


# -- on an event loop -----------------------------------------------------------------------------


def test_a_coroutine_is_woken_by_a_thread(nudge):
    async def main():
        waiting = asyncio.create_task(nudge.wait_async(0, LONG))
        await asyncio.sleep(0)  # now it waits
        threading.Thread(target=nudge.give).start()
        return await waiting

    assert asyncio.run(main())


def test_a_coroutine_does_not_miss_a_nudge_either(nudge):
    seen = nudge.count
    nudge.give()

    assert asyncio.run(nudge.wait_async(seen, LONG))


def test_the_loop_goes_on_while_a_coroutine_waits(nudge):
    async def main():
        first, second = nudge.wait_async(0, LONG), nudge.wait_async(0, LONG)
        both = asyncio.gather(first, second)
        await asyncio.sleep(0)
        nudge.give()
        return await both

    assert asyncio.run(main()) == [True, True]


def test_a_coroutine_whose_time_runs_out_leaves_nothing_behind(nudge):
    assert not asyncio.run(nudge.wait_async(0, 0.01))
    assert not nudge._wakers


def test_a_coroutine_that_is_cancelled_leaves_nothing_behind(nudge):
    async def main():
        waiting = asyncio.create_task(nudge.wait_async(0))
        await asyncio.sleep(0)  # now it waits
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(main())

    assert not nudge._wakers


def test_a_loop_that_is_closed_is_nobody_to_wake(nudge):
    loop = asyncio.new_event_loop()
    waiting = nudge.wait_async(0)
    task = loop.create_task(waiting)
    loop.run_until_complete(asyncio.sleep(0))
    [wake] = nudge._wakers
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()

    wake()


def test_threads_and_coroutines_wait_for_the_same_nudge(nudge):
    waiting = in_a_thread(lambda: nudge.wait(0, LONG))

    async def main():
        task = asyncio.create_task(nudge.wait_async(0, LONG))
        await asyncio.sleep(0)  # now it waits
        nudge.give()
        return await task

    assert asyncio.run(main())
    assert waiting()


def test_nudges_from_many_threads_are_all_counted(nudge):
    givers = [threading.Thread(target=lambda: [nudge.give() for _ in range(200)]) for _ in range(5)]
    for giver in givers:
        giver.start()
    seen, deadline = 0, time.monotonic() + 10
    while seen < 1000 and time.monotonic() < deadline:
        nudge.wait(seen, 1)
        seen = nudge.count
    for giver in givers:
        giver.join()

    assert nudge.count == 1000
