"""Tells Redis how attempts came out. What gathers while one call is under way goes in the next; nothing waits for a timer.

Three may tell: the thread of the task itself, where nothing else waits; the claimer, who asks Redis again and again while
tasks come and go, and takes it along; and else a thread of the settler's own.
"""

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from taskpy import codec, errors, failure, ops
from taskpy.nudge import Nudge
from taskpy.ops import Ending
from taskpy.retry import backoff_of
from taskpy.space import Space
from taskpy.spec import Outcome, State, Verdict
from taskpy_worker.attempt import Attempt

logger = logging.getLogger("taskpy.worker")

#: How many endings go in one call.
BATCH = 200


@dataclass(frozen=True, slots=True)
class GiveBack:
    """A task that goes back to its queue."""

    why: ops.Why
    error: bytes = b""
    delay: float = 0.0


#: What was decided of an attempt.
Word = tuple[Attempt, Ending | GiveBack]


class Settler:
    """Settles and gives back, so that a task's thread ends with its function. Thread-safe."""

    def __init__(self, space: Space, wid: str) -> None:
        self._space = space
        self._wid = wid
        self._lock = threading.Lock()
        self._decided: deque[Word] = deque()
        self._news = Nudge()  # given when the settler's own thread should look
        self._carried = False  # while somebody takes along what is decided
        self._told_along: list[tuple[list[Word], Sequence[Any]]] = []  # and not noted here, with the answers
        self._closed = False
        self._telling_here = threading.Lock()  # held while the thread of a task tells of its own end
        self._pending: set[tuple[str, str]] = set()  # id and token
        self._settled: Callable[[Sequence[tuple[str, str]]], None] | None = None
        self._telling: Callable[[Sequence[Attempt]], None] | None = None
        self.idle = Nudge()

    def on_settled(self, callback: Callable[[Sequence[tuple[str, str]]], None]) -> None:
        """Call this with the ids and tokens of attempts that Redis knows the end of."""
        self._settled = callback

    def on_telling(self, callback: Callable[[Sequence[Attempt]], None]) -> None:
        """Call this with attempts whose ends are about to be told: from then on nothing else of them counts."""
        self._telling = callback

    @property
    def pending(self) -> int:
        """How many attempts wait to be settled."""
        return len(self._pending)

    def settle(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take the outcome of an attempt."""
        self._put(attempt, decide(attempt, outcome))

    def settle_here(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take the outcome of an attempt, and tell Redis of it in this thread: no other one need be woken for it.

        Where others wait to be told it goes with them, and where Redis refuses, it is as `settle`.
        """
        if self._pending or self._carried or not self._telling_here.acquire(blocking=False):
            self.settle(attempt, outcome)
            return
        try:
            decided = decide(attempt, outcome)
            with self._lock:
                counts = self._is_first(attempt)
            if counts:
                self._tell_all([(attempt, decided)])
        except Exception:  # it stands in line again: the settler's own thread tries, and says what is wrong
            logger.debug("not told at once: task=%s name=%s", attempt.id, attempt.name)
            self._news.give()
        finally:
            self._telling_here.release()

    def give_back(self, attempt: Attempt, back: GiveBack) -> None:
        """Take an attempt that is to go back to its queue."""
        self._put(attempt, back)

    def tick(self, block: float | None = None) -> int:
        """Tell Redis of all that has gathered, waiting at most `block` seconds for the first; how many there were."""
        seen = self._news.count
        batch = self._taken(along=False)
        if not batch and not self._closed:
            self._news.wait(seen, block)
            batch = self._taken(along=False)
        if batch:
            self._tell_all(batch)
        return len(batch)

    @contextlib.contextmanager
    def carrying(self) -> Iterator[None]:
        """While here, who calls `run_along` takes along what is decided, and no thread is woken for it."""
        with self._lock:
            self._carried = True
        try:
            yield
        finally:
            self._carry_no_more()

    def run_along(self, asked: Sequence[ops.Op[Any]], *, meanwhile: Callable[[], object]) -> list[Any]:
        """Run these operations as `Broker.run_many` does, and tell what is decided in the same round trip; their answers.

        That it was told is noted while Redis works on the next ones. Where that fails, for whatever reason, the settler's own
        thread tells it: it must not wait for these operations.
        """

        def beside() -> None:
            self._note_told_along()
            meanwhile()

        if batch := self._taken(along=True):
            self._announce(batch)
            words = self._words(batch)
            try:
                answers = self._space.broker.run_many([*words, *asked], meanwhile=beside, insist=False)
            except BaseException as error:
                with self._lock:
                    self._decided.extendleft(reversed(batch))
                self._carry_no_more()
                if not isinstance(error, errors.BrokerError):
                    raise
            else:
                self._told_along.append((batch, answers[: len(words)]))
                return answers[len(words) :]
        return self._space.broker.run_many(asked, meanwhile=beside)

    def close(self) -> None:
        """End the waiting of `tick`."""
        self._closed = True
        self._news.give()

    def _put(self, attempt: Attempt, decided: Ending | GiveBack) -> None:
        with self._lock:
            if not self._is_first(attempt):
                return
            wakes = not (self._carried or self._decided)  # where others wait, somebody is on the way
            self._decided.append((attempt, decided))
        if wakes:
            self._news.give()

    def _is_first(self, attempt: Attempt) -> bool:
        """Whether this is the first word on an attempt, which counts: one that is given back may still come to an end."""
        claim = (attempt.id, attempt.token)
        if claim in self._pending:
            return False
        self._pending.add(claim)
        return True

    def _taken(self, *, along: bool) -> list[Word]:
        """What is next to be told by who asks: who takes it along, or a thread for which that is not so."""
        with self._lock:
            if self._carried is not along:
                return []
            return [self._decided.popleft() for _ in range(min(BATCH, len(self._decided)))]

    def _note_told_along(self) -> None:
        told, self._told_along = self._told_along, []
        for batch, answers in told:
            self._told(batch, answers)

    def _carry_no_more(self) -> None:
        self._note_told_along()
        with self._lock:
            self._carried = False
            left = bool(self._decided)
        if left:
            self._news.give()

    def _tell_all(self, batch: Sequence[Word]) -> None:
        self._announce(batch)
        try:
            self._tell(batch)
        except Exception:  # one that Redis refuses must not hold up the others of its batch
            if len(batch) == 1:
                self._decided.append(batch[0])  # no end of a task may be forgotten
                raise
            self._tell_one_by_one(batch)

    def _tell_one_by_one(self, batch: Sequence[Word]) -> None:
        refused: Exception | None = None
        for each in batch:
            try:
                self._tell([each])
            except Exception as error:  # raised below, when all have had their turn
                self._decided.append(each)
                refused = error
        if refused is not None:
            raise refused

    def _announce(self, batch: Sequence[Word]) -> None:
        if self._telling is not None:
            self._telling([attempt for attempt, _ in batch])

    def _tell(self, batch: Sequence[Word]) -> None:
        self._told(batch, self._space.broker.run_many(self._words(batch)))

    def _words(self, batch: Sequence[Word]) -> list[ops.Op[Any]]:
        """What to say to Redis: all ends in one call, then each that goes back."""
        endings = [decided for _, decided in batch if isinstance(decided, Ending)]
        keys, wid = self._space.keys, self._wid
        settle: list[ops.Op[Any]] = [ops.settle(keys, wid=wid, endings=endings)] if endings else []
        return [
            *settle,
            *(
                ops.giveback(
                    keys,
                    id=attempt.id,
                    queue=attempt.queue,
                    wid=wid,
                    token=attempt.token,
                    why=back.why,
                    error=back.error,
                    delay=back.delay,
                )
                for attempt, back in batch
                if isinstance(back, GiveBack)
            ),
        ]

    def _told(self, batch: Sequence[Word], answers: Sequence[Any]) -> None:
        """Note that Redis knows these, and what it has answered."""
        claims = [(attempt.id, attempt.token) for attempt, _ in batch]
        with self._lock:
            self._pending.difference_update(claims)
        if self._settled is not None:
            self._settled(claims)
        self.idle.give()
        ends = [(attempt, decided) for attempt, decided in batch if isinstance(decided, Ending)]
        tells = logger.isEnabledFor(logging.DEBUG)
        for (attempt, ending), applied in zip(ends, answers[0] if ends else (), strict=True):
            if not applied:
                logger.warning("late result refused: task=%s name=%s token=%s", attempt.id, attempt.name, attempt.token)
            elif tells:
                logger.debug("task ended: task=%s name=%s state=%s", attempt.id, attempt.name, ending.state)
        for attempt, back in batch:
            if isinstance(back, GiveBack):
                logger.log(
                    logging.DEBUG if back.why == "unbegun" else logging.INFO,
                    "task given back: task=%s name=%s why=%s delay=%.1f",
                    attempt.id,
                    attempt.name,
                    back.why,
                    back.delay,
                )


def goes_on(attempt: Attempt, outcome: Outcome) -> bool:
    """Whether a task that comes out so goes back to its queue, and has not ended."""
    match outcome.verdict:
        case Verdict.RELEASED | Verdict.LOST:
            return True
        case Verdict.RETRY:
            return not attempt.stopping
        case Verdict.FAILED:
            return not (outcome.final or attempt.stopping or attempt.retries >= (attempt.options.retries or 0))
    return False


def decide(attempt: Attempt, outcome: Outcome) -> Ending | GiveBack:
    """What an outcome means: an end, or another run."""
    match outcome.verdict:
        case Verdict.SUCCEEDED:
            return _succeeded(attempt, outcome)
        case Verdict.STOPPED:
            return _ending(attempt, State.STOPPED, outcome.note.encode())
        case Verdict.RELEASED:
            return GiveBack("release")
        case Verdict.LOST:
            return GiveBack("release")  # mostly refused by its token, and then it only cleans this worker's own list
        case Verdict.RETRY if attempt.stopping:
            return _ending(attempt, State.STOPPED, b"")
        case Verdict.RETRY:
            return _retry(attempt, outcome)
    return _retry(attempt, outcome) if goes_on(attempt, outcome) else _failed(attempt, outcome.error)


def _succeeded(attempt: Attempt, outcome: Outcome) -> Ending:
    try:
        return _ending(attempt, State.SUCCEEDED, codec.dump_result(outcome.value))
    except Exception as error:  # NotSendable, TooLarge, or whatever a registered type's encoder raises
        return _failed(attempt, error)


def _failed(attempt: Attempt, error: BaseException | None) -> Ending:
    error = error or RuntimeError("the task failed without an exception")
    logger.info("task failed: task=%s name=%s error=%s", attempt.id, attempt.name, type(error).__name__)
    return _ending(attempt, State.FAILED, failure.dump_exception(error))


def _retry(attempt: Attempt, outcome: Outcome) -> GiveBack:
    delay = backoff_of(attempt.options.backoff).delay(attempt.retries) if outcome.delay is None else outcome.delay
    # Only a failure leaves its exception; a task that asked for another run by itself has not failed.
    error = b"" if outcome.verdict is Verdict.RETRY or outcome.error is None else failure.dump_exception(outcome.error)
    return GiveBack("retry", error, delay)


def _ending(attempt: Attempt, state: State, value: bytes) -> Ending:
    taken = None if attempt.mailbox is None or not attempt.mailbox.received else attempt.mailbox.taken.copy()
    return Ending(attempt.id, attempt.queue, attempt.token, state, value, attempt.keep, taken)
