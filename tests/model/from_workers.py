"""What the verbs of workers do to the world, and what they answer."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from tests.model.known import CLOSED, Known, Task, Worker, owner


class FromWorkers(Known):
    """Live, claim, start, and take over from those that are lost."""

    def join(self, wid: str, **_: Any) -> bool:
        if wid in self.graves or (wid in self.workers and self.workers[wid].lease == "lost"):
            return False
        self.workers.setdefault(wid, Worker()).lease = "fresh"
        return True

    def renew(self, wid: str, **_: Any) -> bool:
        if wid not in self.workers or self.workers[wid].lease == "lost":
            return False
        self.workers[wid].lease = "fresh"
        return True

    def claim(self, wid: str, number: int, count: int, queues: list[str]) -> list[str] | None:
        worker, token, ids = self.workers.get(wid), f"{wid}.{number}", list[str]()
        if worker is None or number < worker.number:
            return None
        if number == worker.number:
            return sorted(id for id, claimed in worker.held.items() if claimed == token)
        for queue in queues:
            if queue in self.paused:
                self.bells.discard(queue)
                continue
            line, asked = self.queues[queue], count - len(ids)
            popped = [line.pop() for _ in range(min(asked, len(line)))]
            ids += [id for id in dict.fromkeys(popped) if id not in ids]
            if len(popped) == asked:
                self.ring(queue)
            if len(ids) >= count:
                break
        worker.number = number
        worker.held |= dict.fromkeys(ids, token)
        return sorted(ids)

    def start(self, wid: str, number: int, ids: list[str]) -> list[Task | None]:
        worker, token, answers = self.workers.get(wid, Worker(number=CLOSED)), f"{wid}.{number}", list[Task | None]()
        claimed = dict(worker.held)
        for id in ids:
            task, mine = self.tasks.get(id), worker.number < CLOSED and claimed.get(id) == token
            if mine and task and task.state == "queued":
                self._begin(task, token)
            elif mine and not (task and task.runs_under(token)):  # ended, or a second entry of the id in its queue
                self._unhold(id, token)
                mine = False
            answers.append(dataclasses.replace(task) if mine and task else None)
        return answers

    def take(self, wid: str, number: int, id: str, queue: str, restarts: int) -> Task | str:
        worker, task, token = self.workers.get(wid), self.tasks.get(id), f"{wid}.{number}"
        if worker is None or worker.number == CLOSED:
            return "refused"
        if task is None:
            return "unknown"
        if number > worker.number:
            self.later.pop(id, None)
            self._take_out(queue, id)
            worker.number = number
            if task.state != "queued":
                return task.state
            self._begin(task, token)
            task.restarts = restarts
            worker.held[id] = token
        elif not task.runs_under(token):
            return "again"
        return dataclasses.replace(task)

    def heartbeat(self, wid: str, tasks: list[tuple[str, str]]) -> tuple[int, list[Task | None]]:
        worker = self.workers.get(wid)
        held = len(worker.held) if worker and worker.number < CLOSED else -1
        return held, [self.tasks[id] if id in self.tasks and self.tasks[id].runs_under(t) else None for id, t in tasks]

    def due(self, renew: Sequence[str] = (), **_: Any) -> tuple[set[str], set[str], list[bool]]:
        self.held_up = self.held_up or self.swept == "long ago"
        self.swept = "recently"
        renewed = [self.renew(wid) for wid in renew]
        silent = {"lost"} if self.held_up else {"lost", "over"}
        return (
            {wid for wid, worker in self.workers.items() if worker.lease in silent},
            {id for id, when in self.later.items() if when == "ripe"},
            renewed,
        )

    def promote(self, id: str, queue: str) -> bool:
        if self.later.get(id) != "ripe":
            return False
        del self.later[id]
        if self.tasks[id].state == "queued":
            self._line_up(id, first=True)
        return True

    def lose(self, wid: str, sure: bool) -> list[str] | None:
        worker = self.workers.get(wid)
        if worker is None:
            self.graves |= {wid} if sure else set()
            return []
        in_doubt = worker.lease == "fresh" or self.held_up or self.swept != "recently"
        if worker.lease != "lost" and not sure and in_doubt:
            return None
        worker.lease, worker.number = "lost", CLOSED
        if not worker.held:
            del self.workers[wid]
            self.graves.add(wid)
        return sorted(worker.held)

    def recover(self, id: str, queue: str, wid: str) -> bool:
        worker, task = self.workers.get(wid, Worker()), self.tasks.get(id)
        if id not in worker.held or worker.lease != "lost":
            return False
        del worker.held[id]
        if task and task.state == "queued":  # claimed, never started
            self._line_up(id, first=True)
            return True
        if task is None or task.state != "running" or owner(task.token) != wid:
            return False
        task.token = None
        task.lost += 1
        task.events.append("recover")
        since = task.lost - task.lost_before
        if task.stop:
            self._finish(id, "stopped", b"its worker was lost")
        elif since > task.restarts:
            self._finish(id, "failed", b"WorkerLost")
        else:
            task.state = "queued"
            self._line_up(id, since - 1, first=True)
        return True

    def forget(self, ids: list[str]) -> int:
        known = self.dead & set(ids)
        self.dead -= known
        return len(known)
