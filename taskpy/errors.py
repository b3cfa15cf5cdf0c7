"""Every exception of taskpy. The docstring of a class is its message when none is given.

TaskpyError(Exception)          what an `except TaskpyError` of yours should catch
├── SpecError                   this cannot be sent as a task
│   ├── BadArguments            the function does not take these arguments      (also TypeError)
│   ├── NotSendable             a value has no form outside this process        (also TypeError)
│   ├── TooLarge                a spec, message, result or state over its limit (also ValueError)
│   └── BadName                 a function that cannot be found by its name     (also ValueError)
├── WireError                   this cannot be read
│   ├── Malformed               bytes that taskpy did not write
│   ├── NewerVersion            written by a newer taskpy
│   └── StateVersion            a checkpoint in a form that the task does not know
├── BrokerError                 Redis refused, or is away
│   ├── Unreachable             no answer within the time allowed               (also ConnectionError)
│   │   └── Uncertain           ... so it may have been carried out, or not
│   │       └── SubmitUncertain ... by id: submit it again, it is stored once
│   ├── Busy                    Redis has no room; try again later
│   ├── Refused                 Redis said no, and will say so again
│   └── Incompatible            the namespace belongs to other settings or a newer taskpy
├── ServerError                 no local server could be found or started
├── UsageError                  the right call on the wrong thing               (also RuntimeError)
│   ├── WrongSide               a call for the inside, made outside, or the other way round
│   ├── NotStarted              wait, get or recv before start
│   ├── AlreadyStarted          start, after start or stop
│   ├── KeyTaken                another live task has the key; .id is its id
│   ├── InboxFull               recv, when it would wait for ever, for nobody can send
│   ├── NotAsked                answer() to a task that asks nothing (any more)
│   └── Forked                  a local handle, used after fork
├── TaskNotFound                no task has this id (any more)                  (also LookupError)
├── TaskEnded                   the task has ended; .state says how
├── TaskStopped                 get() of a stopped task
├── TaskTimeout                 get() waited long enough                        (also TimeoutError)
├── Empty                       no message in time                              (also queue.Empty)
├── Full                        no room in the inbox in time                    (also queue.Full)
├── UnknownTopic                ask() about what the task has no answer to          (also LookupError)
├── AnswerFailed                ask(), and the task's handler failed; see its __cause__
├── NoAnswer                    ask() waited long enough                        (also TimeoutError)
├── AlreadyAnswered             answer() came second; .by says whose was the first
├── MessagesMissed              the reader came too late; .count messages are gone
├── RemoteError                 a task's exception that is not rebuilt here
├── WorkerLost                  its worker was lost, too often to try again
└── UnknownTask                 no worker knows the task's name

TaskSignal(BaseException)       inside a task; `except Exception` does not swallow these
├── Stopped                     the task was asked to stop; ends it as stopped
├── Released                    the task goes back to its queue; another worker begins it again
├── LeaseLost                   another worker owns the task now; nothing it does counts any more
├── Retry                       raised by the task: run me again
└── Discard                     raised by the task: failed, do not run me again
"""

import queue


class _DocstringMessage:
    """Takes the first line of the class's docstring as the message when none is given."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(args or (_first_line(type(self).__doc__),)))


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0]


class TaskpyError(_DocstringMessage, Exception):
    """Something taskpy could not do."""


# -- this cannot be sent ------------------------------------------------------------------------


class SpecError(TaskpyError):
    """This cannot be sent as a task."""


class BadArguments(SpecError, TypeError):
    """The function does not take these arguments."""


class NotSendable(SpecError, TypeError):
    """A value cannot leave this process; register its type with taskpy.register_type."""


class TooLarge(SpecError, ValueError):
    """This is larger than taskpy sends; keep the data elsewhere and send where it is."""


class BadName(SpecError, ValueError):
    """This function cannot be found by its name from another process."""


# -- this cannot be read ------------------------------------------------------------------------


class WireError(TaskpyError):
    """Data from another process cannot be read."""


class Malformed(WireError):
    """These bytes were not written by taskpy."""


class NewerVersion(WireError):
    """This was written by a newer taskpy; upgrade this process."""


class StateVersion(WireError):
    """The checkpoint was written in another version of the task's state; give @task(upgrade=...)."""


# -- Redis --------------------------------------------------------------------------------------


class BrokerError(TaskpyError):
    """Redis could not do what was asked."""


class Unreachable(BrokerError, ConnectionError):
    """Redis does not answer."""


class Uncertain(Unreachable):
    """Redis stopped answering; the call may have been carried out, or not."""


class SubmitUncertain(Uncertain):
    """Redis stopped answering; the task may have been accepted, or not. Submit it again: it is stored once."""

    def __init__(self, id: str, message: str | None = None) -> None:
        super().__init__(*((message,) if message else ()))
        self.id = id

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.id, str(self)))


class Busy(BrokerError):
    """Redis has no room for this now; try again later, or give it more memory or disk."""


class Refused(BrokerError):
    """Redis refused this call."""


class Incompatible(BrokerError):
    """This namespace is used with other settings, or by a newer taskpy."""


class ServerError(TaskpyError):
    """No local Redis or Valkey server could be started."""


# -- the right call on the wrong thing ----------------------------------------------------------


class UsageError(TaskpyError, RuntimeError):
    """This cannot be done here."""


class WrongSide(UsageError):
    """This belongs to the other side of the task."""


class NotStarted(UsageError):
    """The task has not been started; call start() first."""


class AlreadyStarted(UsageError):
    """The task was started or stopped before; make a new one."""


class KeyTaken(UsageError):
    """Another live task has this key; attach to it, or say on_conflict=."""

    def __init__(self, id: str, message: str | None = None) -> None:
        super().__init__(*((message,) if message else ()))
        self.id = id

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.id, str(self)))


class InboxFull(UsageError):
    """The inbox is full, and nobody can send: take from its other inboxes, or call t.checkpoint()."""


class NotAsked(UsageError):
    """The task asks nothing, or not this any more."""


class Forked(UsageError):
    """This task lives in the process that made it; a handle of it does not survive a fork."""


# -- what a handle says of its task -------------------------------------------------------------


class TaskNotFound(TaskpyError, LookupError):
    """No task has this id: it never existed, or its result has expired."""


class TaskEnded(TaskpyError):
    """The task has ended."""

    def __init__(self, state: str, message: str | None = None) -> None:
        super().__init__(message or f"the task has ended ({state})")
        self.state = state

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.state, str(self)))


class TaskStopped(TaskpyError):
    """The task was stopped before it had a result."""


class TaskTimeout(TaskpyError, TimeoutError):
    """The task did not end in the time given; it goes on."""


class Empty(TaskpyError, queue.Empty):
    """No message came in the time given."""


class Full(TaskpyError, queue.Full):
    """The task's inbox stayed full for the time given."""


class UnknownTopic(TaskpyError, LookupError):
    """The task has no answer to this; it registers one with t.answers(topic, function)."""


class AnswerFailed(TaskpyError):
    """The function with which the task answers has failed; the task goes on."""


class NoAnswer(TaskpyError, TimeoutError):
    """No answer came in the time given."""


class AlreadyAnswered(TaskpyError):
    """Somebody else has answered first."""

    def __init__(self, by: str = "") -> None:
        super().__init__(f"the question was answered before, by {by or 'somebody'}; the first answer counts")
        self.by = by

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.by,))


class MessagesMissed(TaskpyError):
    """The outbox keeps the last messages only, and this reader came too late for some."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} messages were dropped before they were read; the next recv() goes on after them")
        self.count = count

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.count,))


class RemoteError(TaskpyError):
    """An exception of a task that this process does not rebuild.

    `type_name` is the exception's class by name, `text` its message, `traceback` the traceback as text.
    """

    def __init__(self, type_name: str, text: str = "", traceback: str = "") -> None:
        super().__init__(f"{type_name}: {text}" if text else type_name)
        self.type_name = type_name
        self.text = text
        self.traceback = traceback

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.type_name, self.text, self.traceback))


class WorkerLost(TaskpyError):
    """The process that ran the task was lost."""


class UnknownTask(TaskpyError):
    """No worker knows a task of this name; start one with the module that defines it."""


# -- inside a task ------------------------------------------------------------------------------


class TaskSignal(_DocstringMessage, BaseException):
    """A wish or an order that unwinds a task; not an error, so `except Exception` lets it pass."""


class Stopped(TaskSignal):
    """The task was asked to stop."""


class Released(TaskSignal):
    """The task goes back to its queue."""


class LeaseLost(TaskSignal):
    """Another worker owns this task now."""


class Retry(TaskSignal):
    """The task asks to be run again.

    `delay` is in seconds; without it the task's backoff decides. Raises `BadArguments` for one that is no such number.
    """

    def __init__(self, *args: object, delay: float | None = None) -> None:
        super().__init__(*args)
        if delay is not None and not (isinstance(delay, int | float) and 0 <= delay < float("inf")):
            raise BadArguments(f"delay must be a number of seconds of at least 0, not {delay!r}")
        self.delay = delay


class Discard(TaskSignal):
    """The task failed, and asks not to be run again."""
