"""`session`: a server inside this process, for one test. It stands for the one that the process would use."""

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from taskpy import errors, line_redis, memory, naming, settings
from taskpy import space as spaces
from taskpy.client import Client
from taskpy.remote import RemoteTask
from taskpy.space import Space
from taskpy.testing.clock import Clock
from taskpy.testing.crew import Crew
from taskpy.testing.drain import Drain
from taskpy.testing.submissions import Submissions, Submitted, Wanted

#: How many tasks run at once: one after the other in a drain, so that a test sees the same order each time.
DRAIN_CONCURRENCY = 1
WORKER_CONCURRENCY = 10


class Session:
    """A server of its own for a test, what was submitted to it, and who runs that. Made by `session`.

    `client` is a client of it, and the process's default client meanwhile; `clock` is its clock.
    """

    def __init__(self, space: Space, crew: Crew, submissions: Submissions) -> None:
        self.client = Client.of(space)
        self.clock = Clock(before=crew.outlive, after=crew.wake)
        self._crew = crew
        self._submissions = submissions
        self._draining = threading.Lock()

    def __repr__(self) -> str:
        return f"<Session on {self.url}>"

    @property
    def url(self) -> str:
        """Where the server is, for what wants a URL: `memory://...`, which only this process can reach."""
        return self.client.space.address.url

    def submitted(
        self,
        task: Any = None,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue: str | None = None,
        delay: float | None = None,
    ) -> list[Submitted]:
        """What was submitted so far, oldest first: of one task (or its name), with equal arguments and options.

        What is not given does not matter.
        """
        return self._submissions.find(Wanted(task=task, args=args, kwargs=kwargs, queue=queue, delay=delay))

    def assert_submitted(
        self,
        task: Any,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue: str | None = None,
        delay: float | None = None,
    ) -> RemoteTask[Any]:
        """Fail unless such a task was submitted; the handle of the last one. The failure lists what was."""
        __tracebackhide__ = True
        wanted = Wanted(task=task, args=args, kwargs=kwargs, queue=queue, delay=delay)
        found = self._submissions.find(wanted)
        if not found:
            raise AssertionError(f"{wanted} was not submitted. {self._submissions.listing()}")
        return self.client.attach(found[-1].id)

    def refute_submitted(
        self,
        task: Any = None,
        *,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        queue: str | None = None,
        delay: float | None = None,
    ) -> None:
        """Fail if such a task was submitted; without arguments: if any was. The failure lists what was."""
        __tracebackhide__ = True
        wanted = Wanted(task=task, args=args, kwargs=kwargs, queue=queue, delay=delay)
        if self._submissions.find(wanted):
            raise AssertionError(f"{wanted} was submitted. {self._submissions.listing()}")

    def drain(
        self,
        until: Callable[[], object] | None = None,
        *,
        max_tasks: int = 1000,
        timeout: float = 10.0,
        raise_on_failure: bool = True,
        skip_delays: bool = False,
    ) -> list[RemoteTask[Any]]:
        """Run what waits, and what that submits, until nothing is left or `until` holds; the tasks that ran.

        What is delayed runs when it is due by the session's clock; `skip_delays` moves the clock to it. The first task
        that fails for good raises its exception here. Raises `DrainTimeout` after `timeout` seconds, naming what still
        runs and where it stands; `DrainError` after `max_tasks`, or when nothing is left and `until` does not hold.
        """
        __tracebackhide__ = True
        if max_tasks < 1:
            raise errors.BadArguments(f"max_tasks must be at least 1, not {max_tasks}")
        if self._crew.works:
            raise errors.UsageError(
                "the worker of this session runs tasks by itself; wait for one: task.get(timeout=5)"
            )
        if not self._draining.acquire(blocking=False):
            raise errors.UsageError("this session is being drained already")
        try:
            drain = Drain(
                self.client,
                self._crew.duties(),
                until=until,
                skip=self._skip if skip_delays else None,
                max_tasks=max_tasks,
                timeout=timeout,
                raise_on_failure=raise_on_failure,
            )
            return drain.run()
        finally:
            self._draining.release()

    def _skip(self, seconds: float) -> None:
        self.clock.advance(seconds + 0.001)  # Redis counts milliseconds


@contextlib.contextmanager
def session(*, worker: bool = False, concurrency: int | None = None, namespace: str | None = None) -> Iterator[Session]:
    """Give this process a fresh server for a while, in its memory: to the default client, and to new clients without
    a URL.

    Nothing runs until `drain`; with `worker` a worker runs beside the test instead, in threads of this process.
    `concurrency` tasks run at once: one in a drain, 10 on a worker. `namespace` is the environment's otherwise.
    """
    url = f"memory://session-{naming.new_id()}"
    variables = {"TASKPY_REDIS_URL": url, "TASKPY_SHARDS": "1"} | ({"TASKPY_NAMESPACE": namespace} if namespace else {})
    with contextlib.ExitStack() as stack:
        stack.enter_context(settings.meanwhile(**variables))
        stack.callback(memory.set_ahead, memory.ahead())
        stack.callback(memory.forget, url)
        space = Space(url)
        stack.callback(space.close)
        stack.enter_context(spaces.default_meanwhile(space))
        crew = Crew(space, concurrency=concurrency or (WORKER_CONCURRENCY if worker else DRAIN_CONCURRENCY))
        submissions = Submissions()

        def note(id: str, namespace: str, server: str, packed: bytes) -> None:
            if namespace == space.keys.namespace and server.partition(" ")[0] == url:
                crew.serve(submissions.note(id, packed).queue)

        line_redis.observers.append(note)
        stack.callback(line_redis.observers.remove, note)
        stack.callback(crew.close)
        if worker:
            crew.start()
        yield Session(space, crew, submissions)
        for task in crew.close():
            warnings.warn(f"a task runs on after its session: {task}", ResourceWarning, stacklevel=3)
