"""Makes the site of this folder and of what it links to, and leaves the links as a git host needs them.

On the site this folder is the root, the README its first page, and what else is linked to stands where it stands in the
checkout. A source file becomes a page that shows it; the name of a folder stays a name.
"""

import os
import posixpath
import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[1]
BESIDE = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "examples/README.md", "benchmarks/README.md"]
PICTURES = ["benchmarks/results/latest.png"]
SOURCES = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "examples").glob("*.py"))]
LINK = re.compile(r"\[([^]]+)\]\((?!https?://)([^)#]+)(#[^)]*)?\)")


def page_of(there):
    """Where a file of the checkout is on the site."""
    if there == "README.md":
        return "index.md"
    return f"{there}.md" if there in SOURCES else there.removeprefix("docs/")


def file_of(page):
    """Where a page of the site is in the checkout."""
    named = {page_of(there): there for there in BESIDE + SOURCES}
    return named.get(page, f"docs/{page}")


def on_files(files, config):
    """Add what is not in this folder."""
    for there in BESIDE:
        files.append(File.generated(config, page_of(there), content=(ROOT / there).read_text()))
    for there in PICTURES:
        files.append(File.generated(config, there, content=(ROOT / there).read_bytes()))
    for there in SOURCES:
        shown = f"# {there}\n\n````python\n{(ROOT / there).read_text()}````\n"
        files.append(File.generated(config, page_of(there), content=shown))
    return files


def on_page_markdown(markdown, page, **_):
    """Turn links between files of the checkout into links between pages."""
    here = page.file.src_uri
    folder = posixpath.dirname(file_of(here))

    def turned(found):
        text, link, anchor = found.groups()
        there = posixpath.normpath(posixpath.join(folder, link))
        if (ROOT / there).is_dir():
            return text
        return f"[{text}]({os.path.relpath(page_of(there), posixpath.dirname(here) or '.')}{anchor or ''})"

    return LINK.sub(turned, markdown)
