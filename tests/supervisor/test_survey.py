"""A running instance looks around: what is late is told to listeners, what is too old goes from the history.

Lies it would catch: a survey that no instance ever starts, or that several do at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from support.databases import Database
from support.waiting import until

from trickle import connect

Start = Callable[..., Any]


def test_instances_tell_once_of_what_is_late(db: Database, start_worker: Start) -> None:
    with db.connect() as conn, db.connect() as listener, db.connect(autocommit=False) as holder:
        conn.execute("CREATE TABLE source (id int PRIMARY KEY)")
        with connect(db.url) as client:
            client.create_stream_table("st", "SELECT count(*) AS n FROM source", schedule="1s")
        conn.execute("UPDATE pgtrickle.pgt_refresh_history SET start_time = now() - interval '91 days'")
        conn.execute("UPDATE pgtrickle.pgt_stream_tables SET last_refresh_at = now() - interval '1 day'")
        conn.execute("INSERT INTO source VALUES (1)")
        listener.execute("LISTEN pgtrickle_alert")
        holder.execute("SELECT FROM pgtrickle.pgt_frontiers FOR UPDATE")  # so that it stays late
        workers = [start_worker(survey_seconds=0.5, prune_seconds=0.3, instance_id=name) for name in ("a", "b")]
        heard = [json.loads(notify.payload) for notify in listener.notifies(timeout=15, stop_after=1)]
        heard += [json.loads(notify.payload) for notify in listener.notifies(timeout=2)]
        assert [(payload["event"], payload["st"]) for payload in heard] == [("stale_data", "public.st")]
        left = "SELECT count(*) FROM pgtrickle.pgt_refresh_history WHERE start_time < now() - interval '90 days'"
        until(lambda: conn.execute(left.encode()).fetchone() == (0,))
        holder.rollback()
        for worker in workers:
            worker.terminate()
        assert [worker.wait() for worker in workers] == [0, 0]
