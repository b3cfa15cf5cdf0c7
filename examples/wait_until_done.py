"""A task as a plain call, which blocks until the task is done and returns its result.

python wait_until_done.py             in a thread of this process
python wait_until_done.py --worker    on a worker; start one in another terminal: taskpy-worker wait_until_done
"""

import sys

from taskpy import RemoteTask, Task, controller, task, wait_until_done


@controller(wait_until_done)
@task
def nap(t, delay):
    t.sleep(delay)  # like time.sleep, but a stop wakes it
    return "done."


def main(place):
    print(nap.using(place)(delay=0.5))  # nap(delay=0.5) alone runs it in a thread


if __name__ == "__main__":
    main(RemoteTask if "--worker" in sys.argv else Task)
