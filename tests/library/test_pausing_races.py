"""Pauses, resumes and stops at the same time, over and over: the task always ends, and never stands still for ever.

TASKPY_RACE_SEED repeats the delays of a run, which pytest prints when it fails.
"""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pausing_tasks as tasks
import pytest
from places import SOON

from taskpy import errors
from taskpy.spec import Flag

#: How often each race is run, how many at once, and within how many seconds its calls come.
TIMES, AT_ONCE, WITHIN = 1000, 25, 0.01

pytestmark = pytest.mark.parametrize("place", ["thread", "real"], indirect=True)


@pytest.fixture
def delays():
    seed = int(os.environ.get("TASKPY_RACE_SEED", random.randrange(10**6)))
    print(f"TASKPY_RACE_SEED={seed}")
    return random.Random(seed)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(3 * AT_ONCE) as pool:
        yield pool


def race(pool, delays, *calls):
    """Make these calls at about the same time; a task that has ended takes none."""

    def after(seconds, call):
        time.sleep(seconds)
        with suppress(errors.TaskEnded):
            call()

    return [pool.submit(after, delays.uniform(0, WITHIN), call) for call in calls]


def over(futures):
    for future in futures:
        future.result(SOON)


def in_groups(place, func):
    """Tasks that have begun, so many at once."""
    for _ in range(0, TIMES, AT_ONCE):
        handles = [place.started(func) for _ in range(AT_ONCE)]
        for handle in handles:
            assert handle.recv(timeout=SOON) == "begun"
        yield handles
        for handle in handles:
            assert handle.wait(timeout=SOON), f"{handle} stands still: {handle.flags}"
            assert handle.flags == set()


def test_a_stop_ends_a_task_that_is_paused_at_the_same_time(place, delays, pool):
    for handles in in_groups(place, tasks.waits):
        calls = [
            race(pool, delays, handle.pause, handle.resume, lambda h=handle: h.stop(join=False)) for handle in handles
        ]
        for futures in calls:
            over(futures)


def test_a_task_that_was_resumed_goes_on(place, delays, pool):
    for handles in in_groups(place, tasks.ends_soon):
        calls = [race(pool, delays, handle.pause, handle.resume, handle.pause) for handle in handles]
        for handle, futures in zip(handles, calls, strict=True):
            over(futures)
            handle.resume()
            assert not handle.flags & {Flag.PAUSED, Flag.PAUSING}
            handle.send("the end")
            assert handle.get(timeout=SOON) == "the end"
            handle.wait()


def test_a_task_that_is_paused_last_stands_still(place, delays, pool):
    for handles in in_groups(place, tasks.ends_soon):
        calls = [race(pool, delays, handle.resume, handle.pause, handle.resume) for handle in handles]
        for handle, futures in zip(handles, calls, strict=True):
            over(futures)
            assert handle.pause(join=True, timeout=SOON) is True
            handle.send("not yet")
            assert handle.flags == {Flag.PAUSED}
            handle.stop(join=False)
