"""What a client lists, and what it does to queues and dead letters: for threads and for coroutines."""

import asyncio
import inspect
import uuid

import pytest

from taskpy import Client, aio, errors, lists, ops
from taskpy.listed import Outline
from taskpy.lists import PAGE
from taskpy.ops import Ending
from taskpy.spec import State


class Rig:
    """One namespace in memory, with a worker that does only what it is told; its client is asked by name."""

    def __init__(self, kind):
        url = f"memory://lists-{uuid.uuid4().hex}"
        self.client = Client(url)
        self.keys = self.client.space.keys
        self.run = self.client.space.broker.run
        self.number = 0
        self._runner = asyncio.Runner() if kind == "aio" else None
        self.asked = aio.Client(url) if kind == "aio" else self.client

    def __getattr__(self, name):
        def call(*args, **kwargs):
            answer = getattr(self.asked, name)(*args, **kwargs)
            return self._runner.run(answer) if inspect.isawaitable(answer) else answer

        return call

    def submit(self, count=1, **options):
        """The ids of new tasks."""
        return [self.client.options(**options).of("nobody.knows").submit().id for _ in range(count)]

    def begin(self, queue="default", count=1000, wid="w1"):
        """Have a worker claim and start what waits; the ids."""
        self.run(ops.join(self.keys, wid=wid, lease=600))
        self.number += 1
        ids = self.run(ops.claim(self.keys, wid=wid, number=self.number, count=count, queues=[queue]))
        self.run(ops.start(self.keys, wid=wid, number=self.number, ids=ids))
        return ids

    def end(self, ids, state, queue="default", wid="w1"):
        """Have a worker end them."""
        token = ops.token_of(wid, self.number)
        endings = [Ending(id, queue, token, state, b"value") for id in ids]
        assert all(self.run(ops.settle(self.keys, wid=wid, endings=endings)))

    def ended(self, state, count=1, queue="default"):
        """The ids of tasks that have ended so, oldest first."""
        ids = self.submit(count, queue=queue)
        self.end(self.begin(queue), state, queue)
        return ids

    def ids(self, **asked):
        """The ids of a page of `tasks`."""
        return [one.id for one in self.tasks(**asked)]

    def close(self):
        if self._runner is not None:
            self._runner.run(self.asked.close())
            self._runner.close()
        self.client.close()


@pytest.fixture(params=["threads", "aio"])
def rig(request):
    made = Rig(request.param)
    yield made
    made.close()


# -- tasks --------------------------------------------------------------------------------------


def test_nothing(rig):
    for state in (None, *State):
        if state is not State.NEW:
            page = rig.tasks(state=state)
            assert (page, page.more) == ([], False)
    assert (rig.delayed(), rig.dead(), rig.queues(), rig.known_queues(), rig.workers()) == ([], [], {}, [], [])


def test_every_state_in_its_list(rig):
    good, bad, gone = rig.ended("succeeded"), rig.ended("failed"), rig.ended("stopped")
    running = rig.submit()
    rig.begin()
    later, ready = rig.submit(delay=60), rig.submit(queue="other")

    by_state = {"succeeded": good, "failed": bad, "stopped": gone, "running": running, "queued": ready}
    for state, ids in by_state.items():
        assert rig.ids(state=state) == ids
        assert rig.ids(state=State(state), queue="other" if ids is ready else "default") == ids
        assert rig.ids(state=state, queue="nobody") == []
    assert [one.id for one in rig.delayed()] == later
    assert sorted(rig.ids()) == sorted([*good, *bad, *gone, *running, *later, *ready])
    assert sorted(rig.ids(queue="default")) == sorted([*good, *bad, *gone, *running, *later])
    assert rig.ids(queue="other") == ready


@pytest.mark.parametrize("state", ["succeeded", "failed", "stopped"])
@pytest.mark.parametrize("queue", [None, "default"])
def test_pages_are_full_however_the_others_lie_between(rig, state, queue):
    other = next(one for one in ("succeeded", "failed", "stopped") if one != state)
    wanted = []
    for _ in range(3):
        rig.ended(other, 40)
        wanted += rig.ended(state, 30)
    wanted.reverse()

    first, second, third = (rig.tasks(state=state, queue=queue, page=page) for page in range(3))
    assert {one.id for one in first[:30]} == set(wanted[:30])
    assert {one.id for one in [*first, *second]} == set(wanted)
    assert (len(first), len(second), len(third)) == (PAGE, 40, 0)
    assert (first.more, second.more, third.more) == (True, False, False)
    assert {one.state for one in [*first, *second]} == {state}


def test_the_pages_of_a_queue_newest_first(rig):
    ids = rig.submit(2 * PAGE)
    ids.reverse()

    pages = [rig.tasks(state="queued", queue="default", page=page) for page in range(3)]
    assert [one.id for page in pages for one in page] == ids
    assert [page.more for page in pages] == [True, False, False]


def test_a_page_may_be_short_and_yet_not_the_last(rig):
    ids = rig.submit(PAGE + 1)
    for id in ids[10:]:
        rig.client.attach(id).stop()

    first, second = (rig.tasks(state="queued", queue="default", page=page) for page in range(2))
    assert ([one.id for one in first], first.more) == (ids[9:0:-1], True)
    assert ([one.id for one in second], second.more) == (ids[:1], False)


def test_the_newest_of_several_queues_first(rig):
    ids = []
    for n in range(3 * PAGE):
        ids += rig.submit(queue=f"q{n % 3}")
        rig.client.redis.hset(rig.keys.task(ids[-1]), "submitted", 1000 * n)
    ids.reverse()

    pages = [rig.tasks(state="queued", page=page) for page in range(4)]
    assert [one.id for page in pages for one in page] == ids
    assert [page.more for page in pages] == [True, True, False, False]


def test_running_tasks_by_pages(rig):
    rig.submit(PAGE + 20)
    ids = rig.begin(count=40) + rig.begin(count=40, wid="w2")

    first, second = rig.tasks(state="running"), rig.tasks(state="running", page=1)
    assert {one.id for one in [*first, *second]} == set(ids)
    assert (len(first), first.more, len(second), second.more) == (PAGE, True, 20, False)
    assert {one.worker for one in [*first, *second]} == {"w1", "w2"}
    assert rig.ids(state="running", queue="other") == []


def test_those_that_have_expired_are_left_out(rig):
    ids = rig.ended("succeeded", 3)
    rig.client.redis.delete(rig.keys.task(ids[1]))

    assert rig.ids(state="succeeded", queue="default") == [ids[2], ids[0]]
    assert rig.ids() == [ids[2], ids[0]]


def test_a_task_that_stands_twice_is_listed_once(rig):
    [id] = rig.submit()
    rig.client.redis.lpush(rig.keys.queue("default"), id)

    assert rig.ids() == [id]


@pytest.mark.parametrize("asked", [{"state": "new"}, {"state": "pending"}, {"page": -1}])
def test_what_no_list_has(rig, asked):
    with pytest.raises(errors.BadArguments):
        rig.tasks(**asked)


# -- delayed ------------------------------------------------------------------------------------


def test_a_task_that_waits_for_the_end_of_another_is_listed(rig):
    [old] = rig.submit(key="k")
    rig.begin()
    [new] = rig.submit(key="k", on_conflict="replace")

    assert sorted(rig.ids()) == sorted([new, old])
    assert rig.about(new).behind == old
    assert rig.about(old).behind is None
    assert rig.about(new).task.key == "k"


def test_delayed_tasks_with_the_time_they_are_due(rig):
    [late], [soon] = rig.submit(delay=90), rig.submit(delay=60, queue="other")
    now = rig.namespace().clock

    page = rig.delayed()
    assert [(one.id, round(one.due - now, -1)) for one in page] == [(soon, 60), (late, 90)]
    assert [one.id for one in rig.delayed(queue="other")] == [soon]
    assert {one.id: one.due is not None for one in rig.tasks()} == {soon: True, late: True}
    assert rig.tasks(state="queued") == []


@pytest.mark.parametrize("queue", [None, "default"])
def test_delayed_tasks_by_pages(rig, queue):
    ids = [rig.submit(delay=60 + n)[0] for n in range(PAGE + 1)]
    rig.submit(delay=30, queue="default")
    pages = [rig.delayed(queue=queue, page=page) for page in range(3)]

    assert [one.id for page in pages for one in page][1:] == ids
    assert [(len(page), page.more) for page in pages] == [(PAGE, True), (2, False), (0, False)]
    assert all(isinstance(one, Outline) and one.due for page in pages for one in page)


# -- one task -----------------------------------------------------------------------------------


def test_all_about_a_task(rig):
    [id] = rig.submit(delay=60, retries=2, keep=90)
    rig.pause("default")
    rig.client.attach(id).send("hello")

    about = rig.about(id)
    task = about.task
    assert (task.id, task.state, task.keep, task.restarts) == (id, "queued", 90.0, 2)
    assert (task.received, task.acknowledged, task.sent, task.unknowns) == (1, 0, 0, 0)
    assert about.paused == pytest.approx(rig.namespace().clock, abs=5)
    assert task.due == pytest.approx(rig.namespace().clock + 60, abs=5)
    assert about.events == rig.events(id) == []
    rig.client.attach(id).stop(reason="enough")
    assert [(event.word, event.detail) for event in rig.about(id).events] == [("stop", "enough")]
    assert rig.about(id).task.due is None
    with pytest.raises(errors.TaskNotFound, match=r"no task nobody in namespace 'taskpy' on memory://"):
        rig.about("nobody")


# -- queues and workers -------------------------------------------------------------------------


def test_what_is_known_of_queues(rig):
    rig.submit(3, queue="high")
    rig.submit(queue="low")
    rig.begin("low")
    rig.pause("never-seen")

    high, low, paused = rig.known_queues()
    assert (high.name, high.size, high.workers, high.paused) == ("high", 3, 0, None)
    assert high.oldest == pytest.approx(rig.namespace().clock, abs=5)
    assert (low.name, low.size, low.oldest) == ("low", 0, None)
    assert (paused.name, paused.size) == ("never-seen", 0)
    assert paused.paused == pytest.approx(rig.namespace().clock, abs=5)
    assert rig.queues() == {"high": 3, "low": 0}


def test_what_is_known_of_workers(rig):
    rig.submit(2)
    rig.begin(count=1)

    [worker] = rig.workers()
    assert (worker.wid, worker.held, worker.lost) == ("w1", 1, False)
    assert worker.lease_end == pytest.approx(rig.namespace().clock + 600, abs=5)


def test_a_paused_queue_is_not_claimed_from(rig):
    ids = rig.submit(2)
    since = rig.pause("default")

    assert rig.pause("default") == since
    assert rig.begin() == []
    rig.resume("default")
    rig.resume("default")
    assert rig.begin() == ids


def test_purge_ends_what_waits(rig):
    rig.submit(5)
    running = rig.begin(count=1)
    rig.submit(250)
    later, other = rig.submit(delay=60), rig.submit(queue="other")

    assert rig.purge("default", reason="a mistake") == 254
    assert rig.purge("default") == 0
    assert rig.queues() == {"default": 0, "other": 1}
    assert rig.ids(state="running") == running
    assert [one.id for one in rig.delayed()] == later
    assert rig.ids(state="queued") == other
    page = rig.tasks(state="stopped")
    assert {one.reason for one in page} == {"a mistake"}
    for name in ("pause", "resume", "purge"):
        with pytest.raises(errors.BadName):
            getattr(rig, name)("no queue")


def test_a_purge_ends_though_others_submit_meanwhile(rig, monkeypatch):
    rig.submit(150)
    whole = ops.purge

    def purge(*args, **kwargs):
        rig.submit(100)
        return whole(*args, **kwargs)

    monkeypatch.setattr("taskpy.ops.purge", purge)
    assert rig.purge("default") == 150
    assert rig.queues() == {"default": 200}


# -- dead letters -------------------------------------------------------------------------------


def test_dead_letters_are_revived(rig):
    first, second, third = rig.ended("failed", 3)
    [good] = rig.ended("succeeded")

    assert rig.revive(first).id != first
    handles = rig.revive_many([second, good, "nobody", first])
    assert [handle is not None for handle in handles] == [True, False, False, False]
    assert rig.about(handles[0].id).task.origin == second
    assert [letter.task.id for letter in rig.dead()] == [third]
    with pytest.raises(errors.TaskNotFound):
        rig.revive("nobody")
    with pytest.raises(errors.UsageError, match="only a failed task can be revived, and only once"):
        rig.revive(first)
    with pytest.raises(errors.BadName):
        rig.revive_many(["no id"])


def test_dead_letters_by_pages(rig):
    rig.ended("failed", PAGE + 2)

    first, second = rig.dead(), rig.dead(page=1)
    assert (len(first), first.more, first.total) == (PAGE, True, PAGE + 2)
    assert (len(second), second.more, second.total) == (2, False, PAGE + 2)
    assert isinstance(first[0].exception, errors.RemoteError)
    rig.client.redis.delete(rig.keys.task(second[0].task.id))
    again = rig.dead(page=1)
    assert (len(again), len(again.ids)) == (1, 2)


def test_dead_letters_are_deleted(rig):
    ids = rig.ended("failed", 150)

    assert rig.delete([*ids[:120], "nobody"]) == 120
    assert rig.dead().total == 30
    assert rig.delete(ids) == 30
    assert rig.delete([]) == 0


def test_both_clients_can_do_the_same():
    public = {name for name in vars(Client) if not name.startswith("_")}
    ours = {name for name in vars(aio.Client) if not name.startswith("_")}

    assert public - ours == {"of", "redis", "where"}
    assert lists.PAGE == PAGE
