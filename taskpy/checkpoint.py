"""The form of the states that a task's checkpoints store: its version, and how an older one is brought up to it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from taskpy import errors


@dataclass(frozen=True, slots=True)
class StateForm:
    """What `@task(state_version=2, upgrade=function)` says of a task's states.

    `upgrade(state, version)` is given a state of another version, and returns it in this one's form.
    """

    version: int = 1
    upgrade: Callable[[Any, int], Any] | None = None

    def __post_init__(self) -> None:
        if type(self.version) is not int or self.version < 0:
            raise errors.BadArguments(f"state_version must be a whole number of at least 0, not {self.version!r}")
        if self.upgrade is not None and not callable(self.upgrade):
            raise errors.BadArguments(f"upgrade must be a function of a state and its version, not {self.upgrade!r}")

    def read(self, state: Any, version: int) -> Any:
        """The state in this form. Raises `StateVersion` when it has another one, and there is no upgrade."""
        if version == self.version:
            return state
        if self.upgrade is None:
            raise errors.StateVersion(
                f"the checkpoint has version {version} of the task's state, and this code has version {self.version}; "
                "give @task(upgrade=...) a function of the state and its version"
            )
        return self.upgrade(state, version)
