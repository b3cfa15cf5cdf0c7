"""What a handle believes of its own task while it is not certain that Redis has it."""

import pytest

from taskpy import errors, flow
from taskpy.answers import Standing
from taskpy.keys import Keys
from taskpy.line_redis import RedisLine
from taskpy.senders import Senders
from taskpy.spec import State, TaskSpec


class Redis:
    """Answers a line's ops; `loses` an answer to a submission, which it may have `accepted` all the same."""

    def __init__(self, *, accepts, loses):
        self.accepts = accepts
        self.loses = loses
        self.asked = []

    def perform(self, op):
        self.asked.append(op.verb)
        if op.verb == "submit" and self.loses:
            raise errors.Unreachable
        if op.verb == "stop":
            return "stopped" if self.accepts else "unknown"
        return Standing(State.STOPPED, None, None) if self.accepts else None

    def drive(self, steps):
        return flow.drive(steps, self.perform)


def new_line():
    return RedisLine(Keys("test"), "id", Senders(), server=lambda: "nowhere", task=TaskSpec("f", (), {}))


def test_a_task_that_was_never_started_is_stopped_without_asking():
    line, redis = new_line(), Redis(accepts=False, loses=False)

    redis.drive(line.stop(None))

    assert redis.asked == []
    assert redis.drive(line.look()).state is State.STOPPED


@pytest.mark.parametrize("accepts", [True, False])
def test_a_stop_reaches_a_task_whose_start_was_not_answered(accepts):
    line, redis = new_line(), Redis(accepts=accepts, loses=True)
    with pytest.raises(errors.SubmitUncertain):
        redis.drive(line.start())

    redis.drive(line.stop("enough"))

    assert redis.asked == ["submit", "stop"]
    assert redis.drive(line.look()).state is State.STOPPED
    with pytest.raises(errors.AlreadyStarted):
        redis.drive(line.start())


def test_a_stop_reaches_a_task_whose_start_was_broken_off():
    line, redis = new_line(), Redis(accepts=True, loses=False)
    start = line.start()
    next(start)
    start.close()  # as a coroutine that is cancelled

    redis.drive(line.stop(None))

    assert redis.asked == ["stop"]
    assert redis.drive(line.look()).state is State.STOPPED


def test_a_start_that_was_not_answered_can_be_repeated():
    line, redis = new_line(), Redis(accepts=True, loses=True)
    with pytest.raises(errors.SubmitUncertain):
        redis.drive(line.start())

    redis.loses = False
    redis.drive(line.start())

    assert redis.asked == ["submit", "submit"]
