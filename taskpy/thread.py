"""`Task`: a function in a thread of this process. An `async def` function runs on one event loop beside them."""

import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, overload

from taskpy import call, eventloop, life, naming
from taskpy.definition import Definition, function_of, options_of
from taskpy.handle import LocalHandle
from taskpy.inside import Inside
from taskpy.inside_flows import Run
from taskpy.interrupt import CoroutineInterrupt, Interrupt, ThreadInterrupt
from taskpy.line import LocalLine
from taskpy.mailbox import Inbox, LocalMailbox
from taskpy.question import Question
from taskpy.spawning import LocalSpawner
from taskpy.spec import MISSING, Outcome, Verdict, Wish

if TYPE_CHECKING:
    import asyncio

    from typing_extensions import TypeVar

    from taskpy import aio

    R = TypeVar("R", default=Any)  # so that `def f(t: Task)` needs no brackets
else:
    from typing import TypeVar

    R = TypeVar("R")

P = ParamSpec("P")


class ThreadLine(LocalLine):
    """The line to a task in a thread, or on the local event loop, of this process."""

    def __init__(self) -> None:
        super().__init__()
        self._over = threading.Event()
        self.mailbox = LocalMailbox(
            Inbox(),
            taken=self.taken,
            posted=self.posted,
            ask=self.wish,
            reports=self.reports,
            listening=self.counter,
        )
        self.interrupt: Interrupt | None = None

    def ask_stop(self, wish: Wish) -> None:
        """Pass the wish to stop on to the inside."""
        self.mailbox.stop(wish)

    def deliver(self, data: Any, inbox: str | None) -> int | None:
        """Pass a message on to the inside; its number, or None when there is no room."""
        return self.mailbox.deliver(data, inbox)

    def put(self, question: Question) -> None:
        """Pass a question on to the inside."""
        self.mailbox.desk.put(question)

    def forget(self, number: int) -> None:
        """Tell the inside that nobody waits for the answer to this question."""
        self.mailbox.desk.forget(number)

    def tell(self, number: int, value: Any) -> None:
        """Pass the answer to a question of the task on to the inside."""
        self.mailbox.desk.answered(number, value)

    def ask_pause(self, pausing: bool, wish: int) -> None:
        """Pass the wish to pause, or to go on, on to the inside."""
        self.mailbox.desk.pause(pausing, wish)

    def strike(self) -> None:
        """Raise `Stopped` inside the function."""
        if self.interrupt is not None:
            self.interrupt.strike()

    def ended(self, outcome: Outcome) -> None:
        """Note how the function came out."""
        super().ended(outcome)
        self._over.set()

    def join(self, timeout: float) -> bool:
        """Wait for the end of the thread's work."""
        return self._over.wait(timeout)

    def kill(self) -> None:
        """Call the task stopped, whatever it still does: a thread cannot be ended by force."""
        note = call.CHILDREN_RUN if self.family.awaited else call.STILL_RUNS
        super().ended(Outcome(Verdict.STOPPED, note=note))
        self.mailbox.lose()


class Task(LocalHandle[R]):
    """A function that runs in a thread of this process, and a handle of it.

    The function receives its task, and the arguments when its signature takes them. Raises `BadArguments` when it
    cannot be called with them.
    """

    @overload
    def __init__(self, func: Definition[P, R], /, *args: P.args, **kwargs: P.kwargs) -> None: ...
    @overload
    def __init__(self, func: Definition[[], R], /, *args: Any, **kwargs: Any) -> None: ...
    @overload
    def __init__(
        self,
        func: "Callable[Concatenate[aio.Task, P], Coroutine[Any, Any, R]]",
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None: ...
    @overload
    def __init__(self, func: "Callable[[aio.Task], Coroutine[Any, Any, R]]", /, *args: Any, **kwargs: Any) -> None: ...
    @overload
    def __init__(
        self, func: "Callable[Concatenate[Task[Any], P], R]", /, *args: P.args, **kwargs: P.kwargs
    ) -> None: ...
    @overload
    def __init__(self, func: "Callable[[Task[Any]], R]", /, *args: Any, **kwargs: Any) -> None: ...
    def __init__(self, func: Any, /, *args: Any, **kwargs: Any) -> None:
        self._function = function_of(func)
        call.check_arguments(self._function, args, kwargs)
        self._thread_line = ThreadLine()
        super().__init__(naming.new_id(), self._thread_line, args=args, kwargs=kwargs, begin=self._run)
        self.take_options(options_of(func))
        self._prev: Any = MISSING

    @classmethod
    def linked(cls, prev: Any, func: Any, /, *args: Any, **kwargs: Any) -> "Task[Any]":
        """Make a task that sees `prev` as `t.prev`: a link of a `Chain`."""
        made = cls(func, *args, **kwargs)
        made._prev = prev
        return made

    def _run(self) -> None:
        life.track(self._thread_line)
        run = Run(id=self.id, args=self.args, kwargs=self.kwargs, prev=self._prev, token=f"{self.id}.1")
        run.spawner = lambda: LocalSpawner(self._thread_line.family, Task, self)
        self._thread_line.limit(self._limit)
        if call.is_async(self._function):
            self._run_on_loop(run)
        else:
            self._thread_line.interrupt = interrupt = ThreadInterrupt()
            arguments, name = (run, interrupt), f"taskpy-{self.id}"
            threading.Thread(target=self._run_here, args=arguments, name=name, daemon=True).start()

    def _run_here(self, run: Run, interrupt: ThreadInterrupt) -> None:
        line = self._thread_line
        inside = Inside(run, line.mailbox, shield=interrupt.shield)
        line.came_out(call.run(self._function, inside, interrupt=interrupt))

    def _run_on_loop(self, run: Run) -> None:
        from taskpy import inside_aio  # asyncio is only imported where a coroutine is used

        def done(task: "asyncio.Task[Outcome]") -> None:
            inside.ended()
            self._thread_line.came_out(eventloop.outcome_in(task))

        line = self._thread_line
        line.interrupt = interrupt = CoroutineInterrupt()
        inside = inside_aio.Task(run, line.mailbox)
        eventloop.local.spawn(call.run_async(self._function, inside, interrupt=interrupt), done)


# The object that a function receives is a Task too, without being built like a handle.
Task.register(Inside)
