"""taskpy for asyncio: what an `async def` task receives (`Task`), and the awaited outside (`Client`, `RemoteTask`)."""

from taskpy.client_aio import Client, RemoteTask
from taskpy.inside_aio import Task

__all__ = ["Client", "RemoteTask", "Task"]
