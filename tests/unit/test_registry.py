import functools
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import taskpy.registry
from taskpy import errors
from taskpy.checkpoint import StateForm
from taskpy.registry import Registered, Registry, name_of
from taskpy.spec import Options

ROOT = Path(taskpy.registry.__file__).parent.parent


def crawl(t):
    return t


def index(t):
    return t


def again(function):
    """The function as its module makes it when it is loaded again."""

    def other(t):
        return t

    other.__module__, other.__qualname__ = function.__module__, function.__qualname__
    return other


# -- entries ------------------------------------------------------------------------------------


def test_a_function_is_found_by_its_name():
    registry = Registry()
    entry = registry.add("app.crawl", crawl, Options(retries=3))

    assert Registered("app.crawl", crawl, Options(retries=3), StateForm()) == entry == registry.get("app.crawl")
    assert registry.get("app.index") is None


def test_names_are_sorted():
    registry = Registry()
    for name in ("b", "a", "c"):
        registry.add(name, crawl, Options())

    assert registry.names() == ["a", "b", "c"]


def test_another_function_does_not_get_the_name():
    registry = Registry()
    registry.add("app.crawl", crawl, Options())
    for other in (index, functools.partial(crawl), object):
        with pytest.raises(errors.BadName, match=r"'app\.crawl' is already the name of <function crawl"):
            registry.add("app.crawl", other, Options())

    assert registry.get("app.crawl").function is crawl


def test_things_without_a_name_are_not_taken_for_each_other():
    registry = Registry()
    one = functools.partial(crawl)
    registry.add("a", one, Options())
    registry.add("a", one, Options(retries=1))
    with pytest.raises(errors.BadName):
        registry.add("a", functools.partial(crawl), Options())


def test_a_module_loaded_again_replaces_its_functions():
    registry = Registry()
    registry.add("app.crawl", crawl, Options())
    new = again(crawl)
    registry.add("app.crawl", new, Options(retries=1))

    assert Registered("app.crawl", new, Options(retries=1), StateForm()) == registry.get("app.crawl")


def test_a_name_is_checked():
    with pytest.raises(errors.BadName, match="is not a task name"):
        Registry().add("{a}", crawl, Options())


def test_threads_may_register_at_once():
    registry, ready = Registry(), threading.Barrier(8)

    def add(number):
        ready.wait()
        for count in range(100):
            registry.add(f"t{number}.f{count}", crawl, Options())
            registry.names()

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registry.names()) == 800


def test_a_process_has_one_registry():
    assert isinstance(taskpy.registry.registry, Registry)


# -- names --------------------------------------------------------------------------------------


class Crawler:
    @staticmethod
    def run(t):
        return t


def logged(function):
    @functools.wraps(function)
    def wrapper(t):
        return function(t)

    return wrapper


def unnamed(function):
    def wrapper(t):
        return function(t)

    return wrapper


def test_a_function_is_named_by_module_and_qualname():
    assert f"{__name__}.crawl" == name_of(crawl)
    assert f"{__name__}.Crawler.run" == name_of(Crawler.run)
    assert f"{__name__}.crawl" == name_of(logged(crawl))


@pytest.mark.parametrize("function", [lambda t: t, unnamed(crawl)], ids=["lambda", "closure"])
def test_what_no_other_process_finds_is_refused(function):
    with pytest.raises(errors.BadName, match=r"cannot be found from another process.*top of a module"):
        name_of(function)


@pytest.mark.parametrize("function", [functools.partial(crawl), Crawler()], ids=["partial", "object"])
def test_what_has_no_name_needs_one(function):
    with pytest.raises(errors.BadName, match="name="):
        name_of(function)


def test_a_name_that_cannot_be_one_is_refused():
    strange = again(crawl)
    strange.__qualname__ = "prüfen"
    with pytest.raises(errors.BadName, match=r"'.*prüfen' cannot be the name of a task; .*name="):
        name_of(strange)


# -- the main module ----------------------------------------------------------------------------

PROGRAM = """
from multiprocessing import get_context
from taskpy import errors
from taskpy.registry import name_of

def crawl(t): ...

def said():
    try:
        print(name_of(crawl), flush=True)
    except errors.BadName as exc:
        print("BadName", exc, flush=True)

if __name__ == "__main__":
    said()
"""
SPAWN = """
    child = get_context("spawn").Process(target=said)
    child.start()
    child.join()
"""


def run(*arguments, cwd, text=None):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT)},
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_script_is_named_by_its_file(tmp_path):
    (tmp_path / "my-script.py").write_text(PROGRAM + SPAWN)

    assert run("my-script.py", cwd=tmp_path) == ["my-script.crawl"] * 2


def test_a_module_run_by_name_has_its_own(tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "tool.py").write_text(PROGRAM + SPAWN)
    (tmp_path / "pkg" / "__main__.py").write_text(PROGRAM)

    assert run("-m", "pkg.tool", cwd=tmp_path) == ["pkg.tool.crawl"] * 2
    assert run("-m", "pkg", cwd=tmp_path) == ["pkg.crawl"]


def test_a_main_module_without_a_name_needs_one(tmp_path):
    (tmp_path / "__main__.py").write_text(PROGRAM)
    for lines in (
        run("-c", PROGRAM, cwd=tmp_path),
        run("-", cwd=tmp_path, text=PROGRAM),
        run(str(tmp_path), cwd=tmp_path),
    ):
        assert lines[0].startswith("BadName crawl ")
        assert "name=" in lines[0]
