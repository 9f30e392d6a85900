"""What a running server is to everybody else: a value with an address."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

SUPERUSER = "postgres"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. Two starters of one data directory hold equal values.

    `started_here` tells which of them started it, and is therefore the one to stop it.
    """

    data_dir: Path
    socket_dir: Path
    port: int
    pid: int
    version: str
    password: str = field(repr=False)
    started_here: bool = field(default=False, compare=False)

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def url(self, dbname: str = "postgres", *, user: str = SUPERUSER) -> str:
        """The address over the unix socket: any role, no password."""
        host = quote(str(self.socket_dir), safe="")
        return f"postgresql://{quote(user, safe='')}@/{quote(dbname, safe='')}?host={host}&port={self.port}"

    def tcp_url(self, dbname: str = "postgres") -> str:
        """The superuser's address over TCP, for programs that know no unix sockets. It holds the password."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{quote(dbname, safe='')}"
