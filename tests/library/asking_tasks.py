"""The task functions of the tests of questions, as plain functions; `asking_tasks_async` has a twin of each."""

import threading

from contract_tasks import wait_for

from taskpy import NoAnswer, NotSendable, Stopped, TooLarge, errors, task

# -- asked --------------------------------------------------------------------------------------


@task
def counter(t, step=0.01):
    """Answers by every kind of handler, and takes a message now and then."""
    count = 0

    def add(data):
        nonlocal count
        count += data
        return count

    def fail(data):
        raise KeyError(f"no {data}")

    t.answers("count", lambda: count)
    t.answers("add", add)
    t.answers("echo", lambda data: data)
    t.answers("fail", fail)
    t.answers("unsendable", _unsendable)
    t.answers("large", lambda: b"x" * 2**21)
    t.answers("optional", lambda data="none": data)
    t.send("begun")
    while t.sleep(step):
        pass
    return count


@task
def answers_where(t, how):
    """Answers at the safe point of this name."""
    t.answers("where", lambda: how)
    t.send("begun")
    while True:
        match how:
            case "stopped":
                if t.stopped():
                    return
            case "recv":
                t.recv()
            case "for":
                for _ in t:
                    pass
                return
            case "sleep":
                if not t.sleep(60):
                    return
            case "checkpoint":
                t.checkpoint(1)
                if t.stopped():
                    return
            case "ask":
                try:
                    t.ask("?")
                except Stopped:
                    return


@task
def never_looks(t, gate):
    t.answers("status", lambda: "never seen")
    t.send("begun")
    wait_for(gate)
    return "end"


@task
def answers_late(t):
    """Has a handler when it is told to."""
    t.send("begun")
    t.recv()
    t.answers("status", lambda: 1)
    t.answers("status", lambda: 2)
    t.send("ready")
    for _ in t:
        pass


@task
def nested(t):
    """Handlers that call the task, and are asked meanwhile."""
    busy = []

    def slow():
        assert not busy, "a handler was interrupted by another one"
        busy.append(1)
        t.send("answering")
        t.sleep(0.2)
        t.stopped()
        t.recv(block=False) if t.stopped() else t.checkpoint("by the handler")
        busy.clear()
        return "slow"

    def asks():
        try:
            t.ask("in a handler")
        except errors.UsageError:
            return "refused"

    t.answers("slow", slow)
    t.answers("quick", lambda: len(busy))
    t.answers("asks", asks)
    t.send("begun")
    for message in t:
        t.send(message)
    return t.state


@task
def stopped_by_handler(t):
    def stop():
        raise Stopped

    t.answers("stop", stop)
    t.send("begun")
    t.sleep(60)


@task
def busy_handler(t):
    def busy():
        t.send("answering")
        while True:
            pass

    t.answers("busy", busy)
    t.send("begun")
    while t.sleep(60):
        pass


@task
def looks_in_another_thread(t):
    """A thread that it has begun calls the task all the time; handlers are called in its own."""
    mine, over = threading.get_ident(), threading.Event()

    def look():
        while not over.is_set():
            t.stopped()

    t.answers("mine", lambda: threading.get_ident() == mine)
    thread = threading.Thread(target=look)
    thread.start()
    t.send("begun")
    try:
        while t.sleep(60):
            pass
    finally:
        over.set()
        thread.join()


@task
def asks_in_another_thread(t):
    """A thread that it has begun asks, while it sleeps itself."""
    found = []
    t.answers("status", lambda: "asleep")

    def ask():
        found.append(t.ask("from a thread?"))
        t.stop()

    thread = threading.Thread(target=ask)
    thread.start()
    while t.sleep(60):
        pass
    thread.join()
    return found


@task
def bad_handlers(t):
    refused = []
    for topic, handler in ((1, print), ("a b", print), ("ok", 7), ("ok", lambda a, b: None), ("ok", _coroutine)):
        try:
            t.answers(topic, handler)
        except (errors.BadName, errors.BadArguments) as error:
            refused.append(type(error).__name__)
    return refused


async def _coroutine():
    return None


def _unsendable():
    return object()


# -- asking -------------------------------------------------------------------------------------


@task
def ask_once(t, question, timeout=None):
    t.send("begun")
    try:
        return t.ask(question, timeout=timeout)
    except NoAnswer:
        return "no answer"


@task
def ask_each(t, questions):
    return [t.ask(question) for question in questions]


@task
def ask_badly(t, kind):
    question = object() if kind == "unsendable" else b"x" * 2**20
    try:
        t.ask(question)
    except (NotSendable, TooLarge) as error:
        return type(error).__name__, t.ask("and now?")


@task
def ask_with_data(t):
    try:
        t.ask("topic", "data")
    except errors.BadArguments:
        return "refused"


@task
def ask_and_answer(t):
    """Asks, and is asked while it waits."""
    t.answers("status", lambda: "waiting")
    return t.ask("go on?")


@task
def ask_and_mark(t):
    """While it waits for an answer, a handler stores its state."""
    t.answers("mark", lambda: t.checkpoint("marked"))
    return t.ask("go on?"), t.state


@task
def ask_until_stopped(t):
    try:
        t.ask("go on?")
    except Stopped:
        return "stopped"


@task
def ask_then_go_on(t):
    """After a time-out, what was asked is asked no more."""
    try:
        t.ask("first", timeout=0.01)
    except NoAnswer:
        t.send("given up")
    for _ in t:
        pass


@task
def ask_twice_the_same(t):
    return t.ask("again?"), t.ask("again?")


@task
def ask_in_a_race(t, timeouts):
    """What came of each question: its answer, or that it was given up."""
    found = []
    for number, timeout in enumerate(timeouts):
        try:
            found.append(t.ask(number, timeout=timeout))
        except NoAnswer:
            found.append(None)
    return found
