"""A TCP proxy that does to one command, or to its answer, what networks do.

cut-before  the server never sees the command, and the connection breaks
cut-after   the server carries it out, and the connection breaks before the answer
half        ... in the middle of the answer
delay       the answer comes after the caller has given up
black-hole  the command vanishes; the connection seems to be there
half-open   the server carries it out, the answer vanishes; the connection seems to be there
"""

import contextlib
import socket
import threading

from tests.system.proxy import VERBS

MODES = ["cut-before", "cut-after", "half", "delay", "black-hole", "half-open"]


class FaultyProxy:
    """Passes everything on, but for the commands that a fault was ordered for."""

    def __init__(self, path, *, delay):
        self._path, self._delay = path, delay
        self._lock = threading.Lock()
        self._order = ("", "", 0)
        self._closing = threading.Event()
        self._sockets, self._threads = set(), []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"
        self.faults = 0
        self._spawn(self._accept)

    def order(self, mode, word, times):
        """Do this to the next so many commands with this word (of a script its verb)."""
        with self._lock:
            self._order = (mode, word, times)

    def close(self):
        """Break all connections."""
        self._closing.set()
        for each in (self._listening, *self._sockets):
            _end(each)
        for thread in self._threads:
            thread.join(10)

    def _fault_for(self, command):
        with self._lock:
            mode, word, times = self._order
            if times == 0 or word_of(command) != word:
                return None
            self._order = (mode, word, times - 1)
            self.faults += 1
            return mode

    def _spawn(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._path)
            self._sockets |= {client, server}
            state = {"mode": None}
            self._spawn(self._requests, client, server, state)
            self._spawn(self._answers, server, client, state)

    def _requests(self, client, server, state):
        buffer = b""
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                buffer += data
                while (parsed := parse(buffer)) is not None:
                    command, size = parsed
                    raw, buffer = buffer[:size], buffer[size:]
                    state["mode"] = state["mode"] or self._fault_for(command)
                    if state["mode"] == "cut-before":
                        raise ConnectionError
                    if state["mode"] != "black-hole":
                        server.sendall(raw)
        _end(client)
        _end(server)

    def _answers(self, server, client, state):
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                match state["mode"]:
                    case "cut-after":
                        break
                    case "half":
                        client.sendall(data[: len(data) // 2])
                        break
                    case "delay":
                        self._closing.wait(self._delay)
                    case "half-open":
                        continue
                client.sendall(data)
        _end(client)
        _end(server)


def _end(each):
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


def word_of(command):
    """The word of a command; of a script its verb."""
    word = command[0].decode().upper()
    return VERBS[command[1].decode()] if word == "EVALSHA" else word


def parse(buffer):
    """The first whole command of the buffer, and how many bytes it takes; None when it is not all there."""
    head, found, _ = buffer.partition(b"\r\n")
    if not found:
        return None
    at, parts = len(head) + 2, []
    for _ in range(int(head[1:])):
        end = buffer.find(b"\r\n", at)
        if end < 0:
            return None
        length = int(buffer[at + 1 : end])
        at = end + 2 + length + 2
        if len(buffer) < at:
            return None
        parts.append(buffer[end + 2 : at - 2])
    return parts, at
