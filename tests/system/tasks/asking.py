"""Tasks that ask and are asked, in the system tests. Nothing but the workers imports this."""

import os

from steered import note

from taskpy import NoAnswer, task


@task
def approve(t):
    """Ask once; in which attempt it was answered, and what."""
    note(t, "start")
    answer = t.ask({"delete": 3})
    note(t, "end")
    return [t.attempt, answer]


@task
async def approve_async(t):
    """The twin of `approve`."""
    note(t, "start")
    answer = await t.ask({"delete": 3})
    note(t, "end")
    return [t.attempt, answer]


@task(handover=True)
def approve_elsewhere(t):
    """As `approve`, for a drain."""
    note(t, "start")
    return [t.attempt, t.ask("go on?")]


@task
def approve_step_by_step(t):
    """Ask twice, with a checkpoint in between: what was answered before it is not asked again."""
    note(t, "start")
    if t.state is None:
        t.checkpoint(t.ask("go on?"))
    return [t.attempt, t.state, t.ask("go on?")]


@task
def status(t):
    """Answer by whom it is run."""
    t.answers("status", lambda: [t.attempt, os.getpid()])
    note(t, "start")
    while t.sleep(60):
        pass
    return t.attempt


@task
def gives_up(t):
    """Ask, and give up."""
    note(t, "start")
    try:
        answer = t.ask("there?", timeout=0.05)
    except NoAnswer:
        answer = "nobody"
    return [t.attempt, answer]
