"""A task that is fed from a Redis list: it waits for one item, and returns it.

python redis_brpop.py             wait for it in a thread of this process
python redis_brpop.py --worker    wait for it on a worker; start one in another terminal: taskpy-worker redis_brpop
python redis_brpop.py hello       in another terminal: push "hello" to the list
"""

import sys

from taskpy import Empty, RemoteTask, Task, controller, default_client, redis_brpop, task


@controller(redis_brpop, "redis_brpop")
@task
def wait_for_item(t):
    while not t.stopped():
        try:
            key, value = t.recv(timeout=0.1)
        except Empty:
            continue  # here it could do something else
        return f"{value.decode()} from {key}"
    return "nothing"


def wait(place):
    print("waiting")
    print(wait_for_item.using(place)())


def push(item):
    default_client().redis.rpush("redis_brpop", item)


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            wait(Task)
        case ["--worker"]:
            wait(RemoteTask)
        case [item]:
            push(item)
