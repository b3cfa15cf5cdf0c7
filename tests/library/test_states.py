"""The table of states in `spec.py`: each of its rows that concerns local tasks happens in each local place."""

import pausing_tasks as tasks
import places
import pytest
from places import SOON

from taskpy.spec import MOVES, TRANSITIONS, State

#: How each row comes about: the task, whether it was started, the call.
WAYS = {
    ("new", "running", "start"): (tasks.waits, False, lambda handle: handle.start()),
    ("new", "stopped", "stop"): (tasks.waits, False, lambda handle: handle.stop()),
    ("running", "succeeded", "settle"): (tasks.ends_soon, True, lambda handle: handle.send("the end")),
    ("running", "failed", "settle"): (tasks.fails_when_told, True, lambda handle: handle.send("fail")),
    ("running", "stopped", "settle"): (tasks.waits, True, lambda handle: handle.stop()),
}
ROWS = {(str(row.origin), str(row.target), row.verb) for row in TRANSITIONS if row.where in {"local", "everywhere"}}


def test_every_row_has_a_way():
    assert set(WAYS) == ROWS


@pytest.mark.parametrize("place", places.LOCAL, indirect=True)
@pytest.mark.parametrize("row", WAYS, ids="-".join)
def test_it_comes_about(place, row):
    func, begins, call = WAYS[row]
    handle = place.begun(func) if begins else place(func)
    assert handle.state == row[0]

    call(handle)
    if row[1] != "running":
        handle.wait(timeout=SOON)
    assert handle.state == row[1]
    assert handle.done is (not MOVES[State(row[1])])
