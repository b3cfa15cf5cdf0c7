"""What the demo claims, checked: that nothing was lost, and that what came out equals what is computed without workers."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from taskpy import Client, RemoteTask, State, pages
from taskpy.cli.demo_tasks import Index
from taskpy.lists import RECENT
from taskpy.spec import DEFAULT_QUEUE

Names = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Check:
    """One claim: the word it goes by, what was found, and whether that is as it should be."""

    word: str
    found: str
    good: bool


class Checks:
    """The demo's tasks after their end, by package, and the facts of who steered them."""

    def __init__(self, client: Client, tasks: dict[str, RemoteTask[Any]], facts: dict[str, Any]) -> None:
        self._client = client
        self._tasks = tasks
        self._facts = facts
        self._package_of = {task.id: package for package, task in tasks.items()}
        self._results: dict[str, Any] = {package: task.result for package, task in tasks.items() if task.result}
        self._here: Names = {}

    def all(self) -> list[Callable[[], Check]]:
        """The checks, in order. The one of the index takes seconds."""
        return [
            self.nothing_lost,
            self.ended_once,
            self.begun_again,
            self.told_again,
            self.same_index,
            self.same_answer,
        ]

    def nothing_lost(self) -> Check:
        """Every task is in a final state; one was stopped, none has failed."""
        states = Counter(task.state for task in self._tasks.values())
        lost = sum(not state.done for state in states.elements())
        succeeded, stopped, failed = states[State.SUCCEEDED], states[State.STOPPED], states[State.FAILED]
        text = f"{lost} of {len(self._tasks)} tasks: {succeeded} succeeded, {stopped} stopped, {failed} failed"
        as_asked = stopped == 1 and self._client.attach(self._facts["stopped"]).state == State.STOPPED
        return Check("lost", text, as_asked and not lost and not failed)

    def ended_once(self) -> Check:
        """Redis lists every end of a task; each is there once."""
        space = self._client.space
        asked = [pages.recent(keys, queue=DEFAULT_QUEUE, start=0, count=RECENT) for keys in space.shards.keys]
        ends = Counter(id for listed in space.broker.run_many(asked) for id in listed)
        twice = sum(ends[task.id] != 1 for task in self._tasks.values())
        text = f"{twice} of {len(self._tasks)} tasks: each has ended exactly once"
        return Check("twice", f"{twice} tasks did not end exactly once" if twice else text, not twice)

    def begun_again(self) -> Check:
        """What the killed worker ran was started again, and ended."""
        ids = self._facts["interrupted"]
        again = [id for id in ids if (task := self._client.attach(id).snapshot()).attempt > 1 and task.lost]
        found = f"{len(again)} of {len(ids)} tasks of the killed worker were started again"
        return Check("again", found, bool(ids) and len(again) == len(ids))

    def told_again(self) -> Check:
        """The narrowed task keeps, on another worker, to what it was told on the killed one."""
        id, only = self._facts["narrowed"], self._facts["only"]
        package = self._package_of[id]
        where = "on its new worker" if id in self._facts["interrupted"] else "to its end"
        good = package in self._results and self._results[package]["only"] == only
        return Check("message", f'{package} {"kept" if good else "did NOT keep"} to "{only}" {where}', good)

    def same_index(self) -> Check:
        """Every package's index is the one that is computed here."""
        here = {package: _indexed(package, result["only"]) for package, result in self._results.items()}
        wrong = [package for package, index in here.items() if index.names != self._results[package]["names"]]
        self._here = _merged(index.names for index in here.values())
        files = sum(index.done for index in here.values())
        text = f"equals one computed here alone: {len(self._here):,} names, {files} files"
        return Check("index", f"WRONG for {', '.join(wrong)}" if wrong else text, not wrong)

    def same_answer(self) -> Check:
        """A question to the merged index has the answer that it has here: which locks are used in most files?"""
        merged = _merged(result["names"] for result in self._results.values())
        answer = _most_used(merged, self._facts["only"])
        text = ", ".join(f"{name} in {files}" for name, files in answer)
        good = answer == _most_used(self._here, self._facts["only"])
        return Check("query", f"the most used: {text}", good)


def _indexed(package: str, only: str) -> Index:
    index = Index(package)
    index.narrow(only)
    for path in index.files:
        index.add(path)
    return index


def _merged(parts: Iterable[Names]) -> Names:
    merged: Names = {}
    for names in parts:
        for name, files in names.items():
            merged.setdefault(name, []).extend(files)
    return merged


def _most_used(names: Names, part: str) -> list[tuple[str, int]]:
    counts = [(name, len(files)) for name, files in names.items() if part in name.lower()]
    return sorted(counts, key=lambda count: (-count[1], count[0]))[:3]
