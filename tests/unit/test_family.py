"""What the children of a local task hear, whoever comes first."""

from taskpy.family import Family, parent_ended
from taskpy.spec import StopReason, Verdict, Wish


class Child:
    """A child that notes what it is asked."""

    over = False
    on_end = None

    def __init__(self):
        self.heard = []

    def wish(self, wish):
        self.heard.append(wish)


def test_a_wish_for_the_tree_is_heard_first_though_the_parent_ends_in_between():
    family, child = Family(), Child()
    family.spawn(object(), child, lambda: None)
    wish = Wish(StopReason("all of you", "somebody"), tree=True)

    family.close(wish)
    assert child.heard == []
    family.bereave(Verdict.STOPPED)  # the parent was asked, and ends before those below it were
    family.stop(wish)

    assert child.heard == [wish, parent_ended(""), wish]
