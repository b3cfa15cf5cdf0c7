"""Flows: logic that is written once, driven by a thread or by a coroutine, with the same outcome."""

import asyncio
import threading

import pytest

from taskpy import flow, ops
from taskpy.keys import Keys
from taskpy.nudge import Nudge

OP = ops.locate(Keys("test"), id="a")


def threaded(steps, perform):
    return flow.drive(steps, perform)


def awaited(steps, perform):
    async def perform_async(step):
        await asyncio.sleep(0)
        return perform(step)

    return asyncio.run(flow.drive_async(steps, perform_async))


drivers = pytest.mark.parametrize("drive", [threaded, awaited])


def failing(step):
    raise ValueError("no")


@drivers
def test_a_flow_is_sent_what_came_of_each_step(drive):
    def steps():
        first = yield OP
        second = yield OP
        return [first, second]

    answers = iter(["one", "two"])

    assert drive(steps(), lambda step: next(answers)) == ["one", "two"]


@drivers
def test_a_flow_without_steps_just_returns(drive):
    assert drive(flow.just(3), failing) == 3


@drivers
def test_a_flow_may_deal_with_the_error_of_a_step(drive):
    def steps():
        try:
            yield OP
        except ValueError as error:
            return str(error)

    assert drive(steps(), failing) == "no"


@drivers
def test_an_error_of_a_step_goes_through_and_the_flow_cleans_up(drive):
    cleaned = []

    def steps():
        try:
            yield OP
        finally:
            cleaned.append(1)

    with pytest.raises(ValueError, match="no"):
        drive(steps(), failing)
    assert cleaned == [1]


@drivers
def test_after_a_step_that_failed_the_next_one_counts(drive):
    def steps():
        try:
            yield OP
        except ValueError:
            return (yield OP)

    tries = []

    def fail_once(step):
        tries.append(step)
        return failing(step) if len(tries) == 1 else "second"

    assert drive(steps(), fail_once) == "second"


@drivers
def test_a_signal_during_a_step_ends_the_flow_and_cleans_up(drive):
    cleaned = []

    class Signal(BaseException):
        pass

    def steps():
        try:
            yield OP
        finally:
            cleaned.append(1)

    def interrupted(step):
        raise Signal

    with pytest.raises(Signal):
        drive(steps(), interrupted)
    assert cleaned == [1]


def test_a_coroutine_that_is_cancelled_cleans_its_flow_up():
    cleaned = []

    def steps():
        try:
            yield OP
        finally:
            cleaned.append(1)

    async def forever(step):
        await asyncio.Event().wait()

    async def main():
        task = asyncio.create_task(flow.drive_async(steps(), forever))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())

    assert cleaned == [1]


# -- side by side -----------------------------------------------------------------------------------


def asking(*answers_wanted):
    """A flow that asks so often, watches a channel in between, and returns what it was told."""
    told = []
    for wanted in answers_wanted:
        answer = yield flow.Watch(wanted) if isinstance(wanted, str) else OP
        told.append(answer)
    return told


class Server:
    """Answers each op with a number, each watch with the channel, and writes down how it was asked."""

    def __init__(self):
        self.steps = []
        self.answered = 0

    def __call__(self, step):
        if isinstance(step, flow.WatchAll):
            self.steps.append(("watch", len(step.channels)))
            return list(step.channels)
        assert isinstance(step, flow.Together)
        self.steps.append(("ask", len(step.ops)))
        first = self.answered
        self.answered += len(step.ops)
        return list(range(first, self.answered))


@drivers
def test_flows_side_by_side_share_their_round_trips(drive):
    server = Server()

    told = drive(flow.together([asking(1, "a"), flow.just([]), asking("b"), asking(1, 2, 3)]), server)

    assert told == [[0, "a"], [], ["b"], [1, 2, 3]]
    assert server.steps == [("watch", 1), ("ask", 2), ("watch", 1), ("ask", 1), ("ask", 1)]


@drivers
def test_no_pipeline_is_too_long(drive):
    server = Server()

    told = drive(flow.together([asking(1) for _ in range(2 * flow.BATCH + 1)]), server)

    assert told == [[number] for number in range(2 * flow.BATCH + 1)]
    assert server.steps == [("ask", flow.BATCH), ("ask", flow.BATCH), ("ask", 1)]


@drivers
def test_the_first_error_ends_all_that_go_side_by_side(drive):
    def fail():
        yield OP
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        drive(flow.together([asking(1), fail(), asking(1)]), Server())
    with pytest.raises(ValueError, match="no"):
        drive(flow.together([asking(1)]), failing)


def test_flows_that_wait_cannot_go_side_by_side():
    with pytest.raises(TypeError, match="wait"):
        flow.drive(flow.together([iter_wait()]), Server())


def iter_wait():
    yield flow.Wait(Nudge(), 0)


def test_what_a_flow_knows_at_once():
    assert flow.at_once(flow.just(3)) == 3
    assert flow.at_once(asking(1)) is None


# -- steps that need no Redis ---------------------------------------------------------------------


def test_waiting_is_done_here():
    nudge = Nudge()
    nudge.give()

    assert flow.wait_here(flow.Wait(nudge, 0, 10)) is True
    assert flow.wait_here(flow.Wait(nudge, 1, 0.01)) is False
    assert asyncio.run(flow.wait_here_async(flow.Wait(nudge, 0, 10))) is True


@pytest.mark.parametrize("step", [OP, flow.Watch("channel"), flow.WatchAll(["a", "b"])])
def test_a_local_flow_cannot_ask_redis(step):
    with pytest.raises(TypeError, match="local"):
        flow.wait_here(step)
    with pytest.raises(TypeError, match="local"):
        asyncio.run(flow.wait_here_async(step))


# -- one at a time ----------------------------------------------------------------------------------


def in_turn(turn, inside, seen):
    """A flow that is alone between its turn and its end."""
    yield from turn.take()
    try:
        seen.append(len(inside))
        inside.append(1)
        yield flow.Wait(Nudge(), 0, 0.001)  # others get their chance here
        inside.pop()
    finally:
        turn.give()


def test_threads_take_turns():
    turn, inside, seen = flow.Turn(), [], []
    threads = [
        threading.Thread(target=lambda: flow.drive(in_turn(turn, inside, seen), flow.wait_here)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert seen == [0] * 8


def test_coroutines_take_turns():
    turn, inside, seen = flow.Turn(), [], []

    async def main():
        flows = [flow.drive_async(in_turn(turn, inside, seen), flow.wait_here_async) for _ in range(8)]
        await asyncio.gather(*flows)

    asyncio.run(main())

    assert seen == [0] * 8
