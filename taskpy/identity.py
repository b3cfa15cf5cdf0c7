"""Who this process is, for others: what stands beside a wish to stop."""

import functools
import getpass
import os
import re
import socket


def who() -> str:
    """This user, host and process as one word: `ann@web-3:4711`."""
    return f"{_user_and_host()}:{os.getpid()}"


@functools.cache
def _user_and_host() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # no name for this number in a container
        user = str(os.getuid()) if hasattr(os, "getuid") else "unknown"
    return re.sub(r"[^\w.@-]", "_", f"{user}@{socket.gethostname()}")
