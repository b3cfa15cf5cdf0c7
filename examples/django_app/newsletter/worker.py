"""What a worker loads: first Django, then the tasks."""

import os

import django
from django.db import close_old_connections

from taskpy import on

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
django.setup()

import newsletter.tasks  # noqa: E402, F401 - Django must be there before its models are


@on.task
def without_stale_connections(t):
    """As at the begin and the end of a request."""
    close_old_connections()
    try:
        yield
    finally:
        close_old_connections()
