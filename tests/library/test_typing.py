"""The types that users see, checked by mypy as users run it."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_uses_are_typed():
    command = [sys.executable, "-m", "mypy", "--strict", str(HERE / "typed_uses.py")]
    mypy = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, timeout=110, check=False)
    assert mypy.returncode == 0, mypy.stdout + mypy.stderr
