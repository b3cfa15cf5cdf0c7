"""The clock of a session: Redis's own, which decides on delays, backoffs, leases and expiry. It can be moved ahead."""

import time
from collections.abc import Callable

from taskpy import errors, memory


class Clock:
    """The clock of a session's server. Moving it moves nothing else: `time.time()` goes on as it was.

    `before` is called with the seconds that are about to pass, `after` when they have.
    """

    def __init__(self, *, before: Callable[[float], None], after: Callable[[], None]) -> None:
        self._before = before
        self._after = after

    def __repr__(self) -> str:
        return f"<Clock, {memory.ahead():g} s ahead>"

    def time(self) -> float:
        """What the clock says, as epoch seconds."""
        return time.time() + memory.ahead()

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass at once. By that alone nothing runs: what is due now runs in the next `drain`.

        A worker of the session keeps its tasks, however long that is.
        """
        if not seconds >= 0:
            raise errors.BadArguments(f"a clock goes ahead only: seconds must be at least 0, not {seconds!r}")
        self._before(seconds)
        memory.set_ahead(memory.ahead() + seconds)
        self._after()
