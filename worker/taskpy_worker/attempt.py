"""One attempt at a task that was claimed by this worker process."""

from dataclasses import dataclass, field
from typing import Self

from taskpy.answers import Started
from taskpy.interrupt import Interrupt
from taskpy.mailbox_redis import RedisMailbox
from taskpy.spec import Options


@dataclass(slots=True)
class Attempt:
    """A claimed task: who it is, how it is to be retried, and its mailbox and how to interrupt it once its function runs.

    `keep` is how long it is kept after its end, in seconds; None: as it was submitted. `returned`: its function has ended, and
    it waits for its children.
    """

    id: str
    token: str
    queue: str
    name: str = ""
    options: Options = field(default_factory=Options)
    retries: int = 0
    mailbox: RedisMailbox | None = None
    interrupt: Interrupt | None = None
    keep: float | None = None
    returned: bool = False

    @classmethod
    def unreadable(cls, started: Started, name: str = "") -> Self:
        """An attempt whose function is not known (yet); its name may be."""
        return cls(started.id, started.token, started.queue, name)

    @property
    def stopping(self) -> bool:
        """Whether the task was asked to stop."""
        return self.mailbox is not None and self.mailbox.wish is not None
