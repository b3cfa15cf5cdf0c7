"""Hooks: in which order they are called, and what it means that one raises or swallows."""

import asyncio
from types import SimpleNamespace

import pytest

from taskpy import call, errors, on
from taskpy.spec import Verdict

TASK = SimpleNamespace(id="a", args=(), kwargs={})


@pytest.fixture(autouse=True)
def no_hooks(monkeypatch):
    """No hooks but those of the test."""
    for name in ("_starts", "_stops", "_arounds"):
        monkeypatch.setattr(on, name, [])


@pytest.fixture
def seen():
    """What was called, in this order."""
    return []


@pytest.fixture(params=["plain", "coroutine"])
def run(request):
    """Run a body as a task's function, with the hooks around it; its outcome."""

    def run_plain(body):
        return call.run(lambda t: body(), TASK, on.around)

    def run_coroutine(body):
        async def function(t):
            await asyncio.sleep(0)
            return body()

        return asyncio.run(call.run_async(function, TASK, on.around))

    return {"plain": run_plain, "coroutine": run_coroutine}[request.param]


def hook_around(seen, name):
    """A hook that tells what it sees."""

    @on.task
    def hook(t):
        seen.append(f"{name} before {t.id}")
        try:
            yield
        except BaseException as error:
            seen.append(f"{name} sees {type(error).__name__}")
            raise
        seen.append(f"{name} after")

    return hook


def fail():
    raise ValueError("no")


# -- start and stop -----------------------------------------------------------------------------


def test_start_hooks_come_in_their_order_and_stop_hooks_the_other_way_round(seen):
    for number in (1, 2, 3):
        on.start(lambda number=number: seen.append(f"start {number}"))
        on.stop(lambda number=number: seen.append(f"stop {number}"))

    on.starting()
    for hook in on.stops():
        hook()

    assert seen == ["start 1", "start 2", "start 3", "stop 3", "stop 2", "stop 1"]


def test_a_start_hook_that_raises_is_the_last(seen):
    on.start(fail)
    on.start(lambda: seen.append("never"))

    with pytest.raises(ValueError, match="no"):
        on.starting()

    assert seen == []


def test_a_hook_stays_what_it_is():
    def hook():
        yield

    assert on.start(hook) is hook
    assert on.stop(hook) is hook
    assert on.task(hook) is hook


# -- around tasks -------------------------------------------------------------------------------


def test_without_hooks_nothing_is_around(run):
    outcome = run(lambda: 7)

    assert (outcome.verdict, outcome.value) == (Verdict.SUCCEEDED, 7)


def test_the_first_hook_is_the_outermost(run, seen):
    hook_around(seen, "outer")
    hook_around(seen, "inner")

    outcome = run(lambda: seen.append("function") or 7)

    assert (outcome.verdict, outcome.value) == (Verdict.SUCCEEDED, 7)
    assert seen == ["outer before a", "inner before a", "function", "inner after", "outer after"]


def test_every_run_has_the_hooks_anew(run, seen):
    hook_around(seen, "hook")

    run(lambda: None)
    run(lambda: None)

    assert seen == ["hook before a", "hook after"] * 2


def test_what_the_function_raises_is_raised_at_the_yield(run, seen):
    hook_around(seen, "outer")
    hook_around(seen, "inner")

    outcome = run(fail)

    assert (outcome.verdict, str(outcome.error)) == (Verdict.FAILED, "no")
    assert seen == ["outer before a", "inner before a", "inner sees ValueError", "outer sees ValueError"]


def test_a_stop_passes_through(run, seen):
    hook_around(seen, "hook")

    def stopped():
        raise errors.Stopped

    assert run(stopped).verdict is Verdict.STOPPED
    assert seen == ["hook before a", "hook sees Stopped"]


def test_a_hook_that_raises_before_spares_the_function(run, seen):
    hook_around(seen, "outer")

    @on.task
    def refuse(t):
        raise errors.Discard("not this one")
        yield

    outcome = run(lambda: seen.append("function"))

    assert (outcome.verdict, outcome.final) == (Verdict.FAILED, True)
    assert seen == ["outer before a", "outer sees Discard"]


def test_a_hook_that_raises_after_fails_the_task(run):
    @on.task
    def complain(t):
        yield
        raise ValueError("too late")

    outcome = run(lambda: 7)

    assert (outcome.verdict, str(outcome.error), outcome.value) == (Verdict.FAILED, "too late", None)


def test_a_hook_may_exchange_the_failure(run):
    @on.task
    def translate(t):
        try:
            yield
        except ValueError as error:
            raise errors.Retry(delay=3) from error

    outcome = run(fail)

    assert (outcome.verdict, outcome.delay) == (Verdict.RETRY, 3)


def test_a_hook_that_swallows_makes_it_a_success_without_a_value(run, seen):
    hook_around(seen, "outer")

    @on.task
    def swallow(t):
        try:
            yield
        except ValueError:
            seen.append("swallowed")

    outcome = run(fail)

    assert (outcome.verdict, outcome.value) == (Verdict.SUCCEEDED, None)
    assert seen == ["outer before a", "swallowed", "outer after"]


def test_a_hook_must_yield(run):
    @on.task
    def nothing(t):
        return
        yield

    outcome = run(lambda: 7)

    assert outcome.verdict is Verdict.FAILED
    assert "yield" in str(outcome.error)
