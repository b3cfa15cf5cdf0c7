"""What the verbs of clients do to the world, and what they answer."""

from tests.model.known import FINAL, Known, Task


class FromOutside(Known):
    """Submit, steer, and look after queues."""

    def submit(self, id: str, queue: str, delay: float, messages: list[bytes], restarts: int, keep: float) -> str:
        if id in self.tasks:
            return self.tasks[id].state
        self._needs_memory()
        self.tasks[id] = Task(queue, restarts, round(keep * 1000), inbox=list(messages), received=len(messages))
        self._line_up(id, delay)
        return "new"

    def submit_many(
        self, queue: str, tasks: list[tuple[str, bytes]], delay: float, restarts: int, keep: float
    ) -> list[str]:
        return [self.submit(id, queue, delay, [], restarts, keep) for id, _ in tasks]

    def revive(self, id: str, new_id: str, queue: str) -> str:
        old = self.tasks.get(id)
        if old is None or old.state != "failed":
            return old.state if old else "unknown"
        if old.heir:
            return "new" if old.heir == new_id else "revived"
        if new_id in self.tasks:
            return "taken"
        self._needs_memory()
        self.tasks[new_id] = Task(queue, old.restarts, old.keep, origin=id)
        self._line_up(new_id)
        old.heir = new_id
        old.events.append("revive")
        self.dead.discard(id)
        return "new"

    def stop(self, id: str, queue: str, reason: str, by: str, follows: str | None, grace: float) -> str:
        task = self.tasks.get(id)
        if task is None or task.state in FINAL:
            return task.state if task else "unknown"
        self.later.pop(id, None)
        if task.stop is None:
            task.stop = (reason, by)
            task.events.append("stop")
        if task.state == "queued":
            self._finish(id, "stopped", b"stopped in its queue")
            return "stopped"
        if follows:  # only ever stricter
            task.follows = "kill" if "kill" in (task.follows, follows) else "raise"
            task.within = min(task.within, grace)
        return "stopping"

    def send(self, id: str, sender: str, number: int, body: bytes, limit: int) -> int | str:
        task = self.tasks.get(id)
        if task is None:
            return "unknown"
        last, known_as = task.senders.get(sender, (0, 0))
        if last >= number:
            return known_as  # it has arrived, though the task has ended since
        if task.state in FINAL:
            return task.state
        if task.received - task.acknowledged >= limit:
            return "full"
        self._needs_memory()
        task.received += 1
        task.senders[sender] = (number, task.received)
        task.inbox.append(body)
        return task.received

    def inquire(self, id: str) -> int:
        task = self.tasks.get(id)
        if task is None or task.state != "running":
            return 0
        task.asked += 1
        return task.asked

    def ask(self, id: str, sender: str, number: int, question: bytes, limit: int) -> int | str:
        task = self.tasks.get(id)
        if task is None:
            return "unknown"
        last, known_as = task.senders.get(sender, (0, 0))
        if last >= number:
            return known_as
        if task.state in FINAL:
            return task.state
        if len(task.open) >= limit:
            return "full"
        self._needs_memory()
        task.questions += 1
        task.senders[sender] = (number, task.questions)
        task.open.append(task.questions)
        task.put[task.questions] = question
        self._order(task)
        return task.questions

    def response(self, id: str, number: int) -> tuple[str, bytes | None, bool] | None:
        task = self.tasks.get(id)
        if task is None:
            return None
        reply = task.replies.get(number)
        return task.state, reply, reply is None and number not in task.open

    def retract(self, id: str, number: int) -> bool:
        task = self.tasks.get(id, Task())
        was_open = number in task.open
        task.put.pop(number, None)
        task.replies.pop(number, None)
        task.open = [each for each in task.open if each != number]
        task.answered = [each for each in task.answered if each != number]
        return was_open

    def answer(self, id: str, number: int, answer: bytes, name: str, by: str) -> str:
        task = self.tasks.get(id)
        if task is None:
            return "unknown"
        if task.posed == number and task.answer_name == name:
            return "accepted"
        if task.state in FINAL:
            return task.state
        if task.posed != number or task.question is None:
            return "none"
        if task.answer is not None:
            return "answered"
        task.answer, task.answer_name, task.answer_by = answer, name, by
        self._order(task)
        return "accepted"

    def pause_task(self, id: str, name: str, by: str) -> str:
        task = self.tasks.get(id)
        if task is None or task.state in FINAL:
            return task.state if task else "unknown"
        if name not in task.pause_names:
            task.pause_names = [*task.pause_names[-3:], name]
            if task.pausing is None:
                task.pausing = by
                task.events.append("pause")
                self._order(task)
        stands = task.state == "running" and task.parked == task.token and not task.stop
        return "paused" if stands else "pausing"

    def resume_task(self, id: str, name: str, by: str) -> str:
        task = self.tasks.get(id)
        if task is None or task.state in FINAL or name in task.pause_names:
            return task.state if task else "unknown"
        task.pause_names = [*task.pause_names[-3:], name]
        was, task.pausing, task.parked = task.pausing, None, None
        if was is not None:
            task.events.append("resume")
            self._order(task)
        return task.state

    def pause(self, queue: str) -> None:
        self.paused.add(queue)

    def resume(self, queue: str) -> None:
        self.paused.discard(queue)
        self.ring(queue)

    def ring(self, queue: str) -> None:
        if self.queues[queue]:
            self.bells.add(queue)

    def purge(self, queue: str, ids: list[str], reason: str) -> int:
        ended = 0
        for id in ids:
            if self._take_out(queue, id) and id in self.tasks and self.tasks[id].state == "queued":
                task = self.tasks[id]
                task.stop = (reason, "")
                task.events.append("stop")
                self._finish(id, "stopped", b"purged from its queue")
                ended += 1
        return ended
