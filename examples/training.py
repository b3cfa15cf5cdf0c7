"""A model is trained, and steered meanwhile; whoever kills its worker costs it an epoch at most, and changes nothing.

python training.py 20                     20 epochs in a thread of this process
python training.py 20000 --worker         on a worker; start one, or two, in other terminals: taskpy-worker training
taskpy send ID 0.2 --to rate              in another terminal: another learning rate, from the next step on
taskpy send ID now --to save              store a checkpoint now, and not only after the epoch
taskpy stop ID --reason "good enough"     end after this epoch
"""

import sys
from contextlib import suppress

import numpy as np
from sklearn.datasets import load_digits

from taskpy import Empty, RemoteTask, Task, task

STEPS, BATCH = 50, 30  # 1,500 images to learn from; it is examined with the others


@task
def train(t, epochs):
    images, labels = load_digits(return_X_y=True)
    images = np.c_[images / 16, np.ones(len(images))]
    state = t.state or {"step": 0, "rate": 0.1, "loss": 0.0, "weights": bytes(65 * 10 * 8)}
    weights = np.frombuffer(state["weights"]).reshape(65, 10).copy()
    while state["step"] < epochs * STEPS:
        with suppress(Empty):
            state["rate"] = t.recv("rate", block=False)
        epoch, step = divmod(state["step"], STEPS)
        order = np.random.default_rng(epoch).permutation(STEPS * BATCH)  # the same in each attempt
        some = order[step * BATCH : (step + 1) * BATCH]
        chances = np.exp(images[some] @ weights)
        chances /= chances.sum(axis=1, keepdims=True)
        state["loss"] -= float(np.log(chances[range(BATCH), labels[some]]).mean()) / STEPS
        weights -= state["rate"] * images[some].T @ (chances - np.eye(10)[labels[some]]) / BATCH
        state |= {"step": state["step"] + 1, "weights": weights.tobytes()}
        if step == STEPS - 1:
            loss, state["loss"] = state["loss"], 0.0
            t.progress(epoch + 1, epochs, f"loss {loss:.4f}")
            t.checkpoint(state, send=[{"epoch": epoch + 1, "loss": loss}])  # both or none
            if t.stopped():
                break
        with suppress(Empty):
            t.recv("save", block=False)
            t.checkpoint(state, send=[f"saved after {state['step']} steps"])
    return float((np.argmax(images[STEPS * BATCH :] @ weights, axis=1) == labels[STEPS * BATCH :]).mean())


if __name__ == "__main__":
    epochs, *where = sys.argv[1:]
    handle = (RemoteTask if where else Task)(train, int(epochs))
    handle.start()
    print(handle.id)
    for message in handle:
        print(message)
    print("right answers:", handle.get())
