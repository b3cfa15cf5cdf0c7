"""Questions and answers as bytes: what is written is read, and what is not ours is refused."""

import pytest

from taskpy import errors, wire
from taskpy.question import (
    KNOWN_LIMIT,
    Question,
    Reply,
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

DATA = {"a": (1, None), "b": {2.5}}


def sealed(**fields):
    return wire.seal(fields, where="test", parts={}, limit=10_000)


def test_what_is_written_is_read():
    assert load_question(7, dump_question("status", DATA)) == Question(7, "status", DATA)
    assert load_asked(dump_asked(DATA)) == DATA
    assert load_answer(dump_answer(DATA)) == DATA
    assert load_reply(dump_reply(Reply(DATA))) == Reply(DATA)
    assert load_reply(dump_reply(Reply(known=("a", "b")))) == Reply(known=("a", "b"))
    assert load_answer(dump_answer(None)) is None


@pytest.mark.parametrize("topic", ["", "two words", "x" * 129, None, 7])
def test_a_topic_is_a_name(topic):
    with pytest.raises(errors.BadName, match="is not a topic"):
        dump_question(topic, None)
    with pytest.raises(errors.Malformed):
        load_question(1, sealed(t=topic, d=1))


@pytest.mark.parametrize(
    ("dump", "what", "most"),
    [
        (lambda value: dump_question("t", value), "question", wire.MESSAGE_LIMIT),
        (dump_asked, "question", wire.QUESTION_LIMIT),
        (dump_answer, "answer", wire.MESSAGE_LIMIT),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_place(dump, what, most):
    with pytest.raises(errors.NotSendable, match=what):
        dump({"deep": [object()]})
    with pytest.raises(errors.TooLarge, match=what):
        dump(b"x" * most)
    dump(b"x" * (most - 100))


@pytest.mark.parametrize("value", [object(), b"x" * wire.MESSAGE_LIMIT])
def test_an_answer_that_cannot_be_sent_is_a_failed_one(value):
    reply = load_reply(dump_reply(Reply(value)))

    assert isinstance(reply.error, errors.SpecError)
    with pytest.raises(errors.AnswerFailed, match=type(reply.error).__name__):
        reply.result("topic")


def test_of_many_topics_some_are_named():
    names = tuple(f"{number:0120}" for number in range(20_000))

    assert load_reply(dump_reply(Reply(known=names))).known == names[:KNOWN_LIMIT]


def test_a_reply_comes_to_its_value_or_its_error():
    assert Reply(DATA).result("t") == DATA
    with pytest.raises(errors.UnknownTopic, match=r"no answer to 't'; it answers 'a', 'b'$"):
        Reply(known=("a", "b")).result("t")
    with pytest.raises(errors.UnknownTopic, match="it answers nothing"):
        Reply(known=()).result("t")
    error = KeyError("x")
    with pytest.raises(errors.AnswerFailed, match="'t' failed: KeyError: 'x'") as caught:
        Reply(error=error).result("t")
    assert caught.value.__cause__ is error


def test_the_error_of_a_type_that_is_not_known_here_says_its_name():
    class Odd(Exception):
        pass

    with pytest.raises(errors.AnswerFailed, match=r"Odd: why$") as caught:
        load_reply(dump_reply(Reply(error=Odd("why")))).result("t")
    assert isinstance(caught.value.__cause__, errors.RemoteError)


@pytest.mark.parametrize("load", [load_asked, load_answer, load_reply, lambda data: load_question(1, data)])
@pytest.mark.parametrize(
    "data", [b"", b"garbage", sealed(), sealed(x=1), sealed(u="ab"), sealed(u=[1]), sealed(t=b"t")]
)
def test_garbage_is_refused(load, data):
    with pytest.raises(errors.WireError):
        load(data)


def test_what_cannot_be_read_here_says_so():
    assert shown_asked(dump_asked(DATA)) == DATA
    assert shown_asked(b"garbage").startswith("this question cannot be read here: ")
    assert isinstance(readable_reply(b"garbage").error, errors.WireError)
