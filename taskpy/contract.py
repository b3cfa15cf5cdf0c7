"""The names a task has on both of its sides: the handle outside, and the object that its function receives inside.

A name that belongs to the other side only raises `WrongSide` and says what to use instead.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Generic, Literal, NoReturn, Self, TypeVar, overload

from taskpy import errors
from taskpy.question import Asked
from taskpy.reported import LogLine
from taskpy.spec import Flag, State, StopReason

R = TypeVar("R")


class Contract(ABC, Generic[R]):
    """One task, seen from the outside or from the inside. Equal by id."""

    id: str

    @property
    @abstractmethod
    def args(self) -> tuple[Any, ...]:
        """The positional arguments of the function."""

    @property
    @abstractmethod
    def kwargs(self) -> Mapping[str, Any]:
        """The keyword arguments of the function."""

    # -- both sides -----------------------------------------------------------------------------

    @abstractmethod
    def send(self, data: Any, block: bool = True, timeout: float | None = None) -> int:
        """Send a message to the other side; its number."""

    @overload
    def recv(self, block: bool = True, timeout: float | None = None) -> Any: ...
    @overload
    def recv(self, inbox: str, /, block: bool = True, timeout: float | None = None) -> Any: ...
    @abstractmethod
    def recv(self, *order: Any, **options: Any) -> Any:
        """Receive the next message of the other side; inside, of the inbox that is named first."""

    @abstractmethod
    def stop(self, join: bool = True, *, timeout: float | None = None, reason: str | None = None) -> State:
        """Ask the task to stop."""

    @property
    @abstractmethod
    def stop_reason(self) -> StopReason | None:
        """Why the task is to stop, and by whom; None when nobody has asked it to."""

    @abstractmethod
    def __iter__(self) -> Iterator[Any]:
        """The messages of the other side, one by one."""

    @property
    @abstractmethod
    def state(self) -> Any:
        """Outside: where the task stands, a `State`. Inside: what its last checkpoint stored."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether the task has ended."""

    @property
    @abstractmethod
    def result(self) -> R | None:
        """What the function returned; None before the end, and when it failed or was stopped."""

    @property
    @abstractmethod
    def exception(self) -> Exception | None:
        """What the function raised; None before the end, and when it succeeded or was stopped."""

    @abstractmethod
    def ask(self, question: Any, data: Any = None, /, *, timeout: float | None = None) -> Any:
        """Ask the other side, and wait for its answer."""

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, Contract) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    # -- outside: what whoever started the task may do ------------------------------------------

    def start(self) -> None:
        """Run the function in the background."""
        self._only("outside")

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end."""
        self._only("outside")

    def get(self, timeout: float | None = None) -> R:
        """Wait for the end, and return the result or raise."""
        self._only("outside")

    def logs(self, follow: bool = False) -> Iterator[LogLine]:
        """The log records of the task."""
        self._only("outside")

    def received(self, number: int) -> bool:
        """Whether the task has taken the message of this number."""
        self._only("outside")

    def stream(self, after: int | Literal["now"] | None = None, *, timeout: float | None = None) -> Iterator[Any]:
        """What the task sends, from a place of the caller's choice."""
        self._only("outside")

    def children(self) -> Any:
        """The tasks that it has spawned."""
        self._only("outside")

    @property
    def parent(self) -> Any:
        """The task that has spawned it."""
        self._only("outside")

    def answer(self, value: Any, *, number: int | None = None) -> None:
        """Answer what the task asks."""
        self._only("outside")

    def pause(self, join: bool = False, *, timeout: float | None = None, tree: bool = False) -> bool:
        """Ask the task to stand still."""
        self._only("outside")

    def resume(self, *, tree: bool = False) -> None:
        """Let the task go on."""
        self._only("outside")

    @property
    def question(self) -> Asked | None:
        """What the task asks."""
        self._only("outside")

    @property
    def flags(self) -> frozenset[Flag]:
        """What is to be said of the task beside its state."""
        self._only("outside")

    def __enter__(self) -> Self:
        """Whoever leaves the block stops the task, and waits for its end."""
        self._only("outside")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._only("outside")

    # -- inside: what the function may do with the task it received ------------------------------

    @property
    def attempt(self) -> int:
        """Which start of the function this is, from 1."""
        self._only("inside")

    @property
    def token(self) -> str:
        """A name for this very start, never used twice: give it to outside systems as an idempotency key."""
        self._only("inside")

    @property
    def prev(self) -> Any:
        """The output of the predecessor in a Chain."""
        self._only("inside")

    @property
    def draining(self) -> bool:
        """Whether the worker is shutting down, so that the task should end or hand over soon."""
        self._only("inside")

    def answers(self, topic: str, handler: Callable[..., Any]) -> None:
        """Have a function answer what is asked about this topic."""
        self._only("inside")

    def stopped(self) -> bool:
        """Whether the task was asked to stop."""
        self._only("inside")

    def spawn(self, func: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Start another task as a child of this one."""
        self._only("inside")

    def sleep(self, seconds: float) -> bool:
        """Sleep; True after the whole time, False when a stop woke the task."""
        self._only("inside")

    def checkpoint(self, state: Any = None, *, send: Sequence[Any] = ()) -> None:
        """Store a state, acknowledge the messages taken so far, and send messages: all of it, or nothing."""
        self._only("inside")

    def release(self) -> NoReturn:
        """Give the task back to its queue, to be begun again by another worker."""
        self._only("inside")

    def _only(self, side: str) -> NoReturn:
        raise errors.WrongSide(
            "this belongs to the task itself; a handle has start, wait, get, stop, send, recv and stream"
            if side == "inside"
            else "this belongs to a handle; inside a task there are stopped, sleep, send, recv, spawn, checkpoint and release"
        )


def recv_order(*order: Any, block: bool = True, timeout: float | None = None) -> tuple[str | None, bool, float | None]:
    """What the arguments of the inside's `recv` ask for: an inbox may be named first, before `block` and `timeout`."""
    inbox, rest = (order[0], order[1:]) if order and isinstance(order[0], str) else (None, order)
    if len(rest) > 2:
        raise TypeError(f"recv takes an inbox, block and timeout, not {len(order)} arguments")
    if rest:
        block = rest[0]
    if len(rest) > 1:
        timeout = rest[1]
    return inbox, block, timeout
