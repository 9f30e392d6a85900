"""A running instance follows its database: what is set there counts without a restart.

Lies it would catch: sessions that keep what ALTER DATABASE said when they began.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from psycopg import sql
from support.databases import Database
from support.waiting import until

from trickle import connect

Start = Callable[..., Any]


def test_what_is_set_counts_without_a_restart(db: Database, start_worker: Start) -> None:
    with db.connect() as conn, db.superuser() as admin:
        conn.execute("CREATE TABLE source (id int PRIMARY KEY)")
        with connect(db.url) as client:
            client.create_stream_table("st", "SELECT count(*) AS n FROM source", schedule="1s")

        def shows(rows: int) -> bool:
            return conn.execute("SELECT n FROM st").fetchone() == (rows,)

        def set_enabled(value: str) -> None:
            alter = sql.SQL("ALTER DATABASE {} SET pg_trickle.enabled = {}")
            admin.execute(alter.format(sql.Identifier(db.name), sql.Literal(value)))

        worker = start_worker(discovery_seconds=3600.0)
        conn.execute("INSERT INTO source VALUES (1)")
        until(lambda: shows(1), seconds=20)
        set_enabled("off")
        worker.terminate(signal.SIGHUP)
        until(lambda: worker.said("asked to read settings and catalog anew"), seconds=20)
        conn.execute("INSERT INTO source VALUES (2)")
        conn.execute("SELECT pg_sleep(2.5)")
        assert shows(1)
        # set_config calls the instances by itself.
        set_enabled("on")
        conn.execute("SELECT pgtrickle.set_config('history_retention_days', '9')")
        until(lambda: shows(2), seconds=20)
        worker.terminate()
        assert worker.wait() == 0
