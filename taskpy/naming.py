"""What may be an id, a name or a key, and fresh ids."""

import os
import re
import unicodedata

from taskpy import errors, values

#: Names of tasks and queues: no braces (Cluster slots), no control characters (logs, terminals).
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,127}")
#: Ids of tasks.
ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
#: How long a key may be, in characters.
KEY_LIMIT = 200


def new_id(shard: int | None = None) -> str:
    """A fresh task id: 24 hexadecimal digits, never seen before; behind the number of the shard, where there is one."""
    digits = os.urandom(12).hex()
    return digits if shard is None else f"{shard}-{digits}"


def checked_id(id: str | None) -> str:
    """The id, or `BadName` when it cannot be a task's id."""
    if not isinstance(id, str) or not ID.fullmatch(id):
        raise errors.BadName(f"{values.shown(id, 200)} is not a task id: up to 64 letters, digits, '_' and '-'")
    return id


def checked_key(key: str) -> str:
    """The key, or `BadArguments` when it cannot be one."""
    # Control characters would garble logs and terminals; halves of characters cannot be sent.
    unfit = not isinstance(key, str) or any(unicodedata.category(sign) in ("Cc", "Cs") for sign in key)
    if unfit or not 1 <= len(key) <= KEY_LIMIT:
        raise errors.BadArguments(
            f"key must be a text of 1 to {KEY_LIMIT} characters, none of them a control character, not {values.shown(key)}"
        )
    return key


def checked_name(name: str, what: str = "task name") -> str:
    """The name of a task, queue or namespace, or `BadName`."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        article = "an" if what[0] in "aeiou" else "a"
        raise errors.BadName(
            f"{values.shown(name, 200)} is not {article} {what}: up to 128 letters, digits, '_', '.', ':' and '-'"
        )
    return name
