"""Claims tasks: waits for a queue's bell, takes as many ids as slots are free, starts them, hands them to the executor.

Where tasks come and go quickly it claims a few more than there are slots, see `pace` for how many, and works like a belt:
each round trip tells how the tasks of a batch have ended, starts the next batch, and claims the one after it. While Redis
works on that, the batch that the last round trip has started is made ready here, and run. A task that comes alone is run by the
thread that has claimed it: see `relay`.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from taskpy import errors, naming, ops, retry
from taskpy.answers import Started
from taskpy.space import Space
from taskpy_worker.config import WorkerConfig
from taskpy_worker.executor import Executor
from taskpy_worker.pace import STALE_SECONDS, Pace
from taskpy_worker.queues import Queues
from taskpy_worker.settler import Settler
from taskpy_worker.turns import Turn

logger = logging.getLogger("taskpy.worker")

#: The most free slots that are filled by one claim, so that one worker does not take what others have slots for.
BATCH = 16
#: What is claimed ahead comes in so many batches: one that runs, one that is being started, one that is being claimed.
STAGES = 3


class Claimer:
    """The only one in its process who takes tasks from queues.

    Whoever turns it by hand, and not all the time, says `ahead=False`: then a turn claims no more than there are free slots.
    """

    def __init__(
        self,
        config: WorkerConfig,
        space: Space,
        wid: str,
        executor: Executor,
        settler: Settler,
        *,
        ahead: bool = True,
    ) -> None:
        self._config = config
        self._space = space
        self._wid = wid
        self._executor = executor
        self._settler = settler
        self._workshop = executor.workshop
        self._turn = Turn(self._workshop.turns)
        self.serve(config.queues)
        self._quiet = False  # it looks first: it may be that nobody rings any more
        self._alone = False  # whether nothing ran here when the last claim was made, and it brought nothing
        self._begun = 0  # how many tasks had begun in this process by then
        self._rung = ""  # the queue whose bell was heard last, until it is used
        self._told_to_pause = False
        self._failures = 0
        self._taking = threading.Lock()
        self._unstarted: list[str] = []  # of the last claim
        self._answered: list[tuple[Sequence[str], int, Sequence[Started | None]]] = []  # to be handed over
        self._pace = Pace(executor.slots, never=not ahead)
        self.own: Callable[[], None] | None = None  # runs a task that the last turn has left to its thread
        self.claiming = False
        self.number = 0  # of the last claim sent
        self.completed = 0  # of the last claim whose ids the executor knows
        self.doubtful = 0  # the last claim whose answer was never heard
        self.lost = False
        self.finished = self._workshop.finished

    @property
    def spent(self) -> bool:
        """Whether this process has claimed its share of tasks; there may be more for others."""
        return self._workshop.left == 0

    @property
    def _paused(self) -> bool:
        return self._told_to_pause or self.finished.is_set()

    def serve(self, queues: Iterable[str]) -> None:
        """Take from these queues, from the next claim on."""
        self._queues = Queues.of(queues)
        self._bells = {self._space.keys.bell(queue): queue for queue in self._queues.names}

    def pause(self) -> None:
        """Claim nothing more."""
        self._told_to_pause = True
        self._turn.leave()
        self._executor.freed.give()

    def tick(self, block: float, *, here: Callable[[], bool] = lambda: False) -> float:
        """One turn, waiting at most `block` seconds for room and as long for a bell; seconds to pause after it.

        It goes on while there is more to claim, and room. Where it may be `here`, a task that comes alone is left to this thread, as `own`.
        """
        self.own = None
        if self._executor.slots.waiting:
            block = min(block, STALE_SECONDS)
            if self._pace.stale:
                self._executor.give_up_waiting()
        seen = self._executor.freed.count
        self._await_room(seen, block)
        if self._paused:
            self._turn.leave()
            self._give_up_unstarted()
            return block
        if self._room() == 0:
            return 0.0
        hint = ""
        # Where the last claim took all it wanted there may be more: no need to wait for a bell.
        if self._quiet:
            heard = self._more_to_come(seen, block) if self._config.burst else self._listen(block)
            if heard is None:
                return retry.reconnect_delay(self._failures)
            hint = heard
        self.claiming = True  # before looking at the pause: a drain does the same the other way round
        try:
            if not self._paused:
                with self._settler.carrying():
                    self._claim_now(hint)
                    self._claim_on()
                self.own = self._hand_over(here=self._quiet and here())
        finally:
            self._hand_over()
            self._turn.done()
            self.claiming = False
            self._executor.freed.give()
        return 0.0

    def _await_room(self, seen: int, block: float) -> None:
        """Wait at most so long for room and, where there is more to claim than room, for this shard's turn."""
        nudge, told = self._turn.nudge, self._turn.nudge.count
        if not self._quiet and not self._paused and not self._turn.asks():
            nudge.wait(told, block)
        elif self._room() == 0:
            self._executor.freed.wait(seen, block)

    def _claim_now(self, hint: str) -> None:
        count = self._turn.take(self._room)
        rung, self._rung = self._rung, ""
        if not count:  # other shards were quicker: others may take what it heard of
            self._quiet = False
            if rung:
                self._space.broker.run(ops.ring(self._space.keys, queue=rung))
            return
        self._claim(count, hint)

    def _claim_on(self) -> None:
        """Start what was claimed, and claim more beside it while there is more, and room: the belt."""
        while True:
            # Among shards each has its turn: the others go on meanwhile.
            goes_on = self._turn.alone and not (self._quiet or self._paused)
            count = self._room() if goes_on else 0
            if not count and not self._unstarted:
                return
            self._claim(count, "")

    def _room(self) -> int:
        """How many tasks to claim now; 0 where a larger claim can be made a little later, and enough wait here."""
        if self._executor.behind:
            return 0
        # Where queues share by weight each claim is a draw: a large one would be a coarse share.
        ahead = 0 if self._queues.by_chance else self._pace.ahead
        others = self._turn.planned
        coming = len(self._unstarted) + sum(len(ids) for ids, _, _ in self._answered)
        room = min(self._executor.room - coming - others, BATCH) + ahead
        batch = ahead // STAGES
        if room < max(1, batch):
            return 0
        room = min(room, max(BATCH, batch))
        left = self._workshop.left
        return min(room, max(0, left - others)) if left else room

    def take(self, id: str, queue: str, *, restarts: int) -> Started | str:
        """Take one task by its id, which another system has handed out, and start it; or why not: see `ops.take`.

        Any thread may, but not while claims are made, too: they share their numbers.
        """
        with self._taking:
            self.number += 1
            run, keys = self._space.broker.run, self._space.keys
            self.doubtful = self.number  # until it is answered
            found = run(ops.take(keys, wid=self._wid, number=self.number, id=id, queue=queue, restarts=restarts))
            if isinstance(found, Started):
                self._executor.hold([id], found.token)
            self.lost = self.lost or found == "refused"
            self.completed = self.number
            self.doubtful = 0
        return found

    def _more_to_come(self, seen: int, block: float) -> str | None:
        """Wait for a running task to end, which may have submitted others; None when none runs: the burst is over."""
        if not self._workshop.busy:
            if not self._alone:
                return ""  # what ran during the last claim may have submitted others after it
            if self._turn.all_empty(self._begun):
                self.finish()
                return None
        return "" if self._executor.freed.wait(seen, block) else None

    def finish(self) -> None:
        """Claim nothing more: this process has done what it was to do."""
        self._workshop.finish()

    def _listen(self, block: float) -> str | None:
        """Wait for a bell; the id it was rung for, as far as that is known, or None when this worker should not claim now."""
        bells = self._bells
        try:
            rung = self._space.broker.pop(list(bells), block)
        except errors.Unreachable:
            self._failures += 1
            return None
        self._failures = 0
        self._rung = bells[rung[0]] if rung is not None else ""
        if self._paused:
            if self._rung:
                self._space.broker.run(ops.ring(self._space.keys, queue=self._rung))
            return None
        id = "" if rung is None else rung[1].decode(errors="replace")
        return id if naming.ID.fullmatch(id) else ""

    def _claim(self, count: int, hint: str) -> None:
        """In one round trip: claim up to `count`, start what the last claim brought, and start the one that `hint` names.

        What the round trip before this one has started is handed over meanwhile.
        """
        former, unstarted, self._unstarted = self.number, self._unstarted, []
        asked: list[ops.Op[Any]] = []
        if count:
            self._begun = self._workshop.begun
            self._alone = not self._workshop.busy
            self.number += 1
            asked.append(self._claim_op(count))
        if unstarted:
            asked.append(self._start_op(unstarted, former))
        if count and hint:
            asked.append(self._start_op([hint], self.number))
        try:
            answers = self._answers(asked)
            if count:
                self._take_over(next(answers), count)
            if unstarted:
                self._note_started(unstarted, former, next(answers))
            if hint in self._unstarted:
                self._note_started([hint], self.number, next(answers))
                self._unstarted.remove(hint)
        except BaseException:
            if self.completed < self.number:
                self.doubtful = self.number
            self._executor.give_up(unstarted, ops.token_of(self._wid, former))  # no claim may be held by nobody
            self._give_up_unstarted()
            raise

    def _answers(self, asked: Sequence[ops.Op[Any]]) -> Iterator[Any]:
        try:
            yield from self._settler.run_along(asked, meanwhile=self._hand_over)
        except errors.Refused:  # may not hide what the others have brought: each may be asked again
            for op in asked:
                yield self._space.broker.run(op)

    def _claim_op(self, count: int) -> ops.Op[list[str] | None]:
        order = self._queues.order()
        return ops.claim(self._space.keys, wid=self._wid, number=self.number, count=count, queues=order)

    def _start_op(self, ids: Sequence[str], number: int) -> ops.Op[list[Started | None]]:
        return ops.start(self._space.keys, wid=self._wid, number=number, ids=ids)

    def _take_over(self, ids: list[str] | None, count: int) -> None:
        """Note what the last claim has brought; None: it was refused."""
        if ids is None:
            self.lost = True
            self._told_to_pause = True
            logger.error("this worker was declared lost and claims no more: worker=%s", self._wid)
            return
        self._executor.hold(ids, ops.token_of(self._wid, self.number))
        self.completed = self.number
        self._unstarted = ids
        self._quiet = len(ids) < count
        self._alone = self._alone and not ids
        self._workshop.spend(len(ids))

    def _note_started(self, ids: Sequence[str], number: int, answers: Sequence[Started | None]) -> None:
        self._answered.append((ids, number, answers))

    def _hand_over(self, *, here: bool = False) -> Callable[[], None] | None:
        """Hand over what Redis has started; what it has not was stopped in its queue, or has ended.

        With `here` this thread may be left a task that comes alone.
        """
        own: Callable[[], None] | None = None
        answered, self._answered = self._answered, []
        for ids, number, answers in answered:
            token = ops.token_of(self._wid, number)
            self._executor.drop_all([(id, token) for id, started in zip(ids, answers, strict=True) if started is None])
            own = self._executor.execute([started for started in answers if started is not None], here=here) or own
        return own

    def _give_up_unstarted(self) -> None:
        unstarted, self._unstarted = self._unstarted, []
        self._executor.give_up(unstarted, ops.token_of(self._wid, self.number))
