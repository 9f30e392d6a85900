"""A running instance and what it is told to hold back: it says so once, and goes on the moment the reason has gone.

Lies it would catch: an instance that asks again at every tick and fills the history; one that hears of an opened gate
only at its next discovery.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from support.databases import Database
from support.waiting import until

from trickle import connect

Start = Callable[..., Any]


def test_a_gate_is_kept_and_opened_at_once(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        conn.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
        with connect(db.url) as client:
            client.create_stream_table("st", "SELECT sum(v) AS s FROM source", schedule="1s")
        conn.execute("SELECT pgtrickle.gate_source('source')")
        conn.execute("INSERT INTO source VALUES (1, 10)")
        worker = start_worker(discovery_seconds=3600.0)
        until(lambda: worker.said("refresh held back"))
        time.sleep(3)
        skipped = "SELECT reason FROM pgtrickle.pgt_refresh_history WHERE status = 'SKIPPED'"
        assert conn.execute(skipped.encode()).fetchall() == [("source gated: public.source",)]
        assert conn.execute("SELECT s FROM st").fetchall() == [(None,)]
        opened = time.monotonic()
        conn.execute("SELECT pgtrickle.ungate_source('source')")
        until(lambda: conn.execute("SELECT s FROM st").fetchall() == [(10,)])
        # The instance looks at all buffers each second; it was told, and did not wait for the next discovery.
        assert time.monotonic() - opened < 10
