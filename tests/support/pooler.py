"""A real PgBouncer in transaction mode before the session's server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from support.databases import OWNER, Database
from support.waiting import until
from trickle.embedded import Server

_CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server_port} user={owner} password={password}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
server_reset_query =
ignore_startup_parameters = extra_float_digits
logfile = {log}
"""
_PASSWORD = "of the pooler"


@dataclass(frozen=True, slots=True)
class Pooler:
    """Where it listens; every client becomes the owner of the test databases."""

    port: int

    def url(self, database: Database) -> str:
        return f"postgresql://{OWNER}@127.0.0.1:{self.port}/{database.name}"


def _binary() -> str:
    """Skip where a newcomer has no PgBouncer; fail where one was promised."""
    found = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail("CI is set, so a missing PgBouncer is a failure: install the package pgbouncer")
        pytest.skip("PgBouncer is not installed: install the package pgbouncer")
    return found


@pytest.fixture(scope="session")
def pooler(server: Server, template: str) -> Iterator[Pooler]:
    """A pooler with few sessions, so that clients really share them; nothing is reset between two of them."""
    binary = _binary()
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(OWNER), sql.Literal(_PASSWORD)))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="trickle-pooler-") as made:
        folder = Path(made)
        text = _CONFIGURATION.format(
            server_port=server.port, owner=OWNER, password=f"'{_PASSWORD}'", port=port, log=folder / "log"
        )
        (folder / "pgbouncer.ini").write_text(text, encoding="utf-8")
        command = [binary, "-q", str(folder / "pgbouncer.ini")]
        if os.geteuid() == 0:  # it refuses to run as root
            shutil.chown(folder, "nobody")
            shutil.chown(folder / "pgbouncer.ini", "nobody")
            command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: _answers(port), seconds=10, what="the pooler answers")
            yield Pooler(port)
        finally:
            process.terminate()
            process.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
