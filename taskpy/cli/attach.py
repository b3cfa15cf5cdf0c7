"""`taskpy attach`: what a task sends is printed as it comes, what is typed goes into its inbox; until the task ends.

Five threads bring what happens to the main one, the only one that prints: one reads the outbox, one the log and the
progress, one what the task asks and whether it stands still, one reads standard input, one sends. So a full inbox keeps nobody from seeing what the task says, and Ctrl-C is always heard.
"""

import contextlib
import os
import queue
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import ask, exits, listing, reports, screen, values
from taskpy.cli.live import LiveLine
from taskpy.cli.target import Target, pass_target
from taskpy.cli.text import clean
from taskpy.reported import LogLine, Progress

if TYPE_CHECKING:
    from taskpy.handle import Stream
    from taskpy.listed import Outline
    from taskpy.question import Asked
    from taskpy.reader import Place
    from taskpy.remote import RemoteTask
    from taskpy.status import Status

#: How many lines wait to be sent when they do not come from a person: then the one who writes them waits, too.
AHEAD = 100
#: How long a Ctrl-C may go unheard.
LOOK_SECONDS = 0.2
_QUESTION = "[s]top it, [d]etach, or [g]o on? "
_ANSWERS = {"s", "d", "g"}
#: What a line begins with that is no message, but the answer to what the task asks.
_REPLY = "="


@click.command()
@click.argument("id")
@values.after_option
@screen.json_option
@pass_target
def attach(target: Target, /, *, id: str, after: "Place", as_json: bool) -> None:
    """Follow what a task sends, from the oldest message that is kept, and send it what you type, line by line.

    A line is sent as JSON where it is JSON, else as text. Ctrl-C asks whether to stop the task, to detach from it or to
    go on; a second Ctrl-C detaches. It ends when the task ends. Lines may come from a file or a pipe, too; at their end
    it goes on to follow.

    What the task asks is shown as it comes. On a terminal a line that begins with "=" answers it, as =true does; any other
    line is a message, so nobody answers by mistake. It is shown, too, when the task pauses and goes on.

    Its log records are printed on standard error; on a terminal a bar shows how far it has come.

    --json prints a line of JSON for each message, {"message": ..., "position": N}, for each log record, {"log": ...}, and
    progress, {"progress": ...}, for each question, {"question": ...}, and pause, {"paused": ...}, and one for the end:
    {"ended": ..., "result": ...}.

    The exit code is 0 when the task succeeded or you detached, 1 when it failed or was stopped, 130 after a second Ctrl-C.
    """
    with target.client() as client:
        handle = client.attach(id)
        about = client.about(id)
        code = _Session(handle, handle.stream(after), as_json=as_json).run(_greeting(about.task))
    click.get_current_context().exit(code)


def _greeting(task: "Outline") -> str:
    if task.state.done:
        return f"{task.name} has ended; this is what it has sent"
    return f"{task.name} is {listing.word_of(task)}; Ctrl-C to stop it or to leave"


class _Session:
    """One attachment. What happens comes to the main thread as `(what, value)`."""

    def __init__(self, handle: "RemoteTask[Any]", stream: "Stream", *, as_json: bool) -> None:
        self._handle = handle
        self._stream = stream
        self._as_json = as_json
        self._has_terminal = self._is_person = sys.stdin.isatty()
        self._happened: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._put_off: deque[tuple[str, Any]] = deque()  # what happened during a question
        # A message, or the answer to the question of this number.
        self._outgoing: queue.Queue[tuple[int | None, str]] = queue.Queue(0 if self._is_person else AHEAD)
        self._asked: Asked | None = None  # what the task asks, once it was shown
        self._paused = False
        self._asking = False
        self._live = LiveLine()
        self._followed = 2  # what is read to its end: messages, and reports
        self._left = False  # whoever still reads is cut off

    def run(self, greeting: str) -> int:
        """Print and send until the task ends or the user leaves; the exit code."""
        self._happened.put(("note", greeting))
        for duty in (self._receive, self._watch, self._attend, self._read, self._send):
            name = f"taskpy-{duty.__name__.strip('_')}"
            threading.Thread(target=self._do, args=(duty,), name=name, daemon=True).start()
        try:
            return self._show_all()
        finally:
            self._left = True

    def _show_all(self) -> int:
        while True:
            try:
                what, value = self._put_off.popleft() if self._put_off else self._next()
                if what == "end":
                    self._followed -= 1
                    if self._followed:
                        continue
                    self._live.hide()
                    return self._end()
                self._show(what, value)
            except KeyboardInterrupt:
                if (code := self._interrupted()) is not None:
                    return code

    # -- the threads ----------------------------------------------------------------------------

    def _do(self, duty: Callable[[], None]) -> None:
        try:
            duty()
        except Exception:  # of a connection that is closed under it, which the user need not see
            if not self._left:
                raise

    def _receive(self) -> None:
        from taskpy import errors

        while True:
            try:
                message = next(self._stream)
                self._happened.put(("message", (message, self._stream.position)))
            except (errors.MessagesMissed, errors.WireError) as error:
                self._happened.put(("note", str(error)))
            except StopIteration:
                self._happened.put(("end", None))
                return
            except errors.TaskpyError as error:
                self._happened.put(("failure", error))
                return

    def _watch(self) -> None:
        from taskpy import errors

        try:
            for report in self._handle.reports(follow=True):
                self._happened.put(("report", report))
        except errors.TaskpyError as error:
            self._happened.put(("failure", error))
        else:
            self._happened.put(("end", None))

    def _attend(self) -> None:
        from taskpy import errors

        known: Status | None = None
        with contextlib.suppress(errors.TaskNotFound):  # it has ended, and is not kept
            try:
                while known is None or not known.state.done:
                    known = self._handle._attended(known)  # noqa: SLF001 - our own
                    self._happened.put(("attention", known))
            except errors.BrokerError as error:
                self._happened.put(("failure", error))

    def _read(self) -> None:
        for line in _lines():
            if self._asking:
                answer = line.strip().lower()[:1]
                self._asking = answer not in _ANSWERS  # here and now: the next line may be for the task again
                self._happened.put(("answer", answer))
                continue
            self._happened.put(("typed", None))
            asked = self._asked
            if asked is not None and self._has_terminal and line.startswith(_REPLY):
                self._outgoing.put((asked.number, line.removeprefix(_REPLY)))
            elif line:
                self._outgoing.put((None, line))
        self._happened.put(("no input", None))

    def _send(self) -> None:
        from taskpy import errors

        while True:
            number, line = self._outgoing.get()
            try:
                if number is None:
                    self._handle.send(values.read(line))
                else:
                    self._handle.answer(values.read(line), number=number)
            except errors.TaskEnded:
                return
            except errors.TaskpyError as error:
                self._happened.put(("note", f"not sent: {line}: {error}"))
            self._outgoing.task_done()

    # -- the main thread ------------------------------------------------------------------------

    def _show(self, what: str, value: Any) -> None:
        match what:
            case "failure":
                self._live.hide()
                raise value
            case "typed":
                if self._is_person:
                    self._live.typed()
            case "no input":
                self._is_person = False
            case "report":
                self._show_report(value)
            case "attention":
                self._show_attention(value)
            case _:
                with self._live.aside():
                    self._print(what, value)

    def _show_report(self, report: "LogLine | Progress") -> None:
        match report:
            case LogLine() if self._as_json:
                screen.line({"log": reports.line_fields(report)})
            case LogLine():
                with self._live.aside():
                    screen.note(reports.log_text(report, colours=screen.has_colours(sys.stderr)))
            case _ if self._as_json:
                screen.line({"progress": reports.progress_fields(report)})
            case _:
                self._live.show(lambda columns: reports.progress_bar(report, columns, sys.stderr))

    def _show_attention(self, status: "Status") -> None:
        asked, before = status.question, self._asked
        self._asked = asked
        if (asked and asked.number) != (before and before.number):
            self._say({"question": ask.fields(asked)}, self._question_text(asked))
        if status.paused != self._paused:
            self._paused = status.paused
            goes_on = "" if status.state.done else "it goes on"
            self._say({"paused": self._paused}, "it is paused" if self._paused else goes_on)

    def _question_text(self, asked: "Asked | None") -> str:
        if asked is None:
            return ""
        how = f"; type {_REPLY} and a value to answer" if self._has_terminal else ""
        return f"it asks: {clean(values.plain(asked.data, limit=ask.LONG))}{how}"

    def _say(self, fields: dict[str, Any], text: str) -> None:
        """Print what has changed: a line of JSON, or words, where there are some."""
        if self._as_json:
            screen.line(fields)
        elif text:
            with self._live.aside():
                screen.note(text)

    def _print(self, what: str, value: Any) -> None:
        match what:
            case "note":
                screen.note(clean(value))
            case "message" if self._as_json:
                message, position = value
                screen.line({"message": values.jsonable(message), "position": position})
            case "message":
                screen.data(values.plain(value[0]))

    def _end(self) -> int:
        from taskpy.cli import endings

        state = self._handle.state
        result = endings.result_fields(lambda: self._handle.result)
        exception = endings.exception_fields(self._handle.exception)
        if unsent := self._outgoing.unfinished_tasks:
            screen.note(f"not sent, for it has ended: {unsent} of your lines")
        if self._as_json:
            screen.line({"ended": state, **result, "exception": exception})
        elif state == "succeeded":
            nothing = result["unreadable"] is None and result["result"] is None
            said = "" if nothing else result["unreadable"] or values.plain(self._handle.result, limit=endings.LINE)
            screen.note(f"it has succeeded: {said}" if said else "it has succeeded")
        else:
            screen.note(f"it has failed: {endings.summary(exception)}" if exception else "it was stopped")
        return 0 if state == "succeeded" else exits.FAILED

    def _interrupted(self) -> int | None:
        """Ask what Ctrl-C is to mean; the exit code, or None to go on."""
        self._end_line()
        if not self._is_person:
            return self._leave(exits.INTERRUPTED)
        self._asking = True
        self._live.hide()
        try:
            answer = self._ask()
        except KeyboardInterrupt:
            self._end_line()
            return self._leave(exits.INTERRUPTED)
        finally:
            self._asking = False
        if answer == "s":
            self._handle.stop(join=False, reason="stopped by hand")
            screen.note("asked it to stop; waiting for its end, Ctrl-C to leave")
        return self._leave(0) if answer == "d" else None

    def _ask(self) -> str:
        """Ask until there is an answer; what the task sends meanwhile is printed afterwards."""
        while True:
            click.echo(_QUESTION, nl=False, err=True)
            what, answer = self._next()
            while what in {"message", "note", "report", "attention", "typed"}:
                if what != "typed":  # the line that it would move is not there now
                    self._put_off.append((what, answer))
                what, answer = self._next()
            if what == "no input":
                return "d"
            if what != "answer":  # it has ended
                screen.note("")
                self._put_off.append((what, answer))
                return "g"
            if answer in _ANSWERS:
                return str(answer)

    def _end_line(self) -> None:
        if self._has_terminal:  # which has written ^C into the line
            screen.note("")

    def _next(self) -> tuple[str, Any]:
        """What happens next. Not one long wait: a Ctrl-C that comes just before it would not be heard."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._happened.get(timeout=LOOK_SECONDS)

    def _leave(self, code: int) -> int:
        self._live.hide()
        screen.note(f"detached, it goes on; to come back: taskpy attach {self._handle.id}")
        return code


def _lines() -> Iterator[str]:
    """The lines of standard input.

    Read without Python's own buffer: a thread that waits in it would keep the interpreter from ending.
    """
    try:
        number = sys.stdin.fileno()
    except OSError:  # no file at all: a test
        yield from (line.rstrip("\n") for line in sys.stdin)
        return
    rest = b""
    while chunk := _read_some(number):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
    if rest:
        yield rest.decode(errors="replace")


def _read_some(number: int) -> bytes:
    try:
        return os.read(number, 65536)
    except OSError:  # the terminal is gone
        return b""
