"""`taskpy doctor`: whether everything is well, and what to do where it is not."""

from typing import TYPE_CHECKING

import click

from taskpy.cli import exits, screen
from taskpy.cli.target import Target, pass_target
from taskpy.cli.text import clean

if TYPE_CHECKING:
    from taskpy.cli.doctor_checks import Finding

_COLOURS = {"ok": "green", "note": "yellow", "WRONG": "red"}
_MARGIN = 7 + 13


@click.command()
@screen.json_option
@pass_target
def doctor(target: Target, /, *, as_json: bool) -> None:
    """Check whether everything is well: server, settings, workers, queues. Says what to do where it is not.

    It changes nothing. The exit code is 5 when something is wrong, 4 when Redis does not answer.
    """
    from taskpy.cli.doctor_checks import examine

    found = examine(target)
    wrong = [finding for finding in found if finding.level == "WRONG"]
    if as_json:
        checks = [
            {"name": one.name, "level": one.level.lower(), "text": one.text, "advice": one.advice} for one in found
        ]
        screen.document({"healthy": not wrong, "checks": checks})
    else:
        for finding in found:
            _show(finding)
    if wrong:
        away = any(finding.name == "connection" for finding in wrong)
        click.get_current_context().exit(exits.UNREACHABLE if away else exits.UNHEALTHY)


def _show(finding: "Finding") -> None:
    level = screen.styled(f"{finding.level:<7}", fg=_COLOURS[finding.level])
    screen.hanging(f"{level}{finding.name:<13}", clean(finding.text))
    if finding.advice:
        screen.hanging(" " * _MARGIN, clean(finding.advice))
