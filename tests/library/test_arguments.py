"""Arguments and names: what a function is called with, where a mismatch shows, and how a function is found."""

import functools
import pickle

import contract_tasks as tasks
import contract_tasks_async
import places
import pytest
from places import SOON

import taskpy
from taskpy import ProcessTask, RemoteTask, Task, errors, task
from taskpy.registry import registry

crossing = pytest.mark.parametrize("place", places.CROSSING, indirect=True)
workers = pytest.mark.parametrize("place", places.PLAIN_REMOTE, indirect=True)


# -- arguments ----------------------------------------------------------------------------------


def test_a_function_gets_the_arguments_that_it_takes(place):
    handle = place.started(tasks.give_all, 1, "two", three=3)
    assert handle.get(timeout=SOON) == [(1, "two"), {"three": 3}]
    assert (handle.args, dict(handle.kwargs)) == ((1, "two"), {"three": 3})


def test_defaults_hold(place):
    assert place.started(tasks.strict, 1, c=4).get(timeout=SOON) == [1, 2, 4]


def test_a_function_that_takes_its_task_alone_accepts_any_arguments(place):
    handle = place.started(tasks.alone, "hello", world="world")
    assert handle.get(timeout=SOON) == [("hello",), {"world": "world"}]


def test_any_keyword_may_be_a_tasks(place):
    keywords = {"func": 1, "self": 2, "name": 3, "id": 4, "queue": 5, "timeout": 6, "task": 7, "client": 8, "args": 9}
    assert place.started(tasks.give_all, **keywords).get(timeout=SOON) == [(), keywords]


@workers
def test_any_keyword_may_be_submitted(place):
    keywords = {"func": 1, "self": 2, "options": 3}
    client = taskpy.default_client()
    for submit in (
        tasks.give_all.submit,
        tasks.give_all.options(delay=0).submit,
        functools.partial(client.submit, tasks.give_all),
        functools.partial(client.options(), tasks.give_all),
    ):
        made = submit(**keywords)
        if made.state == "new":
            made.start()
        assert made.get(timeout=SOON) == [(), keywords]


@pytest.mark.parametrize(
    ("args", "kwargs"), [((), {}), ((1, 2, 3), {}), ((1,), {"d": 4}), ((1,), {"a": 1}), ((1,), {"t": 1})]
)
def test_a_mismatch_is_an_error_at_the_caller(place, args, kwargs):
    with pytest.raises(errors.BadArguments, match="strict") as raised:
        place(tasks.strict, *args, **kwargs)
    assert isinstance(raised.value, TypeError)


def test_the_values_of_bad_arguments_do_not_show(place):
    with pytest.raises(errors.BadArguments) as raised:
        place(tasks.strict, 1, password="secret")
    assert "password" in str(raised.value)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("place", places.REMOTE, indirect=True)
def test_a_mismatch_of_a_task_by_name_shows_on_the_worker(place):
    handle = place.make(f"{place.twin(tasks.strict).function.__module__}.strict", 1, 2, 3, 4)
    handle.start()
    with pytest.raises(errors.BadArguments, match="strict"):
        handle.get(timeout=SOON)
    assert handle.state == "failed"


@pytest.mark.parametrize("place", places.REMOTE, indirect=True)
def test_a_task_by_name(place):
    handle = place.make(f"{place.twin(tasks.give_all).function.__module__}.give_all", 1, two=2)
    handle.start()
    assert handle.get(timeout=SOON) == [(1,), {"two": 2}]


# -- functions ----------------------------------------------------------------------------------


def test_a_definition_is_a_plain_callable():
    class Double:
        args, kwargs = (1,), {}

    assert tasks.give(Double(), 3) == 3
    assert tasks.give.__name__ == "give"
    assert tasks.give.__wrapped__ is tasks.give.function
    assert tasks.give.__doc__ == tasks.give.function.__doc__


def test_a_definition_pickles_by_name():
    assert pickle.loads(pickle.dumps(tasks.give)) is tasks.give
    assert len(pickle.dumps(tasks.give)) < 60


def test_a_task_is_named_by_module_and_qualname():
    assert tasks.give.name == "contract_tasks.give"
    assert contract_tasks_async.give.name == "contract_tasks_async.give"
    assert RemoteTask(tasks.give).name == "contract_tasks.give"
    assert RemoteTask("some.where").name == "some.where"


def test_a_name_of_its_own():
    @task(name="named")
    def anything(t):
        return None

    assert anything.name == "named"
    assert registry.get("named").function is anything.function
    assert RemoteTask(anything).name == "named"


@pytest.mark.parametrize("place", ["process", "fake"], indirect=True)
def test_lambdas_and_closures_say_that_they_cannot_be_found(place):
    def closure(t):
        return None

    for func in (lambda t: None, closure):
        with pytest.raises(errors.BadName, match=r"lambda|closure|inside another function"):
            place.make(func)


def test_lambdas_and_closures_run_in_a_thread():
    handle = Task(lambda t: 3)
    handle.start()
    assert handle.get(timeout=SOON) == 3


def test_a_function_that_is_something_else_by_now(monkeypatch):
    plain = tasks.give.function
    monkeypatch.setattr(tasks, "give", tasks.alone)
    with pytest.raises(errors.BadName, match="something else"):
        ProcessTask(plain)


def test_what_is_no_function():
    for place in (Task, ProcessTask):
        with pytest.raises((TypeError, errors.BadName)):
            place(3)
    with pytest.raises((TypeError, errors.BadName)):
        RemoteTask(3)


@crossing
def test_what_cannot_cross_is_named_before_anything_is_sent(place):
    with pytest.raises(errors.NotSendable, match=r"kwargs\['model'\]"):
        place(tasks.give_all, model=object())
    with pytest.raises(errors.NotSendable, match=r"args\[1\]\['deep'\]\[0\]"):
        place(tasks.give_all, 1, {"deep": [object()]})
    handle = place(tasks.echo)
    with pytest.raises(errors.NotSendable, match=r"message\['model'\]"):
        handle.send({"model": object()})
    handle.start()
    with pytest.raises(errors.NotSendable, match=r"message\[0\]"):
        handle.send([object()])
    handle.send("good")
    assert handle.recv(timeout=SOON) == "good"


@crossing
def test_what_is_too_large_is_an_error_before_anything_is_sent(place):
    with pytest.raises(errors.TooLarge):
        place(tasks.give, b"x" * (5 * 2**20))
    handle = place(tasks.echo)
    with pytest.raises(errors.TooLarge):
        handle.send(b"x" * (2 * 2**20))
    handle.start()
    with pytest.raises(errors.TooLarge):
        handle.send(b"x" * (2 * 2**20))
    handle.send("good")
    assert handle.recv(timeout=SOON) == "good"
