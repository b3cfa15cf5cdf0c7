"""One live task per key: refused, joined, sent to, replaced; found by its key."""

import inspect
import uuid

import contract_tasks as tasks
import places
import pytest
import steering_tasks
from places import SOON, WOKEN, Awaited, eventually

import taskpy
from taskpy import RemoteTask, errors, task
from taskpy.answers_keyed import Holders, Placed

remote = pytest.mark.parametrize("place", places.REMOTE, indirect=True)
plain = pytest.mark.parametrize("place", places.PLAIN_REMOTE, indirect=True)


@pytest.fixture
def key():
    """A key that no other test has."""
    return f"user:{uuid.uuid4().hex}"


@pytest.fixture
def client(place, request):
    """The client of the place; what it gives is called like any other, though it is to be awaited."""
    return Asked(place, request)


class Asked:
    """The calls of a client that are about keys, for threads and for coroutines."""

    def __init__(self, place, request):
        self.place = place
        self.client = place.make._client
        self._loop = request.getfixturevalue("loop") if place.name.startswith("aio") else None

    def answered(self, answer):
        return self._loop.run(answer) if inspect.isawaitable(answer) else answer

    def kept(self, handle):
        return self.place._keep(Awaited(self._loop, handle) if self._loop else handle)

    def attach(self, key):
        return self.kept(self.answered(self.client.attach(key=key)))

    def send_or_start(self, func, message, *args, to=None, **options):
        maker, func = self.client.options(**options), self.place.twin(func)
        maker = maker if self._loop else maker.of(func)
        maker = maker.to(to) if to else maker
        given = (func, message, *args) if self._loop else (message, *args)
        return self.kept(self.answered(maker.send_or_start(*given)))


@remote
def test_a_second_task_with_the_key_is_refused(place, key):
    first = place.options(key=key).begun(tasks.until_stopped)
    second = place.options(key=key)(tasks.until_stopped)

    with pytest.raises(taskpy.KeyTaken, match=f"task {first.id} has the key '{key}'; attach to it") as caught:
        second.start()

    assert caught.value.id == first.id
    assert not second.joined
    with pytest.raises(taskpy.TaskNotFound):
        place.attach(second.id).snapshot()
    first.stop(timeout=SOON)
    second.start()  # it is free now
    assert second.recv(timeout=SOON) == "begun"
    second.stop()


@remote
def test_the_handle_of_a_second_task_can_be_that_of_the_first(place, key):
    first = place.options(key=key).started(tasks.collect)
    second = place.options(key=key, on_conflict="join").started(tasks.give, "never")

    assert second.joined
    assert not first.joined
    assert second.id == first.id
    assert second == first
    assert second.recv(timeout=SOON) == "begun"  # from the oldest message that is kept
    second.send("from both")
    first.stop(timeout=SOON)
    assert second.get(timeout=SOON) == ["from both"]
    with pytest.raises(errors.AlreadyStarted):
        second.start()


@plain
def test_it_knows_the_arguments_of_the_first(place, key):
    place.options(key=key).begun(tasks.nap, 60)
    second = place.options(key=key, on_conflict="join").started(tasks.give, "never")

    assert (second.name, second.args) == (tasks.nap.name, (60,))


@remote
def test_without_another_one_it_is_started(place, key):
    for conflict in ("reject", "join", "send", "replace"):
        handle = place.options(key=key, on_conflict=conflict).started(tasks.give, conflict)
        assert handle.get(timeout=SOON) == conflict
        assert not handle.joined


@remote
def test_what_was_sent_before_goes_to_the_first(place, key):
    first = place.options(key=key).begun(tasks.collect)
    second = place.options(key=key, on_conflict="send")(tasks.collect)
    second.send("a")
    second.send("b", to="steer")
    second.start()

    assert second.id == first.id
    second.send("c")
    first.stop(timeout=SOON)
    assert first.get(timeout=SOON) == ["a", "b", "c"]


@remote
def test_a_message_starts_the_task_or_goes_to_it(client, key):
    first = client.send_or_start(tasks.collect, "one", key=key)
    second = client.send_or_start(tasks.collect, "two", to="steer", key=key)

    assert not first.joined
    assert second.joined
    eventually(lambda: second.received(2))
    first.stop(timeout=SOON)
    assert second.get(timeout=SOON) == ["one", "two"]


@plain
def test_where_there_is_no_room_nothing_is_sent(place, key):
    full = place.options(key=key).started(tasks.until_stopped)
    for number in range(taskpy.spec.INBOX_LIMIT):
        full.send(number)
    second = place.options(key=key, on_conflict="send")(tasks.collect)
    second.send("too much")

    with pytest.raises(taskpy.Full, match="which has the key"):
        second.start()
    full.stop(timeout=SOON)
    second.start()
    second.stop(timeout=SOON)


@remote
def test_a_newer_task_replaces_the_one_that_runs(place, key):
    old = place.options(key=key).begun(tasks.until_stopped)
    new = place.options(key=key, on_conflict="replace").started(tasks.collect)

    assert new.recv(timeout=WOKEN) == "begun"
    assert old.done
    assert old.stop_reason == f"replaced by {new.id}"
    assert "@" in old.stop_reason.by
    assert not new.joined
    new.stop(timeout=SOON)


@plain
def test_it_waits_until_the_old_one_has_ended(place, gate, key):
    old = place.options(key=key).begun(tasks.ignore_stop, gate.path)
    new = place.options(key=key, on_conflict="replace").started(tasks.give, "new")

    assert not new.wait(0.3)
    assert new.state == "queued"
    assert old.state == "running"
    gate.open()
    assert new.get(timeout=SOON) == "new"
    assert old.get(timeout=SOON) == "ignored"


@plain
def test_what_ignores_everything_is_ended_by_force(place, gate, key, monkeypatch):
    monkeypatch.setattr(
        taskpy.ops.keyed.submit_keyed, "__kwdefaults__", taskpy.ops.keyed.submit_keyed.__kwdefaults__ | {"grace": 0.1}
    )
    old = place.options(key=key).begun(steering_tasks.stubborn, gate.path)
    new = place.options(key=key, on_conflict="replace").started(tasks.give, "new")

    assert new.get(timeout=SOON) == "new"
    assert old.state == "stopped"


@plain
def test_the_newest_of_many_that_replace_each_other_runs(place, gate, key):
    place.options(key=key).begun(tasks.ignore_stop, gate.path)
    waiting = [place.options(key=key, on_conflict="replace").started(tasks.give, number) for number in range(3)]
    gate.open()

    assert waiting[-1].get(timeout=SOON) == 2
    assert [handle.state for handle in waiting] == ["stopped", "stopped", "succeeded"]
    assert [handle.stop_reason for handle in waiting] == [f"replaced by {handle.id}" for handle in waiting[1:]] + [None]


@remote
def test_the_live_task_is_found_by_its_key(place, client, gate, key):
    with pytest.raises(taskpy.TaskNotFound, match=f"no live task has the key '{key}'"):
        client.attach(key)
    first = place.options(key=key).begun(tasks.ignore_stop, gate.path)
    assert client.attach(key).id == first.id

    new = place.options(key=key, on_conflict="replace").started(tasks.until_stopped)
    assert client.attach(key).id == new.id  # whose turn it will be
    new.stop(timeout=SOON)
    assert client.attach(key).id == first.id
    gate.open()
    first.wait(SOON)
    with pytest.raises(taskpy.TaskNotFound):
        client.attach(key)


@plain
def test_the_class_and_its_options_attach_by_key_too(place, key):
    handle = place.options(key=key).begun(tasks.until_stopped)

    assert RemoteTask.attach(key=key) == handle
    assert RemoteTask.options().attach(key=key) == handle
    assert handle.snapshot().key == key


@remote
def test_one_id_or_one_key(client):
    with pytest.raises(errors.BadArguments, match="one of them"):
        client.answered(client.client.attach(id="a", key="b"))
    with pytest.raises(errors.BadName, match="None is not a task id"):
        client.client.attach()
    with pytest.raises(errors.BadArguments, match="key must be a text of 1 to 200 characters"):
        client.attach("")


@remote
def test_many_cannot_have_one_key(client, key):
    maker = client.client.options(key=key)
    many = maker.of("a").submit_many if hasattr(maker, "of") else lambda inputs: maker.submit_many("a", inputs)

    with pytest.raises(errors.BadArguments, match="many tasks cannot have one key"):
        client.answered(many([((), {})]))


@remote
def test_what_to_do_with_a_key_needs_one(place, client):
    with pytest.raises(errors.BadArguments, match="on_conflict='join' is for tasks with a key"):
        place.options(on_conflict="join")(tasks.give)
    with pytest.raises(errors.BadArguments, match="say key="):
        client.send_or_start(tasks.collect, "m")
    with pytest.raises(errors.BadArguments, match="'replace' was said before"):
        client.send_or_start(tasks.collect, "m", key="k", on_conflict="replace")


@plain
def test_a_function_may_have_a_key(place, key):
    singleton = task(name=tasks.until_stopped.name, key=key, on_conflict="join")(tasks.until_stopped.function)

    first = place._keep(singleton.submit())
    second = place._keep(singleton.submit())

    assert second.id == first.id
    assert second.joined


@plain
def test_what_is_said_with_the_function_may_be_said_otherwise(place, key):
    singleton = task(name=tasks.until_stopped.name, on_conflict="join")(tasks.until_stopped.function)

    first, second = (place._keep(singleton.options(key=f"{key}{n}").submit()) for n in range(2))
    assert first.id != second.id
    assert place._keep(singleton.submit()).joined is False
    with pytest.raises(taskpy.KeyTaken):
        singleton.options(key=f"{key}0", on_conflict="reject").submit()


@plain
def test_a_dead_letter_is_revived_when_its_key_is_free(place, key):
    client = taskpy.default_client()
    dead = place.options(key=key).started(tasks.fail, "ValueError")
    dead.wait(SOON)
    other = place.options(key=key).begun(tasks.until_stopped)

    with pytest.raises(taskpy.KeyTaken, match=f"task {other.id} has the key of task {dead.id}") as caught:
        client.revive(dead.id)
    assert caught.value.id == other.id
    assert client.revive_many([dead.id]) == [None]
    other.stop(timeout=SOON)
    revived = place._keep(client.revive(dead.id))
    assert revived.snapshot().key == key


@pytest.mark.parametrize("place", places.PLAIN_REMOTE, indirect=True)
@pytest.mark.parametrize("lost", ["call", "answer"])
def test_a_start_whose_answer_is_lost_is_made_again(place, key, lost, monkeypatch):
    broker, ways = taskpy.default_client().space.broker, [lost]
    run = broker.run

    def lossy(op):
        if op.verb != "submit_keyed" or not ways:
            return run(op)
        if ways.pop() == "answer":
            run(op)
        raise errors.Unreachable

    monkeypatch.setattr(broker, "run", lossy)
    handle = place.options(key=key, on_conflict="join")(tasks.until_stopped)
    with pytest.raises(taskpy.SubmitUncertain) as caught:
        handle.start()
    assert caught.value.id == handle.id

    handle.start()

    assert not handle.joined
    assert caught.value.id == handle.id
    assert handle.recv(timeout=SOON) == "begun"


@plain
def test_a_key_that_changes_hands_all_the_time_is_given_up(place, key, monkeypatch):
    broker = taskpy.default_client().space.broker
    run, looks = broker.run, []

    def never_the_same(op):
        if op.verb != "submit_keyed":
            return run(op)
        looks.append(op)
        return Placed("again", holders=Holders((f"t{len(looks)}",)))

    monkeypatch.setattr(broker, "run", never_the_same)

    with pytest.raises(taskpy.Busy, match="changes hands"):
        place.options(key=key).started(tasks.give)
    assert len(looks) == taskpy.keyed.TRIES
