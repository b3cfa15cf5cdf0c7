"""The task functions of the tests of steering, as plain functions; `steering_tasks_async` has a twin of each."""

from contract_tasks import is_open, wait_for

from taskpy import NotSendable, Stopped, TooLarge, task

# -- stopping -----------------------------------------------------------------------------------


@task
def busy(t):
    t.send("begun")
    while True:
        pass


@task
def busy_with_an_end(t):
    t.send("begun")
    try:
        while True:
            pass
    finally:
        t.send("cleaned")
        t.checkpoint("cleaned")


@task
def ends_well_when_raised(t):
    t.send("begun")
    try:
        while True:
            pass
    except Stopped:
        return "well"


@task
def stubborn(t, gate):
    t.send("begun")
    while not is_open(gate):
        try:
            wait_for(gate)
        except BaseException:
            continue
    return "at last"


@task
def stubborn_and_talking(t, gate):
    t.send("begun")
    try:
        wait_for(gate)
    except Stopped:
        wait_for(gate)
    t.send("never heard")


@task
def tell_reason(t):
    t.send(t.stop_reason)
    while not t.stopped():
        t.sleep(60)
    return [str(t.stop_reason), t.stop_reason.by]


@task
def talk_without_end(t):
    t.send("begun")
    while True:
        t.checkpoint("more")


@task(time_limit=0.2)
def limited(t):
    while t.sleep(60):
        pass
    return [str(t.stop_reason), t.stop_reason.by]


# -- checkpoints --------------------------------------------------------------------------------


@task
def add_up(t):
    total = t.state or 0
    for number in t:
        total += number
        t.checkpoint(total, send=[total])
    return [total, t.state]


@task
def store(t, state):
    before = t.state
    t.checkpoint(state)
    return [before, t.state]


@task
def store_unsendable(t):
    t.checkpoint("good")
    for bad in (lambda: t.checkpoint(object()), lambda: t.checkpoint("bad", send=[object()])):
        try:
            bad()
        except NotSendable as error:
            t.send(str(error))
    return t.state


@task
def store_with_many(t, count):
    try:
        t.checkpoint("state", send=[0] * count)
    except TooLarge as error:
        return [str(error), t.state]
    return ["stored", t.state]


@task
def take_too_many(t):
    assert t.state is None
    while True:
        t.recv()


# -- inboxes ------------------------------------------------------------------------------------


@task
def take_from(t, inboxes):
    t.send("begun")
    return [t.recv(name, timeout=20) if name else t.recv(timeout=20) for name in inboxes]


@task
def take_from_when_open(t, inboxes, gate):
    wait_for(gate)
    return [t.recv(name, timeout=20) if name else t.recv(timeout=20) for name in inboxes]


@task
def wait_in_inbox(t, name):
    t.send("begun")
    return t.recv(name)


@task
def take_one_and_wait(t, gate):
    t.send("begun")
    t.recv()
    t.send("taken")
    wait_for(gate)


# -- streams ------------------------------------------------------------------------------------


@task
def count_up(t, count, gate=None):
    for number in range(count):
        if gate and number == count // 2:
            wait_for(gate)
        yield number


@task
def count_and_return(t, count):
    yield from range(count)
    return "counted"


@task
def count_until_stopped(t):
    number = 0
    while not t.stopped():
        yield number
        number += 1
        t.sleep(0.01)


@task
def yield_unsendable(t):
    try:
        yield object()
    except NotSendable:
        yield "told"


@task
def yield_and_fail(t):
    yield "one"
    raise ValueError("no more")
