"""Many tasks at once (`Pool`) and one after the other (`Chain`), wherever they run."""

import queue
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from taskpy.handle import Handle
from taskpy.thread import Task

if TYPE_CHECKING:
    from taskpy.process import ProcessTask
    from taskpy.remote import RemoteOptions, RemoteTask

    #: Where tasks run.
    Place = type[Task[Any] | ProcessTask[Any] | RemoteTask[Any]] | RemoteOptions


class Pool:
    """Runs a function once for each of the inputs, at most `parallel` at the same time.

    `inputs` yields `(args, kwargs)`; `receiver(t)` gets each finished task, in the thread that called `run`. `size` is
    for information only and may be None. `task` is where they run: `Task`, `ProcessTask`, `RemoteTask` or
    `RemoteTask.options(...)`.
    """

    def __init__(
        self,
        size: int | None,
        parallel: int,
        func: Any,
        inputs: Iterable[tuple[tuple[Any, ...], Mapping[str, Any]]],
        receiver: Callable[[Handle[Any]], Any],
        *,
        task: "Place" = Task,
    ) -> None:
        if parallel < 1:
            raise ValueError(f"parallel must be at least 1, not {parallel}")
        self.size = size
        self._parallel = parallel
        self._func = func
        self._inputs = inputs
        self._receiver = receiver
        self._place = task

    def run(self) -> None:
        """Run all; returns when the last task has been received. What `inputs` or the receiver raises stops the rest."""
        finished: queue.SimpleQueue[tuple[Handle[Any], Exception | None]] = queue.SimpleQueue()
        running: set[Handle[Any]] = set()

        def wait_for(task: Handle[Any]) -> None:
            error: Exception | None = None
            try:
                task.wait()
            except Exception as raised:  # whatever it is, run() raises it in its own thread
                error = raised
            finished.put((task, error))

        def receive_one() -> None:
            task, error = finished.get()
            if error is not None:
                raise error
            running.discard(task)
            self._receiver(task)

        with ThreadPoolExecutor(self._parallel, thread_name_prefix="taskpy-pool") as waiters:
            try:
                for args, kwargs in self._inputs:
                    if len(running) >= self._parallel:
                        receive_one()
                    task: Handle[Any] = self._place(self._func, *args, **kwargs)
                    task.start()
                    running.add(task)
                    waiters.submit(wait_for, task)
                while running:
                    receive_one()
            finally:
                for task in running:
                    task.stop(join=False)


class Chain:
    """Runs a function `size` times, each time with the output of the last as `t.prev`; the first one sees `feed`."""

    def __init__(self, size: int, func: Any, feed: Any, *, task: "Place" = Task) -> None:
        self._size = size
        self._func = func
        self._feed = feed
        self._place = task

    def run(self) -> Any:
        """Run all and return the last output; the first failure is raised and ends the chain."""
        output = self._feed
        for _ in range(self._size):
            task = self._place.linked(output, self._func)
            task.start()
            try:
                output = task.get()
            finally:
                task.stop(join=False)
        return output
