"""Waiting for what another thread does, with a deadline."""

import time

DEADLINE_SECONDS = 10.0


def until(condition, what):
    """Look until the condition holds; its value."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS:g} s for {what}"
        time.sleep(0.001)
    return found
