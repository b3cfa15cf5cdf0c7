"""Waiting for a condition, with a deadline: no test here sleeps and hopes."""

import time

#: Generous: only a test that fails waits so long.
DEADLINE_SECONDS = 30.0


def until(condition, what, *, seconds=DEADLINE_SECONDS):
    """Look until the condition holds; its value. `what` is what the failure says we waited for; it may be a callable."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"waited {seconds:g} s for {what() if callable(what) else what}")
        time.sleep(0.005)
    return found
