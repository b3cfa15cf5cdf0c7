"""The inside over a mailbox that changes at the worst moment."""

from taskpy import errors
from taskpy.inside import Inside
from taskpy.inside_flows import Run
from taskpy.mailbox import Inbox, LocalMailbox
from taskpy.spec import Wish


class Late(LocalMailbox):
    """A mailbox in which a message and a stop arrive right after the task found it empty."""

    def take(self, inbox):
        message = yield from super().take(inbox)
        if message is None and self.wish is None:
            self.deliver("in time")
            self.stop(Wish())
        return message


def test_what_was_accepted_before_the_stop_is_delivered_before_it():
    mailbox = Late(Inbox(), taken=lambda number: None, posted=len)

    assert list(Inside(Run(id="a", token="a.1"), mailbox)) == ["in time"]


def test_a_recv_with_a_timeout_is_empty_after_a_stop():
    mailbox = LocalMailbox(Inbox(), taken=lambda number: None, posted=len)
    mailbox.stop(Wish())
    inside = Inside(Run(id="a", token="a.1"), mailbox)

    try:
        inside.recv(timeout=60)
    except errors.Empty:
        return
    raise AssertionError("a message out of nowhere")
