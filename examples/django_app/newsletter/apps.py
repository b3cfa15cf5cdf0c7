"""The app, which tells taskpy where Redis is: for the web server, for commands and for workers."""

from django.apps import AppConfig
from django.conf import settings

import taskpy


class NewsletterConfig(AppConfig):
    name = "newsletter"

    def ready(self):
        taskpy.set_default_client(taskpy.Client(**settings.TASKPY))
