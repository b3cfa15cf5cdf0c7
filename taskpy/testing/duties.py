"""A worker without threads of its own: its duties, which a drain turns one by one. The code is the real worker's."""

import contextlib
from collections.abc import Iterable, Iterator

from taskpy_worker.attempt import Attempt
from taskpy_worker.claimer import Claimer
from taskpy_worker.config import WorkerConfig
from taskpy_worker.executor import Executor
from taskpy_worker.listener import Listener
from taskpy_worker.promoter import Promoter
from taskpy_worker.recoverer import Recoverer
from taskpy_worker.reporter import Reporter
from taskpy_worker.settler import Settler

from taskpy import ops, pages
from taskpy.space import Space
from taskpy.spec import Outcome

#: How long a turn waits for what another thread is about to bring, in seconds.
TURN_SECONDS = 0.02


class RememberingSettler(Settler):
    """Keeps the exceptions themselves, with their tracebacks, beside what goes to Redis of them."""

    def __init__(self, space: Space, wid: str) -> None:
        super().__init__(space, wid)
        self.errors: dict[str, BaseException] = {}

    def settle_here(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take the outcome of an attempt: what Redis is told of, and when, is up to the drain."""
        self.settle(attempt, outcome)

    @contextlib.contextmanager
    def carrying(self) -> Iterator[None]:
        """Take nothing along, for the same reason."""
        yield

    def settle(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take the outcome of an attempt."""
        self.errors.pop(attempt.id, None)  # of an earlier attempt
        if outcome.error is not None:
            self.errors[attempt.id] = outcome.error
        super().settle(attempt, outcome)


class Duties:
    """The duties of one worker that has joined, to be turned by hand."""

    def __init__(self, space: Space, config: WorkerConfig, *, wid: str, lease: float) -> None:
        self._space = space
        space.broker.run(ops.join(space.keys, wid=wid, lease=lease))
        self.settler = RememberingSettler(space, wid)
        self.executor = Executor(config, space, wid, self.settler)
        self._reporter = Reporter(space, executor=self.executor, settler=self.settler)
        self._claimer = Claimer(config, space, wid, self.executor, self.settler, ahead=False)
        self._promoter = Promoter(space, lease, Recoverer(space, lease))
        self._listener = Listener(space, wid, self.executor)
        self._listener.start()

    def promote(self) -> float | None:
        """Do all that is due; seconds until something else will be, None when nothing is delayed."""
        while (soon := self._promoter.tick()) == 0.0:
            pass
        return soon

    def waiting(self) -> dict[str, int]:
        """How many ids wait in each queue that is not empty, nor paused."""
        run, keys = self._space.broker.run, self._space.keys
        sizes = run(pages.queue_sizes(keys, queues=names)) if (names := run(pages.queues(keys))) else {}
        paused = run(pages.paused(keys)) if any(sizes.values()) else {}
        return {queue: size for queue, size in sorted(sizes.items()) if size and queue not in paused}

    def claim(self, queues: Iterable[str]) -> list[str]:
        """Begin what waits in these queues, as far as there is room; the ids of what began."""
        before = self.executor.held()
        self._claimer.serve(queues)
        self._claimer.tick(TURN_SECONDS)
        return [id for id in self.executor.held() if id not in before]

    def settle(self, seconds: float) -> list[str]:
        """Wait at most so long for something that runs to end, and tell Redis; the ids of what has ended."""
        before = self.executor.held()
        self.executor.enforcer.tick()
        self._reporter.tick(0)
        self.executor.guardian.tick()
        self.settler.tick(min(seconds, TURN_SECONDS))
        after = self.executor.held()
        return [id for id in before if id not in after]

    def close(self) -> None:
        """Begin nothing more, and fence what still runs."""
        self._claimer.pause()
        self.executor.end()
        self._listener.stop()
