"""Tasks that need every verb of a worker once, for the tests of crash points."""

from steered import note

from taskpy import Retry, task


@task
def adds_up(t, count):
    """Add up so many messages: each is acknowledged, stored and answered in one checkpoint."""
    note(t, "start")
    state = t.state or []
    while len(state) < count:
        state = [*state, t.recv()]
        t.checkpoint(state, send=[state[-1]])
    note(t, "end")
    return state


@task
def retries_once(t):
    """Ask for another run, once: a second attempt ends at once, whatever it is for."""
    note(t, "start")
    if t.attempt == 1:
        raise Retry(delay=0)
    note(t, "end")
    return t.attempt


@task
def is_quick(t, number):
    """Do nothing."""
    return number
