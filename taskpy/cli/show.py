"""`taskpy show`: all that is known of one task: where it stands, what happened, how it came out."""

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import ask, reports, screen, values
from taskpy.cli.listing import fields_of
from taskpy.cli.moments import ago, length, stamp, until
from taskpy.cli.stop import asked
from taskpy.cli.target import Target, pass_target
from taskpy.cli.text import clean, counted, size

if TYPE_CHECKING:
    from taskpy.client import Client
    from taskpy.listed import Event, Snapshot
    from taskpy.lists import About
    from taskpy.reported import Progress

#: How much of a result, of arguments and of a traceback is shown; --json has all of it.
LONG = 4000
NAME = 200

#: What the words of events mean; {} is what belongs to the word.
_EVENTS = {
    "stop": "asked to stop",
    "pause": "asked to pause",
    "resume": "resumed",
    "retry": "failed on {}, to be tried again",
    "release": "handed back by {}",
    "unknown": "given back by {}, which does not know its name",
    "drop": "given back by {}, which had lost track of it",
    "recover": "its worker was lost: {}",
    "revive": "submitted again as {}",
}


@click.command()
@click.argument("id")
@click.option("--args", "with_args", is_flag=True, help="Show its arguments, too.")
@screen.json_option
@pass_target
def show(target: Target, /, *, id: str, with_args: bool, as_json: bool) -> None:
    """Show all that is known of a task: where it stands, what happened, its result or its exception.

    Its arguments may be confidential, and are shown with --args only.
    """
    from taskpy.cli import endings

    with target.client() as client:
        about = client.about(id)
        task = about.task
        served = task.state != "queued" or _is_served(client, task.queue)
    result = endings.result_fields(lambda: _result_of(task))
    exception = endings.packed_exception_fields(task.exception or task.error)
    arguments = _arguments_of(task) if with_args else {"args": None, "kwargs": None}
    if as_json:
        screen.document(_document(about) | result | {"exception": exception} | arguments)
        return
    _show_head(about, served=served)
    _show_timeline(about)
    _show_log(about)
    if with_args:
        _show_arguments(arguments)
    if result["unreadable"]:
        _show_part("result", f"cannot be read here: {result['unreadable']}")
    elif task.state == "succeeded":
        _show_part("result", values.plain(_result_of(task), limit=LONG))
    if exception:
        title = "exception" if task.exception else "exception of the last attempt"
        _show_part(title, endings.summary(exception))
        _show_traceback(exception["traceback"])


def _is_served(client: "Client", queue: str) -> bool:
    return any(queue in worker.info.queues for worker in client.workers() if not worker.lost)


def _result_of(task: "Snapshot") -> Any:
    from taskpy import codec

    return None if task.result is None else codec.load_result(task.result)


def _arguments_of(task: "Snapshot") -> dict[str, Any]:
    from taskpy import codec, errors

    try:
        spec = codec.load_spec(task.spec)
    except errors.WireError as error:
        return {"args": None, "kwargs": None, "unreadable_args": str(error)}
    return {"args": values.jsonable(spec.args), "kwargs": values.jsonable(spec.kwargs)}


def _document(about: "About") -> dict[str, Any]:
    task = about.task
    return fields_of(task) | {
        "unknowns": task.unknowns,
        "restarts": task.restarts,
        "keep": task.keep,
        "paused": about.paused,
        "key": task.key,
        "behind": about.behind,
        "parent": task.parent,
        "children": task.children,
        "origin": task.origin,
        "heir": task.heir,
        "stop": _stop_fields(task),
        "question": ask.fields(about.question),
        "pause": None if task.pause is None else {"since": task.pause[0], "by": task.pause[1]},
        "checkpoint": _checkpoint_fields(about),
        "messages": {"received": task.received, "acknowledged": task.acknowledged, "sent": task.sent},
        "progress": reports.progress_fields(about.progress),
        "logged": task.logged,
        "log": [reports.line_fields(line) for line in about.log],
        "events": [{"time": event.time, "word": event.word, "detail": event.detail} for event in about.events],
    }


def _stop_fields(task: "Snapshot") -> dict[str, Any] | None:
    if task.reason is None:
        return None
    told = {"reason": task.reason, "by": task.by, "then": task.follows, "deadline": task.deadline}
    return told | {"note": task.note}


def _checkpoint_fields(about: "About") -> dict[str, Any] | None:
    if about.checkpoint is None:
        return None
    return {"size": about.checkpoint, "acknowledgements": about.task.acknowledgements}


# -- for people ---------------------------------------------------------------------------------


def _show_head(about: "About", *, served: bool) -> None:
    task, now = about.task, time.time()
    screen.data(f"{screen.styled(clean(task.name, limit=NAME), bold=True)}  {task.id}")
    sentence = _sentence(task, now) if about.behind is None else f"queued: it begins after the end of {about.behind}"
    screen.data(screen.styled(sentence, fg=screen.STATES.get(task.state)))
    screen.data()
    _show_field("queue", clean(task.queue, limit=NAME) + _about_queue(about, now, served=served))
    if task.key is not None:
        _show_field("key", clean(task.key, limit=NAME))
    if task.attempt or task.retries or task.lost:
        _show_field("attempts", _attempts(task))
    if task.worker:
        _show_field("worker", clean(task.worker, limit=NAME))
    if about.progress is not None:
        columns = screen.wide()
        text = reports.progress_text(about.progress)
        _show_field("progress", text if columns is None else _bar(about.progress, columns))
    if task.received or task.sent:
        _show_field("messages", f"{task.received} received, {task.sent} sent")
    if about.checkpoint is not None:
        marks = counted(task.acknowledgements, "acknowledgement")
        _show_field("checkpoint", f"its state has {size(about.checkpoint)}; {marks} so far")
    if about.question is not None:
        _show_field(
            "asks", f"{clean(values.plain(about.question.data, limit=NAME))}  (taskpy answer {clean(task.id)} VALUE)"
        )
    if task.pause is not None and not task.stopping:
        since, by = task.pause
        _show_field("pause", f"asked for {ago(since, now)}{f' by {clean(by, limit=NAME)}' if by else ''}")
    if task.reason is not None:
        _show_field("stop", asked(task.reason, task.by, task.note) + _what_follows(task, now))
    if task.parent:
        _show_field("parent", clean(task.parent))
    if task.children:
        _show_field("children", f"{task.children}; to see them: taskpy tree {task.id}")
    if task.origin:
        _show_field("origin", f"{clean(task.origin)}, which had failed")
    if task.heir:
        _show_field("revived", f"as {clean(task.heir)}")


def _sentence(task: "Snapshot", now: float) -> str:
    took = f", after {length(task.ended - task.started)}" if task.ended and task.started else ""
    match str(task.state):
        case "queued" if task.due is not None:
            return f"delayed: it is due {until(task.due, now)}, at {stamp(task.due)}{_flags(task)}"
        case "queued":
            return f"queued: it waits for a worker; submitted {ago(task.submitted, now)}{_flags(task)}"
        case "running":
            return f"running for {length(now - (task.started or now))}{_flags(task)}"
        case "stopped":
            return f"stopped {ago(task.ended, now)}{took}{_because(task.reason)}"
    return f"{task.state} {ago(task.ended, now)}{took}"


#: What the flags say behind the state.
_FLAGS = {"paused": "paused", "pausing": "asked to pause", "waiting": "it asks, and waits for an answer"}


def _flags(task: "Snapshot") -> str:
    said = [f"asked to stop{_because(task.reason)}"] if task.stopping else []
    said += [words for flag, words in _FLAGS.items() if flag in task.flags]
    return "".join(f"; {words}" for words in said)


def _what_follows(task: "Snapshot", now: float) -> str:
    if task.state.done or task.follows is None or task.deadline is None:
        return ""
    is_over = task.deadline <= now
    when = (
        f"was raised inside it {ago(task.deadline, now)}"
        if is_over
        else f"is raised inside it {until(task.deadline, now)}"
    )
    return f"; Stopped {when}" + (", and then it is ended by force" if task.follows == "kill" else "")


def _because(reason: str | None) -> str:
    return f": {clean(reason, limit=NAME)}" if reason else ""


def _about_queue(about: "About", now: float, *, served: bool) -> str:
    if about.task.state != "queued":
        return ""
    paused = f"; paused {ago(about.paused, now)}" if about.paused is not None else ""
    return paused + ("" if served else "; no worker serves it")


def _attempts(task: "Snapshot") -> str:
    retries = f"{task.retries} {'retry' if task.retries == 1 else 'retries'}" if task.retries else ""
    lost = counted(task.lost, "lost worker") if task.lost else ""
    unknown = f"{counted(task.unknowns, 'time')} its worker did not know its name" if task.unknowns else ""
    because = ", ".join(filter(None, [retries, lost, unknown]))
    return f"{task.attempt} ({because})" if because else str(task.attempt)


def _show_field(name: str, text: str) -> None:
    screen.data(_field(name, text))


def _field(name: str, text: str) -> str:
    return f"{name:<10} {text}"


def _show_timeline(about: "About") -> None:
    task = about.task
    entries = [(event.time, _event(event)) for event in about.events]
    if task.submitted is not None:
        entries.append((task.submitted, "submitted"))
    if task.started is not None:
        entries.append((task.started, f"attempt {task.attempt} started"))
    if task.ended is not None:
        entries.append((task.ended, str(task.state)))
    entries.sort(key=lambda entry: entry[0])
    screen.data()
    screen.data(screen.styled("timeline", bold=True))
    before, day_before = None, ""
    for moment, text in entries:
        day, _, clock = stamp(moment).partition(" ")
        if day != day_before:
            screen.data(f"  {day}")
        since = "" if before is None else f"+{length(moment - before)}"
        screen.hanging(f"  {clock}  {since:>10}  ", text)
        before, day_before = moment, day


def _event(event: "Event") -> str:
    detail = clean(event.detail, limit=NAME)
    if event.word == "stop":
        return _EVENTS["stop"] + (f": {detail}" if detail else "")
    if event.word in {"pause", "resume"}:
        return _EVENTS[event.word] + (f" by {detail}" if detail else "")
    return _EVENTS.get(event.word, clean(event.word, limit=NAME) + " {}").format(detail)


def _bar(progress: "Progress", columns: int) -> str:
    return reports.progress_bar(progress, columns - len(_field("progress", "")), sys.stdout)


def _show_log(about: "About") -> None:
    if not about.log:
        return
    lines, logged = len(about.log), about.task.logged
    more = f": the last {lines} of {logged} lines; for more: taskpy logs {about.task.id}" if logged > lines else ""
    screen.data()
    screen.data(screen.styled("log", bold=True) + more)
    columns = screen.wide()
    for line in about.log:
        screen.data("  " + reports.log_summary(line, None if columns is None else columns - 2))


def _show_arguments(arguments: dict[str, Any]) -> None:
    if unreadable := arguments.get("unreadable_args"):
        _show_part("arguments", f"cannot be read here: {unreadable}")
        return
    lines = [values.plain([value], limit=LONG)[1:-1] for value in arguments["args"]]
    lines += [f"{clean(name)}={values.plain([value], limit=LONG)[1:-1]}" for name, value in arguments["kwargs"].items()]
    _show_part("arguments", "\n".join(lines) or "none")


def _show_traceback(traceback: str) -> None:
    if traceback:
        screen.data(_indented(clean(traceback.rstrip()[-LONG:], lines=True)))


def _show_part(title: str, text: str) -> None:
    screen.data()
    screen.data(screen.styled(title, bold=True))
    screen.data(_indented(text))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
