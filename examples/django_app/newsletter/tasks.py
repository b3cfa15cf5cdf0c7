"""What runs in the background."""

import contextlib

from django.contrib.auth import get_user_model
from django.core.mail import send_mail

from taskpy import Empty, task


@task(restarts=0)  # rather a newsletter that ends early than one that is mailed twice
def send_newsletter(t, subject, text, *, pace=5.0):
    """Mail it to all users, and say to whom it went. A number that it is sent is a new pace: seconds from mail to mail."""
    mailed = 0
    for user in get_user_model().objects.filter(is_active=True).order_by("pk"):
        send_mail(subject, text, None, [user.email])
        mailed += 1
        t.send(user.email)
        with contextlib.suppress(Empty):
            pace = t.recv(timeout=pace)  # the pause, which a new pace or a stop ends
        if t.stopped():
            break
    return mailed
