"""A thousand tasks, at most a hundred of them at once.

python pool.py             in threads of this process
python pool.py --worker    on workers; start one in another terminal: taskpy-worker pool
"""

import sys

from taskpy import Pool, RemoteTask, Task, task


@task
def echo(t, number):
    return number


def inputs(count):
    for number in range(count):
        yield (number,), {}


def main(place):
    results = []
    Pool(1000, 100, echo, inputs(1000), lambda t: results.append(t.result), task=place).run()
    print(f"{len(results)} results, their sum is {sum(results)}")


if __name__ == "__main__":
    main(RemoteTask if "--worker" in sys.argv else Task)
