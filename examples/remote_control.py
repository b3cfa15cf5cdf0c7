"""A task that is started in one terminal and steered from another. Whoever has its id has the task.

taskpy-worker remote_control    the worker
python remote_control.py        the first terminal: submit the task, print its id, and wait for the result
python remote_control.py ID     the second: what you type is sent to the task, what it sends is shown; Ctrl-D stops it

The second may run on another host, and needs no code of the task: only the id, and the same Redis.
"""

import sys
import threading

from taskpy import RemoteTask, TaskEnded, task


@task
def take_notes(t):
    notes = []
    for note in t:  # until it is stopped
        notes.append(note)
        t.send(f"note {len(notes)}: {note}")
    return notes


def submit():
    handle = take_notes.submit()
    print(handle.id)
    print(handle.get())


def attach(id):
    handle = RemoteTask.attach(id)
    print("the task is", handle.state)
    threading.Thread(target=show, args=(handle,)).start()
    try:
        for line in sys.stdin:
            handle.send(line.strip())
    except TaskEnded as ended:  # somebody else has stopped it
        print("the task has", ended.state)
    handle.stop(reason="that was all")


def show(handle):
    for message in handle:  # all that it has sent so far, and then what it sends until its end
        print(message)


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            submit()
        case [id]:
            attach(id)
