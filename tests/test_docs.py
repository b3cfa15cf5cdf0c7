"""The documents tell the truth: their code runs, their links lead somewhere, and what they list is complete.

Of a document's ```python blocks, one that begins with `# name.py` is that file; the rest is one script, run from top to
bottom. A line `expression  # -> text` in it says how the value looks. `$ taskpy-worker ...` or `$ celery ...` in a
```console block is a worker that runs meanwhile; what of COMMANDS stands there is typed into a shell when the script gets there, and prints
the lines that follow, if some do. Redis is a local server of the test's own, and so is the one at
OF_YOUR_OWN, and the one of Celery, which needs an address.
A ```py block is other people's code: it is parsed.
"""

import ast
import os
import pkgutil
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from types import ModuleType

import click
import pytest
from taskpy_worker.__main__ import main as worker_command

import taskpy
from taskpy import celery_bridge, embedded, testing
from taskpy.keys import Keys
from tests.system.servers import Server
from tests.system.waiting import until
from tests.test_architecture import FLOORS

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)

#: A server that the reader has, in what is typed.
OF_YOUR_OWN = "redis://127.0.0.1:6379/0"
#: What is begun elsewhere, or tested elsewhere.
ELSEWHERE = ("$ taskpy-worker ", "$ celery ", "$ make ", "$ python ")
#: What is typed into a shell.
COMMANDS = re.compile(r"\$ ((?:\w+=\$\()?(?:taskpy|export|mkdir|touch) .+)")

# The script's lines keep their numbers, so that a traceback points into the document.
RUN = """
import subprocess
import sys

shell = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

def shown(value, text):
    assert text in (repr(value), repr(value)[1:-1]), f"it says {text}, and is {value!r}"

def typed(command, text):
    print(command, "echo =$?", sep="\\n", file=shell.stdin, flush=True)
    lines = []
    while not (line := shell.stdout.readline()).startswith("="):
        assert line, f"the shell has ended at {command}"
        lines.append(line)
    assert line == "=0\\n", f"{command} has failed"
    said = "".join(lines).strip()
    assert text in ("", said), f"{command} says {said}, not {text}"

with shell:
    typed('taskpy() { "%s" -m taskpy.cli "$@" </dev/null; }' % sys.executable, "")
    names = {"__name__": "__main__", "shown": shown, "typed": typed}
    exec(compile(sys.stdin.read(), sys.argv[1], "exec"), names)
"""


@dataclass
class Block:
    """A fenced block: its language, the number of its first line, and its lines."""

    language: str
    first: int
    lines: list[str]

    @property
    def file(self):
        """The name of the file that it is, if it is one."""
        found = re.fullmatch(r"# ([\w/]+\.py)", self.lines[0]) if self.lines else None
        return found and found[1]


def blocks_of(text, name):
    block = None
    for number, line in enumerate(text.splitlines(), 1):
        if block is None and line.startswith("```"):
            block = Block(line.removeprefix("```"), number + 1, [])
        elif block is not None and line == "```":
            yield block
            block = None
        elif block is not None:
            block.lines.append(line)
    assert block is None, f"a block of {name} does not end"


def script_of(blocks):
    lines = []
    for block in blocks:
        if block.language == "console" or (block.language == "python" and not block.file):
            lines += [""] * (block.first - 1 - len(lines))
            lines += typed(block.lines) if block.language == "console" else [told(line) for line in block.lines]
    return "\n".join(lines)


def told(line):
    return re.sub(r"^( *)(\S.*?)\s+# -> (.+)$", shown, line)


def shown(found):
    indent, expression, text = found.groups()
    return f"{indent}shown({expression}, {text!r})"


def typed(lines):
    """A console's lines as lines of the script: each command with what it prints, as far as that is said."""
    for number, line in enumerate(lines):
        said = list(takewhile(lambda line: not line.startswith("$ "), lines[number + 1 :]))
        found = COMMANDS.fullmatch(line)
        assert found or not line.startswith("$ ") or line.startswith(ELSEWHERE), f"nobody types {line}"
        yield f"typed({found[1]!r}, {chr(10).join(said)!r})" if found else ""


def workers_of(blocks):
    """The options of each worker, and what was exported before it."""
    exported = {}
    for block in blocks:
        for line in block.lines if block.language == "console" else ():
            if line.startswith("$ export "):
                name, value = line.removeprefix("$ export ").split("=")
                exported[name] = value
            if line.startswith(("$ taskpy-worker ", "$ celery ")):
                program, *options = shlex.split(line.removeprefix("$ "), comments=True)
                yield program.replace("-", "_"), options, dict(exported)


class Stage:
    """A folder with a document's files, and its workers."""

    def __init__(self, folder):
        self.folder = folder
        self.home = folder / "home"
        self.server = None
        self.workers = []
        paths = os.pathsep.join([str(folder), str(ROOT), str(ROOT / "worker")])
        ours = {"TASKPY_HOME": str(self.home), "TASKPY_EMBEDDED_GRACE": "1", "PYTHONPATH": paths}
        if server := os.environ.get("TASKPY_TEST_SERVER"):
            ours["TASKPY_REDIS_SERVER"] = server
        named = {name for name in os.environ if name.startswith("TASKPY_") or name == "REDIS_URL"}
        self.environment = {name: value for name, value in os.environ.items() if name not in named} | ours

    def start_server(self):
        """Start what stands for a server of the reader's own."""
        self.server = Server(tcp=True).start()

    def start_worker(self, module, options, exported):
        if module == "celery" and self.server is None:
            self.start_server()
            self.environment["REDIS_URL"] = self.server.url
        log = self.folder / f"worker-{len(self.workers)}.log"
        with log.open("wb") as output:
            worker = subprocess.Popen(
                [sys.executable, "-m", module, *options],
                cwd=self.folder,
                env=self.environment | exported,
                stdout=output,
                stderr=output,
            )
        self.workers.append(worker)
        until(
            lambda: re.search(r"is ready|\bready\.$", log.read_text(), re.MULTILINE) or worker.poll() is not None,
            log.read_text,
        )
        assert worker.poll() is None, log.read_text()

    def run(self, script, name):
        command = [sys.executable, "-W", "error", "-c", RUN, name]
        return subprocess.run(
            command,
            input=script,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def close(self):
        for worker in self.workers:
            worker.send_signal(signal.SIGTERM)
        for worker in self.workers:
            worker.wait(60)
        embedded.stop(self.home)
        if self.server is not None:
            self.server.close()


@pytest.fixture
def stage(tmp_path):
    made = Stage(tmp_path)
    yield made
    made.close()


@every_document
def test_the_code_runs(stage, path):
    text = path.read_text()
    if f"export TASKPY_REDIS_URL={OF_YOUR_OWN}" in text:
        stage.start_server()
        text = text.replace(OF_YOUR_OWN, stage.server.url)
    blocks = list(blocks_of(text, name_of(path)))
    for block in blocks:
        if block.file:
            (stage.folder / block.file).write_text("\n".join(block.lines))
    for module, options, exported in workers_of(blocks):
        stage.start_worker(module, options, exported)

    done = stage.run(script_of(blocks), name_of(path))

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_value_is_noticed(stage):
    assert stage.run(script_of([Block("python", 1, ["1 + 1  # -> 2"])]), "right").returncode == 0

    wrong = stage.run(script_of([Block("python", 7, ["1 + 1  # -> 3"])]), "wrong")

    assert wrong.returncode == 1
    assert "line 7" in wrong.stderr
    assert "it says 3, and is 2" in wrong.stderr


def test_what_is_typed_is_compared(stage):
    typed = ["$ mkdir here", "$ id=$(taskpy --version)", "$ export id", "$ taskpy --version", "something else"]

    wrong = stage.run(script_of([Block("console", 7, typed)]), "wrong")

    assert wrong.returncode == 1
    assert "line 10" in wrong.stderr
    assert "taskpy --version says taskpy, version" in wrong.stderr
    assert (stage.folder / "here").is_dir()


def test_a_command_that_fails_is_noticed(stage):
    failed = stage.run(script_of([Block("console", 1, ["$ taskpy show"])]), "failed")

    assert "taskpy show has failed" in failed.stderr


@every_document
def test_foreign_code_is_code(path):
    for block in blocks_of(path.read_text(), name_of(path)):
        if block.language == "py":
            ast.parse("\n" * (block.first - 1) + "\n".join(block.lines), name_of(path))


# -- what they refer to -------------------------------------------------------------------------


def heading_ids(path):
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, ROOT / "examples" / "README.md", ROOT / "benchmarks" / "README.md"], ids=name_of
)
def test_links_lead_somewhere(path):
    links = re.findall(r"\]\((?!https?://)([^)#]*)(?:#([^)]*))?\)", path.read_text())

    for file, anchor in links:
        there = (path.parent / file) if file else path
        assert there.exists(), f"{file} is not there"
        assert not anchor or anchor in heading_ids(there), f"{file} has no heading #{anchor}"


def test_the_tests_that_are_named_are_there():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "guarantees.md").read_text()))
    defined = {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }

    assert named
    assert named - defined == set()


def test_every_fault_names_its_test_or_says_why_there_is_none():
    faults = text_of("guarantees.md").partition("\n## Fault by fault\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in faults.splitlines() if line.startswith("| ")]
    tests = {row[0].strip(): row[-1].strip() for row in rows if row[-1].strip() != "test"}

    assert len(tests) > 50
    assert {fault for fault, test in tests.items() if not re.match(r"`test_\w+`|none: \w+", test)} == set()


# -- what they list -----------------------------------------------------------------------------


def text_of(name):
    return (ROOT / "docs" / name).read_text()


@pytest.mark.parametrize("folder", [ROOT / "taskpy", ROOT / "worker" / "taskpy_worker"], ids=lambda path: path.name)
def test_the_architecture_names_every_module(folder):
    named = set(re.findall(r"`([\w/]+\.py)`", text_of("architecture.md")))
    modules = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if path.name != "__init__.py"}

    assert modules - named == set()


def test_the_architecture_names_no_module_that_is_gone():
    named = set(re.findall(r"`([\w/]+\.py)`", text_of("architecture.md")))
    folders = (ROOT, ROOT / "taskpy", ROOT / "worker" / "taskpy_worker")

    assert {name for name in named if not any((folder / name).exists() for folder in folders)} == set()


def test_the_protocol_names_every_script():
    said = text_of("protocol.md")

    missing = {path.stem for path in (ROOT / "taskpy" / "lua").rglob("*.lua") if f"`{path.stem}`" not in said}

    assert missing == set()


def test_the_protocol_names_every_key():
    keys = Keys("namespace")
    made = [getattr(keys, name) for name in vars(Keys) if not name.startswith("_") and callable(getattr(keys, name))]
    names = {"queue": "<queue>", "id": "<id>", "wid": "<wid>"}
    said = text_of("protocol.md")

    for key in made:
        parameters = key.__code__.co_varnames[1 : key.__code__.co_argcount]
        written = key(*(names[name] for name in parameters)).removeprefix("{namespace}:")
        assert f"`{written}`" in said, f"{written} is not in the table of keys"


def test_operating_explains_every_option_of_the_worker():
    said = text_of("operating.md")
    options = [name for option in worker_command.params if isinstance(option, click.Option) for name in option.opts]

    assert len(options) > 8
    assert {name for name in options if f"`{name}`" not in said} - {"--version"} == set()


def test_operating_explains_every_variable():
    read = set(re.findall(r"\b((?:TASKPY_|REDIS_|NO_)[A-Z_]+)\b", (ROOT / "taskpy" / "settings.py").read_text()))

    assert len(read) > 5
    assert {name for name in read if f"`{name}`" not in text_of("operating.md")} == set()


@pytest.mark.parametrize("floor", range(4))
def test_the_architecture_agrees_on_the_floors(floor):
    section = text_of("architecture.md").partition(f"**Floor {floor},")[2].partition(f"**Floor {floor + 1},")[0]

    # A package stands there by its files, in the table of the floors as a whole.
    named = {name.partition("/")[0] for name in re.findall(r"`([\w/]+)\.py`", section)}
    assert sorted(named) == sorted(FLOORS[floor].split())


def public_names():
    names = {f"taskpy.{name}" for name in taskpy.__all__ if not isinstance(getattr(taskpy, name), str | ModuleType)}
    for module in (taskpy.aio, testing, celery_bridge):
        names |= {f"{module.__name__}.{name}" for name in module.__all__}
    return names | {f"taskpy.on.{name}" for name in re.findall(r"@on\.(\w+)", taskpy.on.__doc__)}


def named_in_the_reference():
    return [
        name
        for path in (ROOT / "docs" / "reference").glob("*.md")
        for name in re.findall(r"^::: (\S+)$", path.read_text(), re.MULTILINE)
    ]


def test_the_reference_has_every_public_name():
    names = public_names()

    assert {"taskpy.Task", "taskpy.aio.Client", "taskpy.on.start", "taskpy.testing.session"} < names
    assert names - set(named_in_the_reference()) == set()


def test_the_reference_names_what_is_there_and_once():
    named = named_in_the_reference()

    assert sorted(set(named)) == sorted(named)
    assert {name for name in named if not pkgutil.resolve_name(name).__doc__} == set()
