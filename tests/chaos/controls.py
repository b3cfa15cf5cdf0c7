"""Can the oracles fail? A copy of taskpy with one safety taken out of its scripts, for the workers and for us."""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: What is replaced by what, in which script.
SAFETIES = {
    "fence": ("settle", "state == 'running' and current == token then", "state == 'running' then"),
    "lease": ("due", "time >= hold and time or 0", "0"),
    "dedupe": ("send", "tonumber(counted or 0) >= tonumber(number)", "false"),
    "turn": ("submit_keyed", "  if runs then", "  if false then"),
    "checkpoint-number": ("mark", "if number > tonumber(last or 0) then", "if number > 0 then"),
}


def take_out(control: str, folder: Path) -> None:
    """Let this process, and those that it starts, use a copy without the safety. To be called before taskpy is imported."""
    assert "taskpy" not in sys.modules
    verb, safety, nothing = SAFETIES[control]
    shutil.copytree(ROOT / "taskpy", folder / "taskpy", ignore=shutil.ignore_patterns("__pycache__"))
    path = folder / "taskpy" / "lua" / f"{verb}.lua"
    source = path.read_text()
    assert source.count(safety) == 1, f"{verb}.lua has changed: {safety}"
    path.write_text(source.replace(safety, nothing))
    sys.path.insert(0, str(folder))


def python_path() -> str:
    """Where workers find the same taskpy as this process."""
    import taskpy

    return os.pathsep.join([str(Path(taskpy.__file__).parents[1]), str(ROOT / "worker")])
