"""The next version of a task of `folding`: its states have another form, and it knows the one before."""

from taskpy import task


@task(name="folding.versioned", state_version=2, upgrade=lambda state, version: {"was": state, "version": version})
def versioned(t):
    """Say what was stored by the code before this one."""
    return t.state
