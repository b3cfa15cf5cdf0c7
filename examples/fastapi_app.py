"""A web page that starts a task and shows what it sends, as it comes. Who closes the page stops the task.

taskpy-worker fastapi_app     the worker
uvicorn fastapi_app:app       the web server, in another terminal; then open http://127.0.0.1:8000
"""

from contextlib import asynccontextmanager

from anyio import CancelScope
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, StreamingResponse

from taskpy import aio, task

client = aio.Client()  # connects at its first use


@task
async def count(t, limit):
    for number in range(1, limit + 1):
        await t.send(number)
        if not await t.sleep(0.2):  # asked to stop
            return f"stopped at {number}"
    return "counted"


@asynccontextmanager
async def lifespan(app):
    async with client:
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/counts")
async def follow(limit: int):
    handle = client.task(count, limit)
    return StreamingResponse(events(handle), media_type="text/event-stream", headers={"Task-Id": handle.id})


async def events(handle):
    try:
        await handle.start()
        async for number in handle:
            yield f"data: {number}\n\n"
        yield f"event: end\ndata: {await handle.get()}\n\n"
    finally:  # the browser has left; or the task has ended, and then this changes nothing
        with CancelScope(shield=True):
            await handle.stop(join=False, reason="the browser left")


@app.get("/", response_class=HTMLResponse)
async def page():
    return """<h1></h1><script>
        const source = new EventSource("/counts?limit=100"), h1 = document.querySelector("h1");
        source.onmessage = event => h1.textContent = event.data;
        source.addEventListener("end", event => { source.close(); h1.append(", ", event.data); });
    </script>"""
