"""The Celery tasks of the tests. Celery's workers import this, and so do the tests, which publish them.

Celery finds its broker in CELERY_BROKER_URL and CELERY_RESULT_BACKEND; CELERY_QUEUE is the queue of one test.
"""

import logging
import os
import sys
import time
from collections import OrderedDict

from celery import Celery, signals
from celery.exceptions import Reject

import taskpy
from taskpy import errors
from taskpy.celery_bridge import Steerable
from tests.system.tasks.steered import note

app = Celery("celery_tasks")
app.conf.update(
    broker_connection_retry_on_startup=True,
    # How soon Celery hands out what a killed worker had; the last two make kombu look at once.
    broker_transport_options={
        "visibility_timeout": float(os.environ.get("CELERY_VISIBILITY", "3600")),
        "unacked_restore_interval": 1,
        "unacked_restore_throttle": 1,
    },
    task_default_queue=os.environ.get("CELERY_QUEUE", "celery"),
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=False,
)


@signals.worker_init.connect
def connect_early(**_):
    """Give Celery's main process connections to taskpy's Redis, which it must not share with its children."""
    taskpy.default_client().queues()


@app.task(base=Steerable, bind=True, keep=60)
def converse(t):
    """Say that it begins, answer each message, return all of them."""
    note(t.inside, "start")
    t.send("begun")
    heard = []
    for message in t:
        heard.append(message)
        t.send(["heard", message])
    note(t.inside, "end")
    return heard


@app.task(base=Steerable, bind=True, acks_late=True, reject_on_worker_lost=True)
def converse_late(t):
    """The same, and Celery hands it out again when its process was lost."""
    return converse.run.__func__(t)


@app.task(base=Steerable)
def unbound(text):
    """A task that has no parameter for itself."""
    return text + unbound.recv()


@app.task(base=Steerable, bind=True)
def asks_and_answers(t):
    """Ask whether to go on, and be asked meanwhile and afterwards."""
    t.answers("where", lambda data: ["waiting", data])
    answer = t.ask("go on?")
    t.answers("where", lambda data: [answer, data])
    while t.sleep(60):
        pass
    return answer


@app.task(base=Steerable, bind=True)
def asks_nobody(t):
    """Ask, and say what came of it."""
    try:
        return t.ask("there?", timeout=0.01)
    except taskpy.NoAnswer:
        pass
    try:
        return t.ask("there?")
    except errors.UsageError as error:
        return str(error)


@app.task(base=Steerable, bind=True)
def wait_for_message(t):
    """Wait for ever, or for a stop, which ends it right here."""
    note(t.inside, "start")
    t.send("begun")
    return t.recv()


@app.task(base=Steerable, bind=True)
def loop(t):
    """Do something until it is stopped."""
    t.send("begun")
    while not t.stopped():
        time.sleep(0.01)
    return t.sleep(60)


@app.task(base=Steerable, bind=True)
def deaf(t):
    """Run on, whatever is said."""
    t.send("begun")
    time.sleep(600)


@app.task(base=Steerable, bind=True)
def fail(t, text):
    """Fail."""
    note(t.inside, "start")
    raise ValueError(text)


@app.task(base=Steerable, bind=True)
def discard(t):
    """Fail, by the word of taskpy."""
    raise taskpy.Discard("no good")


@app.task(base=Steerable, bind=True)
def release(t):
    """Ask for what Celery does by other means."""
    t.inside.release()


@app.task(base=Steerable, bind=True)
def again(t, times, *, how):
    """Ask to be run again so often, and then for a message."""
    note(t.inside, "start")
    t.send(f"attempt {t.inside.attempt}")
    if t.inside.attempt <= times:
        match how:
            case "celery":
                raise t.retry(exc=ValueError("not yet"), countdown=0)
            case "taskpy":
                raise taskpy.Retry(delay=0)
            case "quietly":
                t.retry(throw=False, countdown=0)
                return "nothing"
    return t.recv()


@app.task(base=Steerable, bind=True, autoretry_for=(ValueError,), max_retries=1, default_retry_delay=0)
def give_up(t):
    """Fail every time."""
    note(t.inside, "start")
    raise ValueError(f"attempt {t.inside.attempt}")


@app.task(base=Steerable, bind=True)
def retry_when_stopped(t):
    """Ask to be run again because of a stop."""
    note(t.inside, "start")
    t.send("begun")
    t.sleep(60)
    raise t.retry(countdown=0)


@app.task(base=Steerable, bind=True, acks_late=True)
def refuse_once(t):
    """Have the first delivery put back."""
    note(t.inside, "start")
    if t.inside.attempt == 1:
        raise Reject("not here", requeue=True)
    return "taken"


@app.task(base=Steerable, bind=True)
def replace(t, text):
    """Leave it to another task, under the same id."""
    raise t.replace(ask.s(text))


@app.task(base=Steerable, bind=True)
def ask(t, text):
    """Ask a question and return the answer."""
    t.send(text)
    return t.recv()


@app.task(base=Steerable, bind=True)
def unsendable(t):
    """Return what Celery can send as JSON, and taskpy cannot."""
    return OrderedDict(a=1)


@app.task(base=Steerable, bind=True)
def submit_another(t):
    """Publish another task from inside, and give it a message."""
    published = ask.delay("from inside")
    taskpy.RemoteTask.attach(published.id).send("to it")
    return published.id


@app.task(base=Steerable, bind=True)
def end_process(t):
    """End the process that it runs in."""
    note(t.inside, "start")
    sys.exit(3)


@app.task(base=Steerable, bind=True)
def pid_of(t):
    """In which process does it run?"""
    return os.getpid()


@app.task(base=Steerable, bind=True)
def alone(t, number):
    """Do all that a steered task does, where nobody can steer it."""
    t.send(number)
    try:
        t.recv(timeout=0)
    except taskpy.Empty:
        heard = "nothing"
    try:
        t.recv()
    except errors.UsageError as error:
        heard = f"{heard}: {error}"
    return [number, t.stopped(), t.sleep(0), heard, t.inside.kwargs]


@app.task(base=Steerable, bind=True)
def nested(t):
    """Call another task like a function."""
    return alone(number=1)[0] + t.recv()


@app.task(base=Steerable, bind=True)
def report(t):
    """Say how far it has come, and log."""
    t.progress(1, 2, "half way")
    logging.getLogger("celery_tasks").error("half way")
    t.send("begun")
    t.recv()
    t.progress(2, 2)
