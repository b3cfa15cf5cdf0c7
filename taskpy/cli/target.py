"""Which server and which namespace the commands speak to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from taskpy.client import Client


@dataclass(frozen=True, slots=True)
class Target:
    """What `--url` and `--namespace` say; what is None says the environment."""

    url: str | None = None
    namespace: str | None = None

    def client(self, *, timeout: float = 10.0) -> "Client":
        """A client there, which connects at its first use; `timeout` is how long it looks for Redis, in seconds."""
        from taskpy.client import Client
        from taskpy.settings import Settings
        from taskpy.space import ASK, Space

        shards = Settings.from_env().shards or ASK
        return Client.of(Space(self.url, namespace=self.namespace, timeout=timeout, shards=shards))


def checked_url(_ctx: click.Context, _param: click.Parameter, url: str | None) -> str | None:
    """Refuse a password on the command line, which everybody on this host can read."""
    if url is not None:
        from taskpy.address import shown

        if shown(url) != url:
            raise click.BadParameter(
                f"a command line shows in the list of processes; give {shown(url)}, with its password, by the environment: "
                f"TASKPY_REDIS_URL"
            )
    return url


pass_target = click.make_pass_decorator(Target)
