"""A virtual environment for each peer, made when it is first needed, and again when its requirements change."""

import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import Failed
from benchmarks.systems import ROOT

CACHE = ROOT / ".venv" / "bench"
INSTALL_SECONDS = 600.0


def python_of(name: str) -> Path:
    """The interpreter of an environment, whether or not it is there."""
    return CACHE / name / "bin" / "python"


def prepare(name: str, requirements: Sequence[str]) -> None:
    """Make sure that it is there. Raises `Failed` when something cannot be installed."""
    folder = CACHE / name
    done = folder / "requirements.txt"
    wanted = "\n".join(requirements) + "\n"
    if done.exists() and done.read_text() == wanted:
        return
    done.unlink(missing_ok=True)
    print(f"installing {' '.join(requirements)}", file=sys.stderr, flush=True)
    if not python_of(name).exists():
        venv.create(folder, with_pip=True)
    command = [str(python_of(name)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise Failed(f"pip has not ended after {INSTALL_SECONDS:g} s") from error
    if run.returncode:
        raise Failed(f"it cannot be installed: {run.stderr.strip().splitlines()[-1:]}")
    done.write_text(wanted)


def versions(name: str, packages: Sequence[str]) -> dict[str, str]:
    """Which versions of these packages an environment has; those that it has not are left out."""
    code = "import sys, importlib.metadata as m\nfor name in sys.argv[1:]:\n    try: print(name, m.version(name))\n"
    code += "    except m.PackageNotFoundError: pass"
    command = [str(python_of(name)), "-c", code, *packages]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    return dict(line.split() for line in run.stdout.splitlines())
