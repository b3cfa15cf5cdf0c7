"""The task functions of the contract suite, as plain functions; `contract_tasks_async` has a twin of each.

A module of its own, on pytest's `pythonpath`, so that child processes and worker daemons can import it too.
"""

import builtins
import contextvars
import logging
import os
import queue
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import taskpy
from taskpy import task

#: How long a task waits for its gate before it gives up.
GATE_SECONDS = 30.0


@dataclass(frozen=True)
class Point:
    """A type that is registered, wherever this module is imported."""

    x: int
    y: int


class Stranger:
    """A type that only the process registers that runs `give_stranger`."""


class KnownError(Exception):
    """An exception that is registered."""


class UnknownError(Exception):
    """An exception that is not registered."""


taskpy.register_type(Point, encode=lambda point: [point.x, point.y], decode=lambda parts: Point(*parts))
taskpy.register_exception(KnownError)


def is_open(gate):
    """Whether a test has opened the gate, a file."""
    return Path(gate).exists()


def wait_for(gate):
    """Wait for the gate, whatever the task is asked."""
    deadline = time.monotonic() + GATE_SECONDS
    while not is_open(gate):
        if time.monotonic() > deadline:
            raise TimeoutError(gate)
        time.sleep(0.005)


# -- values -------------------------------------------------------------------------------------


@task
def give(t, value=None):
    return value


@task
def give_all(t, *args, **kwargs):
    return [args, kwargs]


@task
def alone(t):
    return [t.args, dict(t.kwargs)]


@task
def strict(t, a, b=2, *, c=3):
    return [a, b, c]


@task
def unsendable(t):
    return {"model": object()}


@task
def send_unsendable(t):
    t.send([1, object()])


@task
def give_stranger(t):
    taskpy.register_type(Stranger, encode=lambda stranger: None, decode=lambda nothing: Stranger())
    t.send("before")
    t.send(Stranger())
    t.send("after")
    return Stranger()


@task
def facts(t, *args, **kwargs):
    return {
        "id": t.id,
        "args": t.args,
        "kwargs": dict(t.kwargs),
        "attempt": t.attempt,
        "token": t.token,
        "draining": t.draining,
        "stopped": t.stopped(),
        "state": str(t.state),
        "done": t.done,
        "result": t.result,
        "exception": t.exception,
        "has prev": hasattr(t, "prev"),
        "is a task": isinstance(t, taskpy.Task),
        "equal": t == t and hash(t) == hash(t.id),  # noqa: PLR0124 - the point
        "pid": os.getpid(),
    }


# -- stopping -----------------------------------------------------------------------------------


@task
def until_stopped(t):
    t.send("begun")
    while not t.stopped():
        t.sleep(60)
    return "done."


@task
def chatter(t):
    t.send("begun")
    while t.sleep(0.001):
        t.send("still here")


@task
def nap(t, seconds):
    t.send("begun")
    return t.sleep(seconds)


@task
def ignore_stop(t, gate):
    t.send("begun")
    wait_for(gate)
    return "ignored"


@task
def stop_myself(t):
    return [str(t.stop()), t.stopped(), t.sleep(60), str(t.stop(join=True, timeout=60, reason="enough"))]


@task
def wait_after_stopping_myself(t):
    t.stop()
    t.recv()


@task
def swallow(t):
    t.send("begun")
    try:
        t.recv()
    except Exception:
        return "swallowed"


@task
def release(t):
    t.release()


# -- messages -----------------------------------------------------------------------------------


@task
def take(t):
    t.send("begun")
    return t.recv()


@task
def take_within(t, seconds):
    t.send("begun")
    try:
        return t.recv(timeout=seconds)
    except queue.Empty:
        return "empty"


@task
def take_at_once(t):
    try:
        return t.recv(block=False)
    except queue.Empty:
        return "empty"


@task
def take_count(t, count):
    return [t.recv() for _ in range(count)]


@task
def collect(t):
    t.send("begun")
    return [message for message in t]  # noqa: C416 - list() is what the twin has no form of


@task
def collect_after_stop(t, how):
    t.send("begun")
    while t.sleep(60):
        pass
    messages = []
    try:
        if how == "for":
            for message in t:
                messages.append(message)  # noqa: PERF402 - as above
            return [messages, "ended"]
        while True:
            messages.append(t.recv(timeout=60) if how == "timeout" else t.recv())
    except queue.Empty:
        return [messages, "empty"]
    except taskpy.Stopped:
        return [messages, "stopped"]


@task
def collect_when_open(t, gate):
    t.send("begun")
    wait_for(gate)
    return [message for message in t]  # noqa: C416 - as above


@task
def echo(t):
    for message in t:
        t.send(message)
    return "over"


@task
def send_count(t, count):
    for number in range(count):
        t.send(number)
    return count


@task
def send_when_open(t, gate):
    t.send("begun")
    wait_for(gate)
    t.send("opened")
    wait_for(f"{gate}.end")


# -- failing ------------------------------------------------------------------------------------


@task
def fail(t, kind, *args):
    raise getattr(builtins, kind)(*args)


@task
def fail_known(t):
    raise KnownError("this", 1)


@task
def fail_unknown(t):
    raise UnknownError("that")


@task
def fail_with_object(t):
    raise ValueError(object())


@task
def fail_after_stop(t):
    t.send("begun")
    while not t.stopped():
        t.sleep(60)
    raise ValueError("too late")


@task
def end_by(t, signal):
    raise getattr(taskpy, signal)


@task
def succeed_at(t, attempt):
    t.send(t.token)
    if t.attempt < attempt:
        raise ValueError(f"not at attempt {t.attempt}")
    return t.attempt


@task
def retry_until(t, attempt):
    t.send("begun")
    if t.attempt < attempt:
        raise taskpy.Retry(delay=0)
    return t.attempt


# -- progress and logs --------------------------------------------------------------------------


class Unprintable:
    """An argument of a log record whose text cannot be made."""

    def __str__(self):
        raise ValueError("no text")


def log_oddly():
    """Log what is hard to pass on, and what is not to be passed on."""
    logger = logging.getLogger("contract.odd")
    logger.warning("%s and %s", *["one"])
    logger.warning("%s", Unprintable())
    logger.warning("lone \ud800")
    logger.warning("%send", "x" * 10_000)
    logging.getLogger("taskpy.anything").warning("not to be seen")
    logging.getLogger("contract.low").debug("not to be seen")
    try:
        {}["why"]
    except KeyError:
        logger.exception("failed")


def log_in_threads():
    """Log in threads with this context and without."""
    logger = logging.getLogger("contract.threads")
    context = contextvars.copy_context()
    for target in (lambda: logger.warning("without"), lambda: context.run(logger.warning, "with")):
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()


@task
def climb(t, gate):
    t.progress(1, 4, "first")
    logging.getLogger("contract").warning("climbing")
    t.send("begun")
    wait_for(gate)
    t.progress(4, 4)
    logging.getLogger("contract").warning("at the top")
    wait_for(gate + ".end")


@task
def say_progress(t, *args):
    t.progress(*args)


@task
def say_lines(t, count, name="line"):
    for number in range(count):
        logging.getLogger("contract.lines").error("%s %d", name, number)


@task
def say_odd_lines(t):
    log_oddly()


@task
def say_in_threads(t):
    log_in_threads()


@task
def report_and_fail_once(t):
    logging.getLogger("contract").warning("attempt %d", t.attempt)
    if t.attempt == 1:
        t.progress(9, 10)
        raise ValueError("the first time")


@task
def die_after_logging(t):
    logging.getLogger("contract").warning("last words")
    t.progress(1)
    t.send("begun")
    t.recv()
    os.kill(os.getpid(), signal.SIGKILL)


# -- processes, chains and pools ----------------------------------------------------------------


@task
def tell_pid(t):
    t.send(os.getpid())
    t.recv()


@task
def tell_pid_and_ignore_stop(t, gate):
    t.send(os.getpid())
    wait_for(gate)


@task
def die_after_sending(t, count):
    for number in range(count):
        t.send(number)
    os._exit(7)


@task
def die_and_leave_a_child(t):
    # Forked without exec, as some libraries do: it holds every file descriptor of this process.
    child = os.fork()
    if child == 0:
        time.sleep(GATE_SECONDS)
        os._exit(0)
    t.send(child)
    os.kill(os.getpid(), signal.SIGKILL)


@task
def in_process(t, value):
    child = taskpy.ProcessTask(give, value)
    child.start()
    return child.get(timeout=GATE_SECONDS)


@task
def submit_another(t, value):
    return give.submit(value).get(timeout=GATE_SECONDS)


@task
def receive_one(t):
    received = None
    while not (received or t.stopped()):
        try:
            received = t.recv(timeout=0.1)
        except queue.Empty:
            continue
    return received


@task
def receive_one_and_hold(t, gate):
    message = t.recv()
    t.send(message)
    wait_for(gate)
    return message


@taskpy.controller(taskpy.wait_until_done)
@task
def controlled(t, value):
    return value


@task
def add_to_prev(t):
    return t.prev + 1


@task
def fail_at_two(t):
    if t.prev == 2:
        raise ValueError("link 2")
    return t.prev + 1


@task
def count_running(t, folder, number):
    mine = Path(folder) / str(number)
    mine.touch()
    running = len(list(Path(folder).iterdir()))
    time.sleep(0.01)
    mine.unlink()
    return running
