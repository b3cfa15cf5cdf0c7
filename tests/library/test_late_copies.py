"""What was refused for want of room may be on its way once more, in a copy that the network made: nothing is lost by it."""

import asyncio
import contextlib
import inspect
import uuid

import pytest

from taskpy import Client, aio, codec, errors, ops, spec
from taskpy.line_redis import RedisLine
from taskpy.taken import Taken


class Rig:
    """A running task whose inbox has room for one message, a handle of it, and the network between them."""

    def __init__(self, kind, monkeypatch):
        monkeypatch.setattr(spec, "INBOX_LIMIT", 1)
        url = f"memory://late-copies-{uuid.uuid4().hex}"
        self.client = Client(url)
        self.keys, self.run = self.client.space.keys, self.client.space.broker.run
        self.id = self.client.submit("nobody.knows").id
        self.run(ops.join(self.keys, wid="w1", lease=600))
        self.run(ops.claim(self.keys, wid="w1", number=1, count=1, queues=["default"]))
        self.run(ops.start(self.keys, wid="w1", number=1, ids=[self.id]))
        self.taken = 0
        self.calls = []  # each call that puts something to the task, with its answer
        self.passes = lambda: None  # what happens once one was refused
        self._runner = asyncio.Runner() if kind == "aio" else None
        self._asker = aio.Client(url) if kind == "aio" else self.client
        broker = self._asker.broker if kind == "aio" else self.client.space.broker
        monkeypatch.setattr(broker, "performing", self._through(broker.performing))
        self.senders = self._asker.senders if kind == "aio" else self.client.space.senders
        self.attach(self.id)

    def _through(self, performing):
        """The network: it keeps what passes, and has `passes` happen behind a refusal, before anything else is asked."""

        def note(step, answer):
            if isinstance(step, ops.Op) and step.verb in ("send", "ask"):
                self.calls.append((step, answer))
            return answer

        async def noted(step, answer):
            return note(step, await answer)

        @contextlib.contextmanager
        def through():
            with performing() as perform:

                def performed(step):
                    if self.calls and self.calls[-1][1] == "full":
                        passes, self.passes = self.passes, lambda: None
                        passes()
                    answer = perform(step)
                    return noted(step, answer) if inspect.isawaitable(answer) else note(step, answer)

                yield performed

        return through

    def __getattr__(self, name):
        def call(*args, **kwargs):
            answer = getattr(self.handle, name)(*args, **kwargs)
            return self._runner.run(answer) if inspect.isawaitable(answer) else answer

        return call

    def attach(self, id):
        """Take the handle of this task."""
        self.handle = self._asker.attach(id)

    def offer(self, data):
        """What another thread of the same client does."""
        line = RedisLine(self.keys, self.id, self.senders, server=lambda: "nowhere")
        return self.client.space.broker.drive(line.offer(data, None))

    def make_room(self):
        """Have the task take what its inbox holds; what it was."""
        bodies = self.run(ops.fetch(self.keys, id=self.id, skip=0, count=9))
        self.taken += len(bodies)
        token, taken = ops.token_of("w1", 1), Taken(self.taken)
        assert self.run(ops.mark(self.keys, id=self.id, token=token, number=self.taken, acknowledged=taken, sent=0))
        return [codec.load_message(body).data for body in bodies]

    def copy_arrives(self):
        """Let a copy of the last call that was refused arrive; what it is answered, which nobody hears."""
        return self.run([op for op, answer in self.calls if answer == "full"][-1])

    def close(self):
        """Close the clients."""
        if self._runner is not None:
            self._runner.run(self._asker.close())
            self._runner.close()
        self.client.close()


@pytest.fixture(params=["sync", "aio"])
def rig(request, monkeypatch):
    made = Rig(request.param, monkeypatch)
    yield made
    made.close()


def test_a_late_copy_of_a_refused_message_swallows_no_other(rig):
    rig.send("first")
    with pytest.raises(errors.Full):
        rig.send("refused", block=False)
    assert rig.make_room() == ["first"]
    rig.copy_arrives()
    assert rig.make_room() == ["refused"]

    number = rig.send("another")

    assert number == 3
    assert rig.make_room() == ["another"]


def test_a_late_copy_of_a_refused_message_is_nothing_once_another_was_accepted(rig):
    rig.send("first")
    with pytest.raises(errors.Full):
        rig.send("refused", timeout=0.01)
    rig.make_room()
    rig.send("another")
    assert rig.make_room() == ["another"]

    rig.copy_arrives()

    assert rig.make_room() == []
    assert len({op.args[2] for op, _ in rig.calls}) == 1, "one sender is enough, Redis remembers each"


def test_a_message_that_waits_for_room_is_stored_once_whatever_passes_it(rig):
    sent = []

    def passed():
        assert rig.make_room() == ["first"]
        rig.copy_arrives()
        assert rig.make_room() == ["waits"]
        sent.append(rig.offer("passes"))

    rig.send("first")
    rig.passes = passed

    number = rig.send("waits", timeout=10)

    assert (number, sent) == (2, [3])
    assert rig.make_room() == ["passes"]
    rig.copy_arrives()
    assert rig.make_room() == []


def test_a_late_copy_of_a_message_to_a_task_that_was_not_there_swallows_no_other(rig, monkeypatch):
    monkeypatch.setattr(spec, "INBOX_LIMIT", 2)
    task = rig.client.task("nobody.knows")
    rig.attach(task.id)
    with pytest.raises(errors.TaskNotFound):
        rig.send("too early")
    task.start()
    assert rig.run(rig.calls[-1][0]) == 1

    assert rig.send("another") == 2


def test_a_late_copy_of_a_refused_question_swallows_no_other(rig):
    for number in range(1, spec.QUESTION_LIMIT + 1):
        rig.run(ops.ask(rig.keys, id=rig.id, sender="s", number=number, question=b"?"))
    with pytest.raises(errors.Full):
        rig.ask("refused")
    rig.run(ops.retract(rig.keys, id=rig.id, number=1))
    rig.run(ops.retract(rig.keys, id=rig.id, number=2))
    assert rig.copy_arrives() == spec.QUESTION_LIMIT + 1

    with pytest.raises(errors.NoAnswer):
        rig.ask("another", timeout=0)

    assert rig.calls[-1][1] == spec.QUESTION_LIMIT + 2
