"""What the worker's processes write: one line an event on standard error, the same field words everywhere."""

import logging
import sys

FORMAT = "%(asctime)s %(levelname)-7s %(process)d %(name)s: %(message)s"


def set_up(level: str) -> None:
    """Send the log of this process to standard error."""
    logging.basicConfig(level=level.upper(), format=FORMAT, stream=sys.stderr)
