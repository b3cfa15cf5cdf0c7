"""A task that is fed from a Redis channel: it waits for one message, and returns what it says.

python redis_pubsub.py             wait for it in a thread of this process
python redis_pubsub.py --worker    wait for it on a worker; start one in another terminal: taskpy-worker redis_pubsub
python redis_pubsub.py hello       in another terminal: publish "hello" on the channel
"""

import sys

from taskpy import RemoteTask, Task, controller, default_client, redis_pubsub, task


@controller(redis_pubsub, "redis_pubsub")
@task
def wait_for_message(t):
    for message in t:  # until it is stopped
        return message["data"].decode()
    return "nothing"


def wait(place):
    print("waiting")
    print(wait_for_message.using(place)())


def publish(text):
    heard = default_client().redis.publish("redis_pubsub", text)
    print(f"heard by {heard}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            wait(Task)
        case ["--worker"]:
            wait(RemoteTask)
        case [text]:
            publish(text)
