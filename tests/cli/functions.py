"""The tasks that the commands are tried on."""

import logging
import threading
import time

from taskpy import Stopped, task

#: What `held` waits for.
GATE = threading.Event()
SECRET = "hunter2"


@task(name="cli.add")
def add(t, a, b=0):
    return a + b


@task(name="cli.echo")
def echo(t, *args, **kwargs):
    return [list(args), kwargs]


@task(name="cli.text")
def text(t):
    return "two\nlines, \x1b[31mred\x1b[0m and \u202etxt.exe"


@task(name="cli.fail")
def fail(t, why="no luck"):
    raise ValueError(why)


@task(name="cli.flaky", retries=1, backoff=0)
def flaky(t):
    if t.attempt == 1:
        raise ValueError("the first time")
    return "done"


@task(name="cli.leaf")
def leaf(t):
    while t.sleep(60):
        pass


@task(name="cli.family")
def family(t, children=2):
    t.send([t.spawn(leaf).id for _ in range(children)] + [t.spawn(parent).id])
    while t.sleep(60):
        pass


@task(name="cli.parent")
def parent(t):
    t.send(t.spawn(leaf).id)


@task(name="cli.held")
def held(t):
    GATE.wait(30)


@task(name="cli.deaf")
def deaf(t):
    """Goes on whatever is raised, until the gate opens."""
    while not GATE.is_set():
        try:
            GATE.wait(30)
        except BaseException:
            continue


@task(name="cli.obedient")
def obedient(t):
    """Sends back what it receives; a stop ends it."""
    t.send("ready")
    for message in t:
        if message == "end":
            return "as you wish"
        t.send({"heard": message})
    return "stopped politely"


@task(name="cli.climber")
def climber(t, total):
    """Goes one step further, and says so, with each message."""
    logger = logging.getLogger("cli.climber")
    for done in range(total):
        t.progress(done, total, "\x1b[31mclimbing")
        logger.warning("step %d\nof \x1b[31m%d", done, total)
        if t.recv() == "fail":
            logger.error("\x1b[2Jslipped")
            raise ValueError("slipped")
    t.progress(total, total)
    return "at the top"


@task(name="cli.logger")
def log_many(t, count):
    for number in range(count):
        logging.getLogger("cli.logger").error("line %d", number)


@task(name="cli.talker")
def talker(t, count):
    for number in range(count):
        t.send(number)
    return count


@task(name="cli.count")
def count(t, messages):
    return sum(t.recv(timeout=10) for _ in range(messages))


@task(name="cli.busy")
def busy(t):
    """Looks at nothing."""
    t.send("ready")
    while True:
        time.sleep(0.005)


@task(name="cli.stubborn")
def stubborn(t):
    """Ends for nobody."""
    t.send("ready")
    while not GATE.is_set():
        try:
            time.sleep(0.005)
        except Stopped:
            continue


@task(name="cli.sorter")
def sorter(t):
    """Takes from one inbox first, then from another."""
    return [t.recv("first", timeout=10), t.recv("second", timeout=10), t.recv(timeout=10)]


@task(name="cli.summer")
def summer(t):
    """Adds up what it is sent, with a checkpoint after each number; at 0 it fails."""
    total = t.state or 0
    for number in t:
        total += number
        t.checkpoint(total, send=[total])
        if not number:
            raise ValueError("nothing to add")
    return total


@task(name="cli.asks")
def asks(t, question):
    """Asks whoever is there, and says what it heard."""
    t.send("ready")
    return {"heard": t.ask(question)}


@task(name="cli.knows")
def knows(t):
    """Answers questions, until a stop."""
    t.answers("estimate", lambda: {"left": 12})
    t.answers("twice", lambda data: data * 2)
    t.send("ready")
    while t.sleep(60):
        pass
    return "stopped politely"
