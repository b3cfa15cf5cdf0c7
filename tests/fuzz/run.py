"""Coverage-guided fuzzing of one target after the other: `make fuzz SECONDS=60`, or `python -m tests.fuzz.run 60 spec`.

Needs atheris, which is no dependency: it has wheels for few platforms. What it finds is written to `.fuzz/`, where the
inputs that reached new code are kept, too; what is worth keeping for ever goes into the corpus.
"""

import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOUND = ROOT / ".fuzz"
CORPUS = Path(__file__).parent / "corpus"
#: For all of a target's process; atheris itself needs a few hundred MB of it.
MEMORY_BYTES = 4 * 1024**3
#: The longest that one input may take.
INPUT_SECONDS = 5
LENGTH = 64 * 1024


def fuzz(name):
    """Fuzz one target in this process; the rest of the command line is libFuzzer's."""
    import atheris

    with atheris.instrument_imports(include=["taskpy", "taskpy_worker", "tests.fuzz.targets"]):
        from tests.fuzz import targets
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    atheris.Setup(sys.argv, lambda data: targets.run(name, data))
    atheris.Fuzz()


def fuzz_all(seconds, names):
    """Fuzz each in a process of its own, for its share of the time; whether nothing was found."""
    fine = True
    for name in names:
        own = FOUND / name
        own.mkdir(parents=True, exist_ok=True)
        print(f"--- {name}", flush=True)
        command = [sys.executable, "-m", "tests.fuzz.run", "--one", name, str(own), str(CORPUS / name)]
        command += [str(CORPUS / "attacks")] if (CORPUS / name).is_dir() else []
        command += [f"-max_total_time={max(1, round(seconds / len(names)))}", f"-timeout={INPUT_SECONDS}"]
        command += [f"-max_len={LENGTH}", f"-artifact_prefix={FOUND}/{name}-", "-print_final_stats=1", "-verbosity=0"]
        ended = subprocess.run(command, cwd=ROOT, check=False)
        fine = fine and ended.returncode == 0
    return fine


def main():
    """Fuzz what the command line says."""
    if sys.argv[1] == "--one":
        name = sys.argv[2]
        del sys.argv[1:3]
        fuzz(name)
        return
    from tests.fuzz.targets import TARGETS

    sys.exit(0 if fuzz_all(float(sys.argv[1]), sys.argv[2:] or list(TARGETS)) else 1)


if __name__ == "__main__":
    main()
