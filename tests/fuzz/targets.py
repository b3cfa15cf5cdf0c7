"""What is done to bytes from Redis, one function a target: decode, bind, look at. Only our own errors may come out."""

import contextlib

from taskpy_worker.listener import Listener

from taskpy import call, codec, errors, ops, pages
from taskpy.info import KnownWorker, WorkerInfo
from taskpy.keys import Keys
from taskpy.listed import Worker
from taskpy.naming import ID, NAME
from taskpy.ops import op
from taskpy.question import (
    dump_answer,
    dump_asked,
    dump_question,
    dump_reply,
    load_answer,
    load_asked,
    load_question,
    load_reply,
    readable_reply,
    shown_asked,
)
from taskpy.retry import backoff_of
from taskpy.space import Space
from taskpy.taken import Taken
from taskpy.traffic_redis import Fetched
from taskpy.unpacked import lines_of, progress_of

KEYS = Keys("fuzz")


def function(task, first, *rest, second=None):
    """What specs are bound to."""


def spec(data):
    found = codec.load_spec(data)
    assert NAME.fullmatch(found.name)
    assert NAME.fullmatch(found.queue)
    assert found.parent is None or ID.fullmatch(found.parent)
    for seconds in (found.options.delay, found.options.keep, found.options.time_limit):
        op.ms(seconds or 0)
    op.ms(backoff_of(found.options.backoff).delay(3))
    packed = codec.dump_spec(found)
    assert codec.dump_spec(codec.load_spec(packed)) == packed  # NaN is not equal to itself, its bytes are
    call.check_arguments(function, found.args, found.kwargs)


def message(data):
    found = codec.load_message(data)
    assert found.inbox is None or NAME.fullmatch(found.inbox)
    Fetched.of(1, data)


def state(data):
    codec.dump_state(*codec.load_state(data))


def result(data):
    codec.dump_result(codec.load_result(data))


def value(data):
    codec.loads(data)


def exception(data):
    found = codec.load_exception(data)  # never fails
    assert isinstance(found, Exception)
    assert len(str(found)) <= 2 * codec.EXCEPTION_LIMIT
    codec.dump_exception(found)


def progress(data):
    found = codec.load_progress(data)
    assert progress_of(data) is not None
    assert found.fraction is None or 0 <= found.fraction <= 1


def line(data):
    found = codec.load_line(data)
    assert 0 <= found.time < 1e12
    assert lines_of([data, b"garbage"])[0] == found


def question(data):
    found = load_question(1, data)
    assert NAME.fullmatch(found.topic)
    dump_question(found.topic, found.data)


def reply(data):
    found = load_reply(data)
    with contextlib.suppress(errors.UnknownTopic, errors.AnswerFailed):
        found.result("topic")
    dump_reply(found)
    assert readable_reply(data) == found or found.error is not None or found.value != found.value


def asked(data):
    dump_asked(load_asked(data))
    shown_asked(data)


def own_answer(data):
    """The answer to a question that the task has asked."""
    dump_answer(load_answer(data))


def info(data):
    found = WorkerInfo.load(data)  # never fails
    KnownWorker.of(Worker("w", 1.0, data, 0))
    assert all(NAME.fullmatch(queue) for queue in found.queues)
    assert WorkerInfo.load(found.dump()) == found


def taken(data):
    found = Taken.load(data.decode(errors="replace"))
    assert len(found.beyond) <= 10_000
    again = Taken.load(found.dump())
    assert again.beyond == found.beyond


def event(data):
    pages.events(KEYS, id="a").decode([data])


class _Executor:
    def hear(self, id, received, wish, *, body, orders):
        assert received < 10**20
        assert orders < 10**20
        assert body is None or isinstance(body, bytes)
        assert wish is None or 0 <= wish.grace < 1e12

    def answer(self, id, question):
        assert question < 10**20


_listener = Listener(Space("memory://fuzz", namespace="fuzz"), "w", _Executor())


def nudge(data):
    """What is said on a worker's channel."""
    _listener.tick(data)  # never fails


_ROWS = (
    (ops.start(KEYS, wid="w", number=1, ids=["a"]), lambda row: [row]),
    (ops.take(KEYS, wid="w", number=1, id="a", queue="q", restarts=1), list),
    (ops.heartbeat(KEYS, wid="w", tasks=[("a", "w.1")]), list),
    (ops.heartbeat(KEYS, wid="w", tasks=[("a", "w.1")]), lambda row: [1, row]),
    (ops.held(KEYS, wid="w"), list),
    (ops.due(KEYS, lease=1.0), list),
    (ops.children(KEYS, id="a"), list),
    (ops.parent(KEYS, id="a"), list),
    (ops.receive(KEYS, id="a", index=0, count=1), list),
    (ops.reported(KEYS, id="a", index=0, count=1), list),
    (ops.status(KEYS, id="a"), list),
    (ops.receipt(KEYS, id="a"), list),
    (ops.claim(KEYS, wid="w", number=1, count=1, queues=["q"]), list),
    (ops.agree(KEYS, version=1, lease=1.0), list),
    (ops.pause(KEYS, queue="q"), lambda row: row[0]),
    (pages.look(KEYS, id="a"), list),
    (pages.outline(KEYS, ids=["a"]), lambda row: [row]),
    (pages.events(KEYS, id="a"), list),
    (pages.workers(KEYS, wids=["w"]), lambda row: [row]),
    (pages.namespace(KEYS), lambda row: [row[:3], row[-1]]),
    (pages.paused(KEYS), list),
    (pages.queue_sizes(KEYS, queues=["q"]), list),
    (pages.dead(KEYS, start=0, count=1), list),
    (ops.submit_keyed(KEYS, id="a", queue="q", name="n", spec=b"s", key="k", conflict="join"), lambda row: row[0]),
    (ops.holder(KEYS, key="k"), lambda row: row[0]),
    (ops.divide(KEYS, shards=2), lambda row: row[0]),
    (ops.orders(KEYS, id="a", token="w.1"), list),
    (ops.response(KEYS, id="a", number=1), list),
    (ops.pose(KEYS, id="a", token="w.1", count=1, question=b"q"), list),
    (ops.withdraw(KEYS, id="a", token="w.1", number=1), list),
    (ops.answered(KEYS, id="a"), list),
)


def answer(data):
    """What a script or a command answers: the first byte says which, then the fields, each behind its kind."""
    if not data:
        return
    asked, shape = _ROWS[data[0] % len(_ROWS)]
    fields = []
    for part in data[1:].split(b"\x1f"):
        kind, said = part[:1], part[1:]
        fields.append(
            None if kind == b"n" else int(said) if kind == b"i" and _is_int(said) else [said] if kind == b"l" else said
        )
    asked.decode(shape(fields))


def _is_int(said):
    return len(said) < 19 and said.removeprefix(b"-").isdigit() and said.isascii()


TARGETS = {
    target.__name__: target
    for target in (
        *(spec, message, state, result, value, exception, progress, line),
        *(question, reply, asked, own_answer),
        *(info, taken, event, nudge, answer),
    )
}


def run(name, data):
    """Do it; anything but an error of taskpy's own comes out."""
    # What is packed again may be larger than before, or deeper than one may send.
    with contextlib.suppress(errors.WireError, errors.SpecError):
        TARGETS[name](data)
