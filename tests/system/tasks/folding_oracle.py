"""What a fold of messages must come to: for the tasks that fold, and for the tests that know what was sent."""

#: A prime: the fold of a sequence depends on every message and on their order.
PRIME = 2**61 - 1

NOTHING = {"count": 0, "fold": 0, "last": {}}


def folded(state, sender, number):
    """The state after one more message."""
    return {
        "count": state["count"] + 1,
        "fold": (state["fold"] * 31 + sender * 100_003 + number) % PRIME,
        "last": state["last"] | {sender: number},
    }
