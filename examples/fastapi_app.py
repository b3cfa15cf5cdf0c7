"""A web page that shows what a task sends, as it comes. A connection that breaks is made again, and nothing is missed.

taskpy-worker fastapi_app     the worker
uvicorn fastapi_app:app       the web server, in another terminal; then open http://127.0.0.1:8000
"""

from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, StreamingResponse

from taskpy import MessagesMissed, aio, task

client = aio.Client()  # connects at its first use


@task
async def count(t, limit, number=0):
    while number < limit and await t.sleep(0.2):  # False: it was asked to stop
        yield (number := number + 1)


@asynccontextmanager
async def lifespan(app):
    async with client:
        yield


app = FastAPI(lifespan=lifespan)
app.get("/")(lambda: FileResponse("fastapi_app.html"))


@app.post("/counts")
async def begin(limit: int):
    return {"id": (await client.submit(count, limit)).id}


@app.get("/counts/{id}")
async def follow(id: str, request: Request):
    handle = await client.attach(id).refresh()
    last = int(request.headers.get("last-event-id", 0))  # a browser that connects again says what it had last
    return StreamingResponse(events(handle, handle.stream(after=last)), media_type="text/event-stream")


async def events(handle, stream):
    while True:
        try:
            async for number in stream:
                yield f"id: {stream.position}\ndata: {number}\n\n"
            break
        except MessagesMissed as missed:  # it was away for more than 1,000 messages
            yield f"event: missed\ndata: {missed.count}\n\n"
    await handle.wait()
    yield f"event: end\ndata: {handle.stop_reason or handle.state}\n\n"


@app.delete("/counts/{id}", status_code=204)
async def stop(id: str):
    await client.attach(id).stop(join=False, reason="the page was closed")
