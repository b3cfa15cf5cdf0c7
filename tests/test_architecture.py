"""The shape of the code: which module stands on which floor, what it may import, and the words it may use."""

import ast
import graphlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"taskpy": ROOT / "taskpy", "taskpy_worker": ROOT / "worker" / "taskpy_worker"}

#: Every module stands here once. It imports from its own floor and from those below.
FLOORS = (
    # 0: pure. No I/O, no Redis, no threads.
    """
    errors naming spec retry checkpoint registry deadline keys shards taken
    values wire failure reported question codec
    """,
    # 1: what to say to Redis, and what the answers mean; still no I/O.
    """
    script answers answers_desk answers_keyed listed info ops pages
    """,
    # 2: what waits, asks and connects. The only modules that import redis.
    """
    settings identity address topology connection links cluster_links memory outage nudge flow senders subscriber broker broker_aio
    embedded embedded_folder embedded_keeper embedded_program
    """,
    # 3: the library: what users hold, and what their functions receive.
    """
    reports logs interrupt ladder call reference life eventloop contract desk mailbox attention family spawning inside_flows inside inside_aio
    counter status line line_pipe reader outside
    handle
    definition thread process process_child
    space unpacked unserved tree desk_redis traffic_redis mailbox_redis numbered counter_redis keyed line_redis branches remote lists upkeep spread client remote_aio client_aio aio
    compose controllers on waiting waiting_aio
    """,
    # 4: the public names, and the programs. Nobody below imports them.
    """
    taskpy cli testing pytest_plugin celery_bridge
    taskpy_worker taskpy_worker.__main__ taskpy_worker.attempt taskpy_worker.child taskpy_worker.claimer
    taskpy_worker.config taskpy_worker.enforcer taskpy_worker.executor taskpy_worker.forked taskpy_worker.guardian taskpy_worker.heartbeater taskpy_worker.keeper taskpy_worker.listener
    taskpy_worker.liveness taskpy_worker.loading taskpy_worker.log taskpy_worker.loop_door taskpy_worker.pace taskpy_worker.processes taskpy_worker.promoter taskpy_worker.queues taskpy_worker.relay
    taskpy_worker.recoverer taskpy_worker.reloading taskpy_worker.reporter taskpy_worker.served taskpy_worker.settler taskpy_worker.slots taskpy_worker.supervised
    taskpy_worker.supervisor
    taskpy_worker.systemd taskpy_worker.turns taskpy_worker.worker taskpy_worker.workshop
    """,
)

#: What a file may not be called: such a name says nothing, so everything ends up in it.
EMPTY_NAMES = {"utils", "common", "helpers", "base", "types"}
#: Other queues' words for what has another word here: task, acknowledge, worker.
FOREIGN_WORDS = {"job", "jobs", "ack", "acks", "nack", "nacks", "actor", "actors", "consumer", "consumers"}
#: A file that is longer is not read in one sitting.
LINES_LIMIT = 400


def full_name(short):
    return short if short.split(".")[0] in PACKAGES else f"taskpy.{short}"


FLOOR_OF = {full_name(name): floor for floor, names in enumerate(FLOORS) for name in names.split()}


def find_modules():
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join([package, *(part for part in parts if part != "__init__")])] = path
    return found


MODULES = find_modules()
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}
every_module = pytest.mark.parametrize("name", sorted(MODULES))


def floor_of(name):
    """The floor of a module, or of the package it is in: `cli` stands for all of `cli.*`, but `taskpy` for itself only."""
    row = name
    while row not in FLOOR_OF and row.count(".") > 1:
        row = row.rpartition(".")[0]
    assert row in FLOOR_OF, f"{name} stands on no floor: put it into the table above"
    return FLOOR_OF[row]


def imports_in(node):
    """What the import statements below this node name: modules, and the names that are taken from them."""
    for found in ast.walk(node):
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            assert not found.level, "imports here are absolute"
            yield from (f"{found.module}.{alias.name}" for alias in found.names)


def module_of(imported):
    """The module of ours that an imported name is, or is in; None when it is not ours."""
    if imported.split(".")[0] not in PACKAGES:
        return None
    while imported not in MODULES:
        assert "." in imported, f"there is no module {imported}"
        imported = imported.rpartition(".")[0]
    return imported


def ours(node):
    return {module for imported in imports_in(node) if (module := module_of(imported))}


def others(name):
    return {imported.split(".")[0] for imported in imports_in(TREES[name])} - PACKAGES.keys()


def while_loading(tree):
    """The modules of ours that must be loaded first: imports in functions and for types come later, or never."""
    found = set()
    for node in tree.body:
        is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not is_for_types and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found |= ours(node)
    return found


# -- the floors ---------------------------------------------------------------------------------


def test_the_table_has_no_module_twice_and_none_that_is_gone():
    listed = [full_name(name) for names in FLOORS for name in names.split()]

    assert sorted(set(listed)) == sorted(listed)
    assert set(listed) - MODULES.keys() == set()


@every_module
def test_imports_point_down(name):
    floor = floor_of(name)

    upward = {module for module in ours(TREES[name]) if floor_of(module) > floor}

    assert upward == set()


def test_nothing_is_loaded_in_a_circle():
    graph = {name: while_loading(tree) - {name} for name, tree in TREES.items()}

    assert len(list(graphlib.TopologicalSorter(graph).static_order())) >= len(MODULES)


@every_module
def test_the_library_does_not_import_the_worker(name):
    # The kit for tests runs the worker's code, and a Celery process is a worker of a kind.
    if name.split(".")[0] == "taskpy" and not name.startswith(("taskpy.testing", "taskpy.celery_bridge")):
        assert not {module for module in ours(TREES[name]) if module.split(".")[0] == "taskpy_worker"}


@every_module
def test_only_the_second_floor_imports_redis(name):
    if floor_of(name) != 2:
        assert others(name).isdisjoint({"redis", "fakeredis"})


@every_module
def test_the_lowest_floors_do_no_io(name):
    if floor_of(name) < 2:
        assert others(name).isdisjoint(
            {"asyncio", "concurrent", "multiprocessing", "select", "selectors", "signal", "socket", "subprocess"}
        )


@every_module
def test_the_lowest_floors_start_no_thread(name):
    if floor_of(name) < 2 and "threading" in others(name):
        used = set(re.findall(r"\bthreading\.(\w+)", ast.unparse(TREES[name])))
        # A lock around a dict is what makes pure data safe to share.
        assert used <= {"Lock"}


@every_module
def test_only_settings_reads_the_environment(name):
    if name != "taskpy.settings":
        read = {ast.unparse(node) for node in ast.walk(TREES[name]) if isinstance(node, ast.Attribute)}
        assert read.isdisjoint({"os.environ", "os.environb", "os.getenv", "os.getenvb"})
        assert {"os.environ", "os.getenv"}.isdisjoint(imports_in(TREES[name]))


# -- files and words ----------------------------------------------------------------------------


@every_module
def test_a_name_says_what_is_in_it(name):
    assert EMPTY_NAMES.isdisjoint(name.split("."))


@pytest.mark.parametrize(
    "path",
    [*MODULES.values(), *(ROOT / "taskpy" / "lua").rglob("*.lua"), *(ROOT / "benchmarks").rglob("*.py")],
    ids=lambda path: path.name,
)
def test_a_file_is_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= LINES_LIMIT


def defined_names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name


def words_of(identifier):
    return set(re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", identifier).lower().split("_"))


@every_module
def test_one_word_for_one_idea(name):
    foreign = {defined for defined in defined_names(TREES[name]) if words_of(defined) & FOREIGN_WORDS}

    assert foreign == set()


@pytest.mark.parametrize("path", sorted((ROOT / "taskpy" / "lua").rglob("*.lua")), ids=lambda path: path.stem)
def test_one_word_for_one_idea_in_lua(path):
    assert set(re.findall(r"[a-z]+", path.read_text().lower())).isdisjoint(FOREIGN_WORDS)


@every_module
def test_what_is_public_is_explained(name):
    public = [
        node
        for node in TREES[name].body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_")
    ]
    overloads = {node.name for node in public if "overload" in map(ast.unparse, getattr(node, "decorator_list", ()))}
    silent = {node.name for node in public if not ast.get_docstring(node)} - overloads

    assert ast.get_docstring(TREES[name]), f"{name} does not say what it owns"
    assert silent == set()
