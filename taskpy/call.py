"""Calling a task's function, in every place the same way: which arguments it takes, and what its end means."""

import contextlib
import inspect
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, cast

from taskpy import errors, logs
from taskpy.interrupt import CoroutineInterrupt, ThreadInterrupt
from taskpy.spec import Outcome, Verdict

Function = Callable[..., Any]

#: What is noted of a task that was called stopped while its function goes on.
STILL_RUNS = "its function did not end, and still runs"
#: ... and of one that had only waited for its children.
CHILDREN_RUN = "its children had not ended"
Around = Callable[[Any], contextlib.AbstractContextManager[Any]]


def is_async(function: Function) -> bool:
    """Whether the function is an `async def`, with or without `yield`."""
    return _form_of(function).is_async


def check_arguments(function: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise `BadArguments` when the function cannot be called with its task and these arguments."""
    form = _form_of(function)
    shape = (len(args), *kwargs)
    if form.signature is None or form.takes_task_alone or shape in form.fitting:
        return
    try:
        form.signature.bind(None, *args, **kwargs)
    except TypeError as error:
        name = getattr(function, "__qualname__", repr(function))
        raise errors.BadArguments(
            f"{name}{form.signature} cannot be called with its task and {_shown(args, kwargs)}: {error}"
        ) from None
    if len(form.fitting) < FITTING_LIMIT:
        form.fitting.add(shape)


def invoke(function: Function, task: Any) -> Any:
    """Call the function with its task, and with the task's arguments when its signature takes them."""
    if _form_of(function).takes_task_alone:
        return function(task)
    return function(task, *task.args, **task.kwargs)


def run(
    function: Function,
    task: Any,
    around: Around = contextlib.nullcontext,
    *,
    interrupt: ThreadInterrupt | None = None,
) -> Outcome:
    """Run the function to its end in this thread, with what is to be done `around` it.

    What a generator function yields is sent; what it returns is the value.
    """
    interrupt = interrupt or ThreadInterrupt()
    try:
        with interrupt, logs.captured(task), around(task):
            value = invoke(function, task)
            return Outcome(Verdict.SUCCEEDED, _streamed(value, task) if _form_of(function).is_stream else value)
    except BaseException as error:  # whatever a task raises is its outcome, never ours
        interrupt.close()
        return _came_of(error, task)
    return Outcome(Verdict.SUCCEEDED)  # what is around it has caught what it raised


async def run_async(
    function: Function,
    task: Any,
    around: Around = contextlib.nullcontext,
    *,
    interrupt: CoroutineInterrupt | None = None,
) -> Outcome:
    """Run the coroutine function to its end on this event loop, with what is to be done `around` it.

    What an asynchronous generator function yields is sent.
    """
    interrupt = interrupt or CoroutineInterrupt()
    try:
        interrupt.enter()
        with logs.captured(task), around(task):
            value = invoke(function, task)
            work = _streamed_async(value, task) if _form_of(function).is_async_stream else value
            return Outcome(Verdict.SUCCEEDED, await cast("Awaitable[Any]", work))
    except BaseException as error:  # whatever a task raises is its outcome, never ours
        struck = interrupt.struck and type(error).__name__ == "CancelledError"
        return Outcome(Verdict.STOPPED) if struck else _came_of(error, task)
    return Outcome(Verdict.SUCCEEDED)  # what is around it has caught what it raised


def _streamed(generator: Generator[Any, None, Any], task: Any) -> Any:
    try:
        message = next(generator)
        while True:
            try:
                task.pour(message)
            except BaseException as error:  # the function sees it at its `yield`, as it would at a `send`
                message = generator.throw(error)
            else:
                message = next(generator)
    except StopIteration as end:
        return end.value
    finally:
        generator.close()
        task.flush()


async def _streamed_async(generator: AsyncGenerator[Any, None], task: Any) -> None:
    try:
        message = await anext(generator)
        while True:
            try:
                await task.pour(message)
            except BaseException as error:  # the function sees it at its `yield`, as it would at a `send`
                message = await generator.athrow(error)
            else:
                message = await anext(generator)
    except StopAsyncIteration:
        return
    finally:
        await generator.aclose()
        await task.flush()


def _came_of(error: BaseException, task: Any) -> Outcome:
    # Who waits for a child when the tree is stopped is told by the child; it was stopped itself, and has not failed.
    ended = isinstance(error, errors.TaskStopped) or (isinstance(error, errors.TaskEnded) and error.state == "stopped")
    return Outcome(Verdict.STOPPED) if ended and task.stop_reason is not None else outcome_of(error)


def outcome_of(error: BaseException) -> Outcome:
    """What it means that a task's function ended by this exception."""
    match error:
        case errors.Stopped():
            return Outcome(Verdict.STOPPED)
        case errors.Released():
            return Outcome(Verdict.RELEASED, error=error)
        case errors.LeaseLost():
            return Outcome(Verdict.LOST, error=error)
        case errors.Retry():
            return Outcome(Verdict.RETRY, error=error, delay=error.delay)
        case errors.Discard() | errors.BadArguments():
            return Outcome(Verdict.FAILED, error=error, final=True)
    return Outcome(Verdict.FAILED, error=error)


#: How many ways of calling a function are remembered.
FITTING_LIMIT = 100


@dataclass(slots=True)
class _Form:
    """What a function looks like from outside, and ways of calling it that fit: numbers of arguments, and keywords."""

    signature: inspect.Signature | None
    takes_task_alone: bool
    is_async: bool
    is_stream: bool
    is_async_stream: bool
    fitting: set[tuple[Any, ...]] = field(default_factory=set)

    @classmethod
    def of(cls, function: Function) -> Self:
        """Look at a function."""
        signature = _found_signature(function)
        called = getattr(function, "__call__", None)  # noqa: B004 - an object may have such a __call__
        streams = inspect.isasyncgenfunction(function)
        return cls(
            signature,
            takes_task_alone=signature is not None and _takes_task_alone(signature),
            is_async=streams or any(map(inspect.iscoroutinefunction, (function, called))),
            is_stream=inspect.isgeneratorfunction(function),
            is_async_stream=streams,
        )


#: To look is slow. By their `id`, with a weak reference: a closure must not live on because it was a task once.
_forms: "dict[int, tuple[weakref.ref[Any], _Form]]" = {}


def _form_of(function: Function) -> _Form:
    key = id(function)
    known = _forms.get(key)
    if known is not None and known[0]() is function:
        return known[1]
    form = _Form.of(function)
    with contextlib.suppress(TypeError):  # some objects cannot be referred to weakly, and are looked at each time
        _forms[key] = weakref.ref(function, lambda gone: _forget(key, gone)), form
    return form


def _forget(key: int, gone: "weakref.ref[Any]") -> None:
    if (known := _forms.get(key)) is not None and known[0] is gone:  # else: another function has the place by now
        del _forms[key]


def _found_signature(function: Function) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none; Python will check the call itself
        return None


def _takes_task_alone(signature: inspect.Signature) -> bool:
    parameters = list(signature.parameters.values())
    return len(parameters) == 1 and parameters[0].kind in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    )


def _shown(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    # Names and counts only: values may be secret, or long.
    parts = [f"{len(args)} positional argument{'s' * (len(args) != 1)}"]
    if kwargs:
        parts.append(f"keywords {', '.join(kwargs)}")
    return " and ".join(parts)
