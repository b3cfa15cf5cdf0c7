"""The small process that owns a local server, and ends it when nobody uses it any more.

`embedded.join` runs this file as a script (`python -I -S`), with nothing but the standard library: so it starts in
milliseconds, whatever the caller's sys.path looks like, and holds no memory of the caller. It sleeps in the kernel
for all of its life: one thread in waitpid, one in flock. Killed itself, it leaves the server to `embedded.stop`.
"""

import os
import signal
import sys
import threading
import time

if sys.platform != "win32":  # embedded.join refuses to work there
    import fcntl

#: Held by whoever starts or ends the server, for as long as that takes.
START_LOCK = "start.lock"
#: Shared by every process that uses the server, until that process ends.
USERS_LOCK = "users.lock"
#: How long a server may take to end before it is killed, in seconds. Killed, it loses no acknowledged write either.
END_SECONDS = 10.0


def arguments(home: str, socket: str) -> list[str]:
    """The server's command line: one unix socket for this user alone, and every write in an append-only file."""
    return [
        *("--port", "0", "--unixsocket", socket, "--unixsocketperm", "700"),
        *("--dir", home, "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        # An RDB preamble written by one engine does not open in another; plain commands do.
        *("--aof-use-rdb-preamble", "no", "--maxmemory-policy", "noeviction", "--daemonize", "no"),
        *("--logfile", f"{home}/redis.log", "--pidfile", f"{home}/redis.pid"),
    ]


def keep(home: str, socket: str, program: str, lock: int, grace: float) -> None:
    """Run the server until it ends by itself, or until nobody has used it for `grace` seconds.

    `lock` is the descriptor of the locked server.lock. The server alone keeps it from here on.
    """
    start = os.open(f"{home}/{START_LOCK}", os.O_RDWR)
    users = os.open(f"{home}/{USERS_LOCK}", os.O_RDWR)
    server = os.spawnv(os.P_NOWAIT, program, [program, *arguments(home, socket)])  # noqa: S606
    os.close(lock)
    threading.Thread(target=_end_when_unused, args=(server, start, users, grace), daemon=True).start()
    os.waitpid(server, 0)


def _end_when_unused(server: int, start: int, users: int, grace: float) -> None:
    while True:
        fcntl.flock(users, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_UN)
        time.sleep(grace)
        # Kept until this process ends, which is when the server has: nobody joins a server that is ending.
        fcntl.flock(start, fcntl.LOCK_EX)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(start, fcntl.LOCK_UN)
        else:
            os.kill(server, signal.SIGTERM)
            time.sleep(END_SECONDS)
            os.kill(server, signal.SIGKILL)


def main() -> None:
    """Leave the caller, who waits for this process only, and keep the server in a child of no one."""
    if os.fork():
        os._exit(0)
    # A caller that blocks SIGTERM would hand that on to the server, which could then only be killed.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    home, socket, program, lock, grace = sys.argv[1:]
    keep(home, socket, program, int(lock), float(grace))


if __name__ == "__main__":
    main()
