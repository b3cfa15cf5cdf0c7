"""The task functions of the ancestor's README and examples. On pytest's `pythonpath`, as `contract_tasks` is."""

import time

from taskpy import task


@task
def simple_task(t):
    assert t.args[0] == "hello"
    assert t.kwargs["world"] == "world"
    while not t.stopped():
        time.sleep(0.01)
    return "done."


@task
def sleep_task(t):
    secs = t.recv()
    time.sleep(int(secs))


@task
def delayed_task(t):
    time.sleep(t.kwargs["delay"])
    return "done."


@task
def exception_task(t):
    raise Exception(t.args[0])  # noqa: TRY002 - as in the example
