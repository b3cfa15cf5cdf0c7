"""For all tests."""

import signal


def pytest_configure() -> None:
    """Ctrl-C means what it means on a terminal: a shell that starts the tests in the background has them ignore it, and all their children with them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
