"""A stream table whose schedule is long and whose deadline is short is fresh in time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from support.databases import Database
from support.waiting import until

from trickle import connect

Start = Callable[..., Any]
DEADLINE = 4.0


def test_a_deadline_is_kept_whatever_the_schedule(db: Database, start_worker: Start) -> None:
    with db.connect() as conn:
        conn.execute("CREATE TABLE source (id int PRIMARY KEY, v int NOT NULL)")
        with connect(db.url) as client:
            client.create_stream_table("st", "SELECT sum(v) AS s FROM source", schedule="1h")
        conn.execute("SELECT pgtrickle.set_stream_table_sla('st', '4 seconds')")
        start_worker()
        until(lambda: conn.execute("SELECT count(*) FROM pgtrickle.ownership").fetchone() == (1,))
        time.sleep(2)
        for value in (1, 2, 3):
            conn.execute("INSERT INTO source VALUES (%s, %s)", (value, value))
            began = time.monotonic()
            wanted = [(value * (value + 1) // 2,)]
            until(lambda w=wanted: conn.execute("SELECT s FROM st").fetchall() == w)  # type: ignore[misc]
            assert time.monotonic() - began < DEADLINE + 2, "the machine may be busy, but it is not an hour"
