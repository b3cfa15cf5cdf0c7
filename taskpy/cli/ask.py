"""`taskpy ask` and `taskpy answer`: a question to a task, and the answer to one of its own."""

from typing import TYPE_CHECKING, Any

import click

from taskpy.cli import exits, screen, values
from taskpy.cli.moments import seconds
from taskpy.cli.target import Target, pass_target
from taskpy.cli.text import clean

if TYPE_CHECKING:
    from taskpy.question import Asked


@click.command(epilog="Example: taskpy ask ID estimate --timeout 5")
@click.argument("id")
@click.argument("topic")
@click.argument("data", required=False)
@click.option("--timeout", type=seconds, help="Wait no longer than this for the answer.")
@screen.json_option
@pass_target
def ask(target: Target, /, *, id: str, topic: str, data: str | None, timeout: float | None, as_json: bool) -> None:
    """Ask a task about TOPIC, and print its answer. DATA goes along with the question: JSON where it is JSON, else text.

    It answers at its next safe point, from the function that it has registered by t.answers(TOPIC, function).

    --json prints {"answer": ...}.

    The exit code is 0 when there is an answer, 1 when the task has none to this topic, fails to make it, or has ended,
    3 for an unknown id, 124 when none came in time.
    """
    with target.client() as client:
        answer = client.attach(id).ask(topic, None if data is None else values.read(data), timeout=timeout)
    if as_json:
        screen.line({"answer": values.jsonable(answer)})
    else:
        screen.data(values.plain(answer))


@click.command(epilog="Example: taskpy answer ID true")
@click.argument("id")
@click.argument("value", required=False)
@click.option("--number", metavar="N", type=click.IntRange(1), help="The question it is for; without it, the last one.")
@screen.json_option
@pass_target
def answer(target: Target, /, *, id: str, value: str | None, number: int | None, as_json: bool) -> None:
    """Answer what a task asks with VALUE: JSON where it is JSON, else text. Without VALUE, print what it asks.

    The first answer counts. `taskpy show` shows the question, too, and `taskpy attach` as it comes.

    --json prints {"question": {"number": N, "question": ...}}, or null where it asks nothing; after an answer, that to
    which it was.

    The exit code is 0 when the answer counts, 1 when somebody else was first, when the task asks nothing (or not this, any
    more) or has ended, 3 for an unknown id.
    """
    with target.client() as client:
        handle = client.attach(id)
        asked = handle.question
        if value is not None:
            handle.answer(values.read(value), number=number or (asked.number if asked is not None else None))
    if as_json:
        screen.document({"question": fields(asked)})
    elif value is None:
        if asked is None:
            screen.note("it asks nothing")
            click.get_current_context().exit(exits.FAILED)
        screen.data(values.plain(asked.data))
    elif asked is not None:
        screen.note(f"answered: {clean(values.plain(asked.data, limit=LONG))}")


#: How much of a question is shown where it is not what was asked for.
LONG = 500


def fields(asked: "Asked | None") -> dict[str, Any] | None:
    """A question of a task, as JSON."""
    return None if asked is None else {"number": asked.number, "question": values.jsonable(asked.data)}
