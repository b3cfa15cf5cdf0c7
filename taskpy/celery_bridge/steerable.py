"""`Steerable`: the base of a Celery task whose function can be talked to while it runs."""

from collections.abc import Iterator
from typing import Any

from celery import Task, states
from celery.exceptions import Ignore
from celery.utils import uuid

from taskpy import errors, naming, ops, space, spec
from taskpy.attention import Handler
from taskpy.celery_bridge import deliveries
from taskpy.celery_bridge.attempt import AloneInside, CeleryAttempt, revoked
from taskpy.celery_bridge.process import QUEUE
from taskpy.client import Client
from taskpy.inside import Inside
from taskpy.space import Space
from taskpy.spec import State

#: The attempts that run in this process, by id.
_running: dict[str, CeleryAttempt] = {}


class Steerable(Task):  # type: ignore[misc]  # celery has no types
    """A Celery task that is steered by `RemoteTask.attach(its Celery id)`, in any process on any host.

    Its function has `recv`, `send`, `sleep`, `stopped`, `ask`, `answers` and `for` of the task that it is bound to. `keep`, an
    option of `@app.task`, is how long its end stays known to taskpy, in seconds.
    """

    keep: float = spec.KEEP_SECONDS

    # -- inside, for the function ---------------------------------------------------------------

    @property
    def inside(self) -> Inside:
        """The task as every function of taskpy's receives it. Raises `WrongSide` where it does not run."""
        request = self.request_stack.top
        if request is None:
            raise errors.WrongSide(f"{self.name} does not run here; to steer it: RemoteTask.attach(its Celery id)")
        if not hasattr(request, "inside"):
            request.inside = AloneInside(request)
        inside: Inside = request.inside
        return inside

    def recv(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the next message from the inbox, waiting at most `timeout` seconds. Raises as `Inside.recv` does."""
        return self.inside.recv(block, timeout)

    def send(self, data: Any) -> None:
        """Append a message to the outbox. Never waits for a reader; the outbox keeps the last 1,000."""
        self.inside.send(data)

    def sleep(self, seconds: float) -> bool:
        """Sleep so many seconds; False as soon as a stop comes, True after the whole time."""
        return self.inside.sleep(seconds)

    def stopped(self) -> bool:
        """Whether the task was asked to stop."""
        return self.inside.stopped()

    def progress(self, done: float, total: float | None = None, note: str | None = None) -> None:
        """Say how far the task has come; see `Inside.progress`."""
        self.inside.progress(done, total, note)

    def answers(self, topic: str, handler: Handler) -> None:
        """Have `handler` answer what is asked about this topic; see `Inside.answers`."""
        self.inside.answers(topic, handler)

    def ask(self, question: Any, *, timeout: float | None = None) -> Any:
        """Ask whoever is there, and wait for the answer, at most `timeout` seconds. Raises as `Inside.ask` does."""
        return self.inside.ask(question, timeout=timeout)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.inside)

    # -- for Celery -----------------------------------------------------------------------------

    def apply_async(
        self, args: Any = None, kwargs: Any = None, task_id: str | None = None, *more: Any, **options: Any
    ) -> Any:
        """Publish the task as Celery does, and make it known to taskpy before: it can be steered from now on.

        Raises `BadName` for a `task_id` that taskpy cannot use, `AlreadyStarted` for one whose task has ended,
        `BrokerError` when Redis does not take it; then nothing was published.
        """
        if self.app.conf.task_always_eager:
            return super().apply_async(args, kwargs, task_id, *more, **options)
        id = naming.checked_id(task_id or uuid())
        here = space.default()
        run, keys = here.broker.run, here.whole("the bridge to Celery")
        known = run(deliveries.submission(keys, id, self.name, args, kwargs, wait=deliveries.wait_of(options)))
        if State(known).done:
            raise errors.AlreadyStarted(f"task {id} has {known}; publish it under another task_id")
        try:
            published = super().apply_async(args, kwargs, id, *more, **options)
        except BaseException:
            if known == State.NEW:
                run(ops.purge(keys, queue=QUEUE, ids=[id], reason="it could not be published"))
            raise
        if attempt := _running.get(id):
            attempt.comes_again()
        return published

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function: for Celery as an attempt that can be steered, called like a function just so."""
        request = self.request_stack.top
        if request is None or request.called_directly or hasattr(request, "inside"):
            return super().__call__(*args, **kwargs)
        if request.is_eager:
            return self.run(*args, **kwargs)
        worker, found = deliveries.taken(self, request)
        if isinstance(found, State):
            return self._end_of(request, worker.space, found)
        attempt = CeleryAttempt(self, request, worker, found)
        request.inside = attempt.inside
        _running[request.id] = attempt
        try:
            return attempt.run(args, kwargs)
        finally:
            if _running.get(request.id) is attempt:
                del _running[request.id]

    def _end_of(self, request: Any, space: Space, state: State) -> Any:
        """What Celery is to hear of a task that has ended: its end, unless Celery has it."""
        if state is State.STOPPED:
            raise revoked(self, request, space)
        if _has_end(self.backend, request.id):
            raise Ignore(f"it has {state} before")
        return Client.of(space).attach(request.id).get()


def _has_end(backend: Any, id: str) -> bool:
    try:
        return backend.get_state(id) in states.READY_STATES
    except NotImplementedError:  # there is no backend
        return False
