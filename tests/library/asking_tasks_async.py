"""The twins of the functions of `asking_tasks`, as `async def`."""

import asyncio
import contextlib

from asking_tasks import _coroutine, _unsendable
from contract_tasks_async import wait_for

from taskpy import NoAnswer, NotSendable, Stopped, TooLarge, errors, task

# -- asked --------------------------------------------------------------------------------------


@task
async def counter(t, step=0.01):
    count = 0

    async def add(data):
        nonlocal count
        await asyncio.sleep(0)
        count += data
        return count

    async def fail(data):
        raise KeyError(f"no {data}")

    t.answers("count", lambda: count)
    t.answers("add", add)
    t.answers("echo", lambda data: data)
    t.answers("fail", fail)
    t.answers("unsendable", _unsendable)
    t.answers("large", lambda: b"x" * 2**21)
    t.answers("optional", lambda data="none": data)
    await t.send("begun")
    while await t.sleep(step):
        pass
    return count


@task
async def answers_where(t, how):
    t.answers("where", lambda: how)
    await t.send("begun")
    while True:
        match how:
            case "stopped":
                if t.stopped():
                    return
                await asyncio.sleep(0)
            case "recv":
                await t.recv()
            case "for":
                async for _ in t:
                    pass
                return
            case "sleep":
                if not await t.sleep(60):
                    return
            case "checkpoint":
                await t.checkpoint(1)
                await asyncio.sleep(0)
                if t.stopped():
                    return
            case "ask":
                try:
                    await t.ask("?")
                except Stopped:
                    return


@task
async def never_looks(t, gate):
    t.answers("status", lambda: "never seen")
    await t.send("begun")
    await wait_for(gate)
    return "end"


@task
async def answers_late(t):
    await t.send("begun")
    await t.recv()
    t.answers("status", lambda: 1)
    t.answers("status", lambda: 2)
    await t.send("ready")
    async for _ in t:
        pass


@task
async def nested(t):
    busy = []

    async def slow():
        assert not busy, "a handler was interrupted by another one"
        busy.append(1)
        await t.send("answering")
        await t.sleep(0.2)
        if t.stopped():
            await t.recv(block=False)
        else:
            await t.checkpoint("by the handler")
        busy.clear()
        return "slow"

    async def asks():
        try:
            await t.ask("in a handler")
        except errors.UsageError:
            return "refused"

    t.answers("slow", slow)
    t.answers("quick", lambda: len(busy))
    t.answers("asks", asks)
    await t.send("begun")
    async for message in t:
        await t.send(message)
    return t.state


@task
async def stopped_by_handler(t):
    async def stop():
        raise Stopped

    t.answers("stop", stop)
    await t.send("begun")
    await t.sleep(60)


@task
async def busy_handler(t):
    async def busy():
        await t.send("answering")
        await asyncio.sleep(3600)

    t.answers("busy", busy)
    await t.send("begun")
    while await t.sleep(60):
        pass


@task
async def bad_handlers(t):
    refused = []
    for topic, handler in ((1, print), ("a b", print), ("ok", 7), ("ok", lambda a, b: None)):
        try:
            t.answers(topic, handler)
        except (errors.BadName, errors.BadArguments) as error:
            refused.append(type(error).__name__)
    t.answers("ok", _coroutine)
    return [*refused, "BadArguments"]


# -- asking -------------------------------------------------------------------------------------


@task
async def ask_once(t, question, timeout=None):
    await t.send("begun")
    try:
        return await t.ask(question, timeout=timeout)
    except NoAnswer:
        return "no answer"


@task
async def ask_each(t, questions):
    return await asyncio.gather(*(t.ask(question) for question in questions))


@task
async def ask_badly(t, kind):
    question = object() if kind == "unsendable" else b"x" * 2**20
    try:
        await t.ask(question)
    except (NotSendable, TooLarge) as error:
        return type(error).__name__, await t.ask("and now?")


@task
async def ask_with_data(t):
    try:
        await t.ask("topic", "data")
    except errors.BadArguments:
        return "refused"


@task
async def ask_and_answer(t):
    t.answers("status", lambda: "waiting")
    return await t.ask("go on?")


@task
async def ask_and_mark(t):
    async def mark():
        await t.checkpoint("marked")

    t.answers("mark", mark)
    return await t.ask("go on?"), t.state


@task
async def ask_until_stopped(t):
    try:
        await t.ask("go on?")
    except Stopped:
        return "stopped"


@task
async def ask_then_go_on(t):
    try:
        await t.ask("first", timeout=0.01)
    except NoAnswer:
        await t.send("given up")
    async for _ in t:
        pass


@task
async def ask_twice_the_same(t):
    return await t.ask("again?"), await t.ask("again?")


@task
async def ask_in_a_race(t, timeouts):
    found = []
    for number, timeout in enumerate(timeouts):
        try:
            found.append(await t.ask(number, timeout=timeout))
        except NoAnswer:
            found.append(None)
    return found


# -- coroutines only ----------------------------------------------------------------------------


@task
async def answers_while_it_computes(t):
    """Looks, and awaits something else: what was asked is answered meanwhile."""
    t.answers("status", lambda: "computing")
    await t.send("begun")
    tick = asyncio.Event()
    while not t.stopped():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(tick.wait(), 0.005)


@task
async def ends_while_it_answers(t):
    """Its function ends while a handler that `stopped` has begun is at work."""
    answering = asyncio.Event()

    async def endless():
        answering.set()
        await asyncio.sleep(3600)

    t.answers("status", endless)
    await t.send("begun")
    while not t.stopped():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(answering.wait(), 0.005)
            break
    return "end"


@task
async def cancelled_answer(t):
    """Its handler is cancelled at the first try, with what has waited for a message."""
    tries = []

    async def slow():
        tries.append(1)
        if len(tries) == 1:
            await t.send("answering")
            await asyncio.sleep(3600)
        return len(tries)

    t.answers("tries", slow)
    await t.send("begun")
    try:
        async with asyncio.timeout(0.2):
            await t.recv()
    except TimeoutError:
        await t.send("cancelled")
    async for _ in t:
        pass


@task
async def cancelled_question(t):
    """Waits no longer for an answer, for it was cancelled."""
    try:
        async with asyncio.timeout(0.2):
            await t.ask("cancelled?")
    except TimeoutError:
        await t.send("cancelled")
    async for _ in t:
        pass


@task
async def looks_in_a_thread(t):
    """A thread that it has begun looks; the coroutine answers."""
    t.answers("status", lambda: "fine")
    await t.send("begun")

    def look():
        while not t.stopped():
            pass

    thread = asyncio.create_task(asyncio.to_thread(look))
    while await t.sleep(0.01):
        pass
    await thread
