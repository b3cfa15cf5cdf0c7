"""`@task`: a function with a name and options, that workers can find and anyone can submit. Still a plain function."""

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from taskpy import registry
from taskpy.checkpoint import StateForm
from taskpy.retry import Backoff
from taskpy.spec import NO_OPTIONS, Children, Conflict, Options

if TYPE_CHECKING:
    from taskpy import aio
    from taskpy.remote import RemoteTask, Submission
    from taskpy.thread import Task

P = ParamSpec("P")
R = TypeVar("R")


class PlainCall:
    """What starts a task when it is called, and so is no task itself: a function under `@controller`."""

    __wrapped__: Callable[..., Any]


class Definition(Generic[P, R]):
    """A registered task function. Calling it calls the function; pickles by name."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        options: Options | None = None,
        form: StateForm | None = None,
    ) -> None:
        _refuse_plain_call(function, "put @task below @controller, or leave it away where no worker runs it")
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name or registry.name_of(function)
        self.defaults = options or Options()
        self.form = form or StateForm()
        registry.registry.add(self.name, function, self.defaults, self.form)

    def __call__(self, task: Any, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Call the function, here and now, with whatever stands for its task."""
        return self.function(task, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<task definition {self.name}>"

    def __reduce__(self) -> str:
        return str(vars(self)["__qualname__"])

    @overload
    def submit(self, /, *args: P.args, **kwargs: P.kwargs) -> "RemoteTask[R]": ...
    @overload
    def submit(self: "Definition[[], R]", /, *args: Any, **kwargs: Any) -> "RemoteTask[R]": ...
    def submit(self, /, *args: Any, **kwargs: Any) -> "RemoteTask[R]":
        """Start it on a worker, through the process's default client; returns the handle.

        Raises `BadArguments`, `NotSendable` or `TooLarge` before anything is sent, `SubmitUncertain` when Redis does
        not answer in time.
        """
        return self.options().submit(*args, **kwargs)

    def options(self, **options: Any) -> "Submission[P, R]":
        """The same task with other options for what is submitted next: `client`, and those of `Options`."""
        from taskpy.remote import RemoteTask  # redis is only imported where something is submitted

        submission: Submission[P, R] = RemoteTask.options(**options).of(self)
        return submission


@overload
def task(function: "Callable[Concatenate[aio.Task, P], Coroutine[Any, Any, R]]", /) -> Definition[P, R]: ...
@overload
def task(function: "Callable[Concatenate[aio.Task, P], AsyncIterator[Any]]", /) -> Definition[P, None]: ...
@overload
def task(function: "Callable[Concatenate[Task[Any], P], Generator[Any, Any, R]]", /) -> Definition[P, R]: ...
@overload
def task(function: "Callable[Concatenate[Task[Any], P], Iterator[Any]]", /) -> Definition[P, Any]: ...
@overload
def task(function: "Callable[Concatenate[Task[Any], P], R]", /) -> Definition[P, R]: ...
@overload
def task(
    *,
    name: str | None = None,
    queue: str | None = None,
    retries: int | None = None,
    backoff: Backoff | float | None = None,
    restarts: int | None = None,
    keep: float | None = None,
    handover: bool | None = None,
    time_limit: float | None = None,
    key: str | None = None,
    on_conflict: Conflict | None = None,
    children: Children | None = None,
    state_version: int = 1,
    upgrade: Callable[[Any, int], Any] | None = None,
) -> "_Decorator": ...
def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    state_version: int = 1,
    upgrade: Callable[[Any, int], Any] | None = None,
    **options: Any,
) -> Any:
    """Register a function as a task, under `name` or `<module>.<qualname>`.

    `queue` is where it goes when the submitter names none; `retries` how often it is run again after a failure, each
    time after a pause of `backoff` (seconds, or a `Backoff`); `restarts` how often it is started again after its
    worker was lost (2); `keep` how long the result is kept, in seconds (an hour); `handover` says that a worker which
    shuts down may hand it to another, which begins it again. An attempt that runs longer than `time_limit` seconds is
    stopped, as by `stop(then="kill")`. `children` says what becomes of the tasks it has spawned when it ends: it counts as
    running until they have ended ("wait"), they are asked to stop ("stop"), or nothing ("leave").

    With a `key` one task of it is live in a namespace, at most: here, that makes it a task of which one runs at a time.
    `on_conflict` says what becomes of the next one: "reject" (`KeyTaken` is raised), "join" (the submitter gets a handle
    of the live one), "send" (and what was sent to the new one goes to the live one), "replace" (the live one is stopped,
    and the new one begins after its end). Both count where the task is submitted with this function, and not by its name.

    `state_version` is the version of what the task's checkpoints store. A state of another version is given to
    `upgrade(state, version)`, which returns it in the form of this one.
    """
    checked, form = Options.of(options), StateForm(state_version, upgrade)
    if function is None:
        return functools.partial(Definition[Any, Any], name=name, options=checked, form=form)
    return Definition[Any, Any](function, name=name, options=checked, form=form)


class _Decorator:
    """The type of `@task(...)`; never made."""

    @overload
    def __call__(self, f: "Callable[Concatenate[aio.Task, P], Coroutine[Any, Any, R]]", /) -> Definition[P, R]: ...
    @overload
    def __call__(self, f: "Callable[Concatenate[aio.Task, P], AsyncIterator[Any]]", /) -> Definition[P, None]: ...
    @overload
    def __call__(self, f: "Callable[Concatenate[Task[Any], P], Generator[Any, Any, R]]", /) -> Definition[P, R]: ...
    @overload
    def __call__(self, f: "Callable[Concatenate[Task[Any], P], Iterator[Any]]", /) -> Definition[P, Any]: ...
    @overload
    def __call__(self, f: "Callable[Concatenate[Task[Any], P], R]", /) -> Definition[P, R]: ...
    def __call__(self, f: Any, /) -> Any:
        """Decorate the function."""
        raise NotImplementedError


def function_of(func: Any) -> Callable[..., Any]:
    """The plain function of a task definition, or what was given."""
    if isinstance(func, Definition):
        return func.function
    if not callable(func):
        raise TypeError(f"a task needs a function, not {func!r}")
    _refuse_plain_call(func, "call it; or, to hold the task yourself, give the function that stands below @controller")
    function: Callable[..., Any] = func
    return function


def options_of(func: Any) -> Options:
    """The options that `@task` gives the function."""
    return func.defaults if isinstance(func, Definition) else NO_OPTIONS


def _refuse_plain_call(func: object, advice: str) -> None:
    if isinstance(func, PlainCall):
        name = getattr(func, "__qualname__", repr(func))
        raise TypeError(f"{name} is no task: @controller has made it a plain call, which starts one; {advice}")
