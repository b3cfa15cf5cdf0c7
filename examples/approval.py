"""A session for each user: an agent that does what it is told, and asks before it does what cannot be undone.

taskpy-worker approval                                                  the worker
python approval.py say ann "draw the chart" "delete the old invoices"   begins ann's session, or joins it; prints its id
python approval.py status ann                                           in other terminals: what has it done so far?
python approval.py answer ann yes                                       shows what it asks, and answers that
taskpy answer ID no                                                     the same by its id, as does =no in: taskpy attach ID
taskpy ask ID patience 5                                                it waits 5 s for the next answer, not 60
taskpy stop ID --reason "good night"                                    end it; what it would have to ask it leaves undone

Each may run on another host. Whoever kills the worker and starts another has the same session, and its open question.
"""

import sys
from contextlib import suppress
from uuid import uuid4

from taskpy import NoAnswer, RemoteTask, task


@task
def session(t, user):
    state = t.state or {"done": [], "patience": 60}
    t.answers("status", lambda: state["done"])
    t.answers("patience", lambda seconds: state.update(patience=seconds))
    for message in t:  # until it is stopped
        tag, order = message if isinstance(message, tuple) else (None, str(message))  # typed into taskpy attach
        answer = "no answer" if order.startswith(("delete ", "pay ", "publish ")) else "yes"
        if answer != "yes":
            t.send([tag, f"{order}: waits for an answer", False])
            with suppress(NoAnswer):
                answer = t.ask(f"{user} wants me to {order}. May I?", timeout=state["patience"])
        outcome = f"{order}: {'done' if answer == 'yes' else f'not done ({answer})'}"
        state["done"] = [*state["done"], outcome][-100:]
        t.checkpoint(state, send=[[tag, outcome, True]])
    return state["done"]


if __name__ == "__main__":
    match sys.argv[1:]:
        case "say", user, *said:
            orders = {uuid4().hex: order for order in said}  # others may say the same
            for message in orders.items():
                handle = session.options(key=f"user:{user}").send_or_start(message, user)
            print(handle.id)
            for tag, text, is_last in handle.stream():
                if tag in orders:
                    print(text)
                if is_last and orders.pop(tag, None) and not orders:
                    break
            else:
                print("it has ended before this:", *orders.values(), sep="\n")
        case "status", user:
            print(*RemoteTask.attach(key=f"user:{user}").ask("status", timeout=10), sep="\n")
        case "answer", user, answer:
            handle = RemoteTask.attach(key=f"user:{user}")
            if asked := handle.question:
                print(asked.data)
                handle.answer(answer, number=asked.number)
