"""An operation is data: what to say to Redis, and how to read the answer. Sends nothing."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from taskpy import errors
from taskpy import script as scripts
from taskpy.keys import Keys
from taskpy.script import Script

T = TypeVar("T")
Arg = str | bytes | int | float

#: No time in Redis is longer, in milliseconds (317 years): Lua writes larger numbers as 1e+14.
_LONGEST_MS = 10**13


@dataclass(frozen=True, slots=True)
class Op(Generic[T]):
    """One thing to say to Redis: a plain `command`, or a `script` with its keys and arguments.

    `verb` is the word for it in logs, `decode` reads the answer.
    """

    verb: str
    command: tuple[Arg, ...]
    script: Script | None
    keys: tuple[str, ...]
    args: tuple[Arg, ...]
    decode: Callable[[Any], T]

    @property
    def wire(self) -> tuple[Arg, ...]:
        """The command as it is sent; a script goes by its hash."""
        if self.script is None:
            return self.command
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.args)

    @property
    def wire_in_full(self) -> tuple[Arg, ...]:
        """The command with the whole script, for a server that does not know it."""
        if self.script is None:
            return self.command
        return ("EVAL", self.script.source, len(self.keys), *self.keys, *self.args)


def plain(verb: str, command: Iterable[Arg], decode: Callable[[Any], T]) -> Op[T]:
    """An op that is a plain command."""
    return Op(verb, tuple(command), None, (), (), guarded(verb, decode))


def scripted(verb: str, keys: Iterable[str], args: Iterable[Arg], decode: Callable[[Any], T]) -> Op[T]:
    """An op that is the script of the same name."""
    return Op(verb, (), scripts.load(verb), tuple(keys), tuple(args), guarded(verb, decode))


def guarded(verb: str, decode: Callable[[Any], T]) -> Callable[[Any], T]:
    """Reads answers, and calls those `Malformed` that taskpy's scripts cannot have made of what taskpy stores."""

    def read(answer: Any) -> T:
        try:
            return decode(answer)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            if isinstance(error, errors.TaskpyError):
                raise
            raise errors.Malformed(f"the answer to {verb!r} was not made of what taskpy stores: {error}") from error

    return read


def ms(seconds: float) -> int:
    """A length of time as Redis gets it."""
    return round(min(seconds, _LONGEST_MS / 1000) * 1000)  # cut first: 1e308 s are no number of ms


def token_of(wid: str, number: int) -> str:
    """The token of a claim: it fences everything that is done to the tasks of the claim."""
    return f"{wid}.{number}"


def task_keys(keys: Keys, id: str, queue: str) -> tuple[str, ...]:
    """What a script touches that may end a task: task, inbox, outbox, events, recent."""
    return keys.task(id), keys.inbox(id), keys.outbox(id), keys.events(id), keys.recent(queue)


def end_keys(keys: Keys) -> tuple[str, ...]:
    """What the end of any task may touch: keyed, behind, later, felling."""
    return keys.keyed(), keys.behind(), keys.later(), keys.felling()
