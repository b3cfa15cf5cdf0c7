"""Modules and functions, as they are named on the command line."""

import sys
import uuid

import pytest
from taskpy_worker.config import WorkerConfig
from taskpy_worker.loading import load_tasks

from taskpy import errors
from taskpy.registry import registry


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module into the current folder; its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text):
        name = f"made_{uuid.uuid4().hex}"
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


def test_a_module_registers_what_it_decorates(module):
    name = module("from taskpy import task\n\n\n@task\ndef work(t):\n    pass\n")

    known = load_tasks([name])

    assert registry.get(f"{name}.work")
    assert known == len(registry.names())


@pytest.mark.parametrize(("path", "name"), [("work.py", "work"), ("shop/work.py", "shop.work")])
def test_a_file_is_told_its_name_as_a_module(module, path, name):
    with pytest.raises(errors.BadName, match=rf"name it as an import does: {name}$"):
        load_tasks([path])


def test_a_plain_function_is_registered_by_its_place(module):
    name = module("class Tools:\n    @staticmethod\n    def work(t):\n        pass\n")

    load_tasks([f"{name}:Tools.work"])

    assert registry.get(f"{name}.Tools.work")


def test_a_decorated_function_keeps_its_own_name(module):
    name = module(f"from taskpy import task\n\n\n@task(name='{'x' + uuid.uuid4().hex}')\ndef work(t):\n    pass\n")

    load_tasks([f"{name}:work"])

    assert registry.get(f"{name}.work") is None


def test_what_a_controller_wraps_is_found(module):
    name = module(
        "from taskpy import controller, wait_until_done\n\n\n@controller(wait_until_done)\ndef work(t):\n    pass\n"
    )

    load_tasks([f"{name}:work"])

    assert registry.get(f"{name}.work").function.__name__ == "work"


def test_a_module_that_is_not_there_is_named_with_the_folder(module, tmp_path):
    with pytest.raises(errors.BadName, match="not_there") as raised:
        load_tasks(["not_there.at_all"])

    assert str(tmp_path) in str(raised.value)


def test_a_function_that_is_not_there_is_named(module):
    name = module("")

    with pytest.raises(errors.BadName, match=f"{name}.*Tools.work"):
        load_tasks([f"{name}:Tools.work"])


def test_what_a_module_misses_itself_is_not_blamed_on_the_command_line(module):
    name = module("import something_that_is_missing\n")

    with pytest.raises(ModuleNotFoundError, match="something_that_is_missing"):
        load_tasks([name])


def test_what_a_module_raises_goes_through(module):
    name = module("1 / 0\n")

    with pytest.raises(ZeroDivisionError):
        load_tasks([name])


def test_what_is_no_function_is_refused(module):
    name = module("work = 3\n")

    with pytest.raises(TypeError, match="3"):
        load_tasks([f"{name}:work"])


# -- the configuration ----------------------------------------------------------------------------


def test_a_configuration_crosses_a_pipe():
    config = WorkerConfig(modules=("a", "b:c"), queues=("high", "low"), url="redis://:secret@host", lease=3.0)

    assert WorkerConfig.load(config.dump()) == config


def test_a_queue_that_cannot_be_is_refused():
    with pytest.raises(errors.BadName, match="queue"):
        WorkerConfig(queues=("no spaces",))
