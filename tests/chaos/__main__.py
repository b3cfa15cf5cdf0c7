"""`make chaos`: real workers, a real server, a load, and faults at random. Fails when something does not hold."""

import json
import logging
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos import controls, options

#: What workers have unless they are told otherwise.
LEASE_SECONDS = 15.0


def main(arguments: list[str]) -> int:
    """Run it; the exit code."""
    given = options.read(arguments)
    folder = Path(tempfile.mkdtemp(prefix="taskpy-chaos-"))
    if given.control:
        controls.take_out(given.control, folder)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us leaves nothing behind
    logging.getLogger("taskpy").setLevel(logging.ERROR)  # outages are the order of the day
    from tests.chaos import outage, report, run  # taskpy comes with them: the whole one, or the copy

    print(f"{given.again}; logs in {folder}", flush=True)
    path = given.json or folder / "chaos.json"
    if given.outage is None:
        runs = [run.chaos(given, folder)]
    else:
        runs = [outage.outage(given, folder, lease=lease) for lease in (given.lease, LEASE_SECONDS)]
    for figures in runs:
        report.show(figures)
    path.write_text(json.dumps(runs, indent=1) + "\n")
    print(f"as JSON                  {path}")
    if not any(figures["wrong"] for figures in runs):
        return 0
    print(f"to repeat it: {given.again}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
