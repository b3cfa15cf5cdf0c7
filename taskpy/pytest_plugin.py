"""The pytest plugin: fixtures with a session of `taskpy.testing`. Loaded by pytest; imports nothing heavy by itself."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from taskpy.testing import Session


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "taskpy(**options): the options of taskpy.testing.session for taskpy_session and taskpy_worker"
    )


@pytest.fixture
def taskpy_session(request: pytest.FixtureRequest) -> "Iterator[Session]":
    """A server of taskpy for this test, inside the process. Tasks run when the test drains it."""
    yield from _session(request, worker=False)


@pytest.fixture
def taskpy_worker(request: pytest.FixtureRequest) -> "Iterator[Session]":
    """A server of taskpy for this test, inside the process, with a worker that runs beside the test."""
    yield from _session(request, worker=True)


def _session(request: pytest.FixtureRequest, *, worker: bool) -> "Iterator[Session]":
    from taskpy import testing  # imports redis, which most tests of most projects do not need

    marker = request.node.get_closest_marker("taskpy")
    options = dict(marker.kwargs) if marker else {}
    with testing.session(worker=worker, **options) as session:
        yield session
