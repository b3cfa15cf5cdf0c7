"""For the tests of those who use taskpy. `session` gives a test a server of its own, inside its process, and runs the
tasks on it by the worker's own code; `StandIn` is what a test hands to a task's function when it calls it itself.

pip install 'taskpy[test]'
"""

from taskpy.testing.clock import Clock
from taskpy.testing.drain import DrainError, DrainTimeout
from taskpy.testing.sessions import Session, session
from taskpy.testing.stand_in import AsyncStandIn, StandIn, To
from taskpy.testing.submissions import Submitted

__all__ = ["AsyncStandIn", "Clock", "DrainError", "DrainTimeout", "Session", "StandIn", "Submitted", "To", "session"]
