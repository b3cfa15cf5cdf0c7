"""What the verbs of clients do to the world, and what they answer."""

from typing import Any

from tests.model.known import FINAL, Known, Task


class FromOutside(Known):
    """Submit, steer, and look after queues."""

    def divide(self, shards: int) -> int:
        if self.shards is None:
            self.shards = 1 if self.tasks else shards  # what is there already is not cut
        return self.shards

    def submit(self, id: str, queue: str, delay: float, messages: list[bytes], restarts: int, keep: float) -> str:
        if id in self.tasks:
            return self.tasks[id].state
        self._needs_memory()
        self.tasks[id] = Task(queue, restarts, round(keep * 1000), inbox=list(messages), received=len(messages))
        self._line_up(id, delay)
        return "new"

    def submit_keyed(
        self, id: str, queue: str, delay: float, messages: list[bytes], restarts: int, keep: float, key: str,
        conflict: str, known: tuple[str, ...], by: str, grace: float, limit: int,
    ) -> str | tuple[str, ...]:  # fmt: skip
        if id in self.tasks or id in self.answers:
            return self.tasks[id].state if id in self.tasks else self.answers[id]
        holders = self.holders(key)
        if known != holders:
            return ("again", *holders)
        self._needs_memory()
        if conflict == "replace" or not holders:
            self.tasks[id] = Task(
                queue, restarts, round(keep * 1000), inbox=list(messages), received=len(messages), key=key
            )
            ends = [self.stop(holder, "", f"replaced by {id}", by, "kill", grace) for holder in holders[::-1]]
            if "stopping" in ends:
                self.keyed[key] = (holders[0], id, bool(delay))
            else:
                self.keyed[key] = (id, None, False)
                self._line_up(id, delay)
            return "new"
        word, newest = "taken" if conflict == "reject" else "joined", self.tasks[holders[-1]]
        if conflict == "send" and messages:
            word = "full" if newest.received - newest.acknowledged + len(messages) > limit else "sent"
            if word == "sent":
                newest.inbox += messages
                newest.received += len(messages)
        self.answers[id] = f"{word} {holders[-1]}"
        return self.answers[id]

    def submit_many(
        self, queue: str, tasks: list[tuple[str, bytes]], delay: float, restarts: int, keep: float
    ) -> list[str]:
        return [self.submit(id, queue, delay, [], restarts, keep) for id, _ in tasks]

    def revive(self, id: str, new_id: str, queue: str) -> str:
        old = self.tasks.get(id)
        if old is None or old.state != "failed":
            return old.state if old else "unknown"
        if new_id in self.answers:
            return self.answers[new_id]
        if old.heir:
            return "new" if old.heir == new_id else "revived"
        if new_id in self.tasks:
            return "taken"
        self._needs_memory()
        if old.key and (holders := self.holders(old.key)):
            self.answers[new_id] = f"keyed {holders[-1]}"
            return self.answers[new_id]
        self.tasks[new_id] = Task(queue, old.restarts, old.keep, origin=id, key=old.key)
        if old.key:
            self.keyed[old.key] = (new_id, None, False)
        self._line_up(new_id)
        old.heir = new_id
        old.events.append("revive")
        self.dead.discard(id)
        return "new"

    def stop(
        self, id: str, queue: str, reason: str, by: str, follows: str | None, grace: float, tree: bool = False
    ) -> str:
        task = self.tasks.get(id)
        if task is None:
            return "unknown"
        self.later.pop(id, None)
        if tree:
            self._uproot(id, task, reason, by, follows, grace)
        if task.state in FINAL:
            return task.state
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

    def _uproot(self, id: str, task: Task, reason: str, by: str, follows: str | None, grace: float) -> None:
        before = task.tree, task.below_within
        why, who, known = task.tree or (reason, by, None)
        if follows:
            known = "kill" if "kill" in (known, follows) else "raise"
            task.below_within = min(task.below_within, grace)
        task.tree = why, who, known
        if (task.tree, task.below_within) != before and task.children:
            self._fell(id)

    def children(self, id: str, first: int, count: int) -> tuple[str | None, bool, Any, int, list[str]]:
        task = self.tasks.get(id)
        if task is None:
            return None, id in self.felling, None, 0, []
        ids = task.children[first : first + count]
        return task.state, id in self.felling, task.tree, len(task.children), ids

    def felled(self, id: str, entry: int | None) -> bool:
        if self.felling.get(id) != entry or entry is None:
            return False
        del self.felling[id]
        return True

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

    def pause_task(self, id: str, name: str, by: str, tree: bool) -> str:
        task = self.tasks.get(id)
        if task is None or task.state in FINAL:
            return task.state if task else "unknown"
        if name not in task.pause_names:
            task.pause_names = [*task.pause_names[-3:], name]
            task.pausing_below = by if tree else task.pausing_below
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
        was, task.pausing, task.parked, task.pausing_below = task.pausing, None, None, None
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
