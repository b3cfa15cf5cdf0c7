"""Steerable background tasks: run a function in a thread, a process or on any worker, and keep hold of it."""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from taskpy import aio as aio
    from taskpy import on as on
    from taskpy.client import Client as Client
    from taskpy.client import default_client as default_client
    from taskpy.client import set_default_client as set_default_client
    from taskpy.codec import register_exception as register_exception
    from taskpy.codec import register_type as register_type
    from taskpy.compose import Chain as Chain
    from taskpy.compose import Pool as Pool
    from taskpy.controllers import controller as controller
    from taskpy.controllers import redis_brpop as redis_brpop
    from taskpy.controllers import redis_pubsub as redis_pubsub
    from taskpy.controllers import wait_until_done as wait_until_done
    from taskpy.definition import task as task
    from taskpy.errors import AlreadyAnswered as AlreadyAnswered
    from taskpy.errors import AnswerFailed as AnswerFailed
    from taskpy.errors import BadArguments as BadArguments
    from taskpy.errors import BadName as BadName
    from taskpy.errors import Busy as Busy
    from taskpy.errors import Discard as Discard
    from taskpy.errors import Empty as Empty
    from taskpy.errors import Full as Full
    from taskpy.errors import InboxFull as InboxFull
    from taskpy.errors import KeyTaken as KeyTaken
    from taskpy.errors import LeaseLost as LeaseLost
    from taskpy.errors import MessagesMissed as MessagesMissed
    from taskpy.errors import NoAnswer as NoAnswer
    from taskpy.errors import NotAsked as NotAsked
    from taskpy.errors import NotSendable as NotSendable
    from taskpy.errors import NotStarted as NotStarted
    from taskpy.errors import Released as Released
    from taskpy.errors import RemoteError as RemoteError
    from taskpy.errors import Retry as Retry
    from taskpy.errors import StateVersion as StateVersion
    from taskpy.errors import Stopped as Stopped
    from taskpy.errors import SubmitUncertain as SubmitUncertain
    from taskpy.errors import TaskEnded as TaskEnded
    from taskpy.errors import TaskNotFound as TaskNotFound
    from taskpy.errors import TaskpyError as TaskpyError
    from taskpy.errors import TaskStopped as TaskStopped
    from taskpy.errors import TaskTimeout as TaskTimeout
    from taskpy.errors import TooLarge as TooLarge
    from taskpy.errors import UnknownTask as UnknownTask
    from taskpy.errors import UnknownTopic as UnknownTopic
    from taskpy.errors import Unreachable as Unreachable
    from taskpy.errors import WorkerLost as WorkerLost
    from taskpy.process import ProcessTask as ProcessTask
    from taskpy.question import Asked as Asked
    from taskpy.remote import RemoteTask as RemoteTask
    from taskpy.reported import LogLine as LogLine
    from taskpy.reported import Progress as Progress
    from taskpy.retry import Backoff as Backoff
    from taskpy.spec import Flag as Flag
    from taskpy.spec import State as State
    from taskpy.spec import StopReason as StopReason
    from taskpy.thread import Task as Task
    from taskpy.waiting import Waited as Waited
    from taskpy.waiting import as_completed as as_completed
    from taskpy.waiting import wait as wait

# Where each public name lives. They are imported at their first use: `import taskpy` costs next to nothing.
_HOMES = {
    # tasks
    "Task": "thread",
    "ProcessTask": "process",
    "RemoteTask": "remote",
    "task": "definition",
    "Client": "client",
    "default_client": "client",
    "set_default_client": "client",
    "Flag": "spec",
    "State": "spec",
    "Asked": "question",
    "StopReason": "spec",
    "Progress": "reported",
    "LogLine": "reported",
    "Backoff": "retry",
    # composition
    "controller": "controllers",
    "wait_until_done": "controllers",
    "redis_brpop": "controllers",
    "redis_pubsub": "controllers",
    "Pool": "compose",
    "Chain": "compose",
    "wait": "waiting",
    "as_completed": "waiting",
    "Waited": "waiting",
    # values
    "register_type": "codec",
    "register_exception": "codec",
    # exceptions
    "AlreadyAnswered": "errors",
    "AnswerFailed": "errors",
    "BadArguments": "errors",
    "BadName": "errors",
    "Busy": "errors",
    "InboxFull": "errors",
    "Discard": "errors",
    "Empty": "errors",
    "Full": "errors",
    "KeyTaken": "errors",
    "LeaseLost": "errors",
    "MessagesMissed": "errors",
    "NoAnswer": "errors",
    "NotAsked": "errors",
    "NotSendable": "errors",
    "NotStarted": "errors",
    "Released": "errors",
    "RemoteError": "errors",
    "Retry": "errors",
    "StateVersion": "errors",
    "Stopped": "errors",
    "SubmitUncertain": "errors",
    "TaskEnded": "errors",
    "TaskNotFound": "errors",
    "TaskpyError": "errors",
    "TaskStopped": "errors",
    "TaskTimeout": "errors",
    "TooLarge": "errors",
    "UnknownTask": "errors",
    "UnknownTopic": "errors",
    "Unreachable": "errors",
    "WorkerLost": "errors",
}

_MODULES = ("aio", "on")

__all__ = ["__version__", *_MODULES, *_HOMES]  # noqa: PLE0604 - all strings


if not TYPE_CHECKING:  # type checkers know the names above, and only those

    def __getattr__(name: str) -> Any:
        if name in _MODULES:
            return importlib.import_module(f"taskpy.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module 'taskpy' has no attribute {name!r}")
        value = getattr(importlib.import_module(f"taskpy.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
