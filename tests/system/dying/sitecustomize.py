"""Kills the process that imports it before or after one of its calls to Redis, for the tests of crash points.

Python imports it at its start where this folder is on the path. TASKPY_DIE_AT says where: `settle.after`, or `mark.before:2`
for the second call of this process. It happens once: the first process to get there makes the file TASKPY_DIED, and
those that take its place live.
"""

import os
import signal


def die_at(point, witness):
    """Have this process die there."""
    from taskpy.broker import Broker

    verb, _, rest = point.partition(".")
    moment, _, nth = rest.partition(":")
    left = [int(nth or 1)]
    send, send_many = Broker._send, Broker._send_many

    def die(now, ops):
        if now != moment or all(op.verb != verb for op in ops):
            return
        left[0] -= 1
        if left[0] != 0:
            return
        try:
            os.close(os.open(witness, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    def dying(function, as_list):
        def call(self, given, *others):
            die("before", as_list(given))
            answer = function(self, given, *others)
            die("after", as_list(given))
            return answer

        return call

    Broker._send = dying(send, lambda op: [op])
    Broker._send_many = dying(send_many, list)


if "TASKPY_DIE_AT" in os.environ:
    die_at(os.environ["TASKPY_DIE_AT"], os.environ["TASKPY_DIED"])
