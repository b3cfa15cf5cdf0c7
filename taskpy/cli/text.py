"""Text of others on a terminal: what could steer it is shown, not obeyed; how wide it is; how it is cut.

Names, reasons, messages and results come from whoever may write to Redis, and a terminal obeys what it is sent.
"""

import re
import unicodedata

#: What a cut text ends with.
CUT = "…"

# C0, DEL and C1; marks and overrides of writing direction; separators that break lines; lone surrogates; a BOM.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")


def clean(text: str, *, lines: bool = False, limit: int | None = None) -> str:
    """The text with its control characters written out, as `\\x1b`; `lines`: but for line ends and tabs.

    `limit` is how many characters are kept.
    """
    if limit is not None and len(text) > limit:
        text = text[:limit] + CUT
    return _HIDDEN.sub(lambda found: found[0] if lines and found[0] in "\n\t" else _written(found[0]), text)


def _written(character: str) -> str:
    code = ord(character)
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character) or (
        f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
    )


def counted(number: int, what: str) -> str:
    """A number with what is counted: `1 worker`, `2 workers`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def size(count: int) -> str:
    """A number of bytes: `900 bytes`, `3.1 KiB`."""
    return counted(count, "byte") if count < 1024 else f"{count / 1024:.1f} KiB"


def width(text: str) -> int:
    """How many columns a text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """The text in at most so many columns."""
    if width(text) <= columns:
        return text
    kept, room = "", columns - 1
    for character in text:
        room -= _columns(character)
        if room < 0:
            break
        kept += character
    return kept + CUT
