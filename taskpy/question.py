"""Questions and what came of them, as data and as bytes: those put to a task, and those that a task asks."""

from dataclasses import dataclass
from typing import Any

from taskpy import errors, failure, values, wire
from taskpy.naming import checked_name

#: How many of the topics that a task answers are named to who asks about another one.
KNOWN_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Question:
    """A question to a task, under its number among all that were ever put to it: what it is about, and what comes with it."""

    number: int
    topic: str
    data: Any = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that a task asks, under its number among all that it has ever asked: it waits for the answer."""

    number: int
    data: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """What a task has answered: a value; or the error of its handler; or, where it has none for the topic, those it has."""

    value: Any = None
    error: Exception | None = None
    known: tuple[str, ...] | None = None

    def result(self, topic: str) -> Any:
        """The value; raises `UnknownTopic` or `AnswerFailed`."""
        if self.known is not None:
            known = f"it answers {', '.join(map(repr, self.known))}" if self.known else "it answers nothing (yet)"
            raise errors.UnknownTopic(f"the task has no answer to {topic!r}; {known}")
        if self.error is not None:
            name = getattr(self.error, "type_name", type(self.error).__name__)
            text = getattr(self.error, "text", str(self.error))
            raise errors.AnswerFailed(f"the task's answer to {topic!r} failed: {name}: {text}") from self.error
        return self.value


def dump_question(topic: str, data: Any) -> bytes:
    """Packs a question to a task; raises BadName for its topic, NotSendable or TooLarge."""
    fields = {"t": checked_name(topic, "topic"), "d": data}
    return wire.seal(fields, where="question", parts={"question": data}, limit=wire.MESSAGE_LIMIT)


def load_question(number: int, packed: bytes) -> Question:
    """Unpacks a question to a task; raises Malformed or NewerVersion."""
    fields = wire.unseal(packed, limit=wire.MESSAGE_LIMIT)
    try:
        topic = checked_name(wire.take(fields, "t", "topic", str), "topic")
    except errors.BadName as error:
        raise errors.Malformed(str(error)) from error
    return Question(number, topic, fields.get("d"))


def dump_asked(question: Any) -> bytes:
    """Packs a question of a task; raises NotSendable or TooLarge (64 KiB): it is shown to whoever looks at the task."""
    return wire.seal({"d": question}, where="question", parts={"question": question}, limit=wire.QUESTION_LIMIT)


def load_asked(packed: bytes) -> Any:
    """Unpacks a question of a task; raises Malformed or NewerVersion."""
    return _data(packed, wire.QUESTION_LIMIT, "question")


def shown_asked(packed: bytes) -> Any:
    """Unpacks a question of a task for who looks at it; where it cannot be read here, words that say so."""
    try:
        return load_asked(packed)
    except errors.WireError as error:
        return f"this question cannot be read here: {error}"


def dump_answer(value: Any) -> bytes:
    """Packs the answer to a question of a task; raises NotSendable or TooLarge."""
    return wire.seal({"d": value}, where="answer", parts={"answer": value}, limit=wire.MESSAGE_LIMIT)


def load_answer(packed: bytes) -> Any:
    """Unpacks the answer to a question of a task; raises Malformed or NewerVersion."""
    return _data(packed, wire.MESSAGE_LIMIT, "answer")


def _data(packed: bytes, limit: int, what: str) -> Any:
    fields = wire.unseal(packed, limit=limit)
    if "d" not in fields:
        raise errors.Malformed(f"{what} without a value")
    return fields["d"]


def dump_reply(reply: Reply) -> bytes:
    """Packs a reply. A value that cannot be sent is the handler's failure."""
    if reply.known is None and reply.error is None:
        try:
            return wire.seal(
                {"d": reply.value}, where="answer", parts={"answer": reply.value}, limit=wire.MESSAGE_LIMIT
            )
        except errors.SpecError as error:
            reply = Reply(error=error)
    fields: dict[str, Any] = {"u": list(reply.known or ())[:KNOWN_LIMIT]} if reply.error is None else {}
    if reply.error is not None:
        fields = {"x": failure.dump_exception(reply.error)}
    return wire.seal(fields, where="answer", parts={"answer": None}, limit=wire.MESSAGE_LIMIT)


def load_reply(packed: bytes) -> Reply:
    """Unpacks a reply; raises Malformed or NewerVersion."""
    fields = wire.unseal(packed, limit=wire.MESSAGE_LIMIT)
    if "u" in fields:
        known = wire.take(fields, "u", "topics", list)
        if not all(type(topic) is str for topic in known):
            raise errors.Malformed(f"{values.shown(known)} are not topics")
        return Reply(known=tuple(known))
    if "x" in fields:
        return Reply(error=failure.load_exception(wire.take(fields, "x", "exception", bytes)))
    if "d" not in fields:
        raise errors.Malformed("a reply without a value")
    return Reply(value=fields["d"])


def readable_reply(packed: bytes) -> Reply:
    """Unpacks a reply; one that cannot be read here has failed."""
    try:
        return load_reply(packed)
    except errors.WireError as error:
        return Reply(error=error)
