"""The twins of `contract_tasks`: the same names and behaviour, as `async def`."""

import asyncio
import builtins
import logging
import os
import queue
import time

from contract_tasks import GATE_SECONDS, KnownError, UnknownError, is_open, log_in_threads, log_oddly

import taskpy
from taskpy import task


async def wait_for(gate):
    """Wait for the gate, whatever the task is asked."""
    deadline = time.monotonic() + GATE_SECONDS
    while not is_open(gate):
        if time.monotonic() > deadline:
            raise TimeoutError(gate)
        await asyncio.sleep(0.005)


# -- values -------------------------------------------------------------------------------------


@task
async def give(t, value=None):
    return value


@task
async def give_all(t, *args, **kwargs):
    return [args, kwargs]


@task
async def alone(t):
    return [t.args, dict(t.kwargs)]


@task
async def strict(t, a, b=2, *, c=3):
    return [a, b, c]


@task
async def unsendable(t):
    return {"model": object()}


@task
async def send_unsendable(t):
    await t.send([1, object()])


@task
async def facts(t, *args, **kwargs):
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
async def until_stopped(t):
    await t.send("begun")
    while not t.stopped():
        await t.sleep(60)
    return "done."


@task
async def chatter(t):
    await t.send("begun")
    while await t.sleep(0.001):
        await t.send("still here")


@task
async def nap(t, seconds):
    await t.send("begun")
    return await t.sleep(seconds)


@task
async def ignore_stop(t, gate):
    await t.send("begun")
    await wait_for(gate)
    return "ignored"


@task
async def stop_myself(t):
    first, stopped = str(await t.stop()), t.stopped()
    return [first, stopped, await t.sleep(60), str(await t.stop(join=True, timeout=60, reason="enough"))]


@task
async def wait_after_stopping_myself(t):
    await t.stop()
    await t.recv()


@task
async def swallow(t):
    await t.send("begun")
    try:
        await t.recv()
    except Exception:
        return "swallowed"


@task
async def release(t):
    t.release()


# -- messages -----------------------------------------------------------------------------------


@task
async def take(t):
    await t.send("begun")
    return await t.recv()


@task
async def take_within(t, seconds):
    await t.send("begun")
    try:
        return await t.recv(timeout=seconds)
    except queue.Empty:
        return "empty"


@task
async def take_at_once(t):
    try:
        return await t.recv(block=False)
    except queue.Empty:
        return "empty"


@task
async def take_count(t, count):
    return [await t.recv() for _ in range(count)]


@task
async def collect(t):
    await t.send("begun")
    return [message async for message in t]


@task
async def collect_after_stop(t, how):
    await t.send("begun")
    while await t.sleep(60):
        pass
    messages = []
    try:
        if how == "for":
            async for message in t:
                messages.append(message)  # noqa: PERF401 - a comprehension would lose them at an exception
            return [messages, "ended"]
        while True:
            messages.append(await t.recv(timeout=60) if how == "timeout" else await t.recv())
    except queue.Empty:
        return [messages, "empty"]
    except taskpy.Stopped:
        return [messages, "stopped"]


@task
async def collect_when_open(t, gate):
    await t.send("begun")
    await wait_for(gate)
    return [message async for message in t]


@task
async def echo(t):
    async for message in t:
        await t.send(message)
    return "over"


@task
async def send_count(t, count):
    for number in range(count):
        await t.send(number)
    return count


@task
async def send_when_open(t, gate):
    await t.send("begun")
    await wait_for(gate)
    await t.send("opened")
    await wait_for(f"{gate}.end")


# -- failing ------------------------------------------------------------------------------------


@task
async def fail(t, kind, *args):
    raise getattr(builtins, kind)(*args)


@task
async def fail_known(t):
    raise KnownError("this", 1)


@task
async def fail_unknown(t):
    raise UnknownError("that")


@task
async def fail_with_object(t):
    raise ValueError(object())


@task
async def fail_after_stop(t):
    await t.send("begun")
    while not t.stopped():
        await t.sleep(60)
    raise ValueError("too late")


@task
async def end_by(t, signal):
    raise getattr(taskpy, signal)


@task
async def succeed_at(t, attempt):
    await t.send(t.token)
    if t.attempt < attempt:
        raise ValueError(f"not at attempt {t.attempt}")
    return t.attempt


@task
async def retry_until(t, attempt):
    await t.send("begun")
    if t.attempt < attempt:
        raise taskpy.Retry(delay=0)
    return t.attempt


# -- processes, chains and pools ----------------------------------------------------------------


@task
async def tell_pid(t):
    await t.send(os.getpid())
    await t.recv()


@task
async def tell_pid_and_ignore_stop(t, gate):
    await t.send(os.getpid())
    await wait_for(gate)


@task
async def add_to_prev(t):
    return t.prev + 1


# -- progress and logs --------------------------------------------------------------------------


@task
async def climb(t, gate):
    t.progress(1, 4, "first")
    logging.getLogger("contract").warning("climbing")
    await t.send("begun")
    await wait_for(gate)
    t.progress(4, 4)
    logging.getLogger("contract").warning("at the top")
    await wait_for(gate + ".end")


@task
async def say_progress(t, *args):
    t.progress(*args)


@task
async def say_lines(t, count, name="line"):
    for number in range(count):
        logging.getLogger("contract.lines").error("%s %d", name, number)
        await asyncio.sleep(0)  # the others are to have a turn


@task
async def say_odd_lines(t):
    await asyncio.create_task(_odd())  # a task of its own takes the context along


async def _odd():
    log_oddly()


@task
async def say_in_threads(t):
    log_in_threads()


@task
async def report_and_fail_once(t):
    logging.getLogger("contract").warning("attempt %d", t.attempt)
    if t.attempt == 1:
        t.progress(9, 10)
        raise ValueError("the first time")
