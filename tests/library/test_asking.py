"""Questions in both directions: put to a task, which answers them at its safe points; and asked by a task, which waits."""

import random
import threading
import time

import asking_tasks as tasks
import asking_tasks_async as coroutines
import places
import pytest
from places import SOON, WOKEN, eventually

import taskpy
from taskpy import NoAnswer, TaskEnded, errors
from taskpy.spec import QUESTION_LIMIT, Flag

thoroughly = pytest.mark.parametrize("place", places.THOROUGHLY, indirect=True)
plain = pytest.mark.parametrize("place", places.PLAIN, indirect=True)
remote = pytest.mark.parametrize("place", places.REMOTE, indirect=True)
crossing = pytest.mark.parametrize("place", places.CROSSING, indirect=True)
on_loops = pytest.mark.parametrize(
    "place", ["thread-async", "process-async", "fake-async", "real-async"], indirect=True
)


def asked(handle):
    """What the task asks, as soon as it does."""
    return eventually(lambda: looked(handle))


def looked(handle):
    return (handle._refreshed() if isinstance(handle, places.Awaited) else handle).question


def flags(handle):
    return (handle._refreshed() if isinstance(handle, places.Awaited) else handle).flags


# -- ask it -------------------------------------------------------------------------------------


@thoroughly
def test_a_question_is_answered_by_its_handler(place):
    handle = place.begun(tasks.counter)
    began = time.monotonic()

    assert [handle.ask("add", 2, timeout=SOON), handle.ask("add", 3, timeout=SOON)] == [2, 5]
    assert handle.ask("count", timeout=SOON) == 5
    assert handle.ask("echo", {"a": [1, None, b"x"]}, timeout=SOON) == {"a": [1, None, b"x"]}
    assert time.monotonic() - began < 2 * WOKEN
    handle.stop(timeout=SOON)
    assert handle.result == 5


@pytest.mark.parametrize("how", ["stopped", "recv", "for", "sleep", "checkpoint", "ask"])
def test_it_is_answered_at_every_safe_point(place, how):
    handle = place.begun(tasks.answers_where, how)

    assert handle.ask("where", timeout=SOON) == how


def test_what_has_no_handler_is_an_unknown_topic(place):
    handle = place.begun(tasks.counter)

    with pytest.raises(errors.UnknownTopic, match=r"'weather'.*'add', 'count', 'echo'") as caught:
        handle.ask("weather", timeout=SOON)
    assert isinstance(caught.value, LookupError)
    assert handle.ask("count", timeout=SOON) == 0


def test_an_error_of_the_handler_is_the_askers(place):
    handle = place.begun(tasks.counter)

    with pytest.raises(errors.AnswerFailed, match="'fail' failed: KeyError: 'no way'") as caught:
        handle.ask("fail", "way", timeout=SOON)
    assert isinstance(caught.value.__cause__, KeyError)
    assert handle.ask("add", 1, timeout=SOON) == 1
    with pytest.raises(errors.AnswerFailed, match="takes no data"):
        handle.ask("count", "data", timeout=SOON)
    with pytest.raises(errors.AnswerFailed, match="TypeError"):
        handle.ask("add", "no number", timeout=SOON)
    assert handle.ask("optional", timeout=SOON) is None
    assert handle.ask("optional", 1, timeout=SOON) == 1


@crossing
def test_an_answer_that_cannot_be_sent_has_failed(place):
    handle = place.begun(tasks.counter)

    with pytest.raises(errors.AnswerFailed, match="object") as caught:
        handle.ask("unsendable", timeout=SOON)
    assert isinstance(caught.value.__cause__, errors.NotSendable)
    with pytest.raises(errors.AnswerFailed) as caught:
        handle.ask("large", timeout=SOON)
    assert isinstance(caught.value.__cause__, errors.TooLarge)
    assert handle.ask("count", timeout=SOON) == 0


@crossing
def test_data_that_cannot_be_sent_is_refused(place):
    handle = place.begun(tasks.counter)

    with pytest.raises(errors.NotSendable):
        handle.ask("echo", object())
    with pytest.raises(errors.TooLarge):
        handle.ask("echo", b"x" * 2**21)
    assert handle.ask("count", timeout=SOON) == 0


@pytest.mark.parametrize("topic", ["", "two words", 7, None, "x" * 129])
def test_a_topic_is_a_name(place, topic):
    handle = place.begun(tasks.counter)

    with pytest.raises(errors.BadName):
        handle.ask(topic, timeout=SOON)


def test_handlers_that_cannot_answer_are_refused(place):
    handle = place.started(tasks.bad_handlers)

    assert handle.get(timeout=SOON) == ["BadName", "BadName", "BadArguments", "BadArguments", "BadArguments"]


def test_a_task_that_never_looks_does_not_answer(place, gate):
    handle = place.begun(tasks.never_looks, gate.path)

    with pytest.raises(
        NoAnswer, match=r"'status' after 0\.05 s: the task is running, and answers where it calls"
    ) as no:
        handle.ask("status", timeout=0.05)
    assert isinstance(no.value, TimeoutError)


def test_what_has_ended_answers_nothing(place, gate, background):
    handle = place.begun(tasks.never_looks, gate.path)
    asking = background(handle.ask, "status", timeout=SOON)
    with pytest.raises(NoAnswer):
        handle.ask("status", timeout=0.05)
    gate.open()

    with pytest.raises(TaskEnded) as caught:
        asking.result(SOON)
    assert caught.value.state == "succeeded"
    with pytest.raises(TaskEnded):
        handle.ask("status", timeout=SOON)


def test_a_stop_in_the_middle_ends_the_waiting(place, gate, background):
    handle = place.begun(tasks.never_looks, gate.path)
    asking = background(handle.ask, "status")
    handle.stop(join=False)
    gate.open()

    with pytest.raises(TaskEnded):
        asking.result(SOON)


def test_a_task_that_was_not_started_is_not_asked(place):
    handle = place(tasks.counter)

    with pytest.raises(errors.NotStarted):
        handle.ask("count", timeout=SOON)
    with pytest.raises(errors.NotStarted):
        handle.answer("yes")
    handle.stop()
    with pytest.raises(TaskEnded):
        handle.ask("count", timeout=SOON)


def test_handlers_come_and_are_replaced(place):
    handle = place.begun(tasks.answers_late)
    asking = []
    with pytest.raises(errors.UnknownTopic, match="it answers nothing"):
        asking.append(handle.ask("status", timeout=SOON))
    handle.send("now")
    assert handle.recv(timeout=SOON) == "ready"

    assert handle.ask("status", timeout=SOON) == 2


@remote
def test_a_question_waits_for_the_task_to_begin(place, background):
    handle = place.options(delay=0.5).started(tasks.counter)

    assert handle.ask("add", 4, timeout=SOON) == 4


@remote
def test_anybody_asks_who_knows_the_id(place):
    handle = place.begun(tasks.counter)
    other = place.attach(handle.id)

    assert other.ask("add", 1, timeout=SOON) == 1
    assert handle.ask("add", 1, timeout=SOON) == 2
    with pytest.raises(taskpy.TaskNotFound):
        place.attach(handle.id[:-6] + "000000").ask("count", timeout=SOON)


def test_many_ask_at_once(place, background):
    handle = place.begun(tasks.counter)
    asking = [background(handle.ask, "add", 1, timeout=SOON) for _ in range(30)]

    assert sorted(each.result(SOON) for each in asking) == list(range(1, 31))


@thoroughly
def test_a_handler_may_call_the_task_and_no_other_comes_between(place, background):
    handle = place.begun(tasks.nested)
    asking = [background(handle.ask, "slow", timeout=SOON) for _ in range(2)]
    assert handle.recv(timeout=SOON) == "answering"

    assert handle.ask("quick", timeout=SOON) == 0
    assert [each.result(SOON) for each in asking] == ["slow"] * 2
    assert handle.ask("asks", timeout=SOON) == "refused"
    handle.stop(timeout=SOON)
    assert handle.result == "by the handler"


def test_a_stop_that_a_handler_raises_is_the_tasks(place):
    handle = place.begun(tasks.stopped_by_handler)

    with pytest.raises(TaskEnded):
        handle.ask("stop", timeout=SOON)
    assert handle.state == "stopped"


@thoroughly
def test_a_handler_that_does_not_end_is_unwound_with_its_task(place, background):
    handle = place.begun(tasks.busy_handler)
    asking = background(handle.ask, "busy", timeout=SOON)
    assert handle.recv(timeout=SOON) == "answering"

    assert handle.stop(grace=0.05, then="raise", timeout=SOON) == "stopped"
    with pytest.raises(TaskEnded):
        asking.result(SOON)


@plain
def test_handlers_are_called_in_the_tasks_own_thread(place):
    handle = place.begun(tasks.looks_in_another_thread)

    assert [handle.ask("mine", timeout=SOON) for _ in range(20)] == [True] * 20


@plain
def test_another_thread_of_a_task_may_ask(place):
    handle = place.started(tasks.asks_in_another_thread)
    assert asked(handle).data == "from a thread?"

    assert handle.ask("status", timeout=SOON) == "asleep"
    handle.answer("yes")
    assert handle.get(timeout=SOON) == ["yes"]


@plain
def test_too_many_questions_are_refused(place, gate, background):
    handle = place.begun(tasks.never_looks, gate.path)
    asking = [background(handle.ask, "status", timeout=SOON) for _ in range(QUESTION_LIMIT + 1)]

    def refused():
        return [each for each in asking if each.done() and isinstance(each.exception(), errors.Full)]

    assert len(eventually(refused)) == 1
    gate.open()
    for each in asking:
        with pytest.raises((TaskEnded, errors.Full)):
            each.result(SOON)
    assert len(refused()) == 1


@pytest.mark.parametrize("place", places.PLAIN_REMOTE, indirect=True)
def test_a_question_that_redis_has_lost_is_not_waited_for(place, gate, background):
    """As after a failover."""
    handle = place.begun(tasks.never_looks, gate.path)
    space = place.make._client.space
    raw, key = space.broker.redis, space.keys.task(handle.id)
    asking = background(handle.ask, "status")
    eventually(lambda: raw.hexists(key, "q:1"))
    raw.hdel(key, "qn", "qo", "q:1")

    eventually(lambda: raw.publish(key, "answered") and asking.done())
    with pytest.raises(NoAnswer, match="lost with Redis's last writes"):
        asking.result(SOON)


@plain
def test_whoever_gave_up_leaves_nothing_behind(place):
    handle = place.begun(tasks.counter, 0.001)
    for number in range(500):
        try:
            assert handle.ask("echo", number, timeout=0 if number % 5 == 0 else SOON) == number
        except NoAnswer:
            assert number % 5 == 0

    assert handle.ask("count", timeout=SOON) == 0
    if place.remote:
        client = place.make._client
        fields = client.space.broker.redis.hkeys(client.space.keys.task(handle.id))
        assert len(fields) < 40, fields
        assert not [field for field in fields if field.startswith((b"q:", b"a:"))], fields
    else:
        assert not handle.line.counter._open
        if place.name == "thread":
            assert not handle._thread_line.mailbox.desk.questions


@plain
def test_those_who_vanish_do_not_fill_the_task(place, background):
    """Their answers are never fetched."""
    handle = place.begun(tasks.counter, 0.001)
    line = handle._flows.line
    for _ in range(3 * QUESTION_LIMIT):
        eventually(lambda: isinstance(handle._drive(line.ask("count", None)), int))

    assert eventually(lambda: answered(handle)) == (0,)


def answered(handle):
    try:
        return (handle.ask("count", timeout=SOON),)
    except errors.Full:
        return None


# -- coroutines ---------------------------------------------------------------------------------


@on_loops
def test_stopped_lets_a_coroutine_answer_beside_what_it_awaits(place):
    handle = place.make(coroutines.answers_while_it_computes)
    place._keep(handle).start()
    assert handle.recv(timeout=SOON) == "begun"

    assert handle.ask("status", timeout=SOON) == "computing"


@on_loops
def test_what_was_being_answered_at_the_end_is_cancelled(place, background):
    handle = place._keep(place.make(coroutines.ends_while_it_answers))
    handle.start()
    assert handle.recv(timeout=SOON) == "begun"
    asking = background(handle.ask, "status", timeout=SOON)

    assert handle.get(timeout=SOON) == "end"
    with pytest.raises(TaskEnded):
        asking.result(SOON)


@on_loops
def test_an_answer_that_was_cancelled_is_tried_again(place):
    handle = place._keep(place.make(coroutines.cancelled_answer))
    handle.start()
    assert handle.recv(timeout=SOON) == "begun"

    assert handle.ask("tries", timeout=SOON) in (1, 2)  # 1: it was asked after the time-out


@on_loops
def test_a_question_that_was_cancelled_is_asked_no_more(place):
    handle = place._keep(place.make(coroutines.cancelled_question))
    handle.start()
    assert asked(handle).data == "cancelled?"
    assert handle.recv(timeout=SOON) == "cancelled"

    eventually(lambda: handle.question is None)
    with pytest.raises(errors.NotAsked):
        handle.answer("late")


@on_loops
def test_a_thread_of_a_coroutine_may_look(place):
    handle = place._keep(place.make(coroutines.looks_in_a_thread))
    handle.start()
    assert handle.recv(timeout=SOON) == "begun"

    assert handle.ask("status", timeout=SOON) == "fine"


# -- let it ask ---------------------------------------------------------------------------------


@thoroughly
def test_a_task_waits_visibly_until_it_is_answered(place):
    handle = place.begun(tasks.ask_once, {"delete": ["a", "b"]})

    question = asked(handle)
    assert (question.number, question.data) == (1, {"delete": ["a", "b"]})
    assert Flag.WAITING in flags(handle)
    assert handle.state == "running"
    handle.answer({"yes": True})
    assert looked(handle) is None
    assert handle.get(timeout=WOKEN) == {"yes": True}
    assert flags(handle) == frozenset()


def test_the_first_answer_counts_and_the_second_is_told(place):
    handle = place.begun(tasks.ask_once, "?")
    number = asked(handle).number
    handle.answer("first", number=number)

    for given in ({}, {"number": number}):
        with pytest.raises((errors.AlreadyAnswered, TaskEnded)) as caught:
            handle.answer("second", **given)
        if isinstance(caught.value, errors.AlreadyAnswered):
            assert "@" in caught.value.by
    assert handle.get(timeout=SOON) == "first"


def test_none_is_an_answer(place):
    handle = place.begun(tasks.ask_once, None)
    assert asked(handle).data is None
    handle.answer(None)

    assert handle.get(timeout=SOON) is None


def test_questions_are_asked_one_after_the_other(place):
    handle = place.started(tasks.ask_each, ["a", "b", "c"])
    given = []
    for number in (1, 2, 3):
        eventually(lambda number=number: (question := looked(handle)) and question.number == number)
        given.append(looked(handle).data)
        handle.answer(given[-1].upper())

    assert sorted(given) == ["a", "b", "c"]
    assert handle.get(timeout=SOON) == ["A", "B", "C"]


def test_what_nobody_answers_in_time_is_asked_no_more(place):
    handle = place.started(tasks.ask_then_go_on)
    assert handle.recv(timeout=SOON) == "given up"

    assert looked(handle) is None
    with pytest.raises(errors.NotAsked):
        handle.answer("late")
    with pytest.raises(errors.NotAsked):
        handle.answer("late", number=1)


def test_a_task_that_asks_nothing_takes_no_answer(place):
    handle = place.begun(tasks.counter)

    with pytest.raises(errors.NotAsked):
        handle.answer("what?")
    with pytest.raises(errors.BadArguments):
        handle.answer("what?", number=0)
    handle.stop(timeout=SOON)
    with pytest.raises(TaskEnded):
        handle.answer("what?")


def test_an_answer_is_for_one_question(place):
    handle = place.started(tasks.ask_twice_the_same)
    first = asked(handle).number
    handle.answer("one", number=first)
    eventually(lambda: (question := looked(handle)) and question.number == first + 1)

    with pytest.raises(errors.NotAsked):
        handle.answer("again", number=first)
    handle.answer("two", number=first + 1)
    assert handle.get(timeout=SOON) == ["one", "two"] or handle.result == ("one", "two")


@crossing
def test_an_answer_that_cannot_be_sent_is_refused(place):
    handle = place.begun(tasks.ask_once, "?")
    asked(handle)

    with pytest.raises(errors.NotSendable):
        handle.answer(object())
    with pytest.raises(errors.TooLarge):
        handle.answer(b"x" * 2**21)
    handle.answer("fine")
    assert handle.get(timeout=SOON) == "fine"


@crossing
@pytest.mark.parametrize(("kind", "error"), [("unsendable", "NotSendable"), ("large", "TooLarge")])
def test_a_question_that_cannot_be_sent_is_refused(place, kind, error):
    handle = place.started(tasks.ask_badly, kind)
    assert asked(handle).data == "and now?"
    handle.answer("on")

    assert list(handle.get(timeout=SOON)) == [error, "on"]


def test_a_task_asks_one_thing(place):
    assert place.started(tasks.ask_with_data).get(timeout=SOON) == "refused"


@thoroughly
def test_a_task_that_waits_answers_others(place):
    handle = place.started(tasks.ask_and_answer)
    asked(handle)

    assert handle.ask("status", timeout=SOON) == "waiting"
    handle.answer("yes")
    assert handle.get(timeout=SOON) == "yes"


def test_a_checkpoint_while_it_waits_takes_no_answer_away(place):
    handle = place.started(tasks.ask_and_mark)
    asked(handle)
    for answered in (False, True):
        if answered:
            handle.answer("yes")
            break
        assert handle.ask("mark", timeout=SOON) is None
        assert looked(handle).data == "go on?"

    assert list(handle.get(timeout=SOON)) == ["yes", "marked"]


@thoroughly
def test_a_stop_ends_the_waiting(place):
    handle = place.started(tasks.ask_until_stopped)
    asked(handle)

    assert handle.stop(timeout=WOKEN) == "succeeded"
    assert handle.result == "stopped"


@plain
def test_a_stop_ends_the_waiting_with_a_timeout(place):
    handle = place.begun(tasks.ask_once, "?", 60)
    asked(handle)

    assert handle.stop(timeout=SOON) == "succeeded"
    assert handle.result == "no answer"


def test_it_may_be_stopped_by_force(place):
    handle = place.begun(tasks.ask_once, "?")
    asked(handle)

    assert handle.stop(grace=0, then="raise", timeout=SOON) == "stopped"


@remote
def test_anybody_answers_who_knows_the_id(place):
    handle = place.begun(tasks.ask_once, "?")
    other = place.attach(handle.id)
    assert asked(other).data == "?"
    other.answer("from there")

    assert handle.get(timeout=SOON) == "from there"


@pytest.mark.parametrize("place", ["real"], indirect=True)
def test_another_process_answers(place, script, real_url):
    handle = place.begun(tasks.ask_once, "?")
    asked(handle)
    source = """
import sys
from taskpy import Client

with Client(sys.argv[1], namespace="library") as client:
    task = client.attach(sys.argv[2])
    print(task.question.data)
    task.answer("from another process")
"""
    output, _ = script.run(source, real_url, handle.id)

    assert output == "?\n"
    assert handle.get(timeout=SOON) == "from another process"


def test_the_other_side_is_told(place):
    handle = place.begun(tasks.counter)
    if isinstance(handle, places.Awaited):
        assert not hasattr(handle.task, "answers")
        return
    with pytest.raises(errors.WrongSide):
        handle.answers("topic", print)


# -- the race -----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["thread", "thread-async", "real", "real-async"], indirect=True)
def test_the_answerer_and_the_task_always_agree(place):
    """1,000 questions, each answered about when it is given up: an answer that was accepted is the one that it got."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    each, lanes = 40, 25
    timeouts = [[chance.uniform(0.001, 0.02) for _ in range(each)] for _ in range(lanes)]
    delays = [[chance.uniform(0.0, 0.02) for _ in range(4 * each)] for _ in range(lanes)]
    handles = [place.started(tasks.ask_in_a_race, lane) for lane in timeouts]
    accepted = [{} for _ in range(lanes)]

    def answer(lane):
        handle, pauses = handles[lane], iter(delays[lane])
        deadline = time.monotonic() + 3 * SOON
        while time.monotonic() < deadline:
            if (question := handle.question) is None:
                if handle.done:
                    return
                time.sleep(0.001)
                continue
            time.sleep(next(pauses, 0.0))
            try:
                handle.answer(f"answer {question.data}", number=question.number)
            except (errors.NotAsked, errors.AlreadyAnswered, TaskEnded):
                continue
            accepted[lane][question.data] = f"answer {question.data}"

    threads = [threading.Thread(target=answer, args=(lane,)) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    found = [handle.get(timeout=3 * SOON) for handle in handles]
    for thread in threads:
        thread.join(SOON)

    got = [{number: value for number, value in enumerate(lane) if value is not None} for lane in found]
    assert got == accepted, f"seed {seed}"
    assert 0 < sum(map(len, got)) < each * lanes, "some were answered, and some given up"
