"""`python -m benchmarks [SCENARIO ...]`: measure, print the tables, and keep the results of a full run."""

import contextlib
import signal
import sys
from collections.abc import Sequence

from benchmarks import baseline, machine, options, picture, readme, run, selection, table
from benchmarks.bench import Bench
from benchmarks.results import Results
from benchmarks.scenarios import ALL

#: How long one sample may take; a million tasks must be queued first in a full run.
QUICK_SECONDS, FULL_SECONDS = 60.0, 600.0


def main(arguments: Sequence[str]) -> int:
    """Run it; the exit code."""
    given = options.read(arguments, list(ALL))
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us leaves nothing behind
    if given.report:
        assert given.json is not None
        results = Results.load(given.json)
    else:
        try:
            results = _measure(given)
        except selection.Unknown as error:
            print(error, file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 130
        if given.json is not None:
            results.save(given.json)
    print(table.report(results))
    if given.picture and given.json is not None:
        picture.draw(results, given.json.with_suffix(".png"))
    if given.json == options.RESULTS:
        readme.update(results)
    return 0


def _measure(given: options.Options) -> Results:
    with contextlib.ExitStack() as stack:
        base = stack.enter_context(baseline.checkout(given.base)) if given.base else None
        systems = selection.chosen(given, base)
        bench = stack.enter_context(Bench(seconds=QUICK_SECONDS if given.quick else FULL_SECONDS))
        results = run.measure(bench, given, selection.scenarios(given), systems)
        if base:
            results.machine["base"] = f"taskpy at {machine.commit_of(base)}"
        return results


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
