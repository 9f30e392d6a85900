"""Pipelines, as the chaos test has them carried: an outbox under load, and inboxes that get each message once."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from support.waiting import until

from chaos.relay_laws import assert_all_and_no_others, assert_in_order, assert_once
from chaos.relay_load import Load, Told, published, told

OUTBOX = "chaos"
_INBOXES = {"chaos-a": "chaos_a", "chaos-b": "chaos_b", "chaos-c": "chaos_c"}  # of each pipeline
_OPTIONS = {
    "batch_size": 50,
    "format": "raw",
    "circuit_breaker": {"half_open_seconds": 0.5},
    "retry": {"max_backoff_ms": 500},
}

# A claim is a lock that the instance's own session holds on the name of the pipeline.
HELD = """
SELECT i.group_id, p.pipeline_name, l.pid
  FROM pgtrickle.pgt_instances AS i
  JOIN pg_locks AS l ON l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.pid = i.backend_pid
   AND l.classid::bigint = hashtext(i.group_id)::bigint & 4294967295
  JOIN pgtrickle.pgt_relay_pipelines AS p ON l.objid::bigint = hashtext(p.pipeline_name)::bigint & 4294967295
 WHERE i.group_id LIKE 'relay:%'
"""


def prepare(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SELECT pgtrickle.create_outbox(%s)", (OUTBOX,))
        for pipeline, inbox in _INBOXES.items():
            conn.execute("SELECT pgtrickle.create_inbox(%s, schedule => '1h')", (inbox,))
            # No order is told apart within a transaction otherwise.
            conn.execute(f"ALTER TABLE pgtrickle.{inbox} ADD COLUMN arrival bigserial".encode())
            sink = json.dumps({"type": "postgres", "inbox": inbox})
            statement = "SELECT pgtrickle.set_relay_outbox(%s, %s, sink => %s, options => %s)"
            conn.execute(statement, (pipeline, OUTBOX, sink, json.dumps(_OPTIONS)))


@contextmanager
def load(url: str) -> Iterator[None]:
    """Publish until the block ends; then what was committed has to be there, and nothing else."""
    with Load(url, OUTBOX, random.randrange(1_000_000)) as writers:
        yield
        writers.end()
    with psycopg.connect(url) as conn:
        kept = {one.event_id for one in published(conn, OUTBOX)}
    assert len(writers.committed) > 50 and writers.rolled_back, "it published, and it thought better of some"
    assert writers.committed <= kept and not writers.rolled_back & kept


def assert_settled(conn: psycopg.Connection[Any]) -> None:
    """Every inbox has every message, once, and those of a key in their order; none was set aside."""
    sent = published(conn, OUTBOX)
    for inbox in _INBOXES.values():
        until(
            lambda inbox=inbox: len(_received(conn, inbox)) >= len(sent),
            seconds=90,
            what=f"{inbox} has all {len(sent)} messages",
        )
        received = _received(conn, inbox)
        assert_all_and_no_others(received, sent)
        assert_once(received)
        assert_in_order(received)
    assert conn.execute("SELECT count(*) FROM pgtrickle.pgt_relay_dead_letters").fetchone() == (0,)


def _received(conn: psycopg.Connection[Any], inbox: str) -> list[Told]:
    rows = conn.execute(f"SELECT event_id, payload FROM pgtrickle.{inbox} ORDER BY arrival".encode()).fetchall()
    return [told(event_id, payload) for event_id, payload in rows]
