"""Waking whoever waits, in threads and on event loops; a nudge given in between is never missed."""

import asyncio
import threading
import time

import pytest

from taskpy.nudge import Gathered, Nudge

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


@pytest.mark.parametrize("turns", range(5))
def test_a_coroutine_that_is_cancelled_as_it_is_woken_is_cancelled(nudge, turns):
    async def main():
        waiting = asyncio.create_task(nudge.wait_async(0, LONG))
        await asyncio.sleep(0)  # now it waits
        nudge.give()
        for _ in range(turns):
            await asyncio.sleep(0)
        asked = waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return asked, waiting.cancelled()

    asked, cancelled = asyncio.run(main())
    assert asked == cancelled


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


# -- one for many ---------------------------------------------------------------------------------


def test_one_for_many_is_woken_by_any_and_remembers_which():
    gathered, first, second = Gathered(), Nudge(), Nudge()
    gathered.gather(first, "first")
    gathered.gather(second, "second")
    seen = gathered.count

    second.give()

    assert gathered.wait(seen, LONG)
    assert gathered.take() == ["second"]
    assert gathered.take() == []


def test_those_who_spoke_stand_in_the_order_of_their_last_word():
    gathered, nudges = Gathered(), {name: Nudge() for name in "abc"}
    for name, nudge in nudges.items():
        gathered.gather(nudge, name)

    for name in "abca":
        nudges[name].give()

    assert gathered.take() == ["b", "c", "a"]


def test_one_nudge_may_be_gathered_by_several():
    nudge, some = Nudge(), [Gathered() for _ in range(3)]
    for gathered in some:
        gathered.gather(nudge, "it")

    nudge.give()

    assert [gathered.take() for gathered in some] == [["it"]] * 3


def test_who_gathers_no_more_leaves_nothing_behind():
    gathered, nudge = Gathered(), Nudge()
    gathered.gather(nudge, "it")

    gathered.leave()
    nudge.give()

    assert gathered.count == 0
    assert not nudge._followers


def test_a_coroutine_waits_for_many():
    gathered, nudges = Gathered(), [Nudge() for _ in range(3)]
    for number, nudge in enumerate(nudges):
        gathered.gather(nudge, number)

    async def main():
        waiting = asyncio.create_task(gathered.wait_async(0, LONG))
        await asyncio.sleep(0)  # now it waits
        threading.Thread(target=nudges[1].give).start()
        return await waiting

    assert asyncio.run(main())
    assert gathered.take() == [1]


def test_no_word_of_many_threads_is_lost():
    gathered, nudges = Gathered(), [Nudge() for _ in range(500)]
    for number, nudge in enumerate(nudges):
        gathered.gather(nudge, number)
    givers = [
        threading.Thread(target=lambda part=part: [nudge.give() for nudge in nudges[part::5]]) for part in range(5)
    ]
    for giver in givers:
        giver.start()
    heard, deadline = [], time.monotonic() + 10
    while len(heard) < 500 and time.monotonic() < deadline:
        seen = gathered.count
        heard += gathered.take()
        gathered.wait(seen, 0.1)
    for giver in givers:
        giver.join()

    assert sorted(heard + gathered.take()) == list(range(500))
