"""What a task raises is raised where it was called.

python exception.py             in a thread of this process
python exception.py --worker    on a worker; start one in another terminal: taskpy-worker exception
"""

import sys

from taskpy import RemoteTask, Task, controller, task, wait_until_done


@controller(wait_until_done)
@task
def fail(t):
    raise ValueError(t.args[0])


def main(place):
    try:
        fail.using(place)("this was to be expected")
    except ValueError as error:
        print(f"caught: {error}")


if __name__ == "__main__":
    main(RemoteTask if "--worker" in sys.argv else Task)
