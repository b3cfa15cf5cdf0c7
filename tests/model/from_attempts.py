"""What the verbs of a running attempt do to the world, and what they answer: each of them is fenced."""

from typing import Any

from tests.model.known import FINAL, Known, Task, owner


class FromAttempts(Known):
    """Store, acknowledge, send, report, and end."""

    def adopt(self, id: str, token: str, restarts: int | None, keep: float | None) -> bool:
        task = self.tasks.get(id)
        if task is None or not task.runs_under(token):
            return False
        task.restarts = task.restarts if restarts is None else restarts
        task.keep = task.keep if keep is None else round(keep * 1000)
        return True

    def spawn(
        self, parent: str, token: str, id: str, queue: str, children: str, delay: float, restarts: int, keep: float
    ) -> str:
        if id in self.tasks:
            return self.tasks[id].state
        task = self.tasks.get(parent)
        if task is None or not task.runs_under(token):
            return "fenced"
        if task.tree:
            return "stopping"
        self._needs_memory()
        self.tasks[id] = Task(queue, restarts, round(keep * 1000), parent=parent)
        if task.pausing_below is not None:
            self.tasks[id].pausing = self.tasks[id].pausing_below = task.pausing_below
            self.tasks[id].orders = 1
        task.children.append(id)
        task.kin = children
        self._line_up(id, delay)
        return "new"

    def mark(
        self, id: str, token: str, number: int, upto: int, beyond: str, state: bytes | None, sent: int,
        messages: list[bytes], limit: int, settled: int,
    ) -> bool:  # fmt: skip
        task = self.tasks.get(id)
        if task is None or not task.runs_under(token):
            return False
        new = messages[max(0, task.sent - sent) :]
        if number > task.marks:
            done = max(task.acknowledged, min(upto, task.received))
            del task.inbox[: done - task.acknowledged]
            task.marks, task.acknowledged, task.beyond = number, done, beyond
            if state is not None:
                task.checkpoint, task.lost_before = state, task.lost
                if settled and settled == task.posed:  # an attempt after this one asks anew
                    task.question = task.answer = None
        elif new:
            self._needs_memory()
        if new:
            task.outbox = (task.outbox + new)[-limit:]
            task.sent = sent + len(messages)
        return True

    def orders(self, id: str, token: str, known: int, most: int) -> Any:
        task = self.tasks.get(id)
        if task is None or not task.runs_under(token):
            return None
        mine = task.answer is not None and task.posed_by is not None and task.posed_by[0] == token
        asked = [(number, task.put[number]) for number in task.open if number > known][:most]
        own = (task.posed, task.answer) if mine else (0, b"")
        return task.orders, task.pausing is not None, *own, asked

    def respond(self, id: str, token: str, answers: list[tuple[int, bytes]], limit: int) -> bool:
        task = self.tasks.get(id)
        if task is None or not task.runs_under(token):
            return False
        for number, answer in answers:
            if number in task.open:  # else: answered before, or nobody waits for it
                task.open.remove(number)
                task.answered.append(number)
                task.replies[number] = answer
                del task.put[number]
                while len(task.answered) > limit:
                    del task.replies[task.answered.pop(0)]
        return True

    def park(self, id: str, token: str, orders: int) -> str:
        task = self.tasks.get(id)
        if task is None or not task.runs_under(token):
            return "fenced"
        if task.pausing is None or task.orders != orders:
            return "ordered"
        task.parked = token
        return "parked"

    def pose(self, id: str, token: str, count: int, question: bytes) -> Any:
        task = self.tasks.get(id)
        if task is None or not task.runs_under(token):
            return None
        by, last = task.posed_by or ("", 0)
        if by == token and last > count:
            return None
        if (by, last) != (token, count):
            if by == token or task.question != question:  # else: that of an attempt before goes on
                task.posed += 1
                task.answer = task.answer_name = task.answer_by = None
            task.question, task.posed_by = question, (token, count)
        return task.posed, task.answer

    def withdraw(self, id: str, token: str, number: int) -> Any:
        task = self.tasks.get(id)
        if task is None or not task.runs_under(token):
            return "fenced"
        if task.posed != number:
            return None
        if task.answer is None:
            task.question = None
        return task.answer

    def seen(self, id: str, token: str, question: int, taken: str) -> bool:
        task = self.tasks.get(id)
        if task is None or not task.runs_under(token):
            return False
        if int((task.seen or "0").split()[0]) <= question:
            task.seen = f"{question} {taken}"
        return True

    def report(self, id: str, token: str, number: int, progress: bytes, lines: list[bytes], limit: int) -> str:
        task = self.tasks.get(id)
        if task is None or not task.runs_under(token):
            return "fenced"
        if task.reported and task.reported[0] == token and task.reported[1] >= number:
            return "kept"
        kept = {at: line for at, line in task.lines.items() if at >= task.logged + len(lines) - limit}
        room = not self.full or len(kept) < len(task.lines) or not lines
        task.lines = kept
        if room:
            task.lines |= dict(enumerate(lines, task.logged))
            task.logged += len(lines)
        task.reported, task.progress = (token, number), progress or task.progress
        return "kept" if room else "full"

    def settle(self, endings: list[tuple[str, str, str, bytes, str | None]]) -> list[bool]:
        answers = []
        for id, token, state, value, taken in endings:
            task = self.tasks.get(id)
            if task and task.runs_under(token):
                self.workers[owner(token)].held.pop(id, None)
                task.seen = task.seen if taken is None else f"end {taken}"
                self._finish(id, state, value)
                answers.append(True)
            else:
                answers.append(bool(task and task.token == token and task.state in FINAL))  # ended so before
                if not task or task.state != "queued":  # else a failover has lost its start: it stays claimed
                    self._unhold(id, token)
        return answers

    def giveback(self, id: str, token: str, why: str, error: bytes, delay: float, **_: Any) -> bool:
        task, claimed = self.tasks.get(id), self._unhold(id, token)
        if task is None:
            return False
        if task.runs_under(token):
            if task.stop:
                self._finish(id, "failed" if error else "stopped", error)
                return True
            task.state = "queued"
            task.retries, task.error = (task.retries + 1, error) if why == "retry" else (task.retries, task.error)
            task.unknowns += why == "unknown"
            task.attempts -= why in {"unknown", "drop", "unbegun"}  # its function did not start
            if why != "unbegun":
                task.events.append(why)
        elif not (task.state == "queued" and claimed):
            return task.token == token and task.state in {"queued", "stopped", "failed"}
        self._line_up(id, delay, first=why != "retry")
        return True
