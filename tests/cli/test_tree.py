"""`tree`, `stop --tree`, and what `show` says of a family."""

import pytest


@pytest.fixture
def top(working):
    """A task that has spawned three, of which one has spawned another."""
    task = working.client.submit("cli.family")
    children = working.client.attach(task.id).recv(timeout=5)
    [leaf] = [working.client.attach(children[-1]).recv(timeout=5)]
    for id in (*children, leaf):
        assert working.client.attach(id).wait_begun(timeout=5)
    yield task, children, leaf
    task.stop(tree=True, timeout=10)


def test_a_tree_is_drawn(cli, top):
    task, children, leaf = top

    done = cli("tree", task.id)
    assert (done.code, done.err) == (0, "5 tasks.\n")
    words = [line.split("  ")[:3] for line in done.lines]
    assert words == [
        [task.id, "running", "cli.family"],
        [f"├── {children[0]}", "running", "cli.leaf"],
        [f"├── {children[1]}", "running", "cli.leaf"],
        [f"└── {children[2]}", "running", "cli.parent"],
        ["", "", f"└── {leaf}"],
    ]
    assert done.lines[-1] == f"    └── {leaf}  running  cli.leaf  {done.lines[-1].split('  ')[-1]}"


def test_a_tree_as_json(cli, top):
    task, children, leaf = top

    shown = cli("tree", task.id, "--json").json
    assert shown["id"] == task.id
    assert [child["id"] for child in shown["children"]] == children
    assert shown["children"][2]["children"][0] | {"started": 0, "submitted": 0, "worker": ""} == {
        "id": leaf,
        "state": "running",
        "name": "cli.leaf",
        "queue": "default",
        "attempt": 1,
        "retries": 0,
        "lost": 0,
        "stopping": False,
        "flags": [],
        "reason": None,
        "worker": "",
        "submitted": 0,
        "started": 0,
        "ended": None,
        "due": None,
        "children": [],
    }


def test_of_an_unknown_task_there_is_no_tree(cli):
    assert cli("tree", "nobody").code == 3


def test_a_tree_is_stopped(cli, top):
    task, children, leaf = top

    done = cli("stop", "--tree", task.id, "--reason", "enough")
    assert done.code == 0
    assert done.lines[0].startswith(f"{task.id}  succeeded")
    assert done.lines[1] == "  4 tasks below it: all have ended"
    shown = cli("show", leaf, "--json").json
    assert (shown["state"], shown["stop"]["reason"], shown["parent"]) == ("succeeded", "enough", children[2])


def test_a_tree_stands_still_and_goes_on(cli, top):
    task, _, leaf = top

    done = cli("pause", "--tree", task.id, "--timeout", "10")
    assert (done.code, done.lines) == (0, [f"{task.id}  paused"])
    assert "paused" in cli("show", leaf).lines[1]
    assert cli("resume", "--tree", task.id).lines == [f"{task.id}  goes on"]
    assert "paused" not in cli("show", leaf).lines[1]


def test_it_is_said_that_the_time_was_over(cli, top):
    task, _, _ = top
    done = cli("stop", "--tree", "--no-wait", task.id)
    assert done.code == 0


def test_show_says_who_the_parent_is_and_how_many_children_there_are(cli, top):
    task, children, _ = top

    assert f"children   3; to see them: taskpy tree {task.id}" in cli("show", task.id).lines
    assert f"parent     {task.id}" in cli("show", children[2]).lines
    assert cli("show", task.id, "--json").json["children"] == 3
