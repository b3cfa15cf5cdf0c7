"""What a type checker makes of taskpy, as users write it: checked by `test_typing.py`, never run.

Each `type: ignore` stands where mypy must complain: one that it does not need is an error too.
"""

from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any, assert_type

import taskpy
from taskpy import (
    Asked,
    Chain,
    Client,
    Flag,
    LogLine,
    Pool,
    ProcessTask,
    Progress,
    RemoteTask,
    State,
    Task,
    aio,
    controller,
    task,
    wait_until_done,
)

# -- functions ----------------------------------------------------------------------------------


def plain(t: Task, name: str, times: int = 1, *, loud: bool = False) -> str:
    return name * times


async def coroutine(t: aio.Task, name: str, *, loud: bool = False) -> int:
    return len(name)


def alone(t: Task) -> float:
    return float(t.args[0])


async def alone_async(t: aio.Task) -> bytes:
    return bytes(t.args[0])


def bracketed(t: Task[Any]) -> None:
    return None


def anything(t: Task, *args: Any, **kwargs: Any) -> list[str]:
    return [*args, *kwargs]


# -- local tasks --------------------------------------------------------------------------------


def results_are_inferred() -> None:
    assert_type(Task(plain, "a"), Task[str])
    assert_type(Task(plain, "a", 2, loud=True), Task[str])
    assert_type(Task(coroutine, "a"), Task[int])
    assert_type(Task(alone), Task[float])
    assert_type(Task(alone_async), Task[bytes])
    assert_type(Task(bracketed), Task[None])
    assert_type(Task(anything, 1, two=2), Task[list[str]])
    assert_type(ProcessTask(plain, "a"), ProcessTask[str])
    assert_type(ProcessTask(coroutine, "a"), ProcessTask[int])
    assert_type(RemoteTask(plain, "a"), RemoteTask[str])
    assert_type(RemoteTask(coroutine, "a"), RemoteTask[int])


def a_function_that_takes_its_task_alone_accepts_any_arguments() -> None:
    assert_type(Task(alone, "1", really=True), Task[float])
    assert_type(Task(alone_async, "1", really=True), Task[bytes])
    assert_type(ProcessTask(alone, "1", really=True), ProcessTask[float])
    assert_type(RemoteTask(alone_async, "1", really=True), RemoteTask[bytes])


def arguments_are_checked() -> None:
    Task(plain)  # type: ignore[arg-type]
    Task(plain, 1)  # type: ignore[arg-type]
    Task(plain, "a", "b")  # type: ignore[arg-type]
    Task(plain, "a", loud="yes")  # type: ignore[arg-type]
    Task(plain, "a", quiet=True)  # type: ignore[arg-type, call-arg]
    Task(coroutine)  # type: ignore[arg-type]
    Task(coroutine, 1)  # type: ignore[arg-type]
    Task("module.function")  # type: ignore[call-overload]
    ProcessTask(plain, 1)  # type: ignore[arg-type]
    ProcessTask(coroutine, 1)  # type: ignore[arg-type]
    RemoteTask(plain, 1)  # type: ignore[arg-type]
    RemoteTask(coroutine, 1)  # type: ignore[arg-type]


def any_keyword_may_be_a_tasks() -> None:
    def takes(t: Task, func: int, *, timeout: int, name: str) -> None: ...

    assert_type(Task(takes, func=1, timeout=2, name="x"), Task[None])
    assert_type(RemoteTask(takes, func=1, timeout=2, name="x"), RemoteTask[None])


def handles_know_their_result() -> None:
    t = Task(plain, "a")
    assert_type(t.start(), None)
    assert_type(t.wait(1.0), bool)
    assert_type(t.get(timeout=1), str)
    assert_type(t.result, str | None)
    assert_type(t.exception, Exception | None)
    assert_type(t.done, bool)
    assert_type(t.state, State)
    assert_type(t.stop(), State)
    assert_type(t.stop(False, timeout=1.0, reason="enough"), State)
    assert_type(t.id, str)
    assert_type(t.args, tuple[Any, ...])
    assert_type(t.send(object(), block=False, timeout=1), int)
    assert_type(t.recv(block=False, timeout=1), Any)
    for message in t:
        assert_type(message, Any)
    assert_type(t.progress, Any)  # inside it is what reports, and a function's `t: Task` is this type
    assert_type(ProcessTask(plain, "a").progress, Progress | None)
    assert_type(RemoteTask(plain, "a").progress, Progress | None)
    assert_type(next(t.logs(follow=True)), LogLine)
    for report in t.reports():
        assert_type(report, LogLine | Progress)
    t.stop(True, 1.0)  # type: ignore[call-arg]
    t.stop(True, 1.0, "positional")  # type: ignore[call-arg]


def the_inside(t: Task) -> None:
    assert_type(t.stopped(), bool)
    assert_type(t.sleep(1), bool)
    assert_type(t.draining, bool)
    assert_type(t.attempt, int)
    assert_type(t.token, str)
    assert_type(t.prev, Any)
    assert_type(t.recv(timeout=1), Any)
    t.progress(1, 2, note="half way")
    for message in t:
        assert_type(message, Any)
    t.sleep()  # type: ignore[call-arg]


def questions_in_both_directions(t: Task, h: RemoteTask[str]) -> None:
    assert_type(t.answers("status", lambda: 1), None)
    t.answers("echo", lambda data: data)
    t.answers("status", 7)  # type: ignore[arg-type]
    t.answers(1, print)  # type: ignore[arg-type]
    assert_type(t.ask("go on?", timeout=60), Any)
    assert_type(h.ask("status", timeout=2), Any)
    assert_type(h.ask("echo", {"a": 1}), Any)
    assert_type(h.answer("yes"), None)
    assert_type(h.answer("yes", number=3), None)
    assert_type(h.question, Asked | None)
    assert_type(h.flags, frozenset[Flag])
    assert Flag.WAITING in h.flags
    h.ask("status", 1, 2)  # type: ignore[call-arg]
    h.answer("yes", 3)  # type: ignore[call-arg]
    try:
        h.ask("status")
    except taskpy.UnknownTopic as unknown:
        assert_type(unknown, taskpy.UnknownTopic)
    except (taskpy.AnswerFailed, taskpy.NoAnswer, taskpy.NotAsked):
        pass
    except taskpy.AlreadyAnswered as answered:
        assert_type(answered.by, str)


async def questions_awaited(t: aio.Task, h: aio.RemoteTask[str]) -> None:
    async def handler(data: int) -> int:
        return data

    assert_type(t.answers("status", handler), None)
    assert_type(await t.ask("go on?", timeout=60), Any)
    assert_type(await h.ask("status", timeout=2), Any)
    assert_type(await h.answer("yes", number=3), None)
    assert_type(h.question, Asked | None)


def released(t: Task) -> int:
    return t.release()


async def the_inside_awaited(t: aio.Task) -> None:
    assert_type(t.stopped(), bool)
    assert_type(await t.sleep(1), bool)
    assert_type(await t.recv(timeout=1), Any)
    assert_type(await t.send(1), int)
    assert_type(await t.stop(), State)
    assert_type(t.progress(1, total=2.5), None)
    t.progress("half")  # type: ignore[arg-type]
    assert_type(t.draining, bool)
    assert_type(t.attempt, int)
    async for message in t:
        assert_type(message, Any)
    list(t)  # type: ignore[call-overload]


# -- definitions --------------------------------------------------------------------------------


@task
def defined(t: Task, name: str, times: int = 1) -> str:
    return name * times


@task
async def defined_async(t: aio.Task, name: str) -> int:
    return len(name)


@task
def defined_alone(t: Task) -> float:
    return 1.0


@task(name="crawl", queue="io", retries=3, backoff=2.0, keep=60, restarts=0, handover=True)
def with_options(t: Task, *seeds: str) -> list[str]:
    return [*seeds]


@task()
async def with_options_async(t: aio.Task, seed: str) -> None:
    return None


@task(retry=3)  # type: ignore[call-overload, untyped-decorator]
def with_a_wrong_option(t: Task) -> None: ...


def definitions_are_typed() -> None:
    assert_type(defined.submit("a"), RemoteTask[str])
    assert_type(defined.submit("a", times=2), RemoteTask[str])
    assert_type(defined_async.submit("a"), RemoteTask[int])
    assert_type(with_options.submit("a", "b"), RemoteTask[list[str]])
    assert_type(with_options_async.submit("a"), RemoteTask[None])
    assert_type(defined.options(delay=30).submit("a"), RemoteTask[str])
    assert_type(defined_alone.submit("anything", really=True), RemoteTask[float])
    assert_type(Task(defined, "a"), Task[str])
    assert_type(Task(defined_async, "a"), Task[int])
    assert_type(Task(defined_alone, "anything", really=True), Task[float])
    assert_type(ProcessTask(defined, "a"), ProcessTask[str])
    assert_type(RemoteTask(defined, "a"), RemoteTask[str])
    assert_type(RemoteTask(with_options, "a", "b"), RemoteTask[list[str]])
    assert_type(defined.submit("a").get(), str)
    defined.submit(1)  # type: ignore[arg-type]
    defined.submit("a", loud=True)  # type: ignore[call-arg]
    defined_async.submit()  # type: ignore[call-arg]
    defined.options(delay=30).submit(1)  # type: ignore[arg-type]
    Task(defined, 1)  # type: ignore[arg-type]
    RemoteTask(defined, 1)  # type: ignore[arg-type]


def a_definition_is_called_like_its_function(t: Task) -> None:
    assert_type(defined(t, "a"), Any)  # a coroutine, where the function is one
    defined(t, 1)  # type: ignore[arg-type]


# -- remote -------------------------------------------------------------------------------------


def clients_are_typed(client: Client) -> None:
    assert_type(client.submit(defined, "a"), RemoteTask[str])
    assert_type(client.submit(defined_async, "a"), RemoteTask[int])
    assert_type(client.task(defined, "a"), RemoteTask[str])
    assert_type(client.submit("module.function", 1, two=2), RemoteTask[Any])
    assert_type(client.attach("id"), RemoteTask[Any])
    assert_type(RemoteTask("module.function", 1, two=2), RemoteTask[Any])
    assert_type(RemoteTask.attach("id"), RemoteTask[Any])
    assert_type(RemoteTask.options(queue="bulk", client=client)("module.function"), RemoteTask[Any])
    with Client("redis://", namespace="n", timeout=None) as inner:
        assert_type(inner, Client)
    taskpy.set_default_client(client)
    assert_type(taskpy.default_client(), Client)


async def the_outside_awaited(client: aio.Client) -> None:
    t = await client.submit("module.function", 1)
    assert_type(t, aio.RemoteTask[Any])
    assert_type(t.state, State)
    assert_type(await t.wait(1.0), bool)
    assert_type(await t.stop(), State)
    assert_type(await t.recv(), Any)
    assert_type(t.progress, Progress | None)
    async for line in t.logs(follow=True):
        assert_type(line, LogLine)
    async for message in t:
        assert_type(message, Any)
    t.get()  # type: ignore[unused-coroutine]


# -- many at once -------------------------------------------------------------------------------


def waiting_keeps_the_kind_of_handle(one: Task[str], remote: RemoteTask[int], child: ProcessTask[int]) -> None:
    assert_type(taskpy.wait([one]), taskpy.Waited[Task[str]])
    done, pending = taskpy.wait([remote, remote], 1.0, first=True)
    assert_type(done, list[RemoteTask[int]])
    assert_type(pending, list[RemoteTask[int]])
    for ended in taskpy.as_completed({one}, timeout=1):
        assert_type(ended.get(), str)
    mixed: list[Task[str] | RemoteTask[int] | ProcessTask[int]] = [one, remote, child]
    assert_type(taskpy.wait(mixed).done[0].result, str | int | None)
    taskpy.wait(handle for handle in mixed)
    taskpy.wait([one.id])  # type: ignore[type-var]
    taskpy.wait([remote], 1.0, True)  # type: ignore[call-arg]


async def waiting_is_awaited(client: aio.Client, other: aio.RemoteTask[str], local: Task[str]) -> None:
    done, _ = await aio.wait([other], 1.0, first=True)
    assert_type(done, list[aio.RemoteTask[str]])
    async for ended in aio.as_completed([other]):
        assert_type(await ended.get(), str)
    both: list[aio.RemoteTask[str] | Task[str]] = [other, local]
    assert_type((await aio.wait(both)).done[0].result, str | None)
    aio.wait([other])  # type: ignore[unused-coroutine]
    await aio.wait(await client.submit_many(plain, inputs()))


# -- composition --------------------------------------------------------------------------------


@controller(wait_until_done, poll_every=1.0)
def controlled(t: Task, name: str) -> str:
    return name


def inputs() -> Iterator[tuple[tuple[str], dict[str, int]]]:
    yield ("a",), {"times": 2}


def receiver(t: Task[Any]) -> None: ...


def composition_is_typed(client: Client) -> None:
    controlled("a")
    controlled.using(ProcessTask)("a")
    controlled.using(RemoteTask.options(client=client))("a")
    controller(wait_until_done, poll="often")  # type: ignore[call-arg]
    Pool(None, 10, plain, inputs(), lambda t: t.result).run()
    Pool(1, 10, defined, inputs(), print, task=RemoteTask).run()
    Pool(1, 10, defined, inputs(), print, task=RemoteTask.options(queue="bulk")).run()
    Pool(1, 10, plain, inputs(), print, task=int).run()  # type: ignore[arg-type]
    assert_type(Chain(5, alone, 1, task=ProcessTask).run(), Any)


def a_task_is_a_task_wherever_it_runs(t: taskpy.Task) -> None:
    use(Task(plain, "a"))
    use(ProcessTask(plain, "a"))  # type: ignore[arg-type]


def use(t: Task) -> None: ...


@task
def streams(t: Task, count: int) -> Iterator[int]:
    yield from range(count)


@task(queue="io")
def streams_and_returns(t: Task) -> Generator[int, None, str]:
    yield 1
    return "done"


@task
async def streams_async(t: aio.Task, count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


async def streams_are_typed(client: aio.Client) -> None:
    streams.submit(3)
    # mypy takes several forms of @task for possible here, and answers Any rather than one of them.
    assert_type(streams_and_returns.submit().get(), Any)
    assert_type(streams_async.submit(3).get(), None)
    async for _ in client.attach("id").stream(after="now"):
        pass


def steering_is_typed(t: Task, handle: RemoteTask[int]) -> None:
    assert_type(t.recv("steer", block=False), Any)
    assert_type(t.recv(True, 1.0), Any)
    t.checkpoint({"step": 1}, send=["saved"])
    assert_type(handle.stop(grace=1, then="kill"), State)
    handle.stop(then="shout")  # type: ignore[arg-type]
    assert_type(handle.received(handle.send(1, to="steer")), bool)
    for _ in handle.stream(after=3):
        pass
