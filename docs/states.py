"""Writes states.md and states.svg from the table in taskpy/spec.py: `make states`. A test says when they are out of date."""

from pathlib import Path

from taskpy.spec import FLAGS, TRANSITIONS, State

HERE = Path(__file__).parent

#: Where the states stand: the middle of each box.
PLACES = {
    State.NEW: (90, 60),
    State.QUEUED: (90, 210),
    State.RUNNING: (410, 210),
    State.SUCCEEDED: (770, 110),
    State.FAILED: (770, 210),
    State.STOPPED: (410, 380),
}
BOX = 120, 44
#: Of each arrow: its path, where its words stand and how they are anchored there, and how many verbs a line has.
ARROWS = {
    (State.NEW, State.QUEUED): ("M90 82 V186", 100, 118, "start", 1),
    (State.NEW, State.RUNNING): ("M150 60 H410 V186", 280, 50, "middle", 1),
    (State.NEW, State.STOPPED): ("M30 60 H14 V392 H348", 104, 409, "start", 1),
    (State.QUEUED, State.RUNNING): ("M150 200 H348", 250, 190, "middle", 2),
    (State.QUEUED, State.STOPPED): ("M90 232 V368 H348", 104, 358, "start", 2),
    (State.RUNNING, State.QUEUED): ("M350 220 H152", 250, 240, "middle", 2),
    (State.RUNNING, State.SUCCEEDED): ("M440 188 V110 H708", 590, 100, "middle", 1),
    (State.RUNNING, State.FAILED): ("M470 210 H708", 590, 200, "middle", 3),
    (State.RUNNING, State.STOPPED): ("M410 232 V356", 420, 280, "start", 1),
}
FINAL = {state for state in State if state.done}
INTRODUCTION = """\
# States and flags

Where a task stands is one word, its state; what else may be said of it are flags beside it. This page is made from the
table in `taskpy/spec.py` (`make states`), and the tests see each of its rows happen. [The contract](contract.md#states)
says what the states mean, [the protocol](protocol.md) what the verbs do.

![The states, and the verbs that lead from one to another](states.svg)
"""
ENDING = """\
That its worker *drains* is told to the task alone: `t.draining`. In a thread and in a process no task is delayed.
"""


def page() -> str:
    """The page."""
    parts = [
        INTRODUCTION,
        "## Transitions\n",
        "What is not here does not happen. The verbs are those of the protocol.\n",
    ]
    rows = [[one.origin, one.target, f"`{one.verb}`", _WHERE[one.where], one.when] for one in TRANSITIONS]
    parts.append(_table(["from", "to", "by", "where", "when"], rows))
    parts.append("## Flags\n")
    parts.append("`handle.flags` is a set of them, `taskpy show` and `taskpy ls` show them. An end clears them all.\n")
    rules = [
        [
            f"`{rule.flag}`",
            rule.says,
            ", ".join(state for state in State if state in rule.states),
            _verbs(rule.set_by),
            _verbs(rule.cleared_by) or "nothing else",
            rule.seen,
        ]
        for rule in FLAGS
    ]
    parts.append(_table(["flag", "it says", "in", "set by", "cleared by", "read from"], rules))
    parts.append(ENDING)
    return "\n".join(parts)


_WHERE = {"worker": "on a worker", "local": "thread, process", "everywhere": "everywhere"}


def _verbs(verbs: tuple[str, ...]) -> str:
    return ", ".join(f"`{verb}`" for verb in verbs)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def picture() -> str:
    """The picture."""
    told: dict[tuple[State, State], list[str]] = {}
    for one in TRANSITIONS:
        told.setdefault((one.origin, one.target), []).append(one.verb)
    parts = [_HEAD]
    for move, verbs in told.items():
        path, x, y, anchor, most = ARROWS[move]
        parts.append(f'<path class="arrow" d="{path}"/>')
        rows = [", ".join(verbs[n : n + most]) for n in range(0, len(verbs), most)]
        for n, text in enumerate(rows):
            parts.append(f'<text class="verb" x="{x}" y="{y + 16 * n}" text-anchor="{anchor}">{text}</text>')
    for state, (x, y) in PLACES.items():
        kind = "final" if state in FINAL else "state"
        left, top, (wide, high) = x - BOX[0] // 2, y - BOX[1] // 2, BOX
        parts.append(f'<rect class="{kind}" x="{left}" y="{top}" width="{wide}" height="{high}" rx="8"/>')
        parts.append(f'<text class="name" x="{x}" y="{y + 5}" text-anchor="middle">{state}</text>')
    return "\n".join([*parts, "</svg>", ""])


_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 430" role="img" aria-label="The states of a task">
<style>
  svg { background: #fff }
  text { font: 14px sans-serif; fill: #37474f }
  .name { font-weight: bold; fill: #263238 }
  .verb { font-size: 13px }
  .state { fill: #e0f2f1; stroke: #00897b }
  .final { fill: #eceff1; stroke: #546e7a; stroke-width: 2 }
  .arrow { fill: none; stroke: #78909c; stroke-width: 1.5; marker-end: url(#tip) }
  #tip path { fill: #78909c }
</style>
<defs><marker id="tip" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto"><path d="M0 0 L9 4 L0 8 z"/></marker></defs>
<rect width="860" height="430" fill="#fff"/>"""


def main() -> None:
    """Write both."""
    (HERE / "states.md").write_text(page())
    (HERE / "states.svg").write_text(picture())


if __name__ == "__main__":
    main()
