"""The places where the contract suite runs a task. A test sees one `Place`, and does not know which.

Also what the tests of this folder share: waiting for a condition, and an outside of `taskpy.aio` that threads can call.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import taskpy
from taskpy import aio, naming
from taskpy.errors import TaskEnded

#: How long anything may take that should happen at once. Far more than needed, for machines that are busy.
SOON = 20.0
#: What wakes in less than this was woken; who was not waits for the next look, after 5 seconds.
WOKEN = 4.0

#: Plain and `async def` functions, in every place; then the outside of `taskpy.aio`, on both kinds of server; and a
#: namespace that is cut into shards, from both outsides.
LOCAL = ["thread", "thread-async", "process", "process-async"]
REMOTE = ["fake", "fake-async", "real", "real-async", "aio-fake-async", "aio-real", "shards", "aio-shards-async"]
THOROUGHLY = [*LOCAL, *REMOTE]
#: All but coroutines in a child: a process takes longest, and what only the outside sees is the same for both.
EVERYWHERE = [place for place in THOROUGHLY if place != "process-async"]
#: Whose values cross a border.
CROSSING = [place for place in EVERYWHERE if "thread" not in place]
#: One of each, for what has nothing to do with how the function is defined.
PLAIN = ["thread", "process", "fake", "real"]
PLAIN_REMOTE = ["fake", "real"]


def eventually(condition: Callable[[], Any], seconds: float = SOON) -> Any:
    """Wait until the condition holds; its value."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"this never came true in {seconds:g} s"
        time.sleep(0.005)
    return found


class Loop:
    """An event loop in a thread, for the outside of `taskpy.aio`."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tests-loop", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run it there; its result here."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(3 * SOON)

    def close(self) -> None:
        """End the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(SOON)
        self._loop.close()


class Awaited:
    """A handle of `taskpy.aio` that is called like any other: each call is awaited on the loop."""

    def __init__(self, loop: Loop, task: aio.RemoteTask[Any]) -> None:
        self._loop = loop
        self.task = task

    @property
    def id(self) -> str:
        """As of the task."""
        return self.task.id

    @property
    def joined(self) -> bool:
        """As of the task."""
        return self.task.joined

    def __eq__(self, other: object) -> bool:
        return self.task == (other.task if isinstance(other, Awaited) else other)

    def __hash__(self) -> int:
        return hash(self.task)

    def __repr__(self) -> str:
        return repr(self.task)

    def __iter__(self) -> Iterator[Any]:
        return self._each(aiter(self.task))

    def stream(self, *args: Any, **kwargs: Any) -> "AwaitedStream":
        """As of the task."""
        return AwaitedStream(self._loop, self.task.stream(*args, **kwargs))

    def __enter__(self) -> "Awaited":
        assert self._loop.run(self.task.__aenter__()) is self.task
        return self

    def __exit__(self, *raised: Any) -> None:
        self._loop.run(self.task.__aexit__(*raised))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self.task, name)
        return lambda *args, **kwargs: self._loop.run(method(*args, **kwargs))

    def children(self) -> "list[Awaited]":
        """As of the task, each called like any other."""
        return [Awaited(self._loop, child) for child in self._loop.run(self.task.children())]

    @property
    def parent(self) -> "Awaited | None":
        """As of the task, asked now."""
        found = self._loop.run(self.task.parent())
        return None if found is None else Awaited(self._loop, found)

    @property
    def stop_reason(self) -> Any:
        """As of the task, asked now."""
        return self._refreshed().stop_reason

    @property
    def args(self) -> Any:
        """As of the task."""
        return self.task.args

    @property
    def kwargs(self) -> Any:
        """As of the task."""
        return self.task.kwargs

    @property
    def state(self) -> Any:
        """As of the task, asked now."""
        return self._refreshed().state

    @property
    def done(self) -> Any:
        """As of the task, asked now."""
        return self._refreshed().done

    @property
    def result(self) -> Any:
        """As of the task, asked now."""
        return self._refreshed().result

    @property
    def exception(self) -> Any:
        """As of the task, asked now."""
        return self._refreshed().exception

    @property
    def progress(self) -> Any:
        """As of the task, asked now."""
        return self._refreshed().progress

    @property
    def flags(self) -> Any:
        """As of the task, asked now."""
        return self._refreshed().flags

    def logs(self, follow: bool = False) -> Iterator[Any]:
        """As of the task."""
        return self._each(self.task.logs(follow))

    def reports(self, follow: bool = False) -> Iterator[Any]:
        """As of the task."""
        return self._each(self.task.reports(follow))

    def _each(self, items: Any) -> Iterator[Any]:
        while True:
            try:
                yield self._loop.run(_next(items))
            except StopAsyncIteration:
                return

    def _refreshed(self) -> aio.RemoteTask[Any]:
        return self._loop.run(self.task.refresh())


class AwaitedStream(Iterator[Any]):
    """A stream of `taskpy.aio` that is iterated over like any other."""

    def __init__(self, loop: Loop, stream: Any) -> None:
        self._loop = loop
        self._stream = stream

    @property
    def position(self) -> Any:
        """As of the stream."""
        return self._stream.position

    def __next__(self) -> Any:
        try:
            return self._loop.run(_next(self._stream))
        except StopAsyncIteration:
            raise StopIteration from None


async def _next(messages: Any) -> Any:
    return await anext(messages)


class Place:
    """Makes tasks in one place: `place(func, *args, **kwargs)` is a handle, not started.

    `func` is a function of `contract_tasks`; a place of `async def` functions takes its twin.
    """

    def __init__(self, name: str, make: Any, *, attach: Callable[[str], Any] | None = None) -> None:
        self.name = name
        self.make = make
        self.remote = attach is not None
        self.crosses = "thread" not in name
        self.plain = not name.endswith("async")
        self._attach = attach
        self._made: list[Any] = []

    def __call__(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        return self._keep(self.make(self.twin(func), *args, **kwargs))

    def twin(self, func: Any) -> Any:
        """The function as it is defined here."""
        if self.plain:
            return func
        return getattr(sys.modules[f"{func.function.__module__}_async"], func.function.__name__)

    def started(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A task that was started."""
        handle = self(func, *args, **kwargs)
        handle.start()
        return handle

    def begun(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A task whose function has begun, and said so; the handle has read that."""
        handle = self.started(func, *args, **kwargs)
        assert handle.recv(timeout=SOON) == "begun"
        return handle

    def options(self, **options: Any) -> "Place":
        """The same place with options; remote only."""
        place = Place(self.name, self.make.options(**options), attach=self._attach)
        place._made = self._made
        return place

    def attach(self, id: str) -> Any:
        """Another handle of the task; remote only."""
        assert self._attach is not None
        return self._keep(self._attach(id))

    def unknown_id(self) -> str:
        """An id that no task here has."""
        return naming.new_id(0 if "shards" in self.name else None)

    def clear(self) -> None:
        """Stop what still runs."""
        for handle in self._made:
            try:
                handle.stop(join=False)
            except taskpy.TaskNotFound:
                continue
        for handle in self._made:
            try:
                assert handle.stop(timeout=SOON).done, f"{handle} never ended"
            except taskpy.TaskNotFound:
                continue
        self._made.clear()  # pytest keeps the place for longer, and a handle of a process keeps its pipes

    def _keep(self, handle: Any) -> Any:
        self._made.append(handle)
        return handle


class Made:
    """How a remote place makes tasks: through a client, with options; its handles are called like any other."""

    def __init__(self, client: Any, wrap: Callable[[Any], Any] = lambda task: task, **options: Any) -> None:
        self._client = client
        self._wrap = wrap
        self._options = options

    def __call__(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        maker = self._client.options(**self._options)
        make = maker if callable(maker) else maker.task
        return self._wrap(make(func, *args, **kwargs))

    def options(self, **options: Any) -> "Made":
        """The same with options."""
        return Made(self._client, self._wrap, **self._options | options)

    def linked(self, prev: Any, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        """As `RemoteOptions.linked`."""
        return self._client.options(**self._options).linked(prev, func, *args, **kwargs)


def messages_of(handle: Any) -> list[Any]:
    """What the task sent and this handle has not read yet, to the end."""
    messages = []
    while True:
        try:
            messages.append(handle.recv(timeout=SOON))
        except TaskEnded:
            return messages
