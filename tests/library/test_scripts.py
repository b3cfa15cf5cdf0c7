"""Functions of a script's own `__main__`: what they are called, and how a child process finds them."""

import pytest

MAIN = """
import sys
from taskpy import ProcessTask, RemoteTask, task, controller, wait_until_done

@task
def double(t, number):
    return number * 2

@controller(wait_until_done)
@task
def controlled(t, number):
    return number * 3

@controller(wait_until_done)
def plain(t, number):
    return number * 4

class Box:
    @staticmethod
    def inner(t, number):
        return number * 5

if __name__ == "__main__":
    handle = ProcessTask(double, 2)
    handle.start()
    print(handle.get(timeout=20))
    print(controlled(2), controlled.using(ProcessTask)(2), plain.using(ProcessTask)(2))
    handle = ProcessTask(Box.inner, 2)
    handle.start()
    print(handle.get(timeout=20))
    print(RemoteTask(double, 2).name)
"""


def test_functions_of_a_script(script):
    output, _ = script.run(MAIN, name="my_script.py")
    assert output.split() == ["4", "6", "6", "8", "10", "my_script.double"]


def test_functions_of_a_module_that_is_run(script, tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "module.py").write_text(MAIN)
    program = script.popen("-m", "package.module")
    output, error = program.communicate(timeout=60)
    assert program.returncode == 0, error
    assert output.split()[-1] == "package.module.double"


def test_a_script_without_a_main_guard_is_told_so(script):
    program = script.start(
        "from taskpy import ProcessTask\n"
        "from contract_tasks import give\n"
        "handle = ProcessTask(give, 1)\n"
        "handle.start()\n"
        "print(handle.get(timeout=20))\n"
    )
    _, error = program.communicate(timeout=60)
    assert program.returncode == 1
    assert "must not start tasks itself; put the code that starts them under `if __name__ == '__main__':`" in error
    assert "taskpy.errors.WorkerLost" in error.splitlines()[-1]


@pytest.mark.parametrize("make", ["ProcessTask(function)", "RemoteTask(function)", "task(function)"])
def test_an_interactive_function_cannot_be_found(script, make):
    program = script.popen("-c", f"from taskpy import ProcessTask, RemoteTask, task\ndef function(t): pass\n{make}")
    _, error = program.communicate(timeout=60)
    assert "taskpy.errors.BadName" in error
    assert "put it into a module" in error or "name=" in error


def test_an_interactive_function_with_a_name(script):
    program = script.popen(
        "-c", "from taskpy import task\n@task(name='mine')\ndef function(t): pass\nprint(function.name)"
    )
    assert program.communicate(timeout=60)[0] == "mine\n"
