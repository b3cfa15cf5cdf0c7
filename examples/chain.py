"""Five tasks, one after the other; each begins with the result of the one before it.

python chain.py             in threads of this process
python chain.py --worker    on a worker; start one in another terminal: taskpy-worker chain
"""

import sys

from taskpy import Chain, RemoteTask, Task, task


@task
def add_one(t):
    return t.prev + 1


def main(place):
    print(Chain(5, add_one, 1, task=place).run())


if __name__ == "__main__":
    main(RemoteTask if "--worker" in sys.argv else Task)
