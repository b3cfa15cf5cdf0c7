"""Tasks to try workers with: start `taskpy-worker examples.tasks`, then submit, steer and stop them from anywhere."""

import hashlib
import urllib.request
from collections import Counter
from pathlib import Path

from taskpy import Backoff, Discard, task


@task
def count_words(t, text, *, most=10):
    """Count the words of a text; return the most frequent ones."""
    return Counter(text.lower().split()).most_common(most)


@task(retries=3, backoff=Backoff(first=1, cap=60))
def fetch(t, url, *, timeout=10.0):
    """Fetch a page; what fails is tried again, each time after a longer pause."""
    if not url.startswith(("http://", "https://")):
        raise Discard(f"not a page: {url}")  # to try that again would be of no use
    with urllib.request.urlopen(url, timeout=timeout) as page:  # noqa: S310 - looked at above
        return page.read().decode(errors="replace")


@task
def digest(t, path, *, piece=1024 * 1024):
    """Hash a file of the worker's host and say after each piece how far it is; a stop ends it early."""
    found = hashlib.sha256()
    with Path(path).open("rb") as file:
        while (data := file.read(piece)) and not t.stopped():
            found.update(data)
            t.send(file.tell())
    return None if t.stopped() else found.hexdigest()


@task
def add_up(t):
    """Add up the numbers that it is sent, and answer each with the sum so far, until it is stopped."""
    total = 0
    for number in t:
        total += number
        t.send(total)
    return total


@task(handover=True)
async def tick(t, *, every=1.0):
    """Count until it is stopped. A worker runs thousands of these, and hands them to another when it shuts down."""
    number = 0
    while await t.sleep(every):
        number += 1
        await t.send(number)
    return number
