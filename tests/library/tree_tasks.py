"""The task functions of the tests of trees, as plain functions; `tree_tasks_async` has a twin of each."""

from contract_tasks import is_open, wait_for

from taskpy import task


@task
def number(t, value):
    return value


@task
def leaf(t, word="leaf"):
    t.send("begun")
    while t.sleep(60):
        pass
    return f"{word}, for: {t.stop_reason}"


@task
def abrupt(t):
    t.send("begun")
    t.recv()


@task
def deaf(t, gate):
    t.send("begun")
    while not is_open(gate):
        pass


@task
def at_gate(t, gate):
    wait_for(gate)
    return "through"


@task
def total(t, count):
    children = [t.spawn(number, value) for value in range(count)]
    t.send([child.id for child in children])
    return sum(child.get() for child in children)


@task
def ahead(t, gate):
    """Its function returns while its child runs."""
    t.send(t.spawn(at_gate, gate).id)
    return "mine"


@task(children="stop")
def stopping(t):
    t.spawn(leaf).recv()
    return "mine"


@task(children="leave")
def leaving(t, gate):
    t.spawn(at_gate, gate)
    return "mine"


@task
def failing(t):
    t.spawn(leaf).recv()
    raise ValueError("the parent")


@task
def waits_for_leaf(t):
    t.spawn(leaf).recv()
    t.send("begun")
    return "mine"


@task
def waits_inside(t, call):
    child = t.spawn(abrupt)
    child.recv()
    t.send("begun")
    getattr(child, call)()


@task
def nested(t, depth):
    if depth:
        t.spawn(nested, depth - 1).recv()
    t.send("begun")
    while t.sleep(60):
        pass


@task
def with_deaf_child(t, gate):
    t.spawn(deaf, gate).recv()
    t.send("begun")
    while t.sleep(60):
        pass


@task
def spawns_on(t):
    """Spawns children, one after the other, until it may not."""
    t.send("begun")
    while True:
        t.spawn(leaf)


@task
def echo(t):
    for message in t:
        t.send(message * 2)


@task
def with_echo(t):
    t.send(t.spawn(echo).id)
    while t.sleep(60):
        pass


@task
def by_name(t):
    return t.spawn("tree_tasks.number", 7).get() + t.spawn(number.options(time_limit=60), 8).get()
