"""A later version of a task of `folding`: its states have a form of their own, and it knows no other."""

from taskpy import task


@task(name="folding.versioned", state_version=3)
def versioned(t):
    """Say what was stored by the code before this one."""
    return t.state
