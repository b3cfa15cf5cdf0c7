"""taskpy for asyncio: what an `async def` task receives (`Task`), and the awaited outside (`Client`, `RemoteTask`, `wait`)."""

from taskpy.client_aio import Client
from taskpy.inside_aio import Task
from taskpy.remote_aio import RemoteTask
from taskpy.waiting_aio import as_completed, wait

__all__ = ["Client", "RemoteTask", "Task", "as_completed", "wait"]
