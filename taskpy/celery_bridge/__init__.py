"""Makes a Celery task steerable by one line: `@app.task(base=Steerable, bind=True)`. pip install 'taskpy[celery]'

Celery queues, delays, retries and keeps results as ever. Redis has the task's mailbox and its state, under Celery's id.
Each process that runs Celery's tasks is a worker of taskpy's, too, which takes only what Celery hands it.
"""

from taskpy.celery_bridge import hooks
from taskpy.celery_bridge.steerable import Steerable

__all__ = ["Steerable"]

hooks.connect()
