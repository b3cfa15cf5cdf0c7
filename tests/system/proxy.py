"""A TCP proxy in front of a server: it writes down every command that goes through, and by which connection."""

import contextlib
import socket
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import taskpy
from taskpy import script

#: The verb of each script, by the hash it is called with.
VERBS = {script.load(path.stem).sha: path.stem for path in (Path(taskpy.__file__).parent / "lua").glob("*.lua")}


@dataclass(frozen=True)
class Command:
    """One command: the connection it came by, its word (of a script its verb), and its arguments."""

    connection: int
    word: str
    arguments: tuple[bytes, ...]


class CountingProxy:
    """Passes everything on; `commands` is what has gone to the server so far."""

    def __init__(self, port):
        self._port = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.commands = []
        self._sockets = set()
        self._threads = []
        self._spawn(self._accept)

    @property
    def url(self):
        """Where clients connect."""
        return f"redis://127.0.0.1:{self.port}/0"

    def words(self):
        """How often each command was sent so far."""
        return Counter(command.word for command in self.commands)

    def cut(self):
        """Break all connections that there are; new ones are accepted."""
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self):
        """Break all connections."""
        for each in (self._listening, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(10)

    def _spawn(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        number = 0
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            number += 1
            server = socket.create_connection(("127.0.0.1", self._port))
            self._sockets |= {client, server}
            self._spawn(self._pump, client, server, _Reader(number, self.commands))
            self._spawn(self._pump, server, client, None)

    def _pump(self, source, target, reader):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if reader is not None:
                    reader.read(data)
                target.sendall(data)
        for each in (source, target):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class _Reader:
    """Reads commands off one connection, as they arrive in pieces."""

    def __init__(self, connection, commands):
        self._connection = connection
        self._commands = commands
        self._buffer = b""

    def read(self, data):
        self._buffer += data
        while (parsed := self._parsed()) is not None:
            word, *arguments = parsed
            word = word.decode().upper()
            if word == "EVALSHA":
                word = VERBS[arguments[0].decode()]
            self._commands.append(Command(self._connection, word, tuple(arguments)))

    def _parsed(self):
        """The next whole command, taken from the buffer; None when it is not all there."""
        head, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return None
        assert head.startswith(b"*"), head
        parts = []
        for _ in range(int(head[1:])):
            size, found, rest = rest.partition(b"\r\n")
            length = int(size[1:]) if found else 0
            if not found or len(rest) < length + 2:
                return None
            parts.append(rest[:length])
            rest = rest[length + 2 :]
        self._buffer = rest
        return parts
