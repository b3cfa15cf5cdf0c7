"""The protocol as plain Python: what each verb does to the world, and what it answers. This is the specification.

There is no Redis here, no clock and no token of a call: only what must be true afterwards. Queues and lists stand as in
Redis (in at the left, out at the right). A verb that needs memory raises `errors.Busy`, and has then changed nothing.
"""

from tests.model.from_attempts import FromAttempts
from tests.model.from_outside import FromOutside
from tests.model.from_workers import FromWorkers
from tests.model.known import FINAL, Task, Worker, owner

__all__ = ["FINAL", "Task", "Worker", "World", "owner"]


class World(FromOutside, FromWorkers, FromAttempts):
    """All that Redis knows. Each verb of `ops` is a method."""
