"""The results in README.md, between two markers."""

from pathlib import Path

from benchmarks import table
from benchmarks.results import Results
from benchmarks.systems import ROOT

README = ROOT / "benchmarks" / "README.md"
BEGIN, END = "<!-- results: written by `make bench` -->\n", "<!-- end of the results -->\n"


def update(results: Results, path: Path = README) -> None:
    """Put the tables in."""
    path.write_text(with_results(path.read_text(), table.report(results)))


def with_results(text: str, tables: str) -> str:
    """The text with other results in it."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the markers of the results are not there")
    return f"{before}{begin}\n{tables}\n{end}{after}"
