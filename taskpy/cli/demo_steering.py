"""The demo's third process: steers tasks that run elsewhere. It knows their ids, and nothing of their code.

On standard input it is told, as JSON, where Redis is, the ids, and which process groups it may kill. On standard output
it says what it does, a JSON list [word, text] a line; the last one is ["facts", {...}], for the demo to check.
"""

import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from taskpy import Client, Empty, RemoteTask, TaskEnded
from taskpy.cli.demo_stage import DemoFailed, wait_for
from taskpy.listed import Outline

#: What the search is narrowed to.
ONLY = "lock"
REASON = "nobody asked for this package"
#: How long a task may take to answer: it looks into its inbox between two files.
ANSWER_SECONDS = 20.0


@dataclass
class Facts:
    """What was done, by id, for the demo to check against what came of it."""

    narrowed: str = ""
    stopped: str = ""
    interrupted: list[str] = field(default_factory=list)
    only: str = ONLY


class Steering:
    """Asks, narrows, stops and kills. `groups` are the process groups of the workers, by number."""

    def __init__(self, client: Client, ids: list[str], groups: dict[int, int]) -> None:
        self._client = client
        self._ids = ids
        self._groups = groups
        self._facts = Facts()

    def run(self) -> Facts:
        """Do all of it, in order."""
        wait_for("tasks to run on every worker", lambda: len(self._by_worker()) == len(self._groups))
        most_left, *others = self._ask_for_progress()
        self._narrow(most_left)
        self._stop_one_of(others)
        self._kill_worker_of(most_left)
        self._see_them_begin_again()
        return self._facts

    # -- what it does -----------------------------------------------------------------------------

    def _ask_for_progress(self) -> list[RemoteTask[Any]]:
        """The tasks that run and have answered, the one with most files left first."""
        running = [self._client.attach(outline.id) for outline in self._running()]
        _say("ask", f'{len(running)} tasks run: "progress?"')
        asked = [task for task in running if _ask(task)]
        answers = {task: answer for task in asked if (answer := _answer(task))}
        for task, answer in answers.items():
            _say("", f"  {task.args[0]:<16} {answer['done']:4} of {answer['of']:3} files, {answer['names']:6,} names")
        if ended := len(running) - len(answers):
            _say("", f"  ({ended} ended meanwhile)")
        if len(answers) < 2:
            raise DemoFailed("the tasks had ended before they could be steered")
        return sorted(answers, key=lambda task: answers[task]["done"] - answers[task]["of"])

    def _narrow(self, task: RemoteTask[Any]) -> None:
        task.send({"only": ONLY})
        answer = _answer(task) if _ask(task) else None
        _say("narrow", f'{task.args[0]}: only the names with "{ONLY}" in them, please')
        if answer and answer["only"] == ONLY:
            _say("", f"  {answer['done']:4} of {answer['of']} files, and {answer['names']} names are left")
        self._facts.narrowed = task.id

    def _stop_one_of(self, tasks: list[RemoteTask[Any]]) -> None:
        for task in tasks:
            began = time.monotonic()
            if task.stop(reason=REASON, timeout=ANSWER_SECONDS) == "stopped":
                _say("stop", f'{task.args[0]}: "{REASON}"')
                _say("", f"  stopped {1000 * (time.monotonic() - began):.0f} ms later")
                self._facts.stopped = task.id
                return
        raise DemoFailed("the tasks had ended before one could be stopped")

    def _kill_worker_of(self, task: RemoteTask[Any]) -> None:
        wid = task.snapshot().worker
        number, group = self._group_of(wid)
        os.killpg(group, signal.SIGKILL)
        # Read afterwards: what Redis believes to run there now will not end there.
        left = [outline for outline in self._running() if outline.worker == wid]
        self._facts.interrupted = [outline.id for outline in left]
        _say("kill", f"worker {number}, supervisor and child, with SIGKILL; it ran")
        _say("", "  " + ", ".join(self._client.attach(outline.id).args[0] for outline in left))

    def _see_them_begin_again(self) -> None:
        began = time.monotonic()
        waiting = {id: self._client.attach(id) for id in self._facts.interrupted}
        while waiting:
            wait_for("the killed worker's tasks to begin again", lambda: any(map(_is_again, waiting.values())))
            for id, task in list(waiting.items()):
                if _is_again(task):
                    del waiting[id]
                    after = time.monotonic() - began
                    _say("again", f"{task.args[0]}: attempt {task.snapshot().attempt}, {after:.1f} s after the kill")

    # -- what it looks at -------------------------------------------------------------------------

    def _running(self) -> list[Outline]:
        return [outline for outline in self._client.tasks(state="running") if outline.id in self._ids]

    def _by_worker(self) -> set[str | None]:
        return {outline.worker for outline in self._running()}

    def _group_of(self, wid: str | None) -> tuple[int, int]:
        pids = {worker.wid: worker.info.pid for worker in self._client.workers()}
        if wid in pids:
            group = os.getpgid(pids[wid])
            for number, known in self._groups.items():
                if group == known:
                    return number, group
        raise DemoFailed(f"{wid} is not one of the demo's workers")


def _ask(task: RemoteTask[Any]) -> bool:
    """Ask for the progress; False when the task has ended."""
    try:
        task.send("progress?")
    except TaskEnded:
        return False
    return True


def _answer(task: RemoteTask[Any]) -> dict[str, Any] | None:
    """The task's answer; None when it has ended without one."""
    try:
        answer: dict[str, Any] = task.recv(timeout=ANSWER_SECONDS)
    except TaskEnded:
        return None
    except Empty:
        raise DemoFailed(f"{task.args[0]} did not answer in {ANSWER_SECONDS:g} s") from None
    return answer


def _is_again(task: RemoteTask[Any]) -> bool:
    found = task.snapshot()
    return found.state.done or (found.lost > 0 and found.state == "running")


def _say(word: str, said: Any) -> None:
    print(json.dumps([word, said]), flush=True)  # noqa: T201 - the demo reads this


def main() -> None:
    """Steer as standard input says."""
    _say("ready", "")
    told = json.load(sys.stdin)
    with Client(told["url"], namespace=told["namespace"]) as client:
        try:
            facts = Steering(
                client, told["ids"], {int(number): group for number, group in told["groups"].items()}
            ).run()
        except DemoFailed as failure:
            sys.exit(str(failure))
    _say("facts", asdict(facts))


if __name__ == "__main__":
    main()
