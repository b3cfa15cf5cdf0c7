"""Tells Redis how attempts came out. What gathers while one call is under way goes in the next; nothing waits for a timer."""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from taskpy import codec, failure, ops
from taskpy.nudge import Nudge
from taskpy.ops import Ending
from taskpy.retry import backoff_of
from taskpy.space import Space
from taskpy.spec import Outcome, State, Verdict
from taskpy_worker.attempt import Attempt

logger = logging.getLogger("taskpy.worker")

#: How many endings go in one call.
BATCH = 64


@dataclass(frozen=True, slots=True)
class GiveBack:
    """A task that goes back to its queue."""

    why: ops.Why
    error: bytes = b""
    delay: float = 0.0


class Settler:
    """Settles and gives back, in a thread of its own, so that a task's thread ends with its function."""

    def __init__(self, space: Space, wid: str) -> None:
        self._space = space
        self._wid = wid
        self._decided: queue.SimpleQueue[tuple[Attempt, Ending | GiveBack] | None] = queue.SimpleQueue()
        self._telling_here = threading.Lock()  # held while the thread of a task tells of its own end
        self._pending: set[tuple[str, str]] = set()  # id and token
        self._lock = threading.Lock()
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

        While another thread does so, or where Redis refuses, it is as `settle`.
        """
        if not self._telling_here.acquire(blocking=False):
            self.settle(attempt, outcome)
            return
        try:
            decided = decide(attempt, outcome)
            if self._is_first(attempt):
                self._tell_all([(attempt, decided)])
        except Exception:  # it stands in line again: the settler's own thread tries, and says what is wrong
            logger.debug("not told at once: task=%s name=%s", attempt.id, attempt.name)
        finally:
            self._telling_here.release()

    def give_back(self, attempt: Attempt, back: GiveBack) -> None:
        """Take an attempt that is to go back to its queue."""
        self._put(attempt, back)

    def tick(self, block: float | None = None) -> int:
        """Tell Redis of all that has gathered, waiting at most `block` seconds for the first; how many there were."""
        batch = self._gathered(block)
        if batch:
            self._tell_all(batch)
        return len(batch)

    def close(self) -> None:
        """End the waiting of `tick`."""
        self._decided.put(None)

    def _tell_all(self, batch: Sequence[tuple[Attempt, Ending | GiveBack]]) -> None:
        if self._telling is not None:
            self._telling([attempt for attempt, _ in batch])
        try:
            self._tell(batch)
        except Exception:  # one that Redis refuses must not hold up the others of its batch
            if len(batch) == 1:
                self._decided.put(batch[0])  # no end of a task may be forgotten
                raise
            self._tell_one_by_one(batch)
        else:
            self._told(batch)

    def _tell_one_by_one(self, batch: Sequence[tuple[Attempt, Ending | GiveBack]]) -> None:
        refused: Exception | None = None
        for each in batch:
            try:
                self._tell([each])
            except Exception as error:  # raised below, when all have had their turn
                self._decided.put(each)
                refused = error
            else:
                self._told([each])
        if refused is not None:
            raise refused

    def _told(self, batch: Sequence[tuple[Attempt, Ending | GiveBack]]) -> None:
        claims = [(attempt.id, attempt.token) for attempt, _ in batch]
        with self._lock:
            self._pending.difference_update(claims)
        if self._settled is not None:
            self._settled(claims)
        self.idle.give()

    def _put(self, attempt: Attempt, decided: Ending | GiveBack) -> None:
        if self._is_first(attempt):
            self._decided.put((attempt, decided))

    def _is_first(self, attempt: Attempt) -> bool:
        """Whether this is the first word on an attempt, which counts: one that is given back may still come to an end."""
        with self._lock:
            if (attempt.id, attempt.token) in self._pending:
                return False
            self._pending.add((attempt.id, attempt.token))
            return True

    def _gathered(self, block: float | None) -> list[tuple[Attempt, Ending | GiveBack]]:
        batch: list[tuple[Attempt, Ending | GiveBack]] = []
        try:
            first = self._decided.get(timeout=block)
            while first is not None:
                batch.append(first)
                first = self._decided.get_nowait() if len(batch) < BATCH else None
        except queue.Empty:
            return batch
        return batch

    def _tell(self, batch: Sequence[tuple[Attempt, Ending | GiveBack]]) -> None:
        endings = [(attempt, decided) for attempt, decided in batch if isinstance(decided, Ending)]
        backs = [(attempt, decided) for attempt, decided in batch if isinstance(decided, GiveBack)]
        if endings:
            self._settle(endings)
        if backs:
            self._give_back(backs)

    def _settle(self, endings: Sequence[tuple[Attempt, Ending]]) -> None:
        op = ops.settle(self._space.keys, wid=self._wid, endings=[ending for _, ending in endings])
        answers = self._space.broker.run(op)
        for (attempt, ending), applied in zip(endings, answers, strict=True):
            if not applied:
                logger.warning("late result refused: task=%s name=%s token=%s", attempt.id, attempt.name, attempt.token)
            else:
                logger.debug("task ended: task=%s name=%s state=%s", attempt.id, attempt.name, ending.state)

    def _give_back(self, backs: Sequence[tuple[Attempt, GiveBack]]) -> None:
        self._space.broker.run_many(
            [
                ops.giveback(
                    self._space.keys,
                    id=attempt.id,
                    queue=attempt.queue,
                    wid=self._wid,
                    token=attempt.token,
                    why=back.why,
                    error=back.error,
                    delay=back.delay,
                )
                for attempt, back in backs
            ]
        )
        for attempt, back in backs:
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
