"""`make chaos`: real workers, a real server, a load, and faults at random. Fails when something does not hold."""

import logging
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos import controls, options


def main(arguments: list[str]) -> int:
    """Run it; the exit code."""
    given = options.read(arguments)
    folder = Path(tempfile.mkdtemp(prefix="taskpy-chaos-"))
    if given.control:
        controls.take_out(given.control, folder)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us leaves nothing behind
    logging.getLogger("taskpy").setLevel(logging.ERROR)  # outages are the order of the day
    from tests.chaos import report, run  # taskpy comes with them: the whole one, or the copy

    print(f"{given.again}; logs in {folder}", flush=True)
    figures = run.chaos(given, folder)
    report.show(figures, given.json or folder / "chaos.json")
    if not figures["wrong"]:
        return 0
    print(f"to repeat it: {given.again}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
