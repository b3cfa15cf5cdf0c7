"""What systemd is told where it asks to be (Type=notify): ready, alive, stopping. A datagram, nothing more."""

import socket


class Notifier:
    """Talks to the socket that systemd names in NOTIFY_SOCKET; says nothing where there is none."""

    def __init__(self, path: str | None) -> None:
        # An abstract socket is written with @ and addressed with a NUL byte.
        self._path = f"\0{path[1:]}" if path and path.startswith("@") else path

    def tell(self, *states: str) -> None:
        """Send states such as READY=1."""
        if self._path is None:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            try:
                connection.sendto("\n".join(states).encode(), self._path)
            except OSError:
                return  # systemd has gone; there is nobody to tell
