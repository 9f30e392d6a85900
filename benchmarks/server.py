"""The server under measurement, and a database on it that exists for one run."""

from __future__ import annotations

import os
import platform
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from trickle import embedded
from trickle.catalog import migrate

# What an administrator of a small server would set. Checkpoints are rare and vacuuming is asked for between what is
# timed, so that neither falls on one contender.
SETTINGS: dict[str, embedded.Setting] = {
    "shared_buffers": "1GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "wal_level": "replica",
    "autovacuum": False,
    "jit": False,
    "max_connections": 50,
    "track_commit_timestamp": True,
}
_REPORTED = (*SETTINGS, "fsync", "full_page_writes", "random_page_cost", "max_parallel_workers_per_gather")
_OWNER = "trickle_bench_owner"


@dataclass(frozen=True, slots=True)
class Database:
    """A fresh database with Trickle's catalog; `url` connects as its owner."""

    url: str
    environment: dict[str, Any]
    server: embedded.Server | None = None  # ours alone, when it is a throw-away one

    def connect(self) -> Connection[Any]:
        """A session in which no commit waits for the disk."""
        connection = psycopg.connect(self.url, autocommit=True, application_name="trickle_benchmark")
        connection.execute("SET synchronous_commit = off")
        return connection

    @property
    def may_restart(self) -> bool:
        return self.server is not None

    def restart(self) -> None:
        """Stop the throw-away server as an administrator would, and start it again at the same address."""
        if self.server is None:
            raise ValueError("a server that is given is not restarted")
        embedded.stop(self.server, "fast")
        embedded.start(self.server.data_dir, settings=SETTINGS, port=self.server.port, die_with_parent=True)


@contextmanager
def database(postgres_url: str | None, settings: Mapping[str, embedded.Setting]) -> Iterator[Database]:
    """A database on the given server, or on a throw-away one with these settings as well; gone when the block ends."""
    if postgres_url is not None:
        with _database(postgres_url, owner=None) as made:
            yield made
    else:
        with embedded.temporary(settings={**SETTINGS, **settings}) as server:
            # The owner is an ordinary role: what a superuser may do is not what is measured.
            with psycopg.connect(server.url(), autocommit=True) as admin:
                admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(_OWNER)))
            with _database(server.url(), owner=_OWNER) as made:
                yield replace(made, server=server)


@contextmanager
def _database(admin_url: str, owner: str | None) -> Iterator[Database]:
    name = f"trickle_bench_{secrets.token_hex(4)}"
    chosen = {"dbname": name} | ({"user": owner} if owner else {})
    url = make_conninfo(admin_url, **chosen)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        created = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if owner:
            created += sql.SQL(" OWNER {}").format(sql.Identifier(owner))
        admin.execute(created)
    try:
        _create_extension_if_available(make_conninfo(admin_url, dbname=name))
        migrate.init(url)
        yield Database(url, _environment(url))
    finally:
        # A session of its own: the server may have been restarted meanwhile.
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _create_extension_if_available(url: str) -> None:
    """pg_ivm takes part where an administrator has installed it; it needs a superuser to be created."""
    with psycopg.connect(url, autocommit=True) as admin:
        offered = "SELECT FROM pg_available_extensions WHERE name = 'pg_ivm'"
        if admin.execute(offered).fetchone() is not None:
            admin.execute("CREATE EXTENSION IF NOT EXISTS pg_ivm")
            admin.execute("GRANT USAGE ON SCHEMA pgivm TO PUBLIC")


def _environment(url: str) -> dict[str, Any]:
    with psycopg.connect(url) as conn:
        settings: dict[str, str] = dict(
            conn.execute(
                "SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY (%s)", (list(_REPORTED),)
            ).fetchall()
        )
        version = conn.info.server_version
    return {
        "postgresql": f"{version // 10000}.{version % 10000}",
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
        "synchronous_commit_of_sessions": "off",
        "settings": settings,
    }
