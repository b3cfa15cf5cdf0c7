"""One pub/sub connection for a whole process: who waits for a channel is nudged, who listens gets each message.

Pub/sub loses messages when a connection breaks. So a nudge only ever means "look again", and after a reconnection
everybody is nudged once.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import redis

from taskpy import outage, retry
from taskpy.nudge import Nudge

logger = logging.getLogger("taskpy.broker")

#: How often the reading thread looks up from its connection.
TICK_SECONDS = 5.0
#: How long a new subscription may take to be confirmed before we go on without; re-checks are the net.
CONFIRM_SECONDS = 1.0
#: How long a channel stays subscribed after its last watcher has gone: a reader in a loop comes back at once.
LINGER_SECONDS = 5.0

Callback = Callable[[bytes], None]


class _Channel:
    """One subscribed channel, and who is interested in it."""

    def __init__(self) -> None:
        self.nudge = Nudge()
        self.watchers = 0
        self.callbacks: list[Callback] = []
        self.confirmed = threading.Event()
        self.idle_since = time.monotonic()

    @property
    def wanted(self) -> bool:
        return bool(self.watchers or self.callbacks) or time.monotonic() - self.idle_since < LINGER_SECONDS


class Subscriber:
    """Reads one pub/sub connection in a thread that starts with the first channel.

    `gives_up`: reading from it gives up by itself, after a few seconds, so it need not be looked at first.
    """

    def __init__(self, connect: Callable[[], Any], away: outage.Outage, *, gives_up: bool = False) -> None:
        self._connect = connect
        self._outage = away
        self._next = _message_in_time if gives_up else _message
        self._lock = threading.RLock()
        self._channels: dict[str, _Channel] = {}
        self._pubsub: Any = None
        self._left: Any = None  # what another thread has broken, and ours is to give back
        self._thread: threading.Thread | None = None
        self._closed = False

    def watch(self, channel: str) -> Nudge:
        """Be nudged by every message on the channel, from the moment this returns."""
        [nudge] = self.watch_all([channel])
        return nudge

    def watch_all(self, channels: Sequence[str]) -> list[Nudge]:
        """Watch many channels, with one command for those that are new; their nudges in order."""
        with self._lock:
            entries = self._subscribed(channels)
            for entry in entries:
                entry.watchers += 1
        self._wait_until_confirmed(entries)
        return [entry.nudge for entry in entries]

    def unwatch(self, channel: str) -> None:
        """Give back one `watch`."""
        with self._lock:
            entry = self._channels[channel]
            entry.watchers -= 1
            entry.idle_since = time.monotonic()

    def listen(self, channel: str, callback: Callback) -> None:
        """Call `callback` with each message on the channel, in the reading thread."""
        with self._lock:
            [entry] = self._subscribed([channel])
            entry.callbacks.append(callback)
        self._wait_until_confirmed([entry])

    def unlisten(self, channel: str, callback: Callback) -> None:
        """Give back one `listen`."""
        with self._lock:
            entry = self._channels[channel]
            entry.callbacks.remove(callback)
            entry.idle_since = time.monotonic()

    def reconnect(self) -> None:
        """Drop a connection that may have gone deaf; the reading thread makes a new one."""
        with self._lock:
            self._abandon()

    def close(self) -> None:
        """End the thread and the connection."""
        with self._lock:
            self._closed = True
            thread = self._thread
            self._abandon()  # which wakes the thread from its reading
        if thread is not None and thread is not threading.current_thread():
            thread.join(TICK_SECONDS * 2)

    def _subscribed(self, channels: Sequence[str]) -> list[_Channel]:
        new = {channel: _Channel() for channel in channels if channel not in self._channels}
        if new:
            self._channels |= new
            self._send("subscribe", new)
        if self._thread is None:
            self._thread = threading.Thread(target=self._read_for_ever, name="taskpy-subscriber", daemon=True)
            self._thread.start()
        return [self._channels[channel] for channel in channels]

    def _wait_until_confirmed(self, entries: Iterable[_Channel]) -> None:
        for entry in entries:
            if not entry.confirmed.wait(CONFIRM_SECONDS):  # each of many has its time, as long as they keep coming
                return

    def _send(self, command: str, channels: Iterable[str]) -> None:
        if self._pubsub is None:
            return  # the reading thread subscribes all channels when it connects
        try:
            getattr(self._pubsub, command)(*channels)
        except Exception as error:  # redis-py raises many kinds; each means a new connection
            self._outage.begins(error)
            self._abandon()

    def _abandon(self) -> None:
        """Break the connection, and leave it to the reading thread to give it back.

        That one may still read from it, and redis-py connects anew what breaks under a reader. Were it in its pool by
        then, it would be another thread's connection: both would read, and each what the other is told.
        """
        if self._pubsub is not None:
            self._left, self._pubsub = self._pubsub, None
            if connection := getattr(self._left, "connection", None):
                connection.disconnect()

    def _drop(self) -> None:
        """Give the connection back; only for the reading thread."""
        for pubsub in (self._pubsub, self._left):
            if pubsub is not None:
                pubsub.close()
        self._pubsub = self._left = None

    def _read_for_ever(self) -> None:
        failures = 0
        tidy_at = time.monotonic() + TICK_SECONDS
        while not self._closed:
            try:
                pubsub = self._connected()
                message = self._next(pubsub)
                failures = 0
            except Exception as error:  # redis-py raises many kinds; each means a new connection
                failures += 1
                self._lost(error)
                time.sleep(retry.reconnect_delay(failures))
                continue
            if message is not None:
                self._dispatch(message)
            if time.monotonic() >= tidy_at:  # also where messages never cease
                self._tidy()
                tidy_at = time.monotonic() + TICK_SECONDS
        with self._lock:
            self._drop()

    def _connected(self) -> Any:
        with self._lock:
            if self._pubsub is None:
                self._drop()
                pubsub = self._connect()
                try:
                    # A Cluster's client chooses the node by the first channel: the next time it may be one that lives.
                    pubsub.subscribe(*random.sample(list(self._channels), len(self._channels)))
                except BaseException:
                    pubsub.close()
                    raise
                self._pubsub = pubsub
                for entry in self._channels.values():
                    entry.nudge.give()  # whatever was said meanwhile was not heard
            return self._pubsub

    def _lost(self, error: Exception) -> None:
        with self._lock:
            # A reconnect() from another thread breaks the read here too; that is no outage.
            if self._pubsub is not None and outage.is_passing(error):
                self._outage.begins(error)
            self._drop()

    def _dispatch(self, message: dict[str, Any]) -> None:
        channel = _text(message["channel"])
        with self._lock:
            entry = self._channels.get(channel)
            callbacks = list(entry.callbacks) if entry else ()
        if entry is None:
            return
        if message["type"] == "subscribe":
            entry.confirmed.set()
            entry.nudge.give()  # after a reconnection: what was said before this was not heard
        elif message["type"] == "message":
            entry.nudge.said = message["data"]
            entry.nudge.give()
            for callback in callbacks:
                try:
                    callback(message["data"])
                except Exception:  # one listener's fault must not deafen the others
                    logger.exception("a listener failed: channel=%s", channel)

    def _tidy(self) -> None:
        with self._lock:
            left = [name for name, entry in self._channels.items() if not entry.wanted]
            if len(left) == len(self._channels):
                left = left[1:]  # a connection without any subscription cannot be read
            for name in left:
                del self._channels[name]
            if left:
                self._send("unsubscribe", left)


def _message(pubsub: Any) -> dict[str, Any] | None:
    """What comes next, as redis-py's `get_message` gives it, which takes three times as long for a plain message."""
    connection = pubsub.connection
    if not connection.can_read(timeout=TICK_SECONDS):
        return None
    return _told(pubsub, connection.read_response())


def _message_in_time(pubsub: Any) -> dict[str, Any] | None:
    """The same of a connection that gives up: without a look at it first, which a message would wait for."""
    try:
        said = pubsub.connection.read_response(disconnect_on_error=False)
    except redis.TimeoutError:
        return None
    return _told(pubsub, said)


def _told(pubsub: Any, said: Any) -> dict[str, Any] | None:
    if said[0] == b"message":
        return {"type": "message", "channel": said[1], "data": said[2]}
    answer: dict[str, Any] | None = pubsub.handle_message(said)  # it keeps count of the channels
    return answer


def _text(channel: bytes | str) -> str:
    return channel.decode() if isinstance(channel, bytes) else channel
