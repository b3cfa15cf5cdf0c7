"""Celery's tasks, steered while they run. Celery and taskpy use one server here, which is started if there is none.

celery -A celery_task worker      in one terminal: an ordinary Celery worker
python celery_task.py             in another: start `add_up` as Celery does, talk to it, stop it
python celery_task.py --wait      or start `wait_for_item`, and wait for its result
python celery_task.py hello       then push "hello" to the list that it is fed from
"""

import sys

from celery import Celery

from taskpy import Empty, RemoteTask, controller, default_client, redis_brpop
from taskpy.celery_bridge import Steerable

SERVER = default_client().space.address.url.replace("unix://", "redis+socket://")  # as Celery calls a socket
app = Celery("celery_task", broker=SERVER, backend=SERVER)


@app.task(base=Steerable, bind=True)  # base= is all that it takes
def add_up(t):
    total = 0
    for number in t:
        total += number
        t.send(total)
    return total


@app.task
@controller(redis_brpop, "celery_task")
def wait_for_item(t):
    while not t.stopped():
        try:
            key, value = t.recv(timeout=0.1)
        except Empty:
            continue
        return f"{value.decode()} from {key}"
    return None


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            published = add_up.delay()
            handle = RemoteTask.attach(published.id)  # here, or in any process on any host
            for number in (1, 2, 3):
                handle.send(number)
                print("so far", handle.recv())
            handle.stop(reason="that was all")
            print("taskpy has", handle.result, "and Celery has", published.get(timeout=10))
        case ["--wait"]:
            print("waiting", flush=True)
            print(wait_for_item.delay().get())
        case [item]:
            default_client().redis.rpush("celery_task", item)
