"""A TCP proxy that loses and delays: always what was sent has reached the server, or reaches it later."""

import asyncio
import contextlib
import random
import re
import threading
from collections import Counter

from taskpy import script

#: A reply is cut off after the server has sent it, or after half of it; comes late; or the connection is cut at once,
#: and the command reaches the server later, when its sender has repeated it.
KINDS = ("swallow", "half", "delay", "late")
#: The same as "late" for a checkpoint, and long enough that others have been stored since.
LATE_CHECKPOINT = "late checkpoint"
LATE_CHECKPOINT_SECONDS = 0.4
MARK = script.load("mark").sha.encode()
#: The process that a token names.
PID = re.compile(rb"-(\d+)-[0-9a-f]+\.\d+\r\n")


class _Link:
    """One connection of a client, and ours to the server for it."""

    def __init__(self):
        self.fault = None
        self.is_pubsub = False
        self.is_cut = False


class FaultyProxy:
    """Passes everything on, but for the faults that were ordered. Runs in a thread of its own."""

    def __init__(self, port, seed):
        self._server_port = port
        self._chance = random.Random(seed)
        self._orders = Counter()
        self.done = Counter()
        #: Nothing that is published arrives, on any connection.
        self.deaf = False
        #: Told the process whose checkpoint has just come late.
        self.came_late = lambda pid: None
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(10)

    @property
    def url(self):
        """Where clients connect."""
        return f"redis://127.0.0.1:{self.port}/0"

    def order(self, kind, count):
        """Do this to so many of the next calls."""
        self._orders[kind] += count

    def cancel(self):
        """No more faults."""
        self._orders.clear()
        self.deaf = False

    def close(self):
        """Break all connections."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self, ready):
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._serve(ready))

    async def _serve(self, ready):
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        ours = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        for each in ours:
            each.cancel()
        await asyncio.gather(*ours, return_exceptions=True)

    async def _accept(self, client, to_client):
        to_server = None
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
            link = _Link()
            pumps = [
                asyncio.ensure_future(self._requests(link, client, to_server, to_client)),
                asyncio.ensure_future(self._replies(link, server, to_client)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            pass  # no server there, or we end
        finally:
            for writer in (to_client, to_server):
                if writer is not None:
                    writer.transport.abort()

    async def _requests(self, link, client, to_server, to_client):
        while data := await client.read(65536):
            link.is_pubsub = link.is_pubsub or b"SUBSCRIBE" in data[:64].upper()
            fault = None if link.is_pubsub else self._next(data)
            if fault in {"late", LATE_CHECKPOINT}:
                link.is_cut = True
                to_client.transport.abort()
                late = fault == LATE_CHECKPOINT
                await asyncio.sleep(LATE_CHECKPOINT_SECONDS if late else self._chance.uniform(0.05, 0.8))
                to_server.write(data)
                await to_server.drain()
                await asyncio.sleep(0.01)  # to be read before we hang up
                if late and (found := PID.search(data)):
                    self.came_late(int(found[1]))
                return
            link.fault = fault or link.fault
            to_server.write(data)
            await to_server.drain()

    async def _replies(self, link, server, to_client):
        while data := await server.read(65536):
            if link.is_cut:
                continue
            if link.is_pubsub and self.deaf:
                self.done["deaf"] += 1
                continue
            fault, link.fault = link.fault, None
            if fault == "swallow":
                return
            if fault == "half":
                to_client.write(data[: len(data) // 2])
                await to_client.drain()
                return
            if fault == "delay":
                await asyncio.sleep(self._chance.uniform(0.05, 1.0))
            to_client.write(data)
            await to_client.drain()

    def _next(self, data):
        """What happens to this call."""
        if self._orders[LATE_CHECKPOINT] > 0 and MARK in data[:100]:
            self._orders[LATE_CHECKPOINT] -= 1
            self.done[LATE_CHECKPOINT] += 1
            return LATE_CHECKPOINT
        waiting = [kind for kind in KINDS if self._orders[kind] > 0]
        if not waiting or self._chance.random() > 0.3:
            return None
        kind = self._chance.choice(waiting)
        self._orders[kind] -= 1
        self.done[kind] += 1
        return kind
