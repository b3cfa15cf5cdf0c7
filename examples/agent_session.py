"""An agent that speaks token by token, to any number of terminals, and takes a hint in the middle of its sentence.

taskpy-worker agent_session               the worker
python agent_session.py about Beautiful   a session: prints its id, and waits for its end
python agent_session.py watch ID          in other terminals: all that it says, from the beginning
python agent_session.py watch ID 4        the same, behind its first 4 tokens
python agent_session.py steer ID Sparse   what it should come to speak about
python agent_session.py stop ID "I see"   end it, and say why

Each may run on another host. The agent has read the Zen of Python; a real one would ask a model for the next token.
"""

import codecs
import random
import re
import sys
import time
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

from taskpy import Empty, RemoteTask, task

ZEN = codecs.decode(Path(find_spec("this").origin).read_text().split('"""')[1], "rot13")
WORDS = re.findall(r"[\w']+", ZEN)  # without full stops: its sentence has no end


@task
def session(t, word):
    chance = random.Random(word)
    while not t.stopped():
        yield word
        t.sleep(0.05)  # the next token takes its time
        try:
            word = t.recv("steer", block=False)
            yield "- no:"
        except Empty:
            word = chance.choice([after for before, after in pairwise(WORDS) if before == word] or WORDS)
    return f"ended by {t.stop_reason.by}: {t.stop_reason}"


if __name__ == "__main__":
    verb, *rest = sys.argv[1:]
    handle = session.submit(*rest) if verb == "about" else RemoteTask.attach(rest[0])
    match verb, *rest[1:]:
        case ("about",):
            print(handle.id)
            print(handle.get())
        case "watch", *position:
            stream = handle.stream(after=int(position[0]) if position else 0)
            for token in stream:
                print(stream.position, token)
        case "steer", word:
            number = handle.send(word, to="steer")
            while not handle.received(number):
                time.sleep(0.05)
            print("taken")
        case "stop", reason:
            print(handle.stop(reason=reason))
