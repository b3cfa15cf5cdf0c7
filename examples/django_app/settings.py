"""The settings of the project; TASKPY is what this example is about."""

import os
from pathlib import Path

# What taskpy.Client is made with, in newsletter/apps.py. Without a URL it is a local server.
TASKPY = {"url": os.environ.get("TASKPY_REDIS_URL"), "namespace": "newsletter"}

INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "newsletter"]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).with_name("db.sqlite3")},
}
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"  # the worker shows what it would mail
SECRET_KEY = "an example has no secrets"  # noqa: S105
TIME_ZONE = "UTC"
USE_TZ = True
