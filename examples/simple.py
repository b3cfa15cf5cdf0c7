"""A task that works until it is stopped, and then has a result.

python simple.py             in a thread of this process
python simple.py --worker    on a worker; start one in another terminal: taskpy-worker simple
"""

import sys
import time

from taskpy import RemoteTask, Task, task


@task
def simple_task(t):
    assert t.args[0] == "hello"
    assert t.kwargs["world"] == "world"
    while not t.stopped():
        time.sleep(0.1)  # here it would work
    return "done."


def main(place):
    t = place(simple_task, "hello", world="world")
    t.start()
    t.wait_begun()
    time.sleep(1)
    t.stop()
    print(t.result)


if __name__ == "__main__":
    main(RemoteTask if "--worker" in sys.argv else Task)
