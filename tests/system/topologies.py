"""More than one server, as an installation has them: a Cluster of three nodes, a primary with a replica and three
Sentinels, and a server behind TLS. All on 127.0.0.1, in folders of their own, ended by their process ids.

Each one asks for a password, which its `url` holds.
"""

import asyncio
import contextlib
import random
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import quote

import redis

from tests.system.servers import server_program
from tests.system.waiting import until

#: Has every character that a URL must escape, in a password that is easy to look for.
PASSWORD = "s3cr3t@:/w0rd%?#,"
ESCAPED = quote(PASSWORD, safe="")
SERVICE = "mymaster"

#: A Cluster's nodes talk to each other on the port that is so much higher.
BUS = 10_000
SLOTS = 16_384


def free_ports(count):
    """Ports of 127.0.0.1 on which nobody listens, nor on those of their Cluster buses."""
    found = set()
    while len(found) < count:
        # Below those that the system gives to connections, so that none is taken before the server starts.
        port = random.randrange(12_000, 22_000)
        if _is_free(port) and _is_free(port + BUS):
            found.add(port)
    return sorted(found)


def _is_free(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Node:
    """One server process, or one Sentinel. `settings` are lines of its configuration."""

    def __init__(self, port, *settings, sentinel=False, password=PASSWORD):
        self.port = port
        self.folder = Path(tempfile.mkdtemp(prefix="taskpy-"))
        lines = [f"port {port}", "bind 127.0.0.1", f"dir {self.folder}", f"logfile {self.folder}/log", *settings]
        if password:
            lines += [f'requirepass "{password}"', f'masterauth "{password}"', "repl-diskless-sync-delay 0"]
            lines += ['save ""']
        configuration = self.folder / "conf"
        configuration.write_text("\n".join(lines) + "\n")
        self._command = [server_program(), str(configuration), *(["--sentinel"] if sentinel else [])]
        self.start()
        self.client = redis.Redis(port=port, password=password, protocol=2, socket_timeout=10, decode_responses=True)

    def start(self):
        """Start it, or start it again with what it has stored."""
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, start_new_session=True)

    def ready(self):
        """Wait until it answers."""
        until(self._answers, self._log)
        return self

    def kill(self):
        """End it with SIGKILL."""
        self._process.kill()
        self._process.wait(10)

    def close(self):
        """End it, and leave nothing behind."""
        self.client.close()
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self):
        assert self._process.poll() is None, self._log()
        with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
            return self.client.ping()

    def _log(self):
        return f"server {self.port} to answer; its log:\n{(self.folder / 'log').read_text()}"


class Topology:
    """Several nodes, and the URL that names them."""

    def __init__(self):
        self.nodes = []
        self.url = ""

    def names(self):
        """What the connections of all nodes are called."""
        return [one["name"] for node in self.nodes if node.client.ping() for one in node.client.client_list()]

    def close(self):
        """End all nodes."""
        for node in self.nodes:
            node.close()


class Cluster(Topology):
    """Three nodes that own a third of the slots each, with these lines more in their configuration."""

    def __init__(self, *more):
        super().__init__()
        settings = "cluster-enabled yes", "cluster-node-timeout 5000", "cluster-announce-ip 127.0.0.1", *more
        self.nodes = [Node(port, *settings) for port in free_ports(3)]
        # One of them is enough: it knows the others.
        self.url = f"redis+cluster://:{ESCAPED}@127.0.0.1:{self.nodes[1].port}"

    def start(self):
        """Bring the nodes together, and wait until they serve."""
        for number, node in enumerate(self.nodes):
            node.ready()
            first, last = (SLOTS * n // len(self.nodes) for n in (number, number + 1))
            node.client.execute_command("CLUSTER ADDSLOTSRANGE", first, last - 1)
            node.client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            self.nodes[0].client.execute_command("CLUSTER MEET", "127.0.0.1", node.port)
        until(lambda: all(map(self._is_whole, self.nodes)), "the Cluster to serve")
        return self

    def keys(self):
        """All keys, by the node that has them."""
        return {node.port: set(node.client.scan_iter("*")) for node in self.nodes}

    def node_of(self, key):
        """The node that has this key."""
        slot = self.nodes[0].client.execute_command("CLUSTER KEYSLOT", key)
        [place] = [n for n in range(3) if SLOTS * n // 3 <= slot < SLOTS * (n + 1) // 3]
        return self.nodes[place]

    def _is_whole(self, node):
        told = node.client.execute_command("CLUSTER INFO")
        return told["cluster_state"] == "ok" and told["cluster_known_nodes"] == str(len(self.nodes))


class Sentinels(Topology):
    """A primary, its replica, and three Sentinels who make the replica the primary when it is needed."""

    def __init__(self):
        super().__init__()
        primary, replica, *ports = free_ports(5)
        self.primary = Node(primary, "appendonly yes")
        self.replica = Node(replica, "appendonly yes", f"replicaof 127.0.0.1 {primary}")
        self.sentinels = []
        self._watch = [
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2",
            f'sentinel auth-pass {SERVICE} "{PASSWORD}"',
            f"sentinel down-after-milliseconds {SERVICE} 1000",
            f"sentinel failover-timeout {SERVICE} 5000",
        ]
        self._ports = ports
        self.nodes = [self.primary, self.replica]
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        self.url = f"redis+sentinel://:{ESCAPED}@{hosts}/{SERVICE}/0"

    def start(self):
        """Wait until the replica follows, and each Sentinel knows of it and of the others."""
        for node in self.nodes:
            node.ready()
        until(lambda: self.replica.client.info("replication")["master_link_status"] == "up", "the replica to follow")
        # Not earlier: they ask the primary at once who follows it, and then not for ten seconds.
        self.sentinels = [Node(port, *self._watch, sentinel=True, password=None) for port in self._ports]
        for node in self.sentinels:
            node.ready()
        until(lambda: all(map(self._is_informed, self.sentinels)), "the Sentinels to know each other")
        return self

    def kill_primary(self):
        """End the primary with SIGKILL, and tell nobody."""
        self.primary.kill()
        self.nodes.remove(self.primary)

    def has_new_primary(self):
        """Whether the replica has become the primary."""
        return self.replica.client.info("replication")["role"] == "master"

    def close(self):
        """End all of it; the Sentinels first, who would try to mend it."""
        for node in [*self.sentinels, self.primary, self.replica]:
            node.close()

    def _is_informed(self, sentinel):
        told = sentinel.client.execute_command("SENTINEL MASTER", SERVICE)
        return told["num-other-sentinels"] == len(self.sentinels) - 1 and told["num-slaves"] == 1


class Authority:
    """A certificate authority, and a certificate of it for 127.0.0.1: `ca`, `certificate` and `key` are files."""

    def __init__(self, folder):
        folder.mkdir()
        self.ca, self.certificate, self.key = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
        own = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        made = ["-keyout", str(folder / "ca.key"), "-out", str(self.ca), "-subj", "/CN=Tests"]
        _openssl("req", "-x509", *own, *made, "-addext", "keyUsage=critical,keyCertSign")
        request = folder / "request"
        _openssl("req", *own[:5], "-keyout", str(self.key), "-out", str(request), "-subj", "/CN=server")
        extra = folder / "extensions"
        extra.write_text("subjectAltName=IP:127.0.0.1\n")
        signed = ["-CA", str(self.ca), "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-days", "2"]
        _openssl("x509", "-req", "-in", str(request), *signed, "-extfile", str(extra), "-out", str(self.certificate))


def _openssl(*arguments):
    ended = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


class TlsFront:
    """Speaks TLS on a port of its own for a server that does not: the one of the wheel is built without."""

    def __init__(self, server_port, authority):
        self._server_port = server_port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(authority.certificate, authority.key)
        self._served = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tests-tls", daemon=True)
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context))
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self):
        """Break all connections, and end."""
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _end(self):
        self._server.close()
        for each in self._served:
            each.cancel()
        await asyncio.gather(*self._served, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._served.add(asyncio.current_task())
        with contextlib.suppress(OSError, asyncio.CancelledError):
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
            ways = [
                asyncio.create_task(_pump(reader, server_writer)),
                asyncio.create_task(_pump(server_reader, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                server_writer.close()
        writer.transport.abort()


async def _pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
