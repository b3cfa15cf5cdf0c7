"""`controller`: turns a task function into a plain blocking call, steered by a function while it runs.

`wait_until_done`, `redis_brpop` and `redis_pubsub` are such functions; any `ctrl(t, ...)` of yours is one too.
"""

import contextlib
import functools
import inspect
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from taskpy import errors, retry, space
from taskpy.definition import PlainCall
from taskpy.handle import Handle
from taskpy.thread import Task

if TYPE_CHECKING:
    from taskpy.compose import Place

P = ParamSpec("P")

Controller = Callable[Concatenate[Handle[Any], P], Any]


def controller(ctrl: Controller[P], *args: P.args, **kwargs: P.kwargs) -> "Callable[[Callable[..., Any]], Controlled]":
    """Decorate a task function: a call of it starts the task, runs `ctrl(t, *args, **kwargs)`, and stops the task.

    The call returns the task's result or raises its exception. The controller begins when the task is running; what it
    raises itself stops the task and is raised.
    """

    def decorate(func: Callable[..., Any]) -> Controlled:
        return Controlled(func, lambda t: ctrl(t, *args, **kwargs), Task)

    return decorate


class Controlled(PlainCall):
    """A task function as a plain call, with the controller that steers it."""

    def __init__(self, func: Callable[..., Any], steer: Callable[[Handle[Any]], Any], place: "Place") -> None:
        functools.update_wrapper(self, func)
        self._func = func
        self._steer = steer
        self._place = place

    def using(self, place: "Place") -> "Controlled":
        """The same, run elsewhere: `ProcessTask`, `RemoteTask`, or `RemoteTask.options(...)`."""
        return Controlled(self._func, self._steer, place)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run the task under its controller; returns its result or raises its exception."""
        task = self._place(self._func, *args, **kwargs)
        task.start()
        try:
            task.wait_begun()
            self._steer(task)
        finally:
            task.stop()
        return task.get()


# Celery asks the callers of a task for all that the signature of its `__call__` names, which would be `self`, too.
setattr(Controlled.__call__, "__signature__", inspect.signature(lambda *_, **__: None))  # noqa: B010 - for mypy


def wait_until_done(t: Handle[Any], poll_every: float = 0.1) -> None:
    """Control a task by waiting for its end. `poll_every` is kept from task.py; nothing is polled."""
    del poll_every
    t.wait()


def redis_brpop(t: Handle[Any], key: str, timeout: float = 1) -> None:
    """Control a task by a Redis list: each item popped from `key` is sent to it as `(key, value)`, str and bytes.

    The list is one of the default client's server, and `key` its full name. An item that cannot be delivered is pushed
    back: where the task has ended, and where it is too large for a message, which raises `TooLarge`. `timeout`, in
    seconds, is how long one BRPOP waits, and so how late the end of the task may be noticed.
    """
    broker = space.default().broker
    failures = 0
    while not t.done:
        try:
            item = broker.pop([key], timeout)
            failures = 0
        except errors.Unreachable:
            failures += 1
            time.sleep(retry.reconnect_delay(failures))
            continue
        if item is None:
            continue
        try:
            t.send(item)
        except errors.TaskEnded:
            broker.command("RPUSH", key, item[1])
            return
        except errors.Uncertain:
            raise  # it may have arrived: to push it back could deliver it twice
        except BaseException:
            broker.command("RPUSH", key, item[1])
            raise


def redis_pubsub(t: Handle[Any], channel: str) -> None:
    """Control a task by a Redis channel: each message on it is sent to the task, as redis-py's message dict.

    The channel is one of the default client's server, and its full name. Ends with the task.
    """
    subscriber = space.default().broker.subscriber
    messages: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def end_with_task() -> None:
        with contextlib.suppress(errors.TaskpyError):  # who asks for the result meets it too
            t.wait()
        messages.put(None)

    subscriber.listen(channel, messages.put)
    threading.Thread(target=end_with_task, name="taskpy-pubsub-end", daemon=True).start()
    try:
        for data in iter(messages.get, None):
            t.send({"type": "message", "pattern": None, "channel": channel.encode(), "data": data})
    except errors.TaskEnded:
        return
    finally:
        subscriber.unlisten(channel, messages.put)
